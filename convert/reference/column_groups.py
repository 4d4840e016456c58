"""Columns that a model treats alike: of a wide model's, some of each kind stand for all.

Pixels, spectra and terms come by the thousand, and all go the same way through a model. What is
tried column by column would grow with their square: each trial is a row of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Inputs
from onnxlet.convert.spacing import evenly_spaced

NARROW = 200  # columns; in a model of no more, each is tried by itself
TRIED_CELLS = 200_000  # of rows in which one column each is tried
FEWEST_TRIED = 32  # columns of a model, however wide
FEWEST_OF_KIND = 4
MANY_POINTS = 1000  # that are kept, to which each row is compared by itself
KEPT_OF_COLUMN = 1000  # numbers of such points cost as much as a column
COMPARING = 40_000  # such numbers cost as much as what is done with the points beside


def is_wide(width: int) -> bool:
    """Whether a model of so many columns is tried in some of them only."""
    return width > NARROW


def fewer(most: int, width: int, least: int) -> int:
    """At most so many rows, of wide ones fewer: no more cells than NARROW columns have.

    So many as `least` there are however wide they are.
    """
    return max(min(least, most), most * NARROW // max(width, NARROW))


def breadth(width: int, estimator: Any) -> int:
    """The columns that a row costs like: of images, and of many points that are kept, more."""
    sizes = [
        value.size
        for part in parts_of(estimator)
        for value in vars(part).values()
        if isinstance(value, np.ndarray)
        and value.ndim == 2
        and len(value) >= MANY_POINTS
        and value.shape[1] == getattr(part, "n_features_in_", None)
    ]
    return max(
        width + pixels_read(estimator), (sum(sizes) + COMPARING * len(sizes)) // KEPT_OF_COLUMN
    )


def pixels_read(estimator: Any) -> int:
    """How many numbers the steps that read images make of a row."""
    readers = [part for part in parts_of(estimator) if hasattr(type(part), "reads_images")]
    return sum(part.width_out for part in readers if hasattr(part, "n_features_in_"))


def kinds_of_columns(inputs: Inputs, estimator: Any) -> list[list[int]]:
    """Positions of the columns that come in alike and go the same way through the model.

    Columns of one kind have one type, and the same ColumnTransformers send them to the same steps.
    """
    ways = list(_ways(inputs, estimator))
    kinds: dict[Any, list[int]] = {}
    for position, column in enumerate(inputs.columns):
        form = repr(replace(column, name="", label=""))
        kinds.setdefault((form, *(way[position] for way in ways)), []).append(position)
    return list(kinds.values())


def representatives(kinds: Sequence[Sequence[int]]) -> list[int]:
    """Positions of the columns to try, evenly spaced within each kind; all of a narrow model."""
    width = sum(map(len, kinds))
    if not is_wide(width):
        return sorted(position for kind in kinds for position in kind)
    count = max(FEWEST_TRIED, min(NARROW, TRIED_CELLS // width))
    return sorted(
        position
        for kind in kinds
        for position in evenly_spaced(kind, max(FEWEST_OF_KIND, count * len(kind) // width))
    )


def in_parts(positions: Sequence[int], width: int) -> Iterator[Sequence[int]]:
    """All positions, so many at once as TRIED_CELLS allow of rows of so many columns."""
    size = max(FEWEST_TRIED, TRIED_CELLS // width)
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def representative_columns(inputs: Inputs, estimator: Any) -> list[int]:
    """As `representatives`, of the kinds that an estimator's columns are of."""
    if not is_wide(len(inputs.columns)):
        return list(range(len(inputs.columns)))
    return representatives(kinds_of_columns(inputs, estimator))


def _ways(inputs: Inputs, estimator: Any) -> Iterator[list[frozenset[str]]]:
    """For each ColumnTransformer that is given the columns, the steps that each one goes to."""
    known = {column.name: position for position, column in enumerate(inputs.columns)}
    for part in parts_of(estimator):
        indices = getattr(part, "_transformer_to_input_indices", None)
        if not isinstance(indices, dict):
            continue
        names = getattr(part, "feature_names_in_", None)
        if names is not None:
            given = [known.get(str(name)) for name in names]
        else:
            given = list(range(getattr(part, "n_features_in_", 0)))
        to: list[set[str]] = [set() for _ in inputs.columns]
        for step, columns in indices.items():
            for column in columns:
                at = given[column] if column < len(given) else None
                if at is not None and at < len(to):
                    to[at].add(step)
        yield [frozenset(steps) for steps in to]
