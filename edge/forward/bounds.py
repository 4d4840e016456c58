"""Which records are too old or too many, oldest first."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from onnxlet.edge.forward.records import Clock
from onnxlet.edge.forward.tables import ASIDE, TAKEN, WAITING

OVERHEAD = 150  # bytes of a record beside its body, roughly

SIZES = """
SELECT sequence, length(body) FROM record WHERE state = ? ORDER BY boot, monotonic_ns, sequence
"""
BEFORE = "SELECT sequence FROM record WHERE state = ? AND boot = ? AND monotonic_ns < ?"
OLDEST = """
SELECT boot, monotonic_ns FROM record WHERE state = ?
ORDER BY boot, monotonic_ns, sequence LIMIT 1
"""


def used(database: sqlite3.Connection) -> int:
    """Bytes that the database's pages take, those aside that are free."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def too_many(database: sqlite3.Connection, most: int) -> list[int]:
    """The oldest records that have to go for the others to take so many bytes at most.

    Those that are set aside go before those that wait.
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
    """The records that have been here for longer, while the device was on."""
    found: list[int] = []
    for boot, on_ns in ages(database, clock):
        for state in (ASIDE, WAITING):
            rows = database.execute(BEFORE, (state, boot, on_ns - most_ns))
            found += [row[0] for row in rows]
    return found


def oldest_seconds(database: sqlite3.Connection, clock: Clock) -> float:
    """For how long the oldest record that is not sent has been here, while the device was on."""
    on = dict(ages(database, clock))
    oldest = [database.execute(OLDEST, (state,)).fetchone() for state in (TAKEN, WAITING)]
    return max([(on[row[0]] - row[1]) / 1e9 for row in oldest if row], default=0.0)


def ages(database: sqlite3.Connection, clock: Clock) -> Iterator[tuple[int, int]]:
    """Of each start of the machine, for how many nanoseconds it has been on since then.

    Nothing tells how long it was off: that does not count.
    """
    later = 0
    starts = database.execute("SELECT number, id, last_ns FROM boot ORDER BY number DESC")
    for number, boot, last_ns in starts.fetchall():
        on = clock.monotonic_ns() if boot == clock.boot else last_ns
        yield number, on + later
        later += on
