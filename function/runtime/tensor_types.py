"""The types that tensors have, and what one holds: numbers as they are in memory, or texts."""

from __future__ import annotations

import struct
from functools import lru_cache
from math import prod
from typing import NamedTuple

from onnxlet.function.arrays import Cells


class Type(NamedTuple):
    """A type that tensors have."""

    name: str  # as NumPy has it, `string` of texts
    characters: str  # of NumPy's types that are held so; the first is also `struct`'s


STRING = 8
# By the code of `ONNXTensorElementDataType`.
TYPES = {
    1: Type("float32", "f"), 2: Type("uint8", "B"), 3: Type("int8", "b"), 4: Type("uint16", "H"),
    5: Type("int16", "h"), 6: Type("int32", "i"), 7: Type("int64", "ql"), 8: Type("string", "OU"),
    9: Type("bool", "?"), 10: Type("float16", "e"), 11: Type("float64", "d"),
    12: Type("uint32", "I"), 13: Type("uint64", "QL"),
}  # fmt: skip
BY_NAME = {known.name: code for code, known in TYPES.items()}
BY_CHARACTER = {each: code for code, known in TYPES.items() for each in known.characters}
SHAPES = 1_000  # and lists of names, that are remembered as C has them
Raw = bytes | list[str]  # what a tensor holds: numbers as they are in memory, or texts


@lru_cache(SHAPES)
def packing(code: int, shape: tuple[int, ...]) -> struct.Struct:
    """How the numbers of such a tensor are in memory."""
    return struct.Struct(f"{prod(shape)}{TYPES[code].characters[0]}")


def cells_of(raw: Raw, code: int, shape: tuple[int, ...]) -> Cells:
    """The same as Python's values."""
    values = raw if isinstance(raw, list) else packing(code, shape).unpack(raw)
    return Cells(values, shape, TYPES[code].name)
