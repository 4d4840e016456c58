"""The device's lock, held by whatever changes slots, models or the update history.

Standard library only: the installer runs this from the zip.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.update.errors import Failed

LOCK = ".lock"


@contextmanager
def locked(paths: DevicePaths, held: int | None = None) -> Iterator[int]:
    """Hold the lock within the block; report disk errors in it as `Failed`.

    A program that calls exec passes on the descriptor that this yields: the next one has it as
    `held`. Failed is raised where another process holds the lock, too.
    """
    try:
        paths.data.mkdir(parents=True, exist_ok=True)
        with (paths.data / LOCK).open("w") if held is None else os.fdopen(held, "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                busy = "another update is running, or an installation"
                raise Failed(busy, "Wait for its end.") from None
            yield lock.fileno()
    except OSError as error:
        what = error.filename or paths.data
        hint = "What serves is as it was; try again then."
        if isinstance(error, PermissionError) and os.geteuid() != 0:
            hint = "Put sudo before it."
        raise Failed(f"{what}: {error.strerror or error}", hint) from error
