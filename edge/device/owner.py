"""Root does what concerns another user's files as that user, who may have put anything there."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = 0


def become_owner(path: Path) -> None:
    """Where this is root, be from now on whoever could have put another file there.

    That is the first one beside root that something on the way to it belongs to; where all of it
    is root's, nothing changes. There is no way back.

    Args:
        path: absolute; it need not be there.
    """
    if os.geteuid() != ROOT:
        return
    for each in _on_the_way(path):
        with suppress(FileNotFoundError, NotADirectoryError):
            about = each.lstat()
            if about.st_uid != ROOT:
                return _become(about.st_uid, about.st_gid)


def _on_the_way(path: Path) -> Iterator[Path]:
    """From the top, as it is written and where that leads."""
    for way in (path, path.parent.resolve() / path.name):
        yield from (*reversed(way.parents), way)


def _become(user: int, group: int) -> None:
    with suppress(KeyError):  # an owner without a name
        group = pwd.getpwuid(user).pw_gid
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
