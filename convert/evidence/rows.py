"""Rows that are made of others, and the columns and numbers that they are made with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.inputs.columns import Column

FLOATS = ("float64", "float32")


def float_columns(columns: Sequence[Column]) -> list[int]:
    """Positions of the columns that the model uses and that take any float."""
    return [
        position
        for position, column in enumerate(columns)
        if column.required and column.type in FLOATS and not column.categories
    ]


def changed(row: Cells, positions: Sequence[int], values: Iterable[Any]) -> Cells:
    """The row with other values at some positions."""
    made = list(row)
    for position, value in zip(positions, values, strict=True):
        made[position] = value
    return made


def fits(column: Column, number: float) -> bool:
    """The column has no bound that the number is beyond."""
    if abs(number) == np.inf:
        return column.infinite
    return (column.minimum is None or number >= column.minimum) and (
        column.maximum is None or number <= column.maximum
    )
