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

Shape = Sequence[int]  # as declared, -1 for the rows and what varies


class OtherShape(Exception):
    """A graph answers in another shape than the signature says."""


REFUSALS = (InvalidArgument, Fail, RuntimeException, NoKernel, OtherShape)
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
    shapes: Mapping[str, Shape],
) -> list[Array]:
    """`InferenceSession.run` within this thread's deadline.

    Args:
        session: of the graph.
        outputs: that are wanted.
        feeds: tensors by name, rows first.
        first: the index of their first row in the request.
        shapes: of the outputs that are answered as they are.

    Raises:
        InvalidRows: the graph does not run with a row, by itself; or with all of them.
        TookTooLong: there was no time left, or it ran out.
    """
    try:
        return _run(session, outputs, feeds, shapes)
    except REFUSALS as error:
        if OUT_OF_MEMORY in str(error):
            raise
        rows = max(map(len, feeds.values()))
        every = ({name: each[n : n + 1] for name, each in feeds.items()} for n in range(rows))
        ran = [rows > 1 and _runs(session, outputs, one, shapes) for one in every]
        refused = [row for row, fine in enumerate(ran) if not fine]
        found = [Problem(first + row, None, NOT_RUN) for row in refused or range(rows)]
        raise InvalidRows(found) from error


def _run(
    session: Any, outputs: Sequence[str], feeds: Mapping[str, Array], shapes: Mapping[str, Shape]
) -> list[Array]:
    arrays = deadline.run(session, outputs, feeds)
    rows = max(map(len, feeds.values()))
    for name, array in zip(outputs, arrays, strict=True):
        if name in shapes and not _fits(array, (rows, *shapes[name][1:])):
            raise OtherShape(f"{name}: {array.shape} for {rows} rows")
    return arrays


def _fits(array: Array, shape: Shape) -> bool:
    """Whether it has these sizes; for rows of one value behind them it may have sizes of 1."""
    sizes = array.shape
    if len(shape) == 1:
        return sizes[:1] == tuple(shape) and array.size == shape[0]
    return len(sizes) == len(shape) and all(
        size in (-1, got) for size, got in zip(shape, sizes, strict=True)
    )


def _runs(
    session: Any, outputs: Sequence[str], feeds: Mapping[str, Array], shapes: Mapping[str, Shape]
) -> bool:
    try:
        _run(session, outputs, feeds, shapes)
    except REFUSALS:
        return False
    return True
