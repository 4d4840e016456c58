"""Rows on the borders of CatBoost's columns of numbers, their other cells from several rows.

A border also counts where it is part of a combination with categories.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.evidence.evidence import changed
from onnxlet.convert.evidence.tree_thresholds import around
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.inputs.columns import Column

BORDERS = 400  # at most so many are tried, evenly spaced
MOST_BASES = 20  # rows that each is tried in, where there are fewer


def at_catboost_borders(
    columns: Sequence[Column], rows: Sequence[Cells], estimator: Any
) -> list[Cells]:
    """Rows on both sides of borders, where CatBoost sees the columns as they come in.

    Args:
        columns: of the signature.
        rows: held-out ones.
        estimator: a fitted one, perhaps with CatBoost's inside.
    """
    random = np.random.default_rng(0)
    made: list[Cells] = []
    some = evenly_spaced(_borders(columns, estimator), BORDERS)
    for position, border in some * min(MOST_BASES, BORDERS // max(1, len(some))):
        picks = random.integers(0, len(rows), len(columns)).tolist()
        mixed = [rows[pick][index] for index, pick in enumerate(picks)]
        for value in around(columns[position], border, np.float32):
            made.append(changed(mixed, [position], [value]))
    return made


def _borders(columns: Sequence[Column], estimator: Any) -> list[tuple[int, float]]:
    """Each border, with the position of its column."""
    found = []
    for part in _of_catboost(estimator):
        names = [str(name) for name in part.feature_names_]
        known = {column.name: position for position, column in enumerate(columns)}
        if not set(names) <= set(known):
            if len(names) != len(columns):
                continue
            known = dict(zip(names, range(len(columns)), strict=True))
        for index, borders in part.get_borders().items():
            found += [(known[names[index]], float(border)) for border in borders]
    return found


def _of_catboost(estimator: Any) -> Iterator[Any]:
    for part in parts_of(estimator):
        fitted = getattr(part, "is_fitted", None)
        if type(part).__module__.partition(".")[0] == "catboost" and fitted and fitted():
            yield part
