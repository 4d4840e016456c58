"""The methods of arrays: of elements, and reductions of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.base import (
    RowCount,
    check_options,
    elementwise,
    methods,
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

    def astype(self, dtype: Any, **options: Any) -> Any:
        """A copy of another dtype."""
        check_options("astype", options, **AS_IT_IS, casting=("unsafe", "same_kind"))
        return elementwise(lambda x: column_values.cast(x, dtype, in_array=True), self)

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

    def clip(self, min: Any = None, max: Any = None, **options: Any) -> Any:  # noqa: A002
        """Values beyond a bound become the bound."""
        check_options("clip", options)
        return clipped(self, min, max)

    def cumsum(self, axis: Any = None) -> Any:
        """Cumulative sums of each row."""
        over_columns("cumsum", axis, self.ndim)
        return self._like(Table((cumulated(whole(self._graph, self._table)),)))

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


def _reduction(name: str) -> Callable[..., Any]:
    return lambda self, axis=None, keepdims=False: self._reduce(name, axis, keepdims)


def _in_dtype(name: str) -> Callable[..., Any]:
    """A reduction that may be told NumPy's own dtype for it."""

    def method(self: Any, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        check_options(name, options, dtype=(None, float))
        return self._reduce(name, axis, keepdims)

    return method


def _of_freedom(name: str) -> Callable[..., Any]:
    return lambda self, axis=None, ddof=0, keepdims=False: self._reduce(
        name, axis, keepdims, ddof=ddof
    )


methods(
    ArrayMethods,
    {
        "copy": lambda self, order="C": self._like(self._table),
        "toarray todense": lambda self: self,  # a graph has no sparse arrays
        "ravel": lambda self, order="C": self.reshape(-1),
        "flatten": lambda self, order="C": self.reshape(-1).copy(),
        "squeeze": lambda self, axis=None: self.reshape(-1) if self._table.width == 1 else self,
        # Vectorisers take text from an array as from a list.
        "tolist": lambda self: (
            self if self._flat else refuse("an array's .tolist has no conversion")
        ),
        "dot __matmul__": lambda self, other: product(self, other),
        "round": lambda self, decimals=0: rounded(self, decimals),
        "__round__": lambda self, ndigits=None: rounded(self, ndigits or 0),
        "argmax": lambda self, axis=None: self._index_of(Tensor.argmax, axis),
        "argmin": lambda self, axis=None: self._index_of(Tensor.argmin, axis),
        **{name: _reduction(name) for name in ("prod", "max", "min", "any", "all")},
        **{name: _in_dtype(name) for name in ("sum", "mean")},
        **{name: _of_freedom(name) for name in ("var", "std")},
    },
)


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
