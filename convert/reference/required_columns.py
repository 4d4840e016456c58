"""Columns that the model needs: without the others its answers stay the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.bisection import without_stderr
from onnxlet.convert.reference.column_groups import is_wide, representatives
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array

MORE = 200  # rows that have to be answered alike without a column


def required_columns(
    reference: Reference,
    bases: Sequence[Cells],
    kinds: Sequence[Sequence[int]],
    rows: Sequence[Cells] = (),
) -> list[int]:
    """Positions of the columns that can't be left out of the DataFrame; of an array, all.

    A function that sums all columns answers without any of them, but differently. A column that a
    step fills in where it is absent is needed: whether the model looks at what is filled in, some
    rows don't show. Of a wide frame some columns of each kind are tried, which are treated alike.
    Some more rows are for columns that the first ones seem not to need: a tree that looks at a
    column in few rows answers all others alike without it.
    """
    inputs = reference.inputs
    every = list(range(len(inputs.columns)))
    if not inputs.frame or len(every) == 1:
        return every
    several = evenly_spaced(rows, MORE)
    some_rows = [inputs.data(each) for each in (bases, several) if each]
    filled_in = set(_filled_in(reference.estimator))
    known: dict[int, Answers] = {}

    def is_needed(positions: Sequence[int]) -> bool:
        if not filled_in.isdisjoint(inputs.columns[position].name for position in positions):
            return True
        labels = [inputs.columns[position].label for position in positions]
        return not all(alike_without(labels, number) for number in range(len(some_rows)))

    def alike_without(labels: Sequence[Any], number: int) -> bool:
        whole = some_rows[number]
        try:
            with without_stderr():
                without = reference.answers_to(whole.drop(columns=labels))
        except Exception:  # whatever it raises, it needs the column
            return False
        if number not in known:
            known[number] = reference.answers_to(whole)
        return _same(known[number], without)

    if not is_wide(len(every)):
        return [position for position in every if is_needed([position])]
    some = set(representatives(kinds))
    needed: list[int] = []
    for kind in kinds:
        found = {is_needed([position]) for position in kind if position in some}
        if found == {True}:
            needed += kind
        elif found == {True, False} or is_needed(kind):
            needed += [position for position in kind if is_needed([position])]
    return sorted(needed)


def _filled_in(estimator: Any) -> Iterator[str]:
    """Names of the columns that feature-engine's MatchVariables adds to rows without them."""
    for part in parts_of(estimator):
        of_library = type(part).__module__.startswith("feature_engine.")
        if of_library and type(part).__name__ == "MatchVariables":
            yield from map(str, part.feature_names_in_)


def _same(one: Any, other: Any) -> bool:
    """Equal answers, by output name."""
    return all(_equal(np.asarray(one[name]), np.asarray(other[name])) for name in one)


def _equal(a: Array, b: Array) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind == b.dtype.kind == "f":
        return bool(np.array_equal(a, b, equal_nan=True))
    return [str(cell) for cell in a.ravel()] == [str(cell) for cell in b.ravel()]
