"""Reductions over the columns of each row: sums, means, extremes.

`skip` leaves missing values out, as pandas does; NumPy returns NaN if any is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing.arithmetic import common, floats, truth
from onnxlet.convert.converters.tracing.base import refuse
from onnxlet.convert.graph.converter import Tensor


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


def over_columns(name: str, axis: Any, dims: int = 2) -> None:
    """Refuse a reduction over the rows of an array of `dims` dimensions.

    The axis is a number, or pandas' name.
    """
    if dims == 2 and axis in (1, -1, "columns"):
        return
    refuse(
        f"its {name}() goes over the rows: it depends on which rows come together in a request",
        "Take the value from the training set before (a constant), or use a transformer that "
        "learns it in fit: StandardScaler, SimpleImputer, MinMaxScaler, …",
    )
