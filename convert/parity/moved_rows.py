"""Rows whose numbers are moved by a few units in the last place: what scikit-learn answers to them.

Sums make of such rows what rounding makes of the row itself. A comparison of a number as it came
is no sum: a number on the border that a step compares it with is not moved to its other side.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from onnxlet.convert.evidence.fitted_values import known_of_columns
from onnxlet.convert.evidence.thresholds import splits_of
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import EXACT, LARGEST_FLOAT32, Array

UNIT, UNIT_IN_FLOAT32 = 2.0**-52, 2.0**-23
STEPS = (1, -1, 4, -4, 16, -16)  # units in the last place that the numbers of a row are moved by
SCATTERS, MOVED_SINGLY = 8, 20  # times that all are moved at random; those that are one by one
REACHES = (16, 256)  # units in the last place; sums of many terms round by more than a few
# Where it is asked on which side of a step a row lies: a cosine near one leaves as few digits.
FAR_REACH = (2**16,)
# By a column's position, in float32 and in their order: no comparison is finer where rows are moved
# by float32's last place, and where they are by less, fewer are moved.
Borders = Mapping[int, Array]
NONE: Borders = {}


def borders_of(estimator: Any, names: Sequence[str]) -> Borders:
    """The numbers that some part compares columns of these names with, as they came."""
    found = [
        (positions[index], border)
        for positions, borders in known_of_columns(names, estimator, "borders")
        for index, border in borders
    ]
    trees = list(splits_of(estimator, len(names)))
    columns = [np.array([at for at, _ in found], np.int64)]
    columns += [tree.feature[tree.numeric] for tree in trees]
    borders = [np.array([border for _, border in found], np.float64)]
    borders += [tree.threshold[tree.numeric] for tree in trees]
    with np.errstate(over="ignore"):
        every, of = np.concatenate(borders).astype(np.float32), np.concatenate(columns)
    return {at: np.unique(every[of == at]) for at in np.unique(of).tolist()}


def to_moved_rows(
    rows: Sequence[Cells],
    reference: Reference,
    unit: float = UNIT,
    far: Sequence[int] = (),
    borders: Borders = NONE,
) -> Iterator[Answers]:
    """scikit-learn's answers to rows whose numbers are moved by a few units in the last place.

    None of them is moved to a border of its column, from one, or over one.
    """
    random = np.random.default_rng(0)
    reaches = (*REACHES, *far) if unit == UNIT else REACHES[:1]
    moves = [[_moved(row, [step * unit] * len(row), borders) for row in rows] for step in STEPS]
    moves += [
        [_moved(row, random.uniform(-reach, reach, len(row)).tolist(), borders) for row in rows]
        for reach in (share * unit for share in reaches)
        for _ in range(SCATTERS)
    ]
    for moved in moves:
        with suppress(ValueError):  # a number may go over an edge, beyond which it raises
            yield reference.answers(moved)


def to_singly_moved(
    rows: Sequence[Cells], reference: Reference, unit: float, borders: Borders = NONE
) -> Iterator[Answers]:
    """Its answers where one number of a row is moved: another one may lie on a threshold itself."""
    numbers = [n for n in range(len(rows[0])) if any(type(row[n]) is float for row in rows)]
    for moved in evenly_spaced(numbers, MOVED_SINGLY):
        for step in STEPS[-2:]:
            shares = ((np.arange(len(rows[0])) == moved) * step * unit).tolist()
            with suppress(ValueError):
                yield reference.answers([_moved(row, shares, borders) for row in rows])


def _moved(row: Cells, shares: Sequence[float], borders: Borders) -> Cells:
    """The row with each number moved by a share of it, away from zero or towards it."""
    return [
        _number_moved(cell, share, borders.get(position)) if type(cell) in (int, float) else cell
        for position, (cell, share) in enumerate(zip(row, shares, strict=True))
    ]


def _number_moved(number: Any, share: float, borders: Array | None) -> float:
    if isinstance(number, float):
        moved = float(number * (1 + share))
        if abs(number) <= LARGEST_FLOAT32 < abs(moved):
            return number
    else:
        # Larger ones are no sums: a step may tell one from the next, as ids of 64 bits are told
        # apart.
        moved = number if abs(number) > EXACT else int(number) + int(number * share)
    if borders is None or moved == number:
        return moved
    with np.errstate(over="ignore"):  # float32 has no such number
        low, high = np.array(sorted((number, moved))).astype(np.float32)
    between = np.searchsorted(borders, low), np.searchsorted(borders, high, side="right")
    return number if between[0] < between[1] else moved
