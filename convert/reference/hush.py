"""Silence for a library that writes to standard error before it raises, while rows are tried."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOUD = "lightgbm"  # its library writes to the process's standard error itself, then it raises


@contextmanager
def hushed() -> Iterator[None]:
    """Nothing is written to the process's standard error meanwhile, if LightGBM is loaded."""
    if LOUD not in sys.modules:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
