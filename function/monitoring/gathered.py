"""Answered rows that wait to be counted together: in few bytes, and without NumPy."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.arrays import Array, Cells, Noted
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.messages import Prediction

# Of NumPy's types, by the name that cells have; what is no number is an object.
CHARACTERS = {
    "float64": "d", "float32": "f", "int64": "q", "int32": "i", "bool": "?", "string": "O",
}  # fmt: skip
OBJECT_BYTES = 56  # of a short text, or another object


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


class Kind(NamedTuple):
    """What the blocks, or the outputs, of two requests have in common where they are joined."""

    name: str  # of an output; empty for a block
    character: str  # of NumPy's type
    inner: tuple[int, ...]  # the shape of a row


class Gathered:
    """Rows of requests, one behind the other."""

    def __init__(self) -> None:
        self.rows = 0
        self.bytes = 0  # in memory, about
        self._kinds: list[Kind] = []
        self._values: list[Any] = []  # of each kind: a bytearray of numbers, or a list of objects
        self._noted = Noted()

    def add(self, answered: Answered) -> bool:
        """Add a request's rows; False where they are of other kinds, and nothing was added."""
        arrays: Any = getattr(answered.arrays, "cells", answered.arrays)
        outputs: Any = getattr(answered.outputs, "cells", answered.outputs)
        parts = [*[("", each) for each in arrays], *outputs.items()]
        kinds = [_kind(name, each) for name, each in parts]
        if not self._kinds:
            self._kinds = kinds
            self._values = [[] if kind.character == "O" else bytearray() for kind in kinds]
        elif kinds != self._kinds:
            return False
        for held, kind, (_, each) in zip(self._values, kinds, parts, strict=True):
            if kind.character == "O":
                values = each.values if isinstance(each, Cells) else each.ravel().tolist()
                held += values
                self.bytes += sum(map(_bytes_of, values))
                continue
            content = (
                struct.pack(f"{len(each.values)}{kind.character}", *each.values)
                if isinstance(each, Cells)
                else each.tobytes()
            )
            held += content
            self.bytes += len(content)
        for key, values in answered.noted.items():
            self._noted.setdefault(key, []).extend(values)
        self.rows += answered.rows
        return True

    def joined(self) -> Answered:
        """All rows, in arrays."""
        arrays, outputs = list[Array](), dict[str, Array]()
        for (name, character, inner), held in zip(self._kinds, self._values, strict=True):
            if character == "O":
                array = np.empty(len(held), object)
                array[:] = held
            else:
                array = np.frombuffer(held, character)
            array = array.reshape(self.rows, *inner)
            if name:
                outputs[name] = array
            else:
                arrays.append(array)
        return Answered(self.rows, arrays, outputs, self._noted)


def _kind(name: str, values: Array | Cells) -> Kind:
    if isinstance(values, Cells):
        return Kind(name, CHARACTERS[values.dtype], values.shape[1:])
    character = values.dtype.char
    return Kind(name, {"l": "q", "U": "O"}.get(character, character), values.shape[1:])


def _bytes_of(value: Any) -> int:
    size = getattr(value, "nbytes", None)  # of an array, which is a nested cell
    return OBJECT_BYTES + (len(value) if isinstance(value, str | bytes) else size or 0)
