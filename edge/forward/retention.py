"""Which records to drop, oldest first: too old ones, and those beyond the size limit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from onnxlet.edge.forward.records import Clock
from onnxlet.edge.store.database import ASIDE, TAKEN, WAITING

OVERHEAD = 150  # rough bytes of a record beside its body

SIZES = """
SELECT sequence, length(body) FROM record WHERE state = ? ORDER BY boot, monotonic_ns, sequence
"""
BEFORE = "SELECT sequence FROM record WHERE state = ? AND boot = ? AND monotonic_ns < ?"
OLDEST = """
SELECT boot, monotonic_ns FROM record WHERE state = ?
ORDER BY boot, monotonic_ns, sequence LIMIT 1
"""


def used(database: sqlite3.Connection) -> int:
    """Bytes of the database's pages in use."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def too_many(database: sqlite3.Connection, most: int) -> list[int]:
    """The oldest records to drop so that the others take at most so many bytes.

    Refused records, which are set aside, go before those that wait.
    """
    excess = used(database) - most
    sequences: list[int] = []
    for state in (ASIDE, WAITING):
        for sequence, size in database.execute(SIZES, (state,)):
            if excess <= 0:
                break
            sequences.append(sequence)
            excess -= size + OVERHEAD
    return sequences


def too_old(database: sqlite3.Connection, clock: Clock, most_ns: int) -> list[int]:
    """The records older than so many nanoseconds, counting only time with the device on."""
    found: list[int] = []
    for boot, on_ns in ages(database, clock):
        for state in (ASIDE, WAITING):
            rows = database.execute(BEFORE, (state, boot, on_ns - most_ns))
            found += [row[0] for row in rows]
    return found


def oldest_seconds(database: sqlite3.Connection, clock: Clock) -> float:
    """The age of the oldest unsent record, counting only time with the device on."""
    on = dict(ages(database, clock))
    oldest = [database.execute(OLDEST, (state,)).fetchone() for state in (TAKEN, WAITING)]
    return max([(on[row[0]] - row[1]) / 1e9 for row in oldest if row], default=0.0)


def ages(database: sqlite3.Connection, clock: Clock) -> Iterator[tuple[int, int]]:
    """For each boot of the machine, the nanoseconds that it has been on since.

    Time with the machine off does not count, since nothing records it.
    """
    later = 0
    starts = database.execute("SELECT number, id, last_ns FROM boot ORDER BY number DESC")
    for number, boot, last_ns in starts.fetchall():
        on = clock.monotonic_ns() if boot == clock.boot else last_ns
        yield number, on + later
        later += on
