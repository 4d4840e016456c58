"""Where the values of what is counted are: in a block, an output, or what was noted of a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.inputs.columns import Output
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.monitoring.bins import PICTURE

# A block of the signature by its index, an output by its name, a text or an image by its block and
# position.
Key = int | str | tuple[int, int]


class Place(NamedTuple):
    """Where a feature's values are.

    Attributes:
        key: of the array that has them.
        width: columns of that array.
        position: of the feature's column.
        text: they are texts or labels.
    """

    key: Key
    width: int
    position: int
    text: bool = False


def place_of(entry: Mapping[str, Any], signature: Signature) -> Place:
    """Where the values of a feature are.

    Args:
        entry: of the feature.
        signature: of the model.
    """
    measure = entry["measure"]
    if "output" in entry:
        output = next(each for each in signature.outputs if each.name == entry["output"])
        return Place(output.name, width_of(output), entry.get("index", 0), measure == "label")
    number, position = signature.positions[entry["column"]]
    block = signature.blocks[number]
    if measure == "unknown_tokens":
        return Place((number, position), 1, 0)
    if measure in PICTURE:
        key: Key = (number, position) if block.columns[position].image else number
        return Place(key, len(PICTURE), PICTURE.index(measure))
    return Place(number, len(block.columns), position, block.dtype == "string")


def width_of(output: Output) -> int:
    """Numbers that a row's answer has."""
    return abs(int(np.prod(output.shape)))
