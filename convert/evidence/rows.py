"""Rows that are made of others, with which columns and numbers, and by bisection between two."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxlet.convert.progress import advanced
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column

FLOATS = ("float64", "float32")
AHEAD = 3  # halvings whose middles are asked about together: a call takes longer than its rows
HALVINGS = 64  # an interval of doubles without a power of two in it has 2**52 of them


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


@dataclass(frozen=True)
class Start:
    """A held-out row, and two numbers that one of its cells is moved between."""

    row: Cells
    position: int  # of the cell
    low: float  # its own number
    high: float  # another row's; it may be less

    def moved(self, value: float | None) -> Cells:
        """The row with another value in the cell."""
        return changed(self.row, [self.position], [value])


def ends(starts: Sequence[Start]) -> tuple[Array, Array]:
    """The lows of several, and their highs; float64, shape (starts,)."""
    return np.array([start.low for start in starts]), np.array([start.high for start in starts])


def moved(starts: Sequence[Start], values: Array) -> list[Cells]:
    """The row of each start with a value of its own in the cell."""
    return [start.moved(value) for start, value in zip(starts, values.tolist(), strict=True)]


def bisected(
    low: Array,
    high: Array,
    at: Callable[[Array], Array],
    is_above: Callable[[Array], Array],
    at_once: int = 0,
) -> tuple[Array, Array]:
    """The two neighbouring numbers that each interval's change lies between, as HALVINGS allow.

    Intervals run from low to high, which may be less: float64, shape (intervals,). Of what `at`
    answers about their middles, `is_above` says whether the change lies between middle and high.
    `at` is asked about up to AHEAD halvings together, wherever they lead, where that is not more
    than so many numbers at once: float64, shape (2**halvings - 1, intervals), of which the first
    are the middles. It may answer these only.
    """
    ahead = next((n for n in range(AHEAD, 1, -1) if len(low) * (2**n - 1) <= at_once), 1)
    every, node, answers = np.arange(len(low)), np.zeros(len(low), dtype=np.intp), np.empty(0)
    for halving in range(HALVINGS):
        advanced("looking for discontinuities", halving, HALVINGS)
        middle = low + (high - low) / 2
        if np.all((middle == low) | (middle == high)):
            break
        if np.max(node) >= len(answers):
            node, answers = np.zeros_like(node), at(_middles(low, high, ahead))
        above = is_above(answers[node, every])
        low, high = np.where(above, middle, low), np.where(above, high, middle)
        node = 2 * node + 1 + above
    return low, high


def _middles(low: Array, high: Array, halvings: int) -> Array:
    """Of intervals, then of their lower and upper halves, and so on."""
    parts, found = [(low, high)], list[Array]()
    while len(found) < 2**halvings - 1:
        a, b = parts[len(found)]
        found.append(a + (b - a) / 2)
        parts += [(a, found[-1]), (found[-1], b)]
    return np.array(found)
