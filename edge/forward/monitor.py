"""What reads the queue's totals: `edge queue`, and a thread for `/metrics`, which never waits.

`edge queue --retry` has refused records sent again, too.
"""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path

from onnxlet.edge.forward.queue import Totals, totals_of
from onnxlet.edge.forward.queue import retry as send_again
from onnxlet.edge.forward.records import Clock, this_boot
from onnxlet.edge.forward.tables import connect, secret_of
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.edge.store.database import connect_as_it_is
from onnxlet.function.errors import OnnxletError

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


def inspect(options: ForwardOptions, retry: bool) -> list[str]:
    """The queue's totals, in words; with `retry`, refused records are sent again.

    Only then is the database opened for writing. OnnxletError is raised where there is no queue, or
    it can't be read.
    """
    try:
        _check(options.queue)
        with closing(connect_as_it_is(options.queue, write=retry)) as database:
            again = send_again(database) if retry else 0
            totals = totals_of(database, Clock(this_boot()))
    except (sqlite3.Error, OSError) as error:
        hint = "Put sudo before it." * isinstance(error, PermissionError)
        raise OnnxletError(f"{options.queue} can't be read: {error}", hint) from error
    lines = [f"{again} records are sent again"] if retry else []
    return [
        *lines,
        f"waiting {totals.waiting}, the oldest for {totals.oldest_seconds:.0f} s",
        f"set aside {totals.aside}",
        f"sent {totals.sent}",
        *(f"dropped {count} by {why}" for why, count in totals.dropped.items()),
        f"{totals.bytes / 1e6:.1f} of {options.max_mb} MB",
    ]


def _check(path: Path) -> None:
    """Refuse what is no regular file: the service's user could put anything into the folder.

    OnnxletError is raised where it does not exist, or is a link or no file.
    """
    try:
        stats = path.lstat()
    except FileNotFoundError:
        raise OnnxletError(
            f"there is no queue at {path}",
            "ONNXLET_DEVICE_FORWARD_URL switches it on, ONNXLET_DEVICE_QUEUE says where it is.",
        ) from None
    if not stat.S_ISREG(stats.st_mode) or stats.st_nlink > 1:
        raise OnnxletError(
            f"{path}: expected a file of its own, got a link, or no file",
            "Nothing was read or written. If the link is meant, name the file that it leads to by "
            "ONNXLET_DEVICE_QUEUE.",
        )
