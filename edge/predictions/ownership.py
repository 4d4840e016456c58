"""Whose file is at the path of the database: no other program's is written to or moved away."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from enum import Enum
from pathlib import Path

from onnxlet.edge.store.database import BROKEN, PRAGMAS, connect
from onnxlet.function.errors import SettingsError

# In a database's header, so that it is known without opening it, which could change it.
APPLICATION_ID = int.from_bytes(b"onxk")
MARK = f"PRAGMA application_id = {APPLICATION_ID}"
# https://www.sqlite.org/fileformat2.html#the_database_header
MAGIC = b"SQLite format 3\0"
ID = slice(68, 72)
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class PathContent(Enum):
    """What is at a path."""

    NOTHING = "nothing, or an empty file"
    OURS = "a database of kept answers"
    DATABASE = "a SQLite database of another program"
    FILE = "a file that is no SQLite database"
    OTHER = "no regular file"


class NotOurs(OSError):
    """Another program's file is there."""


def look(path: Path) -> PathContent:
    """What is at a path; nothing of it is changed. OSError is raised where it can't be read."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return PathContent.NOTHING
    if not stat.S_ISREG(status.st_mode):
        return PathContent.OTHER
    with path.open("rb") as file:
        head = file.read(ID.stop)
    if not head:
        return PathContent.NOTHING
    if not head.startswith(MAGIC):
        return PathContent.FILE
    return PathContent.OURS if head[ID] == APPLICATION_ID.to_bytes(4) else PathContent.DATABASE


def opened(path: Path, schema: str) -> sqlite3.Connection:
    """Open the database, or create it.

    Raises NotOurs where another program's file is there, sqlite3.Error or OSError where it can't be
    opened or written to.
    """
    found = look(path)
    if found not in (PathContent.NOTHING, PathContent.OURS):
        raise NotOurs(f"{path} is {found.value}")
    # The mark is the first commit of a new file: from then on its header has it.
    return connect(path, schema, PRAGMAS if found is PathContent.OURS else (MARK, *PRAGMAS))


def check(path: Path, schema: str) -> None:
    """Create the database that ONNXLET_KEEP names, or see that it can be written to.

    SettingsError is raised where it can't be kept there.
    """
    if not path.parent.is_dir():
        raise SettingsError(
            f"ONNXLET_KEEP: the folder {path.parent} is not there",
            "Create it, or name a file in a folder that is there.",
        )
    try:
        with closing(opened(path, schema)):
            pass
    except NotOurs as error:
        raise SettingsError(
            f"ONNXLET_KEEP: expected a file that is not there yet, or one of kept answers: {error}",
            "It was left as it is. Name another file: it is created.",
        ) from error
    except (sqlite3.Error, OSError) as error:
        # One that is ours and broken is set aside later; one that is busy is used by its like.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (*BUSY, *BROKEN):
            raise SettingsError(
                f"ONNXLET_KEEP: {path} can't be written to: {error}",
                "Name a file in a folder that this user may write to, on a disk with room.",
            ) from error
