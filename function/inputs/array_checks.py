"""Columns that come as arrays, in tensors or record batches: which of their cells are surely right.

What is not is looked at by `cell_validation`, which accepts what the rules allow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.function.arrays import Array


def whole_numbers(cells: Array, dtype: str) -> tuple[Array, Array]:
    """float64 as a block of whole numbers holds them, and which of them are odd.

    Of dtype int64 that is what is not whole, or does not fit; of float64, in which NaN stands for
    a missing one, the same without NaN. No whole number is -0.0.
    """
    cells = cells + 0.0
    with np.errstate(invalid="ignore"):
        odd = ~((np.floor(cells) == cells) & (np.abs(cells) < 2.0**63))
    if dtype == "float64":
        return cells, odd & (cells == cells)
    return np.where(odd, 0.0, cells).astype(np.int64), odd


def outside(numbers: Array, low: Any, high: Any, nullable: Any) -> Array:
    """Which numbers lie beyond bounds that are surely answered; NaN does unless it is nullable."""
    beyond: Array = ~((numbers >= low) & (numbers <= high)) & ~(np.isnan(numbers) & nullable)
    return beyond


def encodes(text: str) -> bool:
    """Whether a text has a UTF-8 form: lone surrogates, which JSON can escape, have none."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
