"""`edge queue`: how much waits on this device, and another try for what was refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from edge.forward.observing import open_queue
from edge.forward.options import ForwardOptions
from function.errors import OnnxletError


def look(options: ForwardOptions, retry: bool) -> list[str]:
    """What the queue holds, in words.

    Args:
        options: as they are set.
        retry: have what was refused sent again.

    Raises:
        OnnxletError: there is no queue, or it can't be read.
    """
    if not options.queue.exists():
        raise OnnxletError(
            f"there is no queue at {options.queue}",
            "ONNXLET_DEVICE_FORWARD_URL switches it on, ONNXLET_DEVICE_QUEUE says where it is.",
        )
    try:
        with closing(open_queue(options)) as queue:
            again = queue.retry() if retry else 0
            totals = queue.totals()
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
