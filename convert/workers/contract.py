"""Work in another process, whoever carries it: what it is, its time, what comes of it.

What all work has in common goes there once, as bytes. A function, named as in an entry point,
`module:name`, makes of them a `Do`, which then does one piece of work after another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

A = TypeVar("A")
Tick = Callable[[int], object]
# Does a piece of work, whose argument comes as bytes. It calls `Tick` with how much it has done
# meanwhile; what that raises ends it.
Do = Callable[[bytes, Tick], Any]


class Work(NamedTuple, Generic[A]):
    """A piece of work."""

    label: A  # what whoever wants it done calls it
    argument: bytes
    limit: float | None = None  # seconds until its process is killed; None for never


class Result(NamedTuple, Generic[A]):
    """What a piece of work came to."""

    label: A
    value: Any = None
    error: BaseException | None = None  # why there is no value
    seconds: float = 0.0  # that it took, where it had begun


class WorkFailed(Exception):
    """Why there is no value, in words."""


class ProcessEnded(WorkFailed):
    """Its process ended before it was done, each time that it was tried."""

    def __init__(self, why: str = "", code: int | None = None) -> None:
        super().__init__("its process ended" + (f": {why}" if why else ""))
        self.code = code  # the last one's, negative for a signal; None where nobody knows


class OutOfTime(WorkFailed):
    """It was killed: it took longer than its limit, or None of these, the time was up for all."""

    def __init__(self, limit: float | None = None) -> None:
        super().__init__("the time was up")
        self.limit = limit


class Carrier(Protocol):
    """Has work done somewhere."""

    @property
    def count(self) -> int:
        """How many pieces are done at a time."""

    def run(
        self,
        works: Iterator[Work[A]],
        tick: Tick = lambda done: None,
        until: float | None = None,
    ) -> Iterator[Result[A]]:
        """What each piece came to, as soon as it has ended, in no order.

        Args:
            works: the next is taken when there is room for it.
            tick: called with how much was done meanwhile, and a few times a second with 0.
            until: when whatever still runs is ended, by `time.monotonic`; None for never.
        """


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: what this process may use, not what is built in
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
