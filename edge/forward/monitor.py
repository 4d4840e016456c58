"""A thread that reads the queue's totals, so that `/metrics` never waits for the disk."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from onnxlet.edge.forward.queue import Totals, totals_of
from onnxlet.edge.forward.records import Clock
from onnxlet.edge.forward.tables import connect, secret_of
from onnxlet.edge.store.database import connect_as_it_is

INTERVAL_SECONDS = 5.0  # between two reads
RETRY_SECONDS = 0.5  # until the first read succeeds
STALE_SECONDS = 20.0  # older totals are not reported: the disk hangs, or is gone


class QueueMonitor:
    """Reads a database every few seconds, and keeps what it read. It creates a missing one."""

    def __init__(self, path: Path, clock: Clock, *, hashes: bool) -> None:
        self.secret = b""  # that key; empty until it could be read
        self.tried = threading.Event()  # set once the first read has ended, successfully or not
        self._path = path  # of the database
        self._clock = clock  # of this boot of the machine
        self._hashes = hashes  # read the key of the rows' hashes, too
        self._latest: tuple[float, Totals] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="queue-monitor", daemon=True)

    def start(self) -> None:
        """Start the thread that reads."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; a read that hangs is not awaited."""
        self._stopping.set()

    def totals(self) -> Totals | None:
        """The latest totals; None if the database can't be read at present."""
        latest = self._latest
        if latest is None or time.monotonic() - latest[0] > STALE_SECONDS:
            return None
        return latest[1]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._read()
            except (sqlite3.Error, OSError):
                self._latest = None
            self.tried.set()
            self._stopping.wait(INTERVAL_SECONDS if self._is_done() else RETRY_SECONDS)

    def _read(self) -> None:
        if not self._path.exists():
            connect(self._path).close()
        if self._hashes and not self.secret:
            self.secret = secret_of(self._path)
        with closing(connect_as_it_is(self._path)) as database:
            self._latest = (time.monotonic(), totals_of(database, self._clock))

    def _is_done(self) -> bool:
        return self.totals() is not None and bool(self.secret or not self._hashes)
