"""A thread that writes records, all that have arrived meanwhile in one commit (group commit).

While the disk is full, read-only, broken or hangs, no request waits for it: records stay in memory,
up to a limit, and are written once it works again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from onnxlet.edge.store.database import Identity, Store, identity, is_broken, set_aside
from onnxlet.function import request_log

DISK_TIMEOUT_SECONDS = 2.0  # for which an answer waits for its record
RETRY_SECONDS = 1.0
MEMORY_BYTES = 4_000_000  # of records that are not on the disk yet
COMMIT_RECORDS = 1000  # in one commit, at most


class Storable(Protocol):
    """What is written; the bytes of its body count against the limits."""

    @property
    def body(self) -> bytes: ...  # noqa: D102 - as above


Open = Callable[[], Store]
Broken = Callable[[Exception, "Identity | None"], bool]


@dataclass
class Ticket:
    """A waiting caller's view of its record's commit."""

    # The record is written at the first attempt or dropped, since its client retries.
    strict: bool
    kept: bool = False  # the record is on the disk
    done: threading.Event = field(default_factory=threading.Event)  # the first attempt has ended


Entry = tuple[Storable, Ticket | None]


class Writer:
    """Accepts records from any thread, of up to `largest` bytes.

    The store is opened again after each failure. Records that nobody waits for are gathered for
    some seconds before a commit.
    """

    def __init__(
        self,
        path: Path,
        open_store: Open,
        *,
        largest: int,
        gather_seconds: float,
        log: request_log.Log = request_log.write,
        event: str = "forward",
        broken: Broken = lambda error, file: is_broken(error),
    ) -> None:
        self.lost: Counter[str] = Counter()  # records that were not kept, by reason
        self.late = 0  # answers that were sent before their record was on the disk
        self.failing = False  # the last write failed
        self.hanging = False  # a write has not ended in time
        self._path = path  # of the database
        self._file: Identity | None = None  # the database's file when it was opened last
        self._open = open_store
        self._largest = min(largest, MEMORY_BYTES)
        self._gather = gather_seconds
        self._log = log  # gets a line when writing fails, and when it works again
        self._event = event  # that these lines have
        # Whether after this error the file, by its identity, is to be set aside.
        self._broken = broken
        self._store: Store | None = None
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._hurry = threading.Event()  # somebody waits, or there is much: no more is gathered
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keep", daemon=True)

    def start(self) -> None:
        """Start the thread that writes."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> None:
        """Write what is in memory, and end."""
        self._stopping.set()
        self._some.set()
        self._hurry.set()
        self._thread.join(seconds)

    @property
    def is_unavailable(self) -> bool:
        """The disk does not work at present: nobody is to wait for it."""
        return self.failing or self.hanging

    def keep(self, record: Storable, *, wait: bool, strict: bool = False) -> bool:
        """Hand a record over; whether it is known to be on the disk.

        `wait` until it is, for at most DISK_TIMEOUT_SECONDS. A `strict` one is dropped if the first
        attempt to write it fails.
        """
        if len(record.body) > self._largest:
            self.lost["large"] += 1
            return False
        if self.is_unavailable and strict:
            return False
        ticket = Ticket(strict) if wait else None
        with self._lock:
            self._entries.append((record, ticket))
            self._bytes += len(record.body)
            self._make_room()
            many = len(self._entries) >= COMMIT_RECORDS or self._bytes > MEMORY_BYTES // 2
        if ticket is not None or many:
            self._hurry.set()
        self._some.set()
        if (
            ticket is not None
            and not self.is_unavailable
            and not ticket.done.wait(DISK_TIMEOUT_SECONDS)
        ):
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
            _resolve(ticket, kept=False)

    def _hang(self, ticket: Ticket) -> None:
        """One caller waited in vain: others don't wait until a write has ended."""
        with self._lock:
            if ticket.done.is_set() or self.is_unavailable:
                return
            self.hanging = True
        error = f"the disk has not answered for {DISK_TIMEOUT_SECONDS:g} s"
        self._log({"event": self._event, "state": "not keeping", "error": error})

    def _run(self) -> None:
        while self._entries or not self._stopping.is_set():
            self._some.wait()
            entries = self._take()
            # After a failure, write even without entries: else nothing shows that the disk works.
            if (entries or self.failing) and not self._write(entries):
                self._put_back(entries)
                if self._stopping.wait(RETRY_SECONDS):
                    break
        if self._store is not None:
            self._store.close()

    def _take(self) -> list[Entry]:
        """The entries so far; if nobody waits for them and they are few, gather more first."""
        if len(self._entries) < COMMIT_RECORDS:
            self._hurry.wait(self._gather)
        with self._lock:
            entries = [
                self._entries.popleft() for _ in range(min(COMMIT_RECORDS, len(self._entries)))
            ]
            self._bytes -= sum(len(record.body) for record, _ in entries)
            if not self._entries and not self._stopping.is_set():
                self._some.clear()
                self._hurry.clear()
        return entries

    def _write(self, entries: list[Entry]) -> bool:
        try:
            if self._store is None:
                self._file = identity(self._path)
                self._store = self._open()
                self._file = self._store.file
            self._store.add([record for record, _ in entries])
        except Exception as error:  # nothing that a disk does may end this thread
            self._fail(error)
            return False
        with self._lock:
            for _, ticket in entries:
                _resolve(ticket, kept=True)
            was_unavailable = self.is_unavailable
            self.failing = self.hanging = False
        if was_unavailable:
            self._log({"event": self._event, "state": "keeping"})
        return True

    def _fail(self, error: Exception) -> None:
        with self._lock:
            was_unavailable = self.is_unavailable
            self.failing, self.hanging = True, False
        if not was_unavailable:
            self._log({"event": self._event, "state": "not keeping", "error": str(error)[:200]})
        if self._store is not None:
            with suppress(sqlite3.Error):
                self._store.close()
            self._store = None
        with suppress(OSError):
            gone = self._broken(error, self._file) and set_aside(self._path, self._file)
            if gone:
                self._log({"event": self._event, "state": "set aside", "file": str(gone)})

    def _put_back(self, entries: list[Entry]) -> None:
        for _, ticket in entries:
            _resolve(ticket, kept=False)
        again: list[Entry] = [(record, None) for record, t in entries if not (t and t.strict)]
        with self._lock:
            self._entries.extendleft(reversed(again))
            self._bytes += sum(len(record.body) for record, _ in again)
            self._make_room()
            self._some.set()


def _resolve(ticket: Ticket | None, *, kept: bool) -> None:
    if ticket is not None:
        ticket.kept = kept
        ticket.done.set()
