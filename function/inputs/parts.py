"""Lists too long to hold as Python objects: read in parts, at each iteration anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Self

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.numpy_later import np

Faults = Mapping[int, str]
Read = Callable[[], Iterator[tuple[Sequence[Any], Faults]]]
Change = Callable[[Sequence[Any]], tuple[Sequence[Any], Faults]]
FIELDS_AT_ONCE = 50_000  # cells


class Parts(Sequence[Any]):
    """A long list of so many members, which are not kept in memory.

    At each iteration `read` gives neighbouring members, and the faults of some by their positions
    among these.
    """

    def __init__(self, size: int, read: Read) -> None:
        self._size = size
        self._read = read
        self._changes: tuple[Change, ...] = ()

    def then(self, change: Change) -> Self:
        """Have each part changed before it is yielded; a change may find faults."""
        self._changes += (change,)
        return self

    def parts(self) -> Iterator[tuple[Sequence[Any], Faults]]:
        """What `read` gives, with every change that `then` was given."""
        for part, faults in self._read():
            deadline.check()
            for change in self._changes:
                part, more = change(part)
                faults = {**faults, **more}
            yield part, faults

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(part for part, _ in self.parts())

    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return list(self)[position]
        for part, _ in self.parts():
            if position < len(part):
                return part[position]
            position -= len(part)
        raise IndexError(position)


def rows_of(columns: Sequence[Sequence[Any] | Array]) -> Parts:
    """Rows that are held as columns, of one length, each compact: lists of the columns' values."""

    def read() -> Iterator[tuple[Sequence[Any], Faults]]:
        step = max(1, FIELDS_AT_ONCE // len(columns))
        for start in range(0, len(columns[0]), step):
            some = (each[start : start + step] for each in columns)
            cells = (c.tolist() if isinstance(c, np.ndarray) else c for c in some)
            yield list(map(list, zip(*cells, strict=True))), {}

    return Parts(len(columns[0]), read)


def compact(cells: list[Any] | Array) -> Sequence[Any] | Array:
    """A column's values in the least memory that holds them exactly: in an array if alike."""
    if isinstance(cells, np.ndarray):
        return cells
    kinds = set(map(type, cells))
    if kinds == {float}:
        return np.array(cells, np.float64)
    if kinds == {int}:
        try:
            return np.array(cells, np.int64)
        except OverflowError:
            return cells
    return cells
