"""A SQLite database of what is kept: how it is opened, written to and replaced.

Root's privileges are dropped before another user's files are touched: they may be traps.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

# FULL: a commit is on the disk when it returns. The WAL shrinks again after a burst.
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA journal_size_limit = 1048576",
    "PRAGMA cache_size = -1024",
)
# The file may have been tampered with: its schema, views and triggers must not run anything.
WARY = ("PRAGMA trusted_schema = OFF", "PRAGMA cell_size_check = ON")
SWITCHES = {"DEFENSIVE": True, "TRUSTED_SCHEMA": False, "ENABLE_TRIGGER": False}
SWITCHES |= {"ENABLE_VIEW": False}
ROOT = 0
BUSY_SECONDS = 5.0
BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

Identity = tuple[int, int]  # of a file: its device and inode


class QueueMoved(OSError):
    """Another process has replaced this database."""


def connect(path: Path, schema: str, pragmas: Sequence[str] | None = None) -> sqlite3.Connection:
    """Open a database; create it if there is none.

    The pragmas are executed before the schema, which makes tables where they are missing.
    sqlite3.Error or OSError is raised where it can't be opened or written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # predictions are somebody's data
    connection = _opened(str(path))
    try:
        for pragma in PRAGMAS if pragmas is None else pragmas:
            _execute_patiently(connection, pragma)
        connection.executescript(schema)
    except BaseException:
        connection.close()
        raise
    return connection


def _execute_patiently(connection: sqlite3.Connection, pragma: str) -> None:
    """Retry while locked: SQLite's own timeout does not cover the change of a new file to WAL."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(pragma)
        except sqlite3.OperationalError as error:
            locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not locked or time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return


def connect_as_it_is(path: Path, *, write: bool = False) -> sqlite3.Connection:
    """Open an existing database, by default read-only.

    sqlite3.Error is raised where it does not exist, or can't be opened.
    """
    return _opened(f"file:{quote(str(path))}?mode={'rw' if write else 'ro'}", uri=True)


def _opened(name: str, **how: Any) -> sqlite3.Connection:
    connection: sqlite3.Connection = sqlite3.connect(
        name, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, **how
    )
    try:
        if set_switch := getattr(connection, "setconfig", None):  # from Python 3.12 on
            for switch, on in SWITCHES.items():
                set_switch(getattr(sqlite3, f"SQLITE_DBCONFIG_{switch}"), on)
        for pragma in WARY:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(database: sqlite3.Connection, how: str = "IMMEDIATE") -> Iterator[None]:
    """Commit what the block does, or roll all of it back."""
    database.execute(f"BEGIN {how}")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def is_broken(error: BaseException) -> bool:
    """Whether the file is corrupt, so that retrying can't help."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in BROKEN


def identity(path: Path) -> Identity | None:
    """Which file is at a path; None if there is none."""
    try:
        stats = os.stat(path)  # noqa: PTH116 - faster, and part of each commit
    except FileNotFoundError:
        return None
    return stats.st_dev, stats.st_ino


def set_aside(path: Path, found: Identity | None) -> Path | None:
    """Move a broken database away, replacing one that was moved before.

    It has to be the file that was found broken: another process may have replaced it by a good one.
    Returns its new path; None if it was moved already. OSError is raised where it can't be moved.
    """
    broken = path.with_name(path.name + ".broken")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # of several processes that find it broken, one moves it
        if found is None or identity(path) != found:
            return None
        path.replace(broken)
        for end in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + end).unlink()
    finally:
        os.close(folder)
    return broken


def bytes_used(database: sqlite3.Connection) -> int:
    """Bytes of the database's pages in use."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


class Store:
    """One connection to a database, for one thread.

    Each method raises sqlite3.Error or OSError if the disk is full, read-only or broken.
    """

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path = path
        self._database = database
        self.file = identity(path)  # that it is in, whatever is at its path later

    def add(self, records: Any, /) -> None:
        """Write records, all or none; they are on the disk when this returns."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def check_path(self) -> None:
        """Raise QueueMoved where what was written is in a file that another process replaced."""
        if identity(self._path) != self.file:
            raise QueueMoved(f"{self._path} was replaced meanwhile")


def drop_privileges_to_owner(path: Path) -> None:
    """If this is root, become the user who could replace the file at a path. There is no way back.

    That is the first owner other than root along the path, which is absolute and need not exist; if
    root owns all of it, nothing changes.
    """
    if os.geteuid() != ROOT:
        return
    for each in _components(path):
        with suppress(FileNotFoundError, NotADirectoryError):
            stat = each.lstat()
            if stat.st_uid != ROOT:
                return _become(stat.st_uid, stat.st_gid)


def _components(path: Path) -> Iterator[Path]:
    """Every part of the path from the root down: as written, then with links resolved."""
    for each in (path, path.parent.resolve() / path.name):
        yield from (*reversed(each.parents), each)


def _become(user: int, group: int) -> None:
    with suppress(KeyError):  # an owner without a name
        group = pwd.getpwuid(user).pw_gid
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
