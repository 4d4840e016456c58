"""What is tried column by column: which columns a model treats alike, and which it needs.

Pixels, spectra and terms come by the thousand, and all go the same way through a model. What is
tried column by column would grow with their square: each trial is a row of all of them. So of a
wide model's columns some of each kind are probed, and stand for all. What these may hold is then
tried in all others of their kind at once. Where that raises, or where those that were probed may
not hold the same, every column of the kind is probed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.column_types import TYPES
from onnxlet.convert.reference.estimators import parts_of
from onnxlet.convert.reference.inputs import Cells, Inputs
from onnxlet.convert.reference.reference import Reference, without_stderr
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column

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


Probe = Callable[[Sequence[int]], dict[int, Column]]
Takes = Callable[[Sequence[int], Any], bool]
# Sums and products of numbers like these overflow; where exactly is no matter.
WHERE_FLOATS_OVERFLOW = (1e305, 1e300, 1e250, 1e150, 1e100, 1e50, 1e40, 1e37, 1e34, 1e30)


def probed_by_kind(
    kinds: Sequence[Sequence[int]],
    names: Sequence[str],
    probe: Probe,
    takes: Takes,
) -> dict[int, Column]:
    """The columns of each kind, by position.

    `probe` has the columns at some positions, each tried by itself; `takes` says whether rows are
    answered that hold a value at all of some positions.
    """
    probed = probe(representatives(kinds))
    for kind in kinds:
        others = [position for position in kind if position not in probed]
        shared = _shared([probed[p] for p in kind if p in probed]) if others else None
        if shared is not None and _holds(shared, others, takes):
            probed |= {p: shared._replace(name=names[p]) for p in kind}
        else:
            size = max(FEWEST_TRIED, TRIED_CELLS // len(names))  # that rows so wide allow at once
            for start in range(0, len(others), size):
                probed |= probe(others[start : start + size])
    return probed


def _shared(columns: Sequence[Column]) -> Column | None:
    """The column that all of these are but for their names; None where they differ in more.

    Which number is the last that is answered before sums overflow differs from one column to the
    next: the least of them holds for all, and the next lower one for those that nobody tried.
    """
    far = {sign * size for size in WHERE_FLOATS_OVERFLOW for sign in (-1, 1)}
    sizes = [abs(b) for c in columns for b in (c.minimum, c.maximum) if b in far]
    smaller = (size for size in WHERE_FLOATS_OVERFLOW if size < min(sizes))
    lower = next(smaller, None) if sizes else None
    plain = {
        c._replace(
            name="",
            infinite=c.infinite and not sizes,
            minimum=None if c.minimum in far else c.minimum,
            maximum=None if c.maximum in far else c.maximum,
        )
        for c in columns
    }
    one = next(iter(plain))
    if len(plain) > 1 or one.categories is not None or (sizes and lower is None):
        return None
    if lower is None:
        return one
    below = any(c.minimum in far for c in columns)
    above = any(c.maximum in far for c in columns)
    return one._replace(
        minimum=-lower if below else one.minimum,
        maximum=lower if above else one.maximum,
    )


def _holds(column: Column, positions: Sequence[int], takes: Takes) -> bool:
    """Whether columns take at once what one of them takes, but for magnitudes that sum up."""
    unseen = TYPES[column.type].unseen
    if unseen and not any(takes(positions, value) for value in unseen):
        return False
    return all(takes(positions, value) for value in _values(column))


def _values(column: Column) -> Iterator[Any]:
    if column.nullable:
        yield None
    if column.infinite:
        yield from (np.inf, -np.inf)
    if column.type == "bool":
        yield from (False, True)


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
        return all(_equal(np.asarray(known[number][n]), np.asarray(without[n])) for n in without)

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


def _equal(a: Array, b: Array) -> bool:
    if a.shape != b.shape:
        return False
    if a.dtype.kind == b.dtype.kind == "f":
        return bool(np.array_equal(a, b, equal_nan=True))
    return [str(cell) for cell in a.ravel()] == [str(cell) for cell in b.ravel()]
