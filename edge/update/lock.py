"""One change at a time: who changes slots, models or what is remembered holds the device's lock.

Standard library alone: the installer runs this out of the zip.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from onnxlet.edge.device.slots import Places
from onnxlet.edge.update.errors import Failed

LOCK = ".lock"


@contextmanager
def locked(places: Places, held: int | None = None) -> Iterator[int]:
    """Nobody else changes anything meanwhile, and what the card can't do is told as such.

    Args:
        places: of the device.
        held: a descriptor of the lock, from the program that took it and became this one.

    Returns:
        A descriptor of the lock, for a program that this one becomes.

    Raises:
        Failed: somebody does, or the card is full or fails.
    """
    try:
        places.data.mkdir(parents=True, exist_ok=True)
        with (places.data / LOCK).open("w") if held is None else os.fdopen(held, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                told = "another update is running, or an installation"
                raise Failed(told, "Wait for its end.") from None
            yield lock.fileno()
    except OSError as error:
        what = error.filename or places.data
        hint = "What serves is as it was; try again then."
        if isinstance(error, PermissionError) and os.geteuid() != 0:
            hint = "Put sudo before it."
        raise Failed(f"{what}: {error.strerror or error}", hint) from error
