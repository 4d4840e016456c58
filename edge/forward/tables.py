"""The tables of the queue, and which records to drop: too old ones, and those beyond its size.

The oldest go first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from onnxlet.edge.forward.records import Clock
from onnxlet.edge.store import database as sqlite
from onnxlet.edge.store.database import bytes_used

WAITING, TAKEN, ASIDE = range(3)  # states: to send, in the batch being sent, refused
OVERHEAD = 150  # rough bytes of a record beside its body

SCHEMA = """
BEGIN IMMEDIATE;
-- Boots of the machine in their order; how long each lasted, as far as is known.
CREATE TABLE IF NOT EXISTS boot (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    last_ns INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS record (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    state INTEGER NOT NULL DEFAULT 0,
    boot INTEGER NOT NULL REFERENCES boot (number),
    monotonic_ns INTEGER NOT NULL,
    time_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS in_order ON record (state, boot, monotonic_ns, sequence);
CREATE TABLE IF NOT EXISTS total (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO about VALUES ('queue', lower(hex(randomblob(16))));
INSERT OR IGNORE INTO about VALUES ('secret', randomblob(32));
COMMIT;
"""
SIZES = """
SELECT sequence, length(body) FROM record WHERE state = ? ORDER BY boot, monotonic_ns, sequence
"""
BEFORE = "SELECT sequence FROM record WHERE state = ? AND boot = ? AND monotonic_ns < ?"
OLDEST = """
SELECT boot, monotonic_ns FROM record WHERE state = ?
ORDER BY boot, monotonic_ns, sequence LIMIT 1
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the queue's database; create it if there is none."""
    return sqlite.connect(path, SCHEMA)


def secret_of(path: Path) -> bytes:
    """The key of the hashes of rows, which never leaves the device.

    sqlite3.Error or OSError is raised where the database can't be read.
    """
    with closing(connect(path)) as database:
        return bytes(about(database, "secret"))


def about(database: sqlite3.Connection, name: str) -> Any:
    """What the queue was given at random when it was created: `queue`, its name, or `secret`."""
    return database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()[0]


def too_many(database: sqlite3.Connection, most: int) -> list[int]:
    """The oldest records to drop so that the others take at most so many bytes.

    Refused records, which are set aside, go before those that wait.
    """
    excess = bytes_used(database) - most
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
