"""Runs graphs that another framework exported, whose rules no signature knows.

An index has to lie inside its table, a height may have to be a multiple of 32: ONNX Runtime raises
where it does not, or answers in another shape than the signature says, and that is the request's
mistake. Rows of nested lists, or of texts read as ids, are run together where they are of one size,
and never padded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from onnxlet.function import deadline
from onnxlet.function.arrays import Array, Noted
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.nested import packed
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.numpy_later import np
from onnxlet.function.runtime.faults import (
    FAIL,
    INVALID_ARGUMENT,
    NOT_IMPLEMENTED,
    RUNTIME_EXCEPTION,
    RuntimeFault,
)

if TYPE_CHECKING:
    from onnxlet.function.runtime.sessions import Session

REFUSALS = (INVALID_ARGUMENT, FAIL, RUNTIME_EXCEPTION, NOT_IMPLEMENTED)
OUT_OF_MEMORY = "allocate memory"
NOT_RUN = (
    "the model does not run with these values and sizes: an index may lie outside its table, or "
    "a size may not fit"
)


def run_checked(
    session: Session,
    outputs: Sequence[str],
    feeds: Mapping[str, Array],
    first: int,
    shapes: Mapping[str, Sequence[int]],
) -> list[Array]:
    """`Session.run` within this thread's deadline.

    The feeds have rows first, of which `first` is the index in the request. Of the outputs' shapes
    -1 is the rows and what varies; without a shape, any will do. Raises InvalidRows where the graph
    does not run with a row by itself, or with all of them; TookTooLong where there was no time
    left, or it ran out.
    """
    rows = max(map(len, feeds.values()))
    cause: Exception | None = None
    try:
        arrays = deadline.run(lambda ending: session.run(outputs, feeds, ending))
        if all(_fits(*pair, rows, shapes) for pair in zip(outputs, arrays, strict=True)):
            return arrays
    except RuntimeFault as error:
        if error.code not in REFUSALS or OUT_OF_MEMORY in str(error):
            raise
        cause = error
    found: list[Problem] = []
    for row in range(rows if rows > 1 else 0):
        one = {name: each[row : row + 1] for name, each in feeds.items()}
        try:
            run_checked(session, outputs, one, first + row, shapes)
        except InvalidRows as error:
            found += error.every
    every = [Problem(first + row, None, NOT_RUN) for row in range(rows)]
    raise InvalidRows(found or every) from cause


def _fits(name: str, array: Array, rows: int, shapes: Mapping[str, Sequence[int]]) -> bool:
    """Whether it has its declared sizes; where these are only the rows, one value for each."""
    if name not in shapes:
        return True
    if len(shapes[name]) == 1:
        return array.shape[:1] == (rows,) and array.size == rows
    pairs = zip((rows, *shapes[name][1:]), array.shape, strict=False)
    return array.ndim == len(shapes[name]) and all(size in (-1, got) for size, got in pairs)


AT_ONCE = 2**18  # of the rows' costs: what a graph computes on the way is as large as its batch


def run_by_size(
    answers: Callable[..., list[Array]],
    table: CheckedBatch,
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
    return [_in_order(list(members), order) for members in zip(*parts, strict=True)]


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


def _in_order(parts: list[Array], order: list[int]) -> Array:
    if len({part.shape[1:] for part in parts}) == 1:
        whole = np.concatenate(parts) if len(parts) > 1 else parts[0]
        answered = np.empty_like(whole)
        answered[order] = whole
        return answered
    every = packed([row for part in parts for row in part])
    scattered = np.empty_like(every)
    scattered[order] = every
    return scattered
