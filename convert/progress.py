"""How far a build has come: what compares or bisects reports it, and a terminal shows it by a bar.

That comes where a step takes longer than two seconds.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

PATIENCE = 2.0  # seconds that a step may take before it is shown
EVERY = 0.2  # seconds between two drawings
CELLS = 24  # characters of the bar
Report = Callable[[str], object]  # is called with a line of progress at a time
Listener = Callable[[str, int, int], object]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def advanced(what: str, done: int, total: int) -> None:
    """Report that so many of some work's parts are done; nobody may be listening."""
    if (listener := _listener.get()) is not None:
        listener(what, done, total)


def heard() -> bool:
    """Whether somebody is listening, such as a terminal."""
    return _listener.get() is not None


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have a function called with what advances meanwhile."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextmanager
def repeated(call: Callable[[], object], seconds: float) -> Iterator[None]:
    """Call a function, which must not raise, every so many seconds in a thread meanwhile."""
    ended = threading.Event()

    def calling() -> None:
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=calling, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class ProgressBar:
    """Lines of progress on a terminal, and below them a bar for the step that takes long."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._lock = threading.Lock()
        self._line, self._what, self._share = "", "", 0.0
        self._since = clock()
        self._drawn = 0  # characters of the bar that stands there

    def line(self, line: str) -> None:
        """A step begins: its line stays, and its time counts from now."""
        with self._lock:
            self._clear()
            self._stream.write(f"  {line}\n")
            self._stream.flush()
            self._line, self._what, self._share = line, "", 0.0
            self._since = self._clock()

    def advanced(self, what: str, done: int, total: int) -> None:
        """Some of a step's parts are done; shown with the next drawing."""
        with self._lock:
            self._what, self._share = what, done / max(total, 1)

    def draw(self) -> None:
        """Draw the bar again, if the step has taken long enough to be shown."""
        with self._lock:
            seconds = self._clock() - self._since
            if seconds < PATIENCE:
                return
            full = min(CELLS, int(CELLS * self._share))
            bar = "#" * full + "-" * (CELLS - full)
            room = shutil.get_terminal_size().columns - 1
            text = f"  [{bar}] {seconds:.0f} s  {self._line}: {self._what or '…'}"
            if len(text) > room and self._what:  # the line stands above, too
                text = f"  [{bar}] {seconds:.0f} s  {self._what}"
            text = text[:room]
            self._stream.write(f"\r{text.ljust(self._drawn)}")
            self._stream.flush()
            self._drawn = len(text)

    def clear(self) -> None:
        """Leave nothing of the bar."""
        with self._lock:
            self._clear()

    def _clear(self) -> None:
        if self._drawn:
            self._stream.write(f"\r{' ' * self._drawn}\r")
            self._stream.flush()
            self._drawn = 0


@contextmanager
def on_terminal(stream: TextIO) -> Iterator[Report]:
    """What takes lines of progress, with a bar below them until the work ends, or raises."""
    bar = ProgressBar(stream)
    try:
        with repeated(bar.draw, EVERY), listening(bar.advanced):
            yield bar.line
    finally:
        bar.clear()
