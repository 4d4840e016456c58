"""The one way to a file in a folder that others may write to: models, a device's data, a cache.

A link there may lead to somebody's own file, and a pipe keeps whoever opens it waiting. So a file
is opened as itself and without waiting, and nothing of it is changed before it is known to be a
regular one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NO_FILE = "it is no regular file"
LINK = "it is a link: expected the file itself"


def open_file(path: Path | str, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """A descriptor of a regular file; one that os.O_CREAT makes has this mode.

    OSError, with the path, is raised where a link, a pipe, a device or a folder is there, or it
    can't be opened.
    """
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, LINK, str(path)) from error
        if error.errno == errno.ENXIO:  # a socket, or a pipe that nobody reads
            raise OSError(errno.EINVAL, NO_FILE, str(path)) from error
        raise
    kind = os.fstat(opened).st_mode
    if not stat.S_ISREG(kind):
        os.close(opened)
        if stat.S_ISDIR(kind):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        raise OSError(errno.EINVAL, NO_FILE, str(path))
    return opened


@contextmanager
def locked(path: Path, wait: bool = True, held: int | None = None) -> Iterator[int]:
    """Hold a lock by a file, which is made where there is none; yields its descriptor.

    `held` is one that an earlier program has opened already.

    Raises BlockingIOError where another process holds it and it is not waited for, and OSError as
    `open_file` does.
    """
    import fcntl  # no prediction needs it

    opened = open_file(path, os.O_RDWR | os.O_CREAT, 0o666) if held is None else held
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield opened
    finally:
        os.close(opened)
