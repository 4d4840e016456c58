"""A device's lock, and its history of updates, on the disk before anything relies on it.

Standard library only: the installer runs this from the zip.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from onnxlet.edge.device.slots import DevicePaths, live_slot, write_durably
from onnxlet.edge.update.errors import Failed, Refused
from onnxlet.function import files

HISTORY_FORMAT = 1
MOST_ATTEMPTS = 5  # that were interrupted: by a power cut, or by the release itself
KEPT_BROKEN = 20  # failed releases that are remembered, of each kind
LOCK = ".lock"


class Attempt(NamedTuple):
    """An update that has begun; its fields are those of `updates.json`."""

    kind: str  # `bundle` or `models`
    release: int  # its number
    tries: int  # how often it has begun
    back: str = ""  # the previous slot, once the link is about to be switched
    # Versions by name, once they are about to be moved among the models.
    models: Mapping[str, int] | None = None


@dataclass(frozen=True)
class History:
    """A device's history of updates; its fields are those of `updates.json`."""

    # The highest release ever accepted, by kind.
    highest: Mapping[str, int] = field(default_factory=dict)
    # Releases that failed here, by kind and number, and why.
    broken: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    attempt: Attempt | None = None  # the update that is neither accepted nor given up yet

    @property
    def under_way(self) -> Attempt:
        """The attempt, which must exist."""
        if self.attempt is None:
            raise LookupError("no update is under way")
        return self.attempt

    def begin(self, kind: str, release: int) -> History:
        """The history after an update has begun, or begun again."""
        last = self.attempt
        again = last is not None and (last.kind, last.release) == (kind, release)
        tries = last.tries + 1 if again and last else 1
        return replace(self, attempt=Attempt(kind, release, tries))

    def accept(self, kind: str, release: int) -> History:
        """The history after an update was accepted."""
        highest = {**self.highest, kind: max(release, self.highest.get(kind, 0))}
        return replace(self, highest=highest, attempt=self._without(kind))

    def give_up(self, kind: str, release: int, why: str) -> History:
        """The history after a release was given up: it is never tried again."""
        numbers = {**self.broken.get(kind, {}), release: why[:500]}
        kept = dict(sorted(numbers.items())[-KEPT_BROKEN:])
        return replace(self, broken={**self.broken, kind: kept}, attempt=self._without(kind))

    def _without(self, kind: str) -> Attempt | None:
        return None if self.attempt and self.attempt.kind == kind else self.attempt


def read_history(paths: DevicePaths) -> History:
    """Read the history, which is empty on a new device.

    Refused is raised where it can't be read.
    """
    path = paths.data / "updates.json"
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content["format"] != HISTORY_FORMAT:
            raise ValueError(f"expected format {HISTORY_FORMAT}, got {content['format']}")
        broken = {
            kind: {int(number): str(why) for number, why in numbers.items()}
            for kind, numbers in content["broken"].items()
        }
        highest = {str(kind): int(number) for kind, number in content["highest"].items()}
        return History(highest, broken, content["attempt"] and Attempt(**content["attempt"]))
    except FileNotFoundError:
        return History()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(
            f"{path} can't be read: {error}",
            "It holds which releases are too old to be taken. Remove it to start anew.",
        ) from error


def write_history(paths: DevicePaths, history: History) -> History:
    """Write the history to the disk, and return it."""
    content = {"format": HISTORY_FORMAT, **asdict(history)}
    content["attempt"] = history.attempt and history.attempt._asdict()
    write_durably(paths.data / "updates.json", json.dumps(content, indent=1).encode() + b"\n")
    return history


def is_switched(paths: DevicePaths, attempt: Attempt) -> bool:
    """Whether the slot that an attempt filled is live, and not confirmed yet."""
    return bool(attempt.back) and live_slot(paths) not in (None, attempt.back)


def give_idle_slot(paths: DevicePaths) -> None:
    """Make sure that no attempt relies on the idle slot, before an installation fills it.

    Refused is raised where an attempt may have to roll back to it.
    """
    history = read_history(paths)
    attempt = history.attempt
    if attempt is None or not attempt.back:
        return
    if is_switched(paths, attempt):
        raise Refused(
            f"release {attempt.release} is live and not confirmed yet: it may have to go "
            f"back to slot {attempt.back}, which this would take the place of",
            "Have it confirmed: sudo systemctl start onnxlet-settle. Then do this again.",
        )
    write_history(paths, replace(history, attempt=attempt._replace(back="")))


@contextmanager
def locked(paths: DevicePaths, held: int | None = None) -> Iterator[int]:
    """Hold the lock within the block; report disk errors in it as `Failed`.

    A program that calls exec passes on the descriptor that this yields: the next one has it as
    `held`. Failed is raised where another process holds the lock, too.
    """
    try:
        paths.data.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                lock = stack.enter_context(files.locked(paths.data / LOCK, wait=False, held=held))
            except BlockingIOError:
                busy = "another update is running, or an installation"
                hint = "Wait for its end; of one cut off: sudo systemctl start onnxlet-settle"
                raise Failed(busy, hint) from None
            yield lock
    except OSError as error:
        what = error.filename or paths.data
        hint = "What serves is as it was; try again then."
        if isinstance(error, PermissionError) and os.geteuid() != 0:
            hint = "Put sudo before it."
        raise Failed(f"{what}: {error.strerror or error}", hint) from error
