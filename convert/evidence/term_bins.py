"""Rows in every bin of models that are sums of terms over bins (interpret's), and in every cell.

A pair of features has a score for each pair of bins, and most of these no held-out row falls into.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from onnxlet.convert.evidence.evidence import changed
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.inputs.columns import Column

MOST = 4000  # rows, evenly spaced where there are more cells


def at_term_bins(columns: Sequence[Column], rows: Sequence[Cells], estimator: Any) -> list[Cells]:
    """A row for each cell of each term, the other columns as in a held-out row.

    Args:
        columns: of the signature.
        rows: held-out ones.
        estimator: fitted; its parts are looked at that are given the columns as they are.
    """
    made = [
        changed(rows[number % len(rows)], positions, values)
        for part in parts_of(estimator)
        if hasattr(part, "term_features_") and len(part.feature_names_in_) == len(columns)
        for number, (positions, values) in enumerate(_cells(columns, part))
    ]
    return list(evenly_spaced(made, MOST))


def _cells(columns: Sequence[Column], part: Any) -> Iterator[tuple[list[int], tuple[Any, ...]]]:
    at = {column.name: position for position, column in enumerate(columns)}
    named = all(name in at for name in part.feature_names_in_)
    for features in part.term_features_:
        positions = [at[part.feature_names_in_[f]] if named else int(f) for f in features]
        values = [
            _values(columns[position], part.bins_[f][min(len(part.bins_[f]), len(features)) - 1])
            for f, position in zip(features, positions, strict=True)
        ]
        for chosen in product(*values):
            yield positions, chosen


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
