"""Energy in joules, where a board measures it: by a counter, or by its power supply chip."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from onnxlet.edge.device.machine import output_of, read_text

PAUSE_SECONDS = 0.5  # between two samples
PACKAGE = re.compile(r"[a-z-]+:\d+")  # a whole package; its parts have a second number
NOT_PACKAGES = ("psys",)  # the whole platform, which includes the packages

Read = Callable[[], float | None]


class Counter:
    """The sum of energy counters that wrap around."""

    def __init__(self, counters: list[tuple[Path, int]]) -> None:
        # Files with microjoules, and the number at which each wraps; 0 means never.
        self._counters = counters
        self._before: dict[Path, int] = {}
        self._sum = 0
        self.joules()

    def joules(self) -> float:
        """Joules since the start; must be called more often than a counter wraps."""
        for path, most in self._counters:
            text = read_text(path)
            if not text.isdigit():  # counted with the next reading: a 0 would look like a wrap
                continue
            now = int(text)
            before = self._before.get(path, now)
            self._sum += now - before if now >= before else max(0, now + most - before)
            self._before[path] = now
        return self._sum / 1e6


def find_counters(root: Path = Path("/")) -> list[tuple[Path, int]]:
    """Readable files that count microjoules: powercap's packages, else hwmon's."""
    found = []
    for zone in sorted((root / "sys/class/powercap").glob("*")):
        of_package = PACKAGE.fullmatch(zone.name) and read_text(zone / "name") not in NOT_PACKAGES
        if of_package and read_text(zone / "energy_uj").isdigit():
            most = read_text(zone / "max_energy_range_uj")
            found.append((zone / "energy_uj", int(most) if most.isdigit() else 0))
    return found or _hwmon_counters(root)


def _hwmon_counters(root: Path) -> list[tuple[Path, int]]:
    files = sorted((root / "sys/class/hwmon").glob("hwmon*/energy*_input"))
    files = [file for file in files if read_text(file).isdigit()]
    named = {
        file: read_text(file.with_name(file.name.replace("_input", "_label"))) for file in files
    }
    sockets = [file for file in files if "socket" in named[file].lower()]  # include the cores
    return [(file, 0) for file in sockets or files]


def pmic_watts() -> float | None:
    """The power that a Raspberry Pi 5's supply chip delivers now; None on other boards."""
    return watts_of(output_of("vcgencmd", "pmic_read_adc"))


def watts_of(output: str) -> float | None:
    """The sum of volts times amperes over all rails that report both."""
    rails: dict[str, dict[str, float]] = {}
    for rail, kind, value in re.findall(r"(\w+)_([AV]) \w+\(\d+\)=([\d.]+)[AV]", output):
        rails.setdefault(rail, {})[kind] = float(value)
    both = [each["A"] * each["V"] for each in rails.values() if len(each) == 2]
    return sum(both) if both else None


class Meter:
    """Measures the board's energy within a `with` block."""

    def __init__(self, root: Path = Path("/")) -> None:
        counters = find_counters(root)
        self._counter = Counter(counters) if counters else None
        by_supply = not counters and pmic_watts() is not None
        # Of the measurement; empty if there is none.
        self.source = str(counters[0][0]) if counters else "vcgencmd pmic_read_adc" * by_supply
        self.joules: float | None = None  # of the block; None if this board does not measure it
        self._watts: list[float] = []
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Meter:
        self._from = self._counter.joules() if self._counter else 0.0
        self._since = time.monotonic()
        if self.source:
            self._sampler.start()
        return self

    def _sample(self) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            if self._counter:
                self._counter.joules()
            elif (watts := pmic_watts()) is not None:
                self._watts.append(watts)

    def __exit__(self, *error: object) -> None:
        self._over.set()
        if self.source:
            self._sampler.join()
        if self._counter:
            self.joules = self._counter.joules() - self._from
        elif self._watts:
            seconds = time.monotonic() - self._since
            self.joules = sum(self._watts) / len(self._watts) * seconds
