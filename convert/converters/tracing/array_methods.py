"""The methods of arrays: of elements, and reductions of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.base import (
    RowCount,
    check_options,
    elementwise,
    refuse,
    whole,
)
from onnxlet.convert.converters.tracing.reductions import (
    REDUCTIONS,
    cumulated,
    index_of,
    over_columns,
)
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import Table, Tensor

AS_IT_IS = {"order": ("C", "K", "A"), "copy": (True, False, None), "subok": (True, False)}


class ArrayMethods(Traced):
    """An array's methods, without indexing."""

    __slots__ = ()

    @property
    def ndim(self) -> int:
        """The dimensions: 1 or 2."""
        return 1 if self._flat else 2

    def _array(self, table: Table, flat: bool) -> Any:
        """Another array with its own memory."""
        raise NotImplementedError

    def _view_of(self, positions: Sequence[int], flat: bool) -> Any:
        """A view of some columns, which shares the memory."""
        raise NotImplementedError

    def copy(self, order: str = "C") -> Any:
        """A copy with its own memory."""
        return self._like(self._table)

    def astype(self, dtype: Any, **options: Any) -> Any:
        """A copy of another dtype."""
        check_options("astype", options, **AS_IT_IS, casting=("unsafe", "same_kind"))
        return elementwise(lambda x: column_values.cast(x, dtype, in_array=True), self)

    def toarray(self) -> Any:
        """Itself: a graph has no sparse arrays."""
        return self

    todense = toarray

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """One column may become flat, or a column again; several keep their shape."""
        check_options("reshape", options, order=("C",))
        wanted = tuple(shape[0]) if len(shape) == 1 and np.ndim(shape[0]) else shape
        first, rest = wanted[:1], list(wanted[1:])
        if not (type(first[0]) is RowCount or first == (-1,)) or len(rest) > 1:
            refuse(f"reshape{wanted} has no conversion", "Use reshape(-1, 1) of one column.")
        if not rest and self._table.width == 1:
            return self._view_of([0], True)
        if rest in ([self._table.width], [-1]):
            return self._view_of(range(self._table.width), False)
        return refuse("it reshapes columns into rows")

    def ravel(self, order: str = "C") -> Any:
        """One column as an array of one dimension."""
        return self.reshape(-1)

    def flatten(self, order: str = "C") -> Any:
        """One column as an array of one dimension."""
        return self.reshape(-1).copy()

    def squeeze(self, axis: Any = None) -> Any:
        """One column becomes flat; several stay the same."""
        return self.reshape(-1) if self._table.width == 1 else self

    def tolist(self) -> Any:
        """Itself: vectorisers take text from an array as from a list."""
        return self if self._flat else refuse("an array's .tolist has no conversion")

    def dot(self, other: Any) -> Any:
        """The product with a matrix of constants."""
        return product(self, other)

    def clip(self, min: Any = None, max: Any = None, **options: Any) -> Any:  # noqa: A002
        """Values beyond a bound become the bound."""
        check_options("clip", options)
        return clipped(self, min, max)

    def round(self, decimals: int = 0) -> Any:
        """Rounded to some decimals."""
        return rounded(self, decimals)

    def __round__(self, ndigits: int | None = None) -> Any:
        return rounded(self, ndigits or 0)

    def __matmul__(self, other: Any) -> Any:
        return product(self, other)

    def cumsum(self, axis: Any = None) -> Any:
        """Cumulative sums of each row."""
        over_columns("cumsum", axis, self.ndim)
        return self._like(Table((cumulated(whole(self._graph, self._table)),)))

    def argmax(self, axis: Any = None) -> Any:
        """The index of the largest column of each row."""
        return self._index_of(Tensor.argmax, axis)

    def argmin(self, axis: Any = None) -> Any:
        """The index of the smallest column of each row."""
        return self._index_of(Tensor.argmin, axis)

    def _index_of(self, extreme: Callable[[Tensor], Tensor], axis: Any) -> Any:
        over_columns(extreme.__name__, axis, self.ndim)
        return self._array(Table((index_of(extreme, whole(self._graph, self._table)),)), True)

    def _reduce(
        self,
        name: str,
        axis: Any = None,
        keepdims: bool = False,
        skip: bool = False,
        **options: Any,
    ) -> Any:
        over_columns(name, axis, self.ndim)
        made = REDUCTIONS[name](whole(self._graph, self._table), skip=skip, **options)
        return self._array(Table((made,)), not keepdims)

    def sum(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """The sum of each row."""
        check_options("sum", options, dtype=(None, float))
        return self._reduce("sum", axis, keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        """The mean of each row."""
        check_options("mean", options, dtype=(None, float))
        return self._reduce("mean", axis, keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        """The variance of each row; `ddof` as in NumPy."""
        return self._reduce("var", axis, keepdims, ddof=ddof)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        """The standard deviation of each row; `ddof` as in NumPy."""
        return self._reduce("std", axis, keepdims, ddof=ddof)


def _reduction(name: str) -> Callable[..., Any]:
    def method(self: ArrayMethods, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduce(name, axis, keepdims)

    method.__qualname__ = f"ArrayMethods.{name}"  # Python's messages have it
    return method


for _name in ("prod", "max", "min", "any", "all"):
    setattr(ArrayMethods, _name, _reduction(_name))


def product(array: ArrayMethods, other: Any) -> Any:
    """`x @ w` with a matrix or vector of constants."""
    if (not hasattr(other, "__array_interface__") and not isinstance(other, list)) or array._flat:
        refuse("it multiplies the rows with each other, or a column with a column")
    weights = np.asarray(other, dtype=np.float64)
    (x,) = arithmetic.floats(whole(array._graph, array._table))
    matrix = weights.reshape(len(weights), -1)
    if len(weights) != x.width:
        raise ValueError("matmul: shapes don't fit")
    return array._array(Table((x @ matrix,)), weights.ndim == 1)


def clipped(array: Traced, low: Any, high: Any) -> Any:
    """Between bounds, each None, a value, a value for each column, or columns."""
    made: Any = array
    if low is not None:
        made = elementwise(arithmetic.maximum, made, low)
    return made if high is None else elementwise(arithmetic.minimum, made, high)


def rounded(array: Traced, decimals: Any) -> Any:
    """Rounded to some decimals as NumPy does: times a power of ten, to the nearest, and back."""

    def made(x: Tensor) -> Tensor:
        if x.dtype in ("bool", "int64") and decimals >= 0:
            return x
        (number,) = arithmetic.floats(x)
        power: float = 10.0 ** abs(decimals)
        if decimals > 0:
            return (number * power).unary("Round") / power
        down = number / power if decimals else number
        nearest = down.unary("Round")
        result: Tensor = nearest * power if decimals else nearest
        return result

    return elementwise(made, array)
