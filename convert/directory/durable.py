"""What is written stays written, also if the power goes next."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have what is written on disk, of a file or a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
