"""Cuts the power of a machine again and again, and counts what that has damaged."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.machine.machine import Disk, Machine, copy_disk
from tests.machine.releases import Releases
from tests.machine.system import System

# Disks are found one after another, and not always in their order.
MOUNT = "mount -t proc proc /proc && mount -t sysfs sysfs /sys"
MOUNT += " && until mount -t ext4 -o ro LABEL=srv /srv; do sleep 0.2; done"
INIT = f'init=/bin/sh -- -c "{MOUNT} && exec python3 -I -S -B /srv/guest.py {{}}"'
PATHS = "/srv/packages"
BROKEN_PATHS = "/srv/packages /srv/unsynced 'import unsynced'"
START_SECONDS = 800  # from power on until all is looked at, on a busy machine
STEP_SECONDS = 400
# What an update says, and seconds after which at most the power is cut, emulated.
STEPS = {
    ("bundle", "fetching"): 1,
    ("bundle", "unpacking"): 4,
    ("bundle", "replaying"): 8,
    ("bundle", "switching"): 12,
    ("bundle", "ended"): 2,
    ("models", "fetching"): 1,
    ("models", "unpacking"): 1,
    ("models", "replaying"): 8,
    ("models", "ended"): 2,
}


@dataclass
class Damage:
    """What cuts of the power have done.

    Attributes:
        torn: that the live slot, its models or the service were not whole, and how.
        lost: records that were acknowledged and are not in the queue, or not in their place.
        kept: records that were acknowledged.
        taken: updates that were taken.
        cut_off: updates that were not at their end.
    """

    torn: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    taken: int = 0
    cut_off: int = 0


class Cuts:
    """One machine whose power is cut.

    Args:
        system: that it boots.
        releases: the disks with what it takes; its own is a copy.
        folder: for its disk and log.
        seed: of the moments.
        synced: without, nothing there brings anything to the disk on purpose.
    """

    def __init__(
        self, system: System, releases: Releases, folder: Path, seed: int, synced: bool = True
    ) -> None:
        folder.mkdir(parents=True)
        data = copy_disk(releases.data, folder / "data")
        disks = [Disk(system.disk), Disk(releases.srv), Disk(data, keeps=True)]
        init = INIT.format(PATHS if synced else BROKEN_PATHS)
        self._machine = Machine(system, disks, folder, init)
        self._chance = random.Random(seed)  # noqa: S311 - a test's
        self._plan: list[tuple[str, str]] = []
        self._turn = 0
        self.damage = Damage()

    def boot_and_cut(self) -> None:
        """Switch it on, see what the cut before has done, work, and cut at some moment.

        Where something is torn it ends there: nothing works any more.
        """
        if not self._plan:
            self._plan = self._chance.sample(list(STEPS), len(STEPS))
        kind, step = self._plan.pop()
        seconds = self._chance.uniform(0, STEPS[kind, step])
        reported: list[Any] = []
        try:
            self.boot_and_look(f"{kind}-{self._turn + 2}.zip")
            if self.damage.torn:
                return
            reached = self._hear((step, "ended"), STEP_SECONDS)
            reported = self._listen(seconds)
        finally:
            reported += self._machine.cut()
        for form in reported:
            self._note(form)
        steps = [form["step"] for form in (reached, *reported) if "step" in form]
        self.damage.cut_off += not any(each.startswith("ended") for each in steps)
        at = f"{seconds:.1f} s after {steps}, {len(self.damage.kept)} records kept"
        print(f"cut {self._turn}: {at}", flush=True)

    def boot_and_look(self, *archives: str) -> None:
        """Switch it on, see what the cut before has done, and have it work."""
        self._turn += 1
        self._machine.boot()
        self._hear(("started",), START_SECONDS)
        self._machine.tell({"first": self._turn * 100_000, "archives": archives})
        reported = self._hear(("faults",), START_SECONDS)
        before = f"after cut {self._turn - 1}: "
        self.damage.torn += [before + each for each in reported["faults"]]
        there = {name: place for place, name in enumerate(reported["records"])}
        last = -1
        for name in self.damage.kept:
            if there.get(name, -1) <= last:
                self.damage.lost.append(before + name)
            last = max(last, there.get(name, -1))

    def switch_off(self) -> None:
        """The end."""
        self._machine.cut()

    def _hear(self, what: tuple[str, ...], seconds: float) -> Any:
        """Read messages until one has such a member, or is a step that begins so."""
        end = time.monotonic() + seconds
        while (reported := self._machine.hear(end - time.monotonic())) is not None:
            self._note(reported)
            if reported.keys() & set(what) or str(reported.get("step", "")).startswith(what):
                return reported
        raise AssertionError(f"{what} did not come: {self._machine.last_words()}")

    def _listen(self, seconds: float) -> list[Any]:
        end, reported = time.monotonic() + seconds, []
        while (form := self._machine.hear(end - time.monotonic())) is not None:
            reported.append(form)
        return reported

    def _note(self, reported: Any) -> None:
        if "kept" in reported:
            self.damage.kept.append(reported["kept"])
        if reported.get("step", "").endswith(": taken"):
            self.damage.taken += 1
