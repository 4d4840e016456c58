"""Rows of nested lists, or of texts read as ids: run together where of one size, never padded."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import prod

import numpy as np

from onnxlet.function.arrays import Array, Noted
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.nested import packed
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import Table

AT_ONCE = 2**18  # of the rows' costs: what a graph computes on the way is as large as its batch


def run(
    answers: Callable[..., list[Array]],
    table: Table,
    signature: Signature,
    noted: Noted | None = None,
) -> list[Array]:
    """Answer rows of one size together, and put the answers back into the rows' order.

    A row is answered as it is by itself: nothing is padded, so that no mask is needed. `answers`
    runs blocks of rows; `noted` takes what was noted, in the rows' order. Returns each output's
    answers: one array where all rows' are of one size, else an object array of the rows' arrays.
    """
    blocks: Sequence[Array] = table.arrays
    nested: Collection[int] = signature.nested
    if signature.id_feed is not None:
        blocks, nested = signature.id_feed.cut(blocks), [signature.id_feed.at[0]]
    groups: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for row in range(table.rows):
        sizes = tuple(blocks[block][row, 0].shape for block in nested)
        groups.setdefault(sizes, []).append(row)
    order: list[int] = []
    parts: list[list[Array]] = []
    problems: list[Problem] = []
    for sizes, rows in groups.items():
        step = min(signature.rows_at_once or len(rows), max(1, AT_ONCE // _cost(sizes, signature)))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            try:
                parts.append(answers([array[some] for array in blocks], noted=noted))
            except InvalidRows as error:
                problems += [p._replace(row=some[p.row or 0]) for p in error.every]
            order += some
    if problems:
        raise InvalidRows(sorted(problems, key=lambda problem: problem.row or 0))
    for key, values in (noted or {}).items():
        scattered = np.empty((len(order), len(values) // len(order)))
        scattered[order] = np.reshape(values, scattered.shape)
        noted[key] = scattered.ravel().tolist()  # type: ignore[index] # it is not None here
    return [_together(list(members), order) for members in zip(*parts, strict=True)]


def _cost(sizes: Sequence[Sequence[int]], signature: Signature) -> int:
    """Values in a row; the square of a length that varies, since attention compares all pairs."""
    if signature.id_feed is not None:
        return signature.id_feed.cost(sizes[0][0])
    costs = []
    for column, own in zip(signature.nested.values(), sizes, strict=True):
        pairs = zip(column.cell, own, strict=True)
        vary = prod(got for size, got in pairs if not isinstance(size, int))
        costs.append(max(prod(own), vary * vary))
    return max(costs)


def _together(parts: list[Array], order: list[int]) -> Array:
    if len({part.shape[1:] for part in parts}) == 1:
        whole = np.concatenate(parts) if len(parts) > 1 else parts[0]
        answered = np.empty_like(whole)
        answered[order] = whole
        return answered
    every = packed([row for part in parts for row in part])
    scattered = np.empty_like(every)
    scattered[order] = every
    return scattered
