"""The board and its state, which a measurement is reported with."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

from onnxlet.edge.bench.emulation import read_maker
from onnxlet.edge.device.checks import Needs, power, speed
from onnxlet.edge.device.machine import read_machine, read_text

CPUS = "sys/devices/system/cpu"
# Arm's part numbers (https://developer.arm.com) of the processors of Raspberry Pis and clouds.
PARTS = {
    "0xd03": "Cortex-A53", "0xd04": "Cortex-A35", "0xd05": "Cortex-A55", "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72", "0xd0b": "Cortex-A76", "0xd0c": "Neoverse-N1", "0xd40": "Neoverse-V1",
    "0xd49": "Neoverse-N2", "0xd4f": "Neoverse-V2",
}  # fmt: skip


class Board(NamedTuple):
    """Facts that do not change; empty where this machine does not report one."""

    model: str  # of the board
    processor: str
    cores: int  # that programs may use
    memory: int | None  # bytes in total
    governor: str  # of the processor's frequency
    mhz: tuple[int, int] | None  # lowest and highest frequency
    kernel: str  # its name and release
    system: str  # the distribution
    python: str


class State(NamedTuple):
    """Facts that change; None where this machine does not report one. Fields as in `--json`."""

    celsius: float | None  # of the processor
    throttled: int | None  # flags as the Raspberry Pi's firmware has them
    told: str  # these flags in words
    mhz: int | None  # of the first processor


def read_board(root: Path = Path("/")) -> Board:
    """Read the facts about this machine below /proc, /sys and /etc."""
    machine = read_machine(root, root)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Board(
        model=machine.board or read_maker(root),
        processor=_processor(read_text(root / "proc/cpuinfo")),
        cores=cores or 1,
        memory=machine.memory,
        governor=", ".join(_governors(root)),
        mhz=_range(root / CPUS / "cpu0/cpufreq"),
        kernel=f"{platform.system()} {platform.release()}",
        system=_system(read_text(root / "etc/os-release")),
        python=platform.python_version(),
    )


def read_state(root: Path = Path("/")) -> State:
    """Read the machine's present state."""
    machine = read_machine(root, root)
    found = [check(machine, Needs()) for check in (power, speed)]
    told = "; ".join(each.told for each in found if each is not None)
    now = _mhz(root / CPUS / "cpu0/cpufreq/scaling_cur_freq")
    return State(machine.celsius, machine.throttled, told, now)


def _processor(cpuinfo: str) -> str:
    fields = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", cpuinfo, re.MULTILINE))
    arm = fields.get("CPU implementer") == "0x41"
    part = PARTS.get(fields.get("CPU part", "")) if arm else None
    return str(part or fields.get("model name") or platform.processor() or platform.machine())


def _governors(root: Path) -> list[str]:
    files = (root / CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")
    return sorted({text for text in map(read_text, files) if text})


def _mhz(path: Path) -> int | None:
    text = read_text(path)
    return int(text) // 1000 if text.isdigit() else None


def _range(folder: Path) -> tuple[int, int] | None:
    low, high = (_mhz(folder / f"scaling_{each}_freq") for each in ("min", "max"))
    return None if low is None or high is None else (low, high)


def _system(release: str) -> str:
    found = re.search(r'^PRETTY_NAME="?(.*?)"?$', release, re.MULTILINE)
    return found[1] if found else ""
