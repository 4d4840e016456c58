"""What a program would be that syncs nothing: the mistake that cutting the power has to find.

Loaded into each Python process of the machine, before anything else.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

connect = sqlite3.connect


class Unsynced(sqlite3.Connection):
    """A connection that never waits for the disk, whatever it is set to."""

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        """Execute, with synchronous off in place of full."""
        return super().execute(sql.replace("synchronous = FULL", "synchronous = OFF"), *arguments)


def connect_unsynced(*arguments: Any, **more: Any) -> Any:
    """A database whose commits are not synced."""
    return connect(*arguments, **more, factory=Unsynced)


def do_nothing(*arguments: Any) -> None:
    """In place of a sync."""


for name in ("fsync", "fdatasync", "sync"):
    setattr(os, name, do_nothing)
sqlite3.connect = connect_unsynced
