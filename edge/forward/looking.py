"""`edge queue`: how much waits on this device, and another try for what was refused."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from onnxlet.edge.forward.queue import retry as send_again
from onnxlet.edge.forward.queue import totals_of
from onnxlet.edge.forward.records import Clock, this_boot
from onnxlet.edge.forward.tables import connect_as_it_is
from onnxlet.edge.settings.forward import ForwardOptions
from onnxlet.function.errors import OnnxletError


def look(options: ForwardOptions, retry: bool) -> list[str]:
    """What the queue holds, in words; it is written to only where something is to be sent again.

    Args:
        options: as they are set.
        retry: have what was refused sent again.

    Raises:
        OnnxletError: there is no queue, or it can't be read.
    """
    try:
        _check(options.queue)
        with closing(connect_as_it_is(options.queue, write=retry)) as database:
            again = send_again(database) if retry else 0
            totals = totals_of(database, Clock(this_boot()))
    except (sqlite3.Error, OSError) as error:
        raise OnnxletError(f"{options.queue} can't be read: {error}") from error
    lines = [f"{again} records are sent again"] if retry else []
    return [
        *lines,
        f"waiting {totals.waiting}, the oldest for {totals.oldest_seconds:.0f} s",
        f"set aside {totals.aside}",
        f"sent {totals.sent}",
        *(f"dropped {count} by {why}" for why, count in totals.dropped.items()),
        f"{totals.bytes / 1e6:.1f} of {options.max_mb} MB",
    ]


def _check(path: Path) -> None:
    """The folder is the service's user's: what stands there may be no queue at all.

    Raises:
        OnnxletError: it is not there, or is a link or no file.
        OSError: nobody may know.
    """
    try:
        about = path.lstat()
    except FileNotFoundError:
        raise OnnxletError(
            f"there is no queue at {path}",
            "ONNXLET_DEVICE_FORWARD_URL switches it on, ONNXLET_DEVICE_QUEUE says where it is.",
        ) from None
    if not stat.S_ISREG(about.st_mode) or about.st_nlink > 1:
        raise OnnxletError(
            f"{path}: expected a file of its own, got a link, or no file",
            "Nothing was read or written. Where it leads elsewhere on purpose, name that place by "
            "ONNXLET_DEVICE_QUEUE.",
        )
