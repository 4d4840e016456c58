"""Rows with other values in some of their cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from onnxlet.convert.reference.inputs import Cells


def changed(row: Cells, positions: Sequence[int], values: Iterable[Any]) -> Cells:
    """The row with other values at some positions."""
    made = list(row)
    for position, value in zip(positions, values, strict=True):
        made[position] = value
    return made
