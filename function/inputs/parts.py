"""Lists too long to hold as Python objects: read in parts, at each iteration anew."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Self, overload

import numpy as np

from onnxlet.function import deadline
from onnxlet.function.arrays import Array

Faults = Mapping[int, str]
Change = Callable[[Sequence[Any]], tuple[Sequence[Any], Faults]]
FIELDS_AT_ONCE = 50_000  # cells


class Parts(Sequence[Any]):
    """A long list of so many members, which are not kept in memory."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._changes: tuple[Change, ...] = ()

    @abstractmethod
    def read(self) -> Iterator[tuple[Sequence[Any], Faults]]:
        """Neighbouring members, and the faults of some by their positions among these."""

    def then(self, change: Change) -> Self:
        """Have each part changed before it is yielded; a change may find faults."""
        self._changes += (change,)
        return self

    def parts(self) -> Iterator[tuple[Sequence[Any], Faults]]:
        """What `read` yields, with every change that `then` was given."""
        for part, faults in self.read():
            deadline.check()
            for change in self._changes:
                part, more = change(part)
                faults = {**faults, **more}
            yield part, faults

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return chain.from_iterable(part for part, _ in self.parts())

    @overload
    def __getitem__(self, position: int) -> Any: ...

    @overload
    def __getitem__(self, position: slice) -> list[Any]: ...

    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return list(self)[position]
        for part, _ in self.parts():
            if position < len(part):
                return part[position]
            position -= len(part)
        raise IndexError(position)


class Columns(Parts):
    """Rows that are held as columns, of one length, each compact."""

    def __init__(self, columns: Sequence[Sequence[Any] | Array]) -> None:
        super().__init__(len(columns[0]))
        self._columns = columns

    def read(self) -> Iterator[tuple[Sequence[Any], Faults]]:
        """Lists of the columns' values."""
        step = max(1, FIELDS_AT_ONCE // len(self._columns))
        for start in range(0, len(self), step):
            some = (each[start : start + step] for each in self._columns)
            cells = (c.tolist() if isinstance(c, np.ndarray) else c for c in some)
            yield list(map(list, zip(*cells, strict=True))), {}


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


def listed(cells: Sequence[Any] | Array) -> Sequence[Any] | Array:
    """A column's values, read now if they are Parts."""
    return list(cells) if isinstance(cells, Parts) else cells
