"""A bar on a terminal, where a step takes longer than two seconds."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from onnxlet.convert.progress import listening

PATIENCE = 2.0  # seconds that a step may take before it is shown
EVERY = 0.2  # seconds between two drawings
CELLS = 24  # characters of the bar


class ProgressBar:
    """Lines of progress, and below them a bar for the step that takes long.

    Args:
        stream: a terminal.
        clock: gives seconds.
    """

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
def on_terminal(stream: TextIO) -> Iterator[Callable[[str], object]]:
    """What takes lines of progress, with a bar below them until the work ends, or raises."""
    bar, ended = ProgressBar(stream), threading.Event()

    def drawing() -> None:
        while not ended.wait(EVERY):
            bar.draw()

    thread = threading.Thread(target=drawing, daemon=True)
    thread.start()
    try:
        with listening(bar.advanced):
            yield bar.line
    finally:
        ended.set()
        thread.join()
        bar.clear()
