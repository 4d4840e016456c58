"""What stops a part of a table, or all of it.

OnnxletError (onnxlet.function.errors)
├── PartFailed   exit code 1: a part can't be read or written; others may be
│   ├── BadRows  rows that can't be answered, where they were to stop all
│   └── NoRoom   nothing can be written to OUT: no part can
├── NoneAnswered exit code 1: no row can be answered, for one and the same reason
└── Unfinished   exit code 1: parts are left to do, and why
"""

from __future__ import annotations

import errno

from onnxlet.convert.errors import shortened
from onnxlet.function.errors import OnnxletError

GO_ON = "The same command goes on from there."
# Errors of the system that the next part would meet, too.
NO_ROOM = {
    errno.ENOSPC: "The disk is full: free some of it.",
    errno.EDQUOT: "The quota is used up: free some of it.",
    errno.EROFS: "It is read-only: make it writable.",
    errno.EACCES: "Let this user write there.",
    errno.EPERM: "Let this user write there.",
    errno.EIO: "The disk fails: look at the system's log.",
}


class PartFailed(OnnxletError):
    """A part could not be done; nothing of it is left."""

    stops = False  # whether it is of no use to try others


class BadRows(PartFailed):
    """A part has rows that can't be answered."""

    stops = True


class NoRoom(PartFailed):
    """What is answered can't be written."""

    stops = True


class NoneAnswered(OnnxletError):
    """No row can be answered, of some that were looked at before all are."""


class Unfinished(OnnxletError):
    """Some parts are done, and the others are left."""


def cannot_write(where: str, error: OSError) -> PartFailed:
    """What to say where a file of OUT can't be written."""
    message = f"can't write '{where}': {error.strerror or shortened(error)}"
    if error.errno in NO_ROOM:
        return NoRoom(message, f"{NO_ROOM[error.errno]} {GO_ON}")
    return NoRoom(message, GO_ON)
