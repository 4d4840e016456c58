"""Answered rows that wait to be counted together, as they came: with or without NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from onnxlet.function.arrays import Array, Cells, Noted, as_array
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.messages import Prediction

NUMBER_BYTES, TEXT_BYTES = 32, 56  # of one of Python's own, where it is in a list; of a short text


class Answered(NamedTuple):
    """What is counted of rows that were answered."""

    rows: int
    arrays: Sequence[Array]  # the blocks
    outputs: Mapping[str, Array]
    noted: Mapping[tuple[int, int], Sequence[float]]


def answered_of(prediction: Prediction) -> Answered:
    """What is counted of a prediction."""
    outputs = prediction.outputs if prediction.answered is None else prediction.answered
    table = prediction.table
    return Answered(table.rows, table.arrays, outputs, prediction.noted)


class Gathered:
    """Rows of several requests."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0  # in memory, about
        self._parts: list[Answered] = []

    def add(self, answered: Answered) -> None:
        """Add a request's rows."""
        self._parts.append(answered)
        self.rows += answered.rows
        for each in chain(_blocks(answered), _outputs(answered).values()):
            self.bytes += _bytes_of(each)

    def joined(self) -> Answered:
        """All rows, one behind the other."""
        noted = Noted()
        for part in self._parts:
            for key, values in part.noted.items():
                noted.setdefault(key, []).extend(values)
        blocks = zip(*map(_blocks, self._parts), strict=True)
        outputs = [_outputs(part) for part in self._parts]
        return Answered(
            self.rows,
            [_joined(some) for some in blocks],
            {name: _joined([each[name] for each in outputs]) for name in outputs[0]},
            noted,
        )


def _blocks(answered: Answered) -> Sequence[Array | Cells]:
    found: Sequence[Array | Cells] = getattr(answered.arrays, "cells", answered.arrays)
    return found


def _outputs(answered: Answered) -> Mapping[str, Array | Cells]:
    found: Mapping[str, Array | Cells] = getattr(answered.outputs, "cells", answered.outputs)
    return found


def _joined(parts: Sequence[Array | Cells]) -> Array:
    cells = [part for part in parts if isinstance(part, Cells)]
    if len(cells) < len(parts):
        return np.concatenate(list(map(as_array, parts)))
    values = list(chain.from_iterable([part.values for part in cells]))
    return Cells(values, (-1, *cells[0].shape[1:]), cells[0].dtype).array()


def _bytes_of(values: Array | Cells) -> int:
    if not isinstance(values, Cells):
        return int(values.nbytes) + (_of_objects(values) if values.dtype.char == "O" else 0)
    size = len(values.values)
    if values.dtype != "string":
        return NUMBER_BYTES * size
    try:
        return TEXT_BYTES * size + sum(map(len, values.values))
    except TypeError:  # one is None
        return TEXT_BYTES * size + sum(len(each or "") for each in values.values)


def _of_objects(values: Array) -> int:
    found = values.ravel().tolist()
    if {*map(type, found)} <= {str, bytes}:
        return TEXT_BYTES * len(found) + sum(map(len, found))
    return sum(TEXT_BYTES + int(getattr(each, "nbytes", 0)) for each in found)
