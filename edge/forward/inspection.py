"""What `edge queue` prints, and its `--retry`: send refused records again."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

from onnxlet.edge.forward.queue import retry as send_again
from onnxlet.edge.forward.queue import totals_of
from onnxlet.edge.forward.records import Clock, this_boot
from onnxlet.edge.settings.device import ForwardOptions
from onnxlet.edge.store.database import connect_as_it_is
from onnxlet.function.errors import OnnxletError


def inspect(options: ForwardOptions, retry: bool) -> list[str]:
    """The queue's totals, in words; with `retry`, refused records are sent again.

    Only then is the database opened for writing. OnnxletError is raised where there is no queue, or
    it can't be read.
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
    """Refuse what is no regular file: the service's user could put anything into the folder.

    OnnxletError is raised where it does not exist, or is a link or no file.
    """
    try:
        stats = path.lstat()
    except FileNotFoundError:
        raise OnnxletError(
            f"there is no queue at {path}",
            "ONNXLET_DEVICE_FORWARD_URL switches it on, ONNXLET_DEVICE_QUEUE says where it is.",
        ) from None
    if not stat.S_ISREG(stats.st_mode) or stats.st_nlink > 1:
        raise OnnxletError(
            f"{path}: expected a file of its own, got a link, or no file",
            "Nothing was read or written. If the link is meant, name the file that it leads to by "
            "ONNXLET_DEVICE_QUEUE.",
        )
