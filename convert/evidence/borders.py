"""Rows on the borders and in the bins that a registration knows of an estimator.

CatBoost's borders also count where they are part of a combination with categories. In a sum of
terms over bins (interpret's) a pair of features has a score for each pair of bins, and most of
these no held-out row falls into.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from onnxlet.convert.converters.registration import Term
from onnxlet.convert.converters.registry import converters
from onnxlet.convert.evidence.rows import changed
from onnxlet.convert.evidence.tree_thresholds import around
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.inputs.columns import Column

BORDERS = 400  # at most so many are tried, evenly spaced
MOST_BASES = 20  # rows that each is tried in, where there are fewer
CELLS = 4000  # rows, evenly spaced where terms have more cells


def at_borders(columns: Sequence[Column], rows: Sequence[Cells], estimator: Any) -> list[Cells]:
    """Rows on both sides of borders of columns that come in as they are seen.

    Their other cells are from several held-out rows.
    """
    random = np.random.default_rng(0)
    made: list[Cells] = []
    found = [
        (positions[index], border)
        for positions, borders in _known(columns, estimator, "borders")
        for index, border in borders
    ]
    some = evenly_spaced(found, BORDERS)
    for position, border in some * min(MOST_BASES, BORDERS // max(1, len(some))):
        picks = random.integers(0, len(rows), len(columns)).tolist()
        mixed = [rows[pick][index] for index, pick in enumerate(picks)]
        for value in around(columns[position], border, np.float32):
            made.append(changed(mixed, [position], [value]))
    return made


def in_bins(columns: Sequence[Column], rows: Sequence[Cells], estimator: Any) -> list[Cells]:
    """A row for each cell of each term, the other columns as in a held-out row."""
    made = [
        changed(rows[number % len(rows)], where, values)
        for positions, terms in _known(columns, estimator, "terms")
        if len(positions) == len(columns)
        for number, (where, values) in enumerate(_cells(columns, positions, terms))
    ]
    return list(evenly_spaced(made, CELLS))


def _known(
    columns: Sequence[Column], estimator: Any, name: str
) -> Iterator[tuple[list[int], Sequence[Any]]]:
    """What is registered by a name of each part that is given the columns as they come in.

    Each behind the positions of the part's own columns: by their names, or all in their order.
    """
    at = {column.name: position for position, column in enumerate(columns)}
    for part in parts_of(estimator):
        if found := converters().inherited(type(part), name):
            names, known = found(part)
            if set(names) <= at.keys():
                yield [at[one] for one in names], known
            elif len(names) == len(columns):
                yield list(range(len(columns))), known


def _cells(
    columns: Sequence[Column], positions: Sequence[int], terms: Sequence[Term]
) -> Iterator[tuple[list[int], tuple[Any, ...]]]:
    for features, bins in terms:
        where = [positions[int(feature)] for feature in features]
        for chosen in product(*(_values(columns[p], b) for p, b in zip(where, bins, strict=True))):
            yield where, chosen


def _values(column: Column, bins: Any) -> list[Any]:
    """A value of each bin: its lower edge, and what comes just below the next one."""
    if isinstance(bins, Mapping):
        found = [_of_text(column, text) for text in bins]
        values = [value for value in found if value is not None]
    elif column.type == "bool":
        values = [False, True]
    elif column.type == "int64":
        edges = np.unique(np.ceil(bins)).astype(int).tolist()
        values = sorted({*edges, *(edge - 1 for edge in edges)})
    else:
        below = np.nextafter(bins, -np.inf)
        values = np.unique(np.concatenate([bins, below])).tolist()
    return [*values, None] if column.nullable else values


def _of_text(column: Column, text: str) -> Any:
    """The value that a category's text stands for; None where the column has none."""
    if column.image:
        return None
    if column.type == "string":
        return text
    if column.type == "bool":
        return {"0": False, "1": True}.get(text)
    try:
        return int(text) if column.type == "int64" else float(text)
    except ValueError:
        return None
