"""Runs graphs that another framework exported, whose rules no signature knows.

An index has to lie inside its table, a height may have to be a multiple of 32: ONNX Runtime raises
where it does not, and that is the request's mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem

REFUSALS = (InvalidArgument, Fail, RuntimeException)
OUT_OF_MEMORY = "allocate memory"
NOT_RUN = (
    "the model does not run with these values and sizes: an index may lie outside its table, or "
    "a size may not fit"
)


def run(
    session: Any, outputs: Sequence[str], feeds: Mapping[str, Array], first: int
) -> list[Array]:
    """`InferenceSession.run` within this thread's deadline.

    Args:
        session: of the graph.
        outputs: that are wanted.
        feeds: tensors by name, rows first.
        first: the index of their first row in the request.

    Raises:
        InvalidRows: the graph does not run with a row, by itself; or with all of them.
        TookTooLong: there was no time left, or it ran out.
    """
    try:
        return deadline.run(session, outputs, feeds)
    except REFUSALS as error:
        if OUT_OF_MEMORY in str(error):
            raise
        rows = max(map(len, feeds.values()))
        refused = [n for n in range(rows) if rows == 1 or not _runs(session, outputs, feeds, n)]
        found = [Problem(first + row, None, NOT_RUN) for row in refused or range(rows)]
        raise InvalidRows(found) from error


def _runs(session: Any, outputs: Sequence[str], feeds: Mapping[str, Array], row: int) -> bool:
    try:
        deadline.run(session, outputs, {n: each[row : row + 1] for n, each in feeds.items()})
    except REFUSALS:
        return False
    return True
