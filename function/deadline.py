"""How long a request may take: checked between runs, and enforced within a run on servers."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from onnxlet.function.errors import TookTooLong
from onnxlet.function.runtime.faults import RuntimeFault

if TYPE_CHECKING:
    from onnxlet.function.runtime.sessions import Ending

Item = TypeVar("Item")
NEVER = float("inf")
HINT = "Send fewer rows at once."


class _OfThisThread(threading.local):
    ends = NEVER  # on the clock of time.perf_counter
    seconds = 0.0


_now = _OfThisThread()


def begin(start: float, seconds: float) -> None:
    """Give this thread until so many seconds (or infinity) after `start`, by time.perf_counter."""
    _now.ends = start + seconds
    _now.seconds = seconds


def end() -> None:
    """Take this thread's deadline away."""
    _now.ends = NEVER


def check() -> None:
    """Go on only while there is time: raises TookTooLong where none is left."""
    if time.perf_counter() > _now.ends:
        raise _too_long()


def until(share: float) -> Callable[[], bool]:
    """Whether a share of the time that this thread has from its beginning is not over yet."""
    ends = _now.ends if _now.ends == NEVER else _now.ends - (1 - share) * _now.seconds
    return lambda: time.perf_counter() < ends


def checked(items: Sequence[Item], every: int = 1) -> Iterable[Item]:
    """The same items; the time is looked at before each, or before each `every`, of several."""
    return items if len(items) <= every else chain.from_iterable(_slices(items, every))


def _slices(items: Sequence[Item], every: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), every):
        check()
        yield items[start : start + every]


class Blocks(io.RawIOBase):
    """Bytes that come in blocks of any size, to be read; so many have `come` so far.

    The time is looked at before each block: reading raises TookTooLong where none is left.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks, self._left, self.come = blocks, memoryview(b""), 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes."""
        while not self._left:
            check()
            if (block := next(self._blocks, None)) is None:
                return 0
            self._left = memoryview(block)  # whose rest is no copy
            self.come += len(block)
        data, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _too_long() -> TookTooLong:
    return TookTooLong(f"no answer within {_now.seconds:g} seconds", HINT)


def run(ask: Callable[[Ending | None], Item]) -> Item:
    """What a run of a session answers within this thread's deadline; `ask` takes what ends it.

    Raises TookTooLong where there was no time left, or it ran out meanwhile and a watchdog ended
    the run.
    """
    check()
    if _watchdog is None or _now.ends == NEVER:
        return ask(None)
    return _watchdog.run(ask)


class Watchdog:
    """One thread that ends runs that take too long: ONNX Runtime stops before its next node.

    It looks every `tick` seconds.
    """

    def __init__(self, tick: float) -> None:
        self._tick = tick
        self._running: dict[Ending, float] = {}  # by when each has to have ended
        self._idle: list[Ending] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="deadline", daemon=True)
        self._thread.start()

    @property
    def watches(self) -> bool:
        """Whether it is still there: it may have been stopped, or left behind by a fork."""
        return self._thread.is_alive() and not self._stopped.is_set()

    def stop(self) -> None:
        """End the thread, some time soon."""
        self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._tick):
            now = time.perf_counter()
            for ending, ends in self._running.copy().items():
                if now > ends and not ending.asked:
                    ending.ask()

    def run(self, ask: Callable[[Ending | None], Item]) -> Item:
        """What a run answers, ended by TookTooLong when this thread's time is out."""
        try:
            ending = self._idle.pop()
        except IndexError:
            from onnxlet.function.runtime.sessions import new_ending  # few processes run anything

            ending = new_ending()
        self._running[ending] = _now.ends
        try:
            answered = ask(ending)
        except RuntimeFault as error:
            if ending.asked:
                raise _too_long() from error
            raise
        finally:
            del self._running[ending]
        # One that is late may be asked to end even now, and then ends no other run.
        if time.perf_counter() < _now.ends:
            self._idle.append(ending)
        return answered


_watchdog: Watchdog | None = None


def watch(seconds: float) -> Watchdog:
    """Have this process's runs ended when they are overdue: a request may take so many seconds."""
    global _watchdog
    _watchdog = Watchdog(min(1.0, seconds / 10))
    return _watchdog


@contextmanager
def watched(seconds: float) -> Iterator[None]:
    """Have runs ended when all of them take more seconds; on a server they are anyway."""
    global _watchdog
    if _watchdog is not None and _watchdog.watches:
        yield
        return
    dog = watch(seconds / 10)
    try:
        yield
    finally:
        _watchdog = None
        dog.stop()
