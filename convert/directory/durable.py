"""What is written stays written, also if the power goes next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync(path: Path) -> None:
    """Have what is written on disk, of a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """Give the path of a file to write, which takes the target's place once it is on disk.

    Where what is done with it raises, the target stays as it was, and nothing is left beside it.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.unlink(missing_ok=True)
        # Ours from here on: a link of that name, in a folder that others write to, is not followed.
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield part
        sync(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
