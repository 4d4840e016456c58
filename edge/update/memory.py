"""What a device remembers of updates: `updates.json`, on the card before anything relies on it.

Standard library alone: the installer runs this out of the zip.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from onnxlet.edge.device.slots import Places, live_slot, write_durably
from onnxlet.edge.update.errors import Refused

FORMAT = 1
MOST_ATTEMPTS = 5  # that ended without a verdict: the power failed, or the release brought it down
KEPT_BROKEN = 20


class Attempt(NamedTuple):
    """An update that has begun.

    Attributes:
        kind: `bundle` or `models`.
        release: its number.
        tries: how often it has begun.
        back: the slot that served before, once the link is about to be switched.
        models: versions by name, once they are about to be put among the models.
    """

    kind: str
    release: int
    tries: int
    back: str = ""
    models: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Memory:
    """What is remembered.

    Attributes:
        highest: release that was ever accepted, by kind.
        broken: of each kind the releases that failed here, and why.
        attempt: one that has no verdict yet.
    """

    highest: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    attempt: Attempt | None = None

    @property
    def under_way(self) -> Attempt:
        """The attempt, where it is known that there is one."""
        if self.attempt is None:
            raise LookupError("no update is under way")
        return self.attempt

    def begin(self, kind: str, release: int) -> Memory:
        """An update begins, or begins again."""
        last = self.attempt
        again = last is not None and (last.kind, last.release) == (kind, release)
        tries = last.tries + 1 if again and last else 1
        return replace(self, attempt=Attempt(kind, release, tries))

    def accept(self, kind: str, release: int) -> Memory:
        """An update is good."""
        highest = {**self.highest, kind: max(release, self.highest.get(kind, 0))}
        return replace(self, highest=highest, attempt=self._without(kind))

    def give_up(self, kind: str, release: int, why: str) -> Memory:
        """A release is never tried again."""
        numbers = {**self.broken.get(kind, {}), release: why[:500]}
        kept = dict(sorted(numbers.items())[-KEPT_BROKEN:])
        return replace(self, broken={**self.broken, kind: kept}, attempt=self._without(kind))

    def _without(self, kind: str) -> Attempt | None:
        return None if self.attempt and self.attempt.kind == kind else self.attempt


def read_memory(places: Places) -> Memory:
    """Read what is remembered; nothing on a new device.

    Raises:
        Refused: it is there and can't be read.
    """
    path = places.data / "updates.json"
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
        if told["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}, got {told['format']}")
        broken = {
            kind: {int(number): str(why) for number, why in numbers.items()}
            for kind, numbers in told["broken"].items()
        }
        highest = {str(kind): int(number) for kind, number in told["highest"].items()}
        return Memory(highest, broken, told["attempt"] and Attempt(**told["attempt"]))
    except FileNotFoundError:
        return Memory()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path} can't be read: {error}",
            "It holds which releases are too old to be taken. Remove it to start anew.",
        ) from error


def write_memory(places: Places, memory: Memory) -> Memory:
    """Have it on the card."""
    told = {"format": FORMAT, **asdict(memory)}
    told["attempt"] = memory.attempt and memory.attempt._asdict()
    write_durably(places.data / "updates.json", json.dumps(told, indent=1).encode() + b"\n")
    return memory


def is_switched(places: Places, attempt: Attempt) -> bool:
    """Whether what an attempt brought is live; it has not proven itself."""
    return bool(attempt.back) and live_slot(places) not in (None, attempt.back)


def give_idle_slot(places: Places) -> None:
    """Have no attempt rely on the idle slot, before that is filled by hand.

    Raises:
        Refused: one has to be able to go back to it.
    """
    memory = read_memory(places)
    attempt = memory.attempt
    if attempt is None or not attempt.back:
        return
    if is_switched(places, attempt):
        raise Refused(
            f"release {attempt.release} is live and has not proven itself yet: it may have to go "
            f"back to slot {attempt.back}, which this would take the place of",
            "Have it judged: sudo systemctl start onnxlet-settle. Then do this again.",
        )
    write_memory(places, replace(memory, attempt=attempt._replace(back="")))
