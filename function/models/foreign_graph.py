"""Runs graphs that another framework exported, whose rules no signature knows.

An index has to lie inside its table, a height may have to be a multiple of 32: ONNX Runtime raises
where it does not, or answers in another shape than the signature says, and that is the request's
mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    RuntimeException,
)
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem

REFUSALS = (InvalidArgument, Fail, RuntimeException, NoKernel)
OUT_OF_MEMORY = "allocate memory"
NOT_RUN = (
    "the model does not run with these values and sizes: an index may lie outside its table, or "
    "a size may not fit"
)


def run(
    session: Any,
    outputs: Sequence[str],
    feeds: Mapping[str, Array],
    first: int,
    shapes: Mapping[str, Sequence[int]],
) -> list[Array]:
    """`InferenceSession.run` within this thread's deadline.

    The feeds have rows first, of which `first` is the index in the request. Of the outputs' shapes
    -1 is the rows and what varies; without a shape, any will do. Raises InvalidRows where the graph
    does not run with a row by itself, or with all of them; TookTooLong where there was no time
    left, or it ran out.
    """
    rows = max(map(len, feeds.values()))
    cause: Exception | None = None
    try:
        arrays = deadline.run(session, outputs, feeds)
        if all(_fits(*pair, rows, shapes) for pair in zip(outputs, arrays, strict=True)):
            return arrays
    except REFUSALS as error:
        if OUT_OF_MEMORY in str(error):
            raise
        cause = error
    found: list[Problem] = []
    for row in range(rows if rows > 1 else 0):
        one = {name: each[row : row + 1] for name, each in feeds.items()}
        try:
            run(session, outputs, one, first + row, shapes)
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
