"""Values in arrays, or, of few rows, in Python's own lists; and the text that is missing."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.numpy_later import is_there, np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
else:
    Array = Any
# What is noted as rows are run, by block and position: of a text the share of its unknown tokens,
# of an image its brightness and contrast; row by row.
Noted = dict[tuple[int, int], list[float]]

LARGEST_INTEGER = 2**63 - 1  # of int64
EXACT = 2**53  # whole numbers up to it are float64's own, one by one
# The largest float64 that rounds to a finite float32: halfway to 2**128, less one.
LARGEST_FLOAT32 = math.nextafter(2.0**128 - 2.0**103, 0)

SMALLEST_FLOAT32 = 2.0**-126  # with all its digits
AS_FLOAT32 = struct.Struct("f")
# Stands for a missing text, since a string tensor of ONNX has no NaN. Two noncharacters: no text
# that people write has them, and a request that does is refused.
MISSING_TEXT = "\uffff\ufffe"


class Cells(NamedTuple):
    """Values of few rows, without NumPy: an array's, in the order of its memory."""

    values: Sequence[Any]  # float, int, bool, str or None
    shape: tuple[int, ...]
    dtype: str  # as NumPy calls it, of numbers; `string` of texts, `object` of whole rows

    def array(self) -> Array:
        """The same as an array, of objects where these are texts."""
        if self.dtype == "object":  # entries of any sizes
            return np.fromiter(self.values, dtype=object, count=len(self.values))
        dtype = object if self.dtype == "string" else self.dtype
        return np.array(self.values, dtype).reshape(self.shape)

    def chosen(self, rows: Iterable[int]) -> Cells:
        """Those of some rows, by their indices."""
        width = len(self.values) // self.shape[0]
        found = [self.values[row * width : (row + 1) * width] for row in rows]
        return Cells([*chain.from_iterable(found)], (len(found), *self.shape[1:]), self.dtype)

    def spread(self, rows: Iterable[int], count: int) -> Cells:
        """Those of some rows at their indices among so many rows, None elsewhere."""
        whole: list[Any] = [None] * count
        for row, entry in zip(rows, self.written(), strict=True):
            whole[row] = entry
        return Cells(whole, (count,), "object")

    def written(self) -> Any:
        """The same as lists within lists, or as an array, for JSON."""
        found = self.flat()
        if not isinstance(found, list | tuple):
            return found.reshape(self.shape)
        found = list(found)
        for size in reversed(self.shape[1:]):
            found = [found[at : at + size] for at in range(0, len(found), size)]
        return found

    def flat(self) -> Any:
        """The values for JSON: of a float32 no more digits than tell it from all others."""
        if self.dtype != "float32":
            return self.values
        if is_there() or not all(map(is_written_alike, self.values)):
            return self.array().ravel()
        return list(map(_fewest_digits, self.values))


def as_array(values: Array | Cells) -> Array:
    """The values as an array, whichever they are."""
    return values.array() if isinstance(values, Cells) else values


def is_written_alike(value: float) -> bool:
    """Whether JSON has a float32 as the float64 of its digits: with no other exponent."""
    return 1e-4 <= abs(value) < 1e12 or value == 0 or value != value


def _fewest_digits(value: float) -> float:
    """The float64 of the fewest decimal digits that mean this float32.

    Nine do for any; of those that do the nearest, as "Ryu: fast float-to-string conversion" (Adams,
    2018) has it.
    """
    for digits in range(6 if abs(value) > SMALLEST_FLOAT32 else 1, 10):
        found = float(f"{value:.{digits}g}")
        if AS_FLOAT32.unpack(AS_FLOAT32.pack(found))[0] == value:
            return found
    return value  # NaN


class LateArrays(Sequence[Array]):
    """The blocks of a batch of few rows, which become arrays when somebody asks for one."""

    def __init__(self, cells: Sequence[Cells]) -> None:
        self.cells = cells

    def chosen(self, rows: Sequence[int]) -> LateArrays:
        """The same of some rows, by their indices."""
        return LateArrays([each.chosen(rows) for each in self.cells])

    @cached_property
    def _arrays(self) -> list[Array]:
        return [each.array() for each in self.cells]

    def __getitem__(self, index: Any) -> Any:
        return self._arrays[index]

    def __len__(self) -> int:
        return len(self.cells)


class LateOutputs(Mapping[str, Array]):
    """The outputs of few rows by name, likewise."""

    def __init__(self, cells: Mapping[str, Cells]) -> None:
        self.cells = cells
        self._arrays: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            self._arrays[name] = self.cells[name].array()
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)
