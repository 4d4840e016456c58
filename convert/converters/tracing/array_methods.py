"""The methods of arrays: of elements, and reductions over the columns of each row.

`skip` leaves missing values out, as pandas does; NumPy returns NaN if any is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.arithmetic import common, floats, truth
from onnxlet.convert.converters.tracing.base import (
    RowCount,
    check_options,
    elementwise,
    methods,
    refuse,
    whole,
)
from onnxlet.convert.converters.tracing.conditions import SomeRow
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import Table, Tensor


def _filled(x: Tensor, value: float, skip: bool) -> Tensor:
    """Numbers; missing ones become a value that does not change the result."""
    (number,) = common(x)
    if not skip or number.dtype == "int64":
        return number
    return number.isnan().where(value, number)


def _count(x: Tensor, skip: bool) -> Tensor:
    """The number of values in each row, without missing ones if `skip`."""
    (number,) = floats(x)
    there = number.equals(number) if skip else number.isnan() | ~number.isnan()
    return there.cast(number.dtype).sum()


def total(x: Tensor, skip: bool = False, min_count: int = 0) -> Tensor:
    """The sum; 0 of none, NaN if there are fewer than `min_count`."""
    made = _filled(x, 0.0, skip).sum()
    return _enough(x, made, min_count, skip)


def product(x: Tensor, skip: bool = False, min_count: int = 0) -> Tensor:
    """The product; 1 of none, NaN if there are fewer than `min_count`."""
    axes = x.graph.constant([1], "int64")
    made = x.graph.op("ReduceProd", _filled(x, 1.0, skip), axes, width=1, keepdims=1)
    return _enough(x, made, min_count, skip)


def _enough(x: Tensor, made: Tensor, min_count: int, skip: bool) -> Tensor:
    if min_count <= 0 or not skip:
        return made
    (number,) = floats(made)
    return (_count(x, skip) < float(min_count)).where(np.nan, number)


def mean(x: Tensor, skip: bool = False) -> Tensor:
    """The mean; NaN of none."""
    (summed,) = floats(total(x, skip))
    return summed / (_count(x, skip) if skip else float(x.width))


def variance(x: Tensor, skip: bool = False, ddof: int = 0) -> Tensor:
    """The mean square distance from the mean, divided by count - ddof."""
    (number,) = floats(x)
    distance = number - mean(x, skip)
    squares = total(distance * distance, skip)
    count = _count(x, skip)
    made = squares / (count - float(ddof))
    return (count <= float(ddof)).where(np.nan, made) if ddof else made


def deviation(x: Tensor, skip: bool = False, ddof: int = 0) -> Tensor:
    """The standard deviation of each row, with `ddof` as NumPy and pandas take it."""
    return variance(x, skip, ddof).unary("Sqrt")


def largest(x: Tensor, skip: bool = False) -> Tensor:
    """NaN if all are missing, or without `skip` any."""
    return _extreme(x, skip, -np.inf, lambda number: number.max())


def smallest(x: Tensor, skip: bool = False) -> Tensor:
    """NaN if all are missing, or without `skip` any."""
    return _extreme(x, skip, np.inf, lambda number: number.min())


def _extreme(x: Tensor, skip: bool, least: float, reduced: Callable[[Tensor], Tensor]) -> Tensor:
    if x.dtype == "bool":
        return reduced(x.cast("int64")).cast("bool")
    (number,) = common(x)
    if number.dtype == "int64":
        return reduced(number)
    nan = number.isnan()
    made = reduced(nan.where(least, number))
    gap = nan.cast("int64")
    return ((gap.min() if skip else gap.max()) > 0).where(np.nan, made)


def every(x: Tensor, skip: bool = False) -> Tensor:
    """`all`; a missing value is true."""
    return truth(x).cast("int64").min() > 0


def some(x: Tensor, skip: bool = False) -> Tensor:
    """`any`; a missing value is true, unless it is skipped."""
    return truth(_filled(x, 0.0, skip)).cast("int64").max() > 0


def in_order(x: Tensor) -> Tensor:
    """The values in ascending order, NaN last."""
    (number,) = common(x)
    return number.smallest(x.width)[0]


def median(x: Tensor, skip: bool = False) -> Tensor:
    """The middle value, or the mean of the two in the middle."""
    (number,) = floats(x)
    graph, ordered = x.graph, in_order(number)
    count = _count(x, skip).cast("int64") if skip else graph.constant([[x.width]], "int64")
    middle = [(count - 1) / 2, count / 2]
    if not skip:
        low, high = (ordered.take([position]) for position in ((x.width - 1) // 2, x.width // 2))
    else:
        low, high = (
            graph.op("GatherElements", ordered, position, width=1, axis=1)
            for position in (middle[0].maximum(0), middle[1].minimum(x.width - 1))
        )
    made = low.equals(high).where(low, (low + high) / 2.0)
    nothing = number.isnan().cast("int64")
    return ((nothing.min() if skip else nothing.max()) > 0).where(np.nan, made)


def count(x: Tensor, skip: bool = True) -> Tensor:
    """The number of values that are not missing."""
    return _count(x, True).cast("int64")


def index_of(extreme: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Of the largest or the smallest, `argmax` or `argmin`; of the first NaN if there is one."""
    (number,) = common(x)
    found = extreme(number)
    if number.dtype == "int64":
        return found
    nan = number.isnan().cast("int64")
    return (nan.max() > 0).where(nan.argmax(), found)


def cumulated(x: Tensor) -> Tensor:
    """Cumulative sums from the left."""
    (number,) = common(x)
    return x.graph.op("CumSum", number, x.graph.constant(1, "int64"))


REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "sum": total, "prod": product, "product": product, "mean": mean, "var": variance,
    "std": deviation, "max": largest, "min": smallest, "all": every, "any": some,
    "median": median, "count": count,
}  # fmt: skip


# Of rows, only a check that raises may ask these.
CHECKS: dict[str, Callable[[Tensor, bool], SomeRow]] = {
    "any": lambda x, skip: SomeRow(truth(_filled(x, 0.0, skip))),
    "all": lambda x, skip: SomeRow(~truth(x), negated=True),
}
ACROSS = (1, -1, "columns")


def over_columns(name: str, axis: Any, dims: int = 2) -> None:
    """Refuse a reduction over the rows of an array of `dims` dimensions.

    The axis is a number, or pandas' name.
    """
    if dims == 2 and axis in ACROSS:
        return
    refuse(
        f"its {name}() goes over the rows: it depends on which rows come together in a request",
        "Take the value from the training set before (a constant), or use a transformer that "
        "learns it in fit: StandardScaler, SimpleImputer, MinMaxScaler, …",
    )


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
        if name in CHECKS and axis not in ACROSS:
            return CHECKS[name](whole(self._graph, self._table), skip)
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
        "dot __matmul__": lambda self, other: matrix_product(self, other),
        "round": lambda self, decimals=0: rounded(self, decimals),
        "__round__": lambda self, ndigits=None: rounded(self, ndigits or 0),
        "argmax": lambda self, axis=None: self._index_of(Tensor.argmax, axis),
        "argmin": lambda self, axis=None: self._index_of(Tensor.argmin, axis),
        **{name: _reduction(name) for name in ("prod", "max", "min", "any", "all")},
        **{name: _in_dtype(name) for name in ("sum", "mean")},
        **{name: _of_freedom(name) for name in ("var", "std")},
    },
)


def matrix_product(array: ArrayMethods, other: Any) -> Any:
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
