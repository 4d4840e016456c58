"""One thread writes what the others hand over, all that has come meanwhile in one commit.

While the disk is full, read-only, broken or hangs, nobody waits for it: records stay in memory, as
many as there is room for, and are written once it works again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from onnxlet.edge.forward.queue import Queue
from onnxlet.edge.forward.records import Record
from onnxlet.edge.forward.tables import Identity, identity, is_broken, set_aside
from onnxlet.function import request_log

PATIENCE_SECONDS = 2.0  # that an answer waits for a disk that hangs
RETRY_SECONDS = 1.0
MEMORY_BYTES = 4_000_000  # of records that are not on the disk yet
AT_ONCE = 1000  # records in one commit

Open = Callable[[], Queue]


class Ticket:
    """What whoever waits for a record's commit looks at.

    Attributes:
        kept: the record is on the disk.
        strict: it is written at once or given up: whoever handed it over comes again.
    """

    def __init__(self, strict: bool) -> None:
        self.kept = False
        self.strict = strict
        self.done = threading.Event()


Entry = tuple[Record, Ticket | None]


class Writer:
    """Takes records from any thread.

    Args:
        path: of the database.
        open_queue: opens it; called again after each failure.
        largest: bytes of a record; larger ones are not kept.
        gather_seconds: that records for which nobody waits are gathered.
        log: told when writing fails for the first time, and when it works again.

    Attributes:
        lost: records that were not kept, by reason.
        late: answers that did not wait until their record was on the disk.
        failing: the disk does not take anything just now.
        hanging: it has not said for too long whether it does.
    """

    def __init__(
        self,
        path: Path,
        open_queue: Open,
        *,
        largest: int,
        gather_seconds: float,
        log: request_log.Log = request_log.write,
    ) -> None:
        self.lost: Counter[str] = Counter()
        self.late = 0
        self.failing = False
        self.hanging = False
        self._path = path
        self._file: Identity | None = None  # that is open, or was to be opened
        self._open = open_queue
        self._largest = min(largest, MEMORY_BYTES)
        self._gather = gather_seconds
        self._log = log
        self._queue: Queue | None = None
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keep", daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Write what there is, and end."""
        self._stopping.set()
        self._some.set()
        self._thread.join(seconds)

    @property
    def is_away(self) -> bool:
        """Nobody is to wait for the disk just now."""
        return self.failing or self.hanging

    def keep(self, record: Record, *, wait: bool, strict: bool = False) -> bool:
        """Hand a record over.

        Args:
            record: to be kept.
            wait: until it is on the disk, but not for long.
            strict: it is given up where it can't be written at once.

        Returns:
            Whether it is known to be on the disk.
        """
        if len(record.body) > self._largest:
            self.lost["large"] += 1
            return False
        if self.is_away and strict:
            return False
        ticket = Ticket(strict) if wait else None
        with self._lock:
            self._entries.append((record, ticket))
            self._bytes += len(record.body)
            self._make_room()
        self._some.set()
        if ticket is not None and not self.is_away and not ticket.done.wait(PATIENCE_SECONDS):
            self._hang(ticket)
        kept = ticket is not None and ticket.kept
        if ticket is not None and not (kept or strict):
            with self._lock:
                self.late += 1
        return kept

    def _make_room(self) -> None:
        while self._bytes > MEMORY_BYTES:
            oldest, ticket = self._entries.popleft()
            self._bytes -= len(oldest.body)
            self.lost["memory"] += 1
            _tell(ticket, kept=False)

    def _hang(self, ticket: Ticket) -> None:
        """One has waited for long enough: the others don't, until the disk has spoken."""
        with self._lock:
            if ticket.done.is_set() or self.is_away:
                return
            self.hanging = True
        error = f"the disk has not answered for {PATIENCE_SECONDS:g} s"
        self._log({"event": "forward", "state": "not keeping", "error": error})

    def _run(self) -> None:
        while self._entries or not self._stopping.is_set():
            self._some.wait()
            entries = self._take()
            # Once it has failed it is tried with nothing, too: else nobody finds that it works.
            if (entries or self.failing) and not self._write(entries):
                self._put_back(entries)
                if self._stopping.wait(RETRY_SECONDS):
                    break
        if self._queue is not None:
            self._queue.close()

    def _take(self) -> list[Entry]:
        """All that has come; where nobody waits for it, what comes in the next moments, too."""
        with self._lock:
            awaited = any(ticket for _, ticket in self._entries)
        if not awaited and len(self._entries) < AT_ONCE:
            self._stopping.wait(self._gather)
        with self._lock:
            entries = [self._entries.popleft() for _ in range(min(AT_ONCE, len(self._entries)))]
            self._bytes -= sum(len(record.body) for record, _ in entries)
            if not self._entries and not self._stopping.is_set():
                self._some.clear()
        return entries

    def _write(self, entries: list[Entry]) -> bool:
        try:
            if self._queue is None:
                self._file = identity(self._path)
                self._queue = self._open()
                self._file = self._queue.file
            self._queue.add([record for record, _ in entries])
        except Exception as error:  # nothing that a disk does may end the keeping
            self._fail(error)
            return False
        with self._lock:
            for _, ticket in entries:
                _tell(ticket, kept=True)
            was_away = self.is_away
            self.failing = self.hanging = False
        if was_away:
            self._log({"event": "forward", "state": "keeping"})
        return True

    def _fail(self, error: Exception) -> None:
        with self._lock:
            was_away = self.is_away
            self.failing, self.hanging = True, False
        if not was_away:
            self._log({"event": "forward", "state": "not keeping", "error": str(error)[:200]})
        if self._queue is not None:
            with suppress(sqlite3.Error):
                self._queue.close()
            self._queue = None
        if is_broken(error):
            with suppress(OSError):
                if broken := set_aside(self._path, self._file):
                    self._log({"event": "forward", "state": "set aside", "file": str(broken)})

    def _put_back(self, entries: list[Entry]) -> None:
        for _, ticket in entries:
            _tell(ticket, kept=False)
        again: list[Entry] = [(record, None) for record, t in entries if not (t and t.strict)]
        with self._lock:
            self._entries.extendleft(reversed(again))
            self._bytes += sum(len(record.body) for record, _ in again)
            self._make_room()
            self._some.set()


def _tell(ticket: Ticket | None, *, kept: bool) -> None:
    if ticket is not None:
        ticket.kept = kept
        ticket.done.set()
