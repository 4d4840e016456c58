"""One malloc arena for all threads: else each keeps the memory of its largest request."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # from glibc's malloc.h


def use_one_arena() -> None:
    """Share one from now on: threads that have one of their own keep it."""
    with suppress(AttributeError, OSError):  # another C library, which has one anyway
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
