"""What the columns of a wide model may hold: some of each kind are probed, and stand for all.

What these may hold is then tried in all others of their kind at once. Where that raises, or where
those that were probed may not hold the same, every column of the kind is probed by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from onnxlet.convert.reference.column_groups import in_parts, representatives
from onnxlet.convert.reference.column_types import TYPES
from onnxlet.function.inputs.columns import Column

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
            probed |= {p: replace(shared, name=names[p]) for p in kind}
        else:
            for some in in_parts(others, len(names)):
                probed |= probe(some)
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
        replace(
            c,
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
    return replace(
        one,
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
