"""One thread reads how much waits, so that whoever asks for figures never waits for a disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from onnxlet.edge.forward.queue import Totals, totals_of
from onnxlet.edge.forward.records import Clock
from onnxlet.edge.forward.tables import connect, connect_as_it_is, secret_of

LOOK_SECONDS = 5.0  # between two looks
AGAIN_SECONDS = 0.5  # as long as there is nothing to tell
STALE_SECONDS = 20.0  # figures that are older are told no more: the disk hangs, or is away


class Gauge:
    """Looks at a database every few seconds, making it where there is none, and has what it saw.

    Args:
        path: of the database.
        clock: of this start of the machine.
        hashes: look for the key of the rows' hashes, too.

    Attributes:
        secret: that key; empty as long as the disk has not given it.
        looked: set once the first look has ended, well or not.
    """

    def __init__(self, path: Path, clock: Clock, *, hashes: bool) -> None:
        self.secret = b""
        self.looked = threading.Event()
        self._path = path
        self._clock = clock
        self._hashes = hashes
        self._seen: tuple[float, Totals] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gauge", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a look that hangs is not waited for."""
        self._stopping.set()

    def totals(self) -> Totals | None:
        """What the last look saw; None where it can't be read just now."""
        seen = self._seen
        if seen is None or time.monotonic() - seen[0] > STALE_SECONDS:
            return None
        return seen[1]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except (sqlite3.Error, OSError):
                self._seen = None
            self.looked.set()
            self._stopping.wait(LOOK_SECONDS if self._is_done() else AGAIN_SECONDS)

    def _look(self) -> None:
        if not self._path.exists():
            connect(self._path).close()
        if self._hashes and not self.secret:
            self.secret = secret_of(self._path)
        with closing(connect_as_it_is(self._path)) as database:
            self._seen = (time.monotonic(), totals_of(database, self._clock))

    def _is_done(self) -> bool:
        return self.totals() is not None and bool(self.secret or not self._hashes)
