"""What is read of a board, by folders that are as a Raspberry Pi's."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from onnxlet.edge.bench import energy
from onnxlet.edge.bench.board import read_board, read_state
from onnxlet.edge.bench.energy import Counter, Meter, find_counters, pmic_watts, watts_of
from tests.edge.device.test_checks import write

FREQUENCY = "sys/devices/system/cpu/cpu{}/cpufreq/{}"
PI = {
    "proc/meminfo": "MemTotal:        8245248 kB\nMemAvailable:    7000000 kB\n",
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n",
    "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "sys/class/thermal/thermal_zone0/temp": "55800\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    FREQUENCY.format(0, "scaling_governor"): "ondemand\n",
    FREQUENCY.format(1, "scaling_governor"): "ondemand\n",
    FREQUENCY.format(0, "scaling_min_freq"): "1500000\n",
    FREQUENCY.format(0, "scaling_max_freq"): "2400000\n",
    FREQUENCY.format(0, "scaling_cur_freq"): "1600000\n",
}
ZONE = "sys/class/powercap/intel-rapl:{}/{}"
POWERCAP = {
    ZONE.format("0", "name"): "package-0\n",
    ZONE.format("0", "energy_uj"): "1000000\n",
    ZONE.format("0", "max_energy_range_uj"): "5000000\n",
    ZONE.format("0:0", "name"): "core\n",
    ZONE.format("0:0", "energy_uj"): "700000\n",
    ZONE.format("1", "name"): "psys\n",
    ZONE.format("1", "energy_uj"): "3000000\n",
}
ADC = """\
     3V7_WL_SW_A current(0)=0.10000000A
     VDD_CORE_A current(7)=2.00000000A
     3V7_WL_SW_V volt(8)=3.70000000V
     VDD_CORE_V volt(15)=0.80000000V
     EXT5V_V volt(24)=5.10000000V
"""


def test_a_raspberry_pi(tmp_path: Path) -> None:
    write(tmp_path, PI)
    board, state = read_board(tmp_path), read_state(tmp_path)

    assert (board.model, board.processor) == ("Raspberry Pi 5 Model B Rev 1.0", "Cortex-A76")
    assert (board.governor, board.mhz) == ("ondemand", (1500, 2400))
    assert (board.memory, board.system) == (8245248 * 1024, "Debian GNU/Linux 13 (trixie)")
    assert (state.celsius, state.throttled, state.mhz) == (55.8, 0x50005, 1600)
    assert state.told == "the voltage is too low now; the processor is slowed down now"


def test_a_machine_that_reports_little(tmp_path: Path) -> None:
    board, state = read_board(tmp_path), read_state(tmp_path)
    assert (board.model, board.governor, board.mhz, board.system) == ("", "", None, "")
    assert board.processor
    assert board.cores >= 1
    assert (state.celsius, state.throttled, state.told, state.mhz) == (None, None, "", None)


def counted(root: Path, *contents: int | str) -> list[float]:
    """Joules after each of these contents has stood in the package's counter."""
    counter = Counter(find_counters(root))
    joules = []
    for content in contents:
        write(root, {ZONE.format("0", "energy_uj"): f"{content}\n"})
        joules.append(counter.joules())
    return joules


def test_packages_are_counted_and_not_their_parts_or_the_whole_board(tmp_path: Path) -> None:
    write(tmp_path, POWERCAP)
    [(path, most)] = find_counters(tmp_path)
    assert (path.parent.name, most) == ("intel-rapl:0", 5_000_000)
    assert counted(tmp_path, 1_500_000, 4_500_000, 500_000) == [0.5, 3.5, 4.5]


def test_a_counter_that_cannot_be_read_for_a_moment_has_not_wrapped(tmp_path: Path) -> None:
    write(tmp_path, POWERCAP)
    assert counted(tmp_path, 1_500_000, "", "n/a", 2_000_000) == [0.5, 0.5, 0.5, 1.0]


def test_counters_of_hwmon(tmp_path: Path) -> None:
    folder = "sys/class/hwmon/hwmon{}/{}"
    write(tmp_path, {folder.format(2, "energy1_input"): "5\n"})
    assert [path.name for path, _ in find_counters(tmp_path)] == ["energy1_input"]
    labels = {"energy1_label": "Ecore000\n", "energy2_label": "Esocket0\n", "energy2_input": "9\n"}
    write(tmp_path, {folder.format(2, name): text for name, text in labels.items()})
    assert [path.name for path, _ in find_counters(tmp_path)] == ["energy2_input"]


def test_what_is_measured_while_something_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "PAUSE_SECONDS", 0.001)
    monkeypatch.setenv("PATH", str(tmp_path))
    write(tmp_path, POWERCAP)
    with Meter(tmp_path) as meter:
        write(tmp_path, {ZONE.format("0", "energy_uj"): "3500000\n"})
    assert meter.joules == 2.5
    assert meter.source.endswith("intel-rapl:0/energy_uj")

    nothing = tmp_path / "nothing"
    with Meter(nothing) as meter:
        pass
    assert (meter.joules, meter.source) == (None, "")


def vcgencmd(folder: Path, answers: Mapping[str, str]) -> None:
    cases = "".join(f"{name}) cat <<'E'\n{text}E\n;;\n" for name, text in answers.items())
    (folder / "vcgencmd").write_text(f'#!/bin/sh\ncase "$1" in\n{cases}*) exit 1;;\nesac\n')
    (folder / "vcgencmd").chmod(stat.S_IRWXU)


def test_the_power_supply_of_a_raspberry_pi_5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watts_of(ADC) == pytest.approx(0.1 * 3.7 + 2 * 0.8)
    assert watts_of("error=1") is None
    monkeypatch.setattr(energy, "PAUSE_SECONDS", 0.01)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert pmic_watts() is None
    vcgencmd(tmp_path, {"pmic_read_adc": ADC})
    with Meter(tmp_path) as meter:
        while not meter._watts:
            assert meter._sampler.is_alive()
    assert meter.source == "vcgencmd pmic_read_adc"
    assert meter.joules is not None
    assert meter.joules > 0
    vcgencmd(tmp_path, {"other": ""})  # as a Raspberry Pi 4 has it
    assert pmic_watts() is None
