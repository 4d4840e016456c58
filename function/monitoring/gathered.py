"""Answered rows that wait to be counted together, as they came: with or without NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.arrays import Array, Cells, as_array
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.messages import Prediction

NUMBER_BYTES, TEXT_BYTES = 32, 56  # of one of Python's own, where it is in a list; of a short text


class Gathered:
    """Rows that requests were answered, one behind the other."""

    def __init__(self, *predictions: Prediction) -> None:
        self.rows = 0
        self.bytes = 0  # in memory, about
        self._parts: list[Part] = []
        for each in predictions:
            self.add(each)

    def add(self, prediction: Prediction, chosen: Sequence[int] | None = None) -> None:
        """Add the chosen rows of a prediction, without its model; None stands for all of them."""
        outputs = prediction.outputs if prediction.answered is None else prediction.answered
        arrays, noted = prediction.table.arrays, prediction.noted
        blocks: Any = getattr(arrays, "cells", arrays)
        named: Any = getattr(outputs, "cells", outputs)
        if chosen is not None:
            blocks = [_some(each, chosen) for each in blocks]
            named = {name: _some(each, chosen) for name, each in named.items()}
            noted = {key: [values[row] for row in chosen] for key, values in noted.items()}
        self._parts.append(Part(blocks, named, noted))
        self.rows += prediction.table.rows if chosen is None else len(chosen)
        self.bytes += sum(map(_bytes_of, (*blocks, *named.values())))

    def array(self, key: int | str) -> Array:
        """All rows of a block by its index, or of an output by its name."""
        return _joined(
            [
                part.blocks[key] if isinstance(key, int) else part.outputs[key]
                for part in self._parts
            ]
        )

    def noted(self, key: tuple[int, int]) -> list[float]:
        """What was noted of a text or an image, by its block and position."""
        return list(chain.from_iterable(part.noted[key] for part in self._parts))


class Part(NamedTuple):
    """What is counted of one request."""

    blocks: Sequence[Array | Cells]
    outputs: Mapping[str, Array | Cells]
    noted: Mapping[tuple[int, int], Sequence[float]]


def _some(values: Array | Cells, chosen: Sequence[int]) -> Array | Cells:
    """Some rows of a block or an output."""
    if not isinstance(values, Cells):
        if len(chosen) > 1:
            return values[chosen]
        return values[chosen[0] : chosen[0] + 1].copy()  # a quarter of the time
    width = prod(values.shape[1:])
    found = [values.values[row * width : row * width + width] for row in chosen]
    return Cells([*chain.from_iterable(found)], (len(chosen), *values.shape[1:]), values.dtype)


def _joined(parts: Sequence[Array | Cells]) -> Array:
    cells = [part for part in parts if isinstance(part, Cells)]
    if len(parts) == 1:
        return as_array(parts[0])
    if len(cells) < len(parts):
        return np.concatenate(list(map(as_array, parts)))
    values = list(chain.from_iterable([part.values for part in cells]))
    return Cells(values, (-1, *cells[0].shape[1:]), cells[0].dtype).array()


def _bytes_of(values: Array | Cells) -> int:
    if isinstance(values, Cells):
        of_texts = values.dtype == "string"
        return _of_objects(values.values) if of_texts else NUMBER_BYTES * len(values.values)
    return int(values.nbytes) + (
        _of_objects(values.ravel().tolist()) if values.dtype.char == "O" else 0
    )


def _of_objects(found: Sequence[Any]) -> int:
    try:
        return TEXT_BYTES * len(found) + len("".join(found))
    except TypeError:  # the bytes of images, arrays of nested cells, or a missing text
        sizes = (len(v) if isinstance(v, str | bytes) else getattr(v, "nbytes", 0) for v in found)
        return TEXT_BYTES * len(found) + int(sum(sizes))
