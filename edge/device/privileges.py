"""Drop root's privileges before another user's files are touched: they may be traps."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = 0


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
