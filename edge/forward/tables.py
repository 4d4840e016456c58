"""The database that records wait in, and how it is opened."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

WAITING, TAKEN, ASIDE = range(3)  # states: to be sent, in the batch that is being sent, refused

SCHEMA = """
BEGIN IMMEDIATE;
-- Starts of the machine in their order; how long each was on, as far as is known.
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
# Full: a commit is on the card when it returns. The WAL gives back what a burst took.
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 1048576",
    "PRAGMA cache_size = -1024",
)
BUSY_SECONDS = 5.0
BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, and make it where there is none.

    Raises:
        sqlite3.Error, OSError: it can't be opened or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # predictions are somebody's data
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in PRAGMAS:
            connection.execute(pragma)
        connection.executescript(SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def is_broken(error: BaseException) -> bool:
    """Whether the file is no database any more, so that trying again can't help."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN


def set_aside(path: Path) -> Path:
    """Move a broken database out of the way, in the place of one that was before."""
    broken = path.with_name(path.name + ".broken")
    with suppress(FileNotFoundError):
        path.replace(broken)
    for end in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + end).unlink()
    return broken


def secret_of(path: Path) -> bytes:
    """The key of this queue's hashes, which never leaves the device.

    Raises:
        sqlite3.Error, OSError: the database can't be read.
    """
    with closing(connect(path)) as database:
        value: bytes = database.execute("SELECT value FROM about WHERE name = 'secret'").fetchone()[
            0
        ]
        return value
