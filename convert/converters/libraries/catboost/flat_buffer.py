"""Reads tables of a FlatBuffer, as far as CatBoost's binary files need it.

A table begins with the distance to a list of its fields' positions; what is not stored has its
default. Source: https://flatbuffers.dev/internals.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array


class FlatTable:
    """A table; its fields are asked for by their number in the schema."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start
        self._fields = start - int(unpack_from("<i", data, start)[0])
        self._count = int(unpack_from("<H", data, self._fields)[0]) // 2 - 2

    @classmethod
    def root(cls, data: bytes, start: int = 0) -> FlatTable:
        """The table that a buffer is."""
        return cls(data, start + int(unpack_from("<I", data, start)[0]))

    def number(self, field: int, kind: str, default: float = 0) -> Any:
        """A number; `kind` is a letter of `struct`."""
        at = self._at(field)
        return default if at is None else unpack_from(f"<{kind}", self._data, at)[0]

    def table(self, field: int) -> FlatTable:
        """A table, which is there."""
        at = self._referred(field)
        if at is None:
            raise ValueError(f"field {field}: expected a table, got nothing")
        return FlatTable(self._data, at)

    def tables(self, field: int) -> list[FlatTable]:
        """A vector of tables."""
        offsets = self.vector(field, "<u4")
        first = (self._referred(field) or 0) + 4
        return [FlatTable(self._data, first + 4 * n + int(p)) for n, p in enumerate(offsets)]

    def vector(self, field: int, dtype: Any) -> Array:
        """A vector of numbers, or of pairs of them."""
        at = self._referred(field)
        if at is None:
            return np.empty(0, dtype)
        size = int(unpack_from("<I", self._data, at)[0])
        return np.frombuffer(self._data, dtype, size, at + 4)

    def _at(self, field: int) -> int | None:
        if field >= self._count:
            return None
        offset = int(unpack_from("<H", self._data, self._fields + 4 + 2 * field)[0])
        return self._start + offset if offset else None

    def _referred(self, field: int) -> int | None:
        at = self._at(field)
        return None if at is None else at + int(unpack_from("<I", self._data, at)[0])
