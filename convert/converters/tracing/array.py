"""The proxy for an array, with NumPy's views; of one dtype, unless it has text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.array_methods import ArrayMethods
from onnxlet.convert.converters.tracing.base import (
    ARRAY,
    RowCount,
    elementwise,
    is_everything,
    positions_of,
    promoted,
    refuse,
    select,
)
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.categories import is_missing
from onnxlet.convert.graph.converter import Graph, Table, Tensor, labelled


def keys_of(key: Any, dims: int) -> list[Any]:
    """The keys in brackets, one for each dimension, rows first; `...` is expanded."""
    keys = list(key) if isinstance(key, tuple) else [key]
    positions = [position for position, one in enumerate(keys) if one is Ellipsis]
    if positions:
        lacking = dims - sum(one is not None and one is not Ellipsis for one in keys)
        keys[positions[0] : positions[0] + 1] = [slice(None)] * lacking
    if not keys or keys[0] is None:
        refuse("it makes rows of columns")
    return keys


def assigned(old: Tensor, mask: Any, value: Any) -> Tensor:
    """The old values, and where the mask is true the new one, in the old dtype."""
    everywhere = not isinstance(mask, Tensor)
    where = arithmetic.everywhere(old) if everywhere else mask
    if old.dtype == "string" and not isinstance(value, Tensor) and is_missing(value):
        return arithmetic.choose(where, value, old)
    given = as_dtype(arithmetic.tensor_of(arithmetic.graph_of(old), value), old.dtype)
    if everywhere:  # an array of objects takes any value
        return arithmetic.choose(where, given, given)
    return arithmetic.choose(where, given, old)


def as_dtype(x: Tensor, dtype: str) -> Tensor:
    """Cast numbers; text stays text."""
    if "string" in (x.dtype, dtype) or x.dtype == dtype:
        return x
    return column_values.as_whole(x) if dtype == "int64" else x.cast(dtype)


def is_larger(after: Sequence[Tensor], before: Sequence[Tensor]) -> bool:
    """Whether a dtype is too large for the one before (bool < int64 < float32 < float64)."""
    order = ["bool", "int64", "float32", "float64"]
    return any(
        order.index(a.dtype) > order.index(b.dtype)
        for a, b in zip(after, before, strict=True)
        if "string" not in (a.dtype, b.dtype)
    )


class Memory:
    """The memory that an array and its views share: all columns, and the number of writes."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.version = 0

    def write(self, columns: Sequence[Tensor]) -> None:
        """Replace all columns, as writing to the array does; its views notice by `version`."""
        self.table = Table(tuple(columns))
        self.version += 1


class TracedArray(ArrayMethods):
    """Columns as an array of shape (rows, columns), or (rows,).

    A view such as `x[:, 0]` has some columns of the memory of the array that it was taken from:
    a write to one shows in the other.
    """

    __slots__ = ("_flat", "_memory", "_positions", "_read")
    _rank: ClassVar[int] = ARRAY

    def __init__(self, graph: Graph, table: Table, flat: bool = False) -> None:
        self._graph = graph
        self._flat = flat
        self._memory = Memory(promoted(graph, labelled(table, ())))
        self._positions: list[int] | None = None
        self._read = (0, self._memory.table)

    @property
    def _table(self) -> Table:  # type: ignore[override]
        memory = self._memory
        if self._positions is None:
            return memory.table
        if self._read[0] != memory.version:
            self._read = (memory.version, select(self._graph, memory.table, self._positions))
        return self._read[1]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return np.ndarray

    def _like(self, table: Table) -> TracedArray:
        return TracedArray(self._graph, table, self._flat)

    def _array(self, table: Table, flat: bool) -> TracedArray:
        return TracedArray(self._graph, table, flat)

    def _view_of(self, positions: Sequence[int], flat: bool) -> TracedArray:
        of = range(self._memory.table.width) if self._positions is None else self._positions
        made = TracedArray.__new__(TracedArray)
        made._graph, made._memory, made._flat = self._graph, self._memory, flat
        made._positions = [of[position] for position in positions]
        made._read = (-1, self._memory.table)
        return made

    def _in_place(self, function: Any, other: Any) -> TracedArray:
        return self._overwritten(self._operate(function, self, other), "same_kind")

    def _overwritten(self, made: Any, casting: str = "unsafe") -> TracedArray:
        return self._store(made._table, casting)

    def _store(self, table: Table, casting: str = "unsafe") -> TracedArray:
        """Write other values, in the dtype of the array."""
        before, after = (self._graph.columns(one) for one in (self._table, table))
        if len(before) != len(after) or (casting == "same_kind" and is_larger(after, before)):
            refuse("it writes values to an array that do not fit its shape or dtype")
        kept = [as_dtype(new, old.dtype) for new, old in zip(after, before, strict=True)]
        columns = self._graph.columns(self._memory.table)
        for position, tensor in zip(self._positions or range(len(columns)), kept, strict=True):
            columns[position] = tensor
        self._memory.write(columns)
        return self

    # shape and dtype

    @property
    def shape(self) -> tuple[Any, ...]:
        """The rows, whose number is unknown, and the columns."""
        rows = RowCount(self._table.tensors[0])
        return (rows,) if self._flat else (rows, self._table.width)

    @property
    def dtype(self) -> Any:
        """NumPy's dtype; object for text."""
        kinds = {tensor.dtype for tensor in self._table.tensors}
        return np.dtype({"bool": "bool", "int64": "int64", "string": "O"}.get(kinds.pop(), "f8"))

    @property
    def T(self) -> Any:  # noqa: N802  NumPy has it so
        """The transposed array; itself if it has one dimension."""
        return self if self._flat else Transposed(self)

    def transpose(self) -> Any:
        """The same as `T`."""
        return self.T

    def __getattr__(self, name: str) -> Any:
        if name == "A":  # of a sparse array
            return self
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"'numpy.ndarray' object has no attribute '{name}'")
        return refuse(f"an array's .{name} has no conversion")

    # indexing

    def __getitem__(self, key: Any) -> Any:
        keys = keys_of(key, self.ndim)
        if not is_everything(keys[0]):
            refuse("it takes some rows and not others", "Use np.where(condition, a, b).")
        columns = [one for one in keys[1:] if one is not None]
        if len(columns) > (0 if self._flat else 1) or len(keys) > 3:
            raise IndexError("too many indices for array")
        axes = sum(one is None for one in keys[1:])
        if not columns:
            if axes > self._flat:
                refuse("it makes an array of three dimensions")
            return self._view_of(range(self._table.width), self._flat and not axes)
        return self._column(columns[0], axes)

    def _column(self, key: Any, axes: int) -> TracedArray:
        one = isinstance(key, int | np.integer)
        positions = positions_of(key, self._table.width)
        if axes > (1 if one else 0):
            refuse("it makes an array of three dimensions")
        if one or isinstance(key, slice):
            return self._view_of(positions, one and not axes)
        return TracedArray(self._graph, select(self._graph, self._table, positions))

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, Traced):
            self._overwritten(elementwise(assigned, self, key, value))
            return
        rows, *columns = keys_of(key, self.ndim)
        if not isinstance(rows, Traced) and not is_everything(rows):
            refuse("it writes to some rows and not others", "Use np.where(condition, a, b).")
        positions = (
            positions_of(columns[0], self._table.width) if columns else range(self._table.width)
        )
        flat = self._flat or (bool(columns) and isinstance(columns[0], int | np.integer))
        before = TracedArray(self._graph, select(self._graph, self._table, list(positions)), flat)
        mask = True if is_everything(rows) else rows
        after = self._graph.columns(elementwise(assigned, before, mask, value)._table)
        made = self._graph.columns(self._table)
        for position, tensor in zip(positions, after, strict=True):
            made[position] = tensor
        self._store(Table(tuple(made)))


def side_by_side(graph: Graph, parts: Sequence[Traced]) -> TracedArray:
    """The columns of several proxies in one array."""
    tensors = [tensor for part in parts for tensor in part._table.tensors]
    return TracedArray(graph, Table(tuple(tensors)))


class Transposed:
    """An array of shape (columns, rows): `x.T`, until it is transposed back."""

    __array_ufunc__ = None

    def __init__(self, array: TracedArray) -> None:
        self._array = array

    @property
    def T(self) -> TracedArray:  # noqa: N802  NumPy has it so
        """The array, transposed back."""
        return self._array

    def transpose(self) -> TracedArray:
        """The array, transposed back."""
        return self._array

    def __len__(self) -> int:
        return self._array._table.width

    def __iter__(self) -> Iterator[TracedArray]:
        return (self[position] for position in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, int | np.integer):
            refuse("it takes several rows out of a transposed array")
        return self._array[:, key]

    def __array__(self, *_: Any, **__: Any) -> Any:
        refuse("it computes with a transposed array", "Transpose it back: x.T.")

    def __getattr__(self, name: str) -> Any:
        return refuse(f"a transposed array's .{name} has no conversion", "Transpose it back: x.T.")
