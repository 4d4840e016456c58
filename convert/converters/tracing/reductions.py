"""What is made of all columns of a row: sums, means, extremes.

`skip` leaves missing values out, as pandas does; NumPy answers NaN where any is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing.arithmetic import common, floats, truth
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.graph.graph import Tensor


def _filled(x: Tensor, value: float, skip: bool) -> Tensor:
    """Numbers, with a value that changes nothing where one is missing."""
    (number,) = common(x)
    if not skip or number.dtype == "int64":
        return number
    return number.isnan().where(value, number)


def _count(x: Tensor, skip: bool) -> Tensor:
    """How many values of a row are there."""
    (number,) = floats(x)
    there = number.equals(number) if skip else number.isnan() | ~number.isnan()
    return there.cast(number.dtype).sum()


def total(x: Tensor, skip: bool = False, min_count: int = 0) -> Tensor:
    """Of none it is 0, unless so many are needed."""
    made = _filled(x, 0.0, skip).sum()
    return _enough(x, made, min_count, skip)


def product(x: Tensor, skip: bool = False, min_count: int = 0) -> Tensor:
    """Of none it is 1, unless so many are needed."""
    axes = x.graph.constant([1], "int64")
    made = x.graph.op("ReduceProd", _filled(x, 1.0, skip), axes, width=1, keepdims=1)
    return _enough(x, made, min_count, skip)


def _enough(x: Tensor, made: Tensor, min_count: int, skip: bool) -> Tensor:
    if min_count <= 0 or not skip:
        return made
    (number,) = floats(made)
    return (_count(x, skip) < float(min_count)).where(np.nan, number)


def mean(x: Tensor, skip: bool = False) -> Tensor:
    """Of none it is NaN."""
    (summed,) = floats(total(x, skip))
    return summed / (_count(x, skip) if skip else float(x.width))


def variance(x: Tensor, skip: bool = False, ddof: int = 0) -> Tensor:
    """Of the squared distances from the mean."""
    (number,) = floats(x)
    distance = number - mean(x, skip)
    squares = total(distance * distance, skip)
    count = _count(x, skip)
    made = squares / (count - float(ddof))
    return (count <= float(ddof)).where(np.nan, made) if ddof else made


def deviation(x: Tensor, skip: bool = False, ddof: int = 0) -> Tensor:
    """The root of the variance."""
    return variance(x, skip, ddof).unary("Sqrt")


def largest(x: Tensor, skip: bool = False) -> Tensor:
    """NaN where all, or without `skip` any, are missing."""
    return _extreme(x, skip, -np.inf, lambda number: number.max())


def smallest(x: Tensor, skip: bool = False) -> Tensor:
    """NaN where all, or without `skip` any, are missing."""
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
    """Whether all are true; a missing value is."""
    return truth(x).cast("int64").min() > 0


def some(x: Tensor, skip: bool = False) -> Tensor:
    """Whether any is true; a missing value is, unless it is skipped."""
    return truth(_filled(x, 0.0, skip)).cast("int64").max() > 0


def in_order(x: Tensor) -> Tensor:
    """From the smallest to the largest; NaN comes last."""
    (number,) = common(x)
    size = x.graph.constant([x.width], "int64")
    outputs = [(number.dtype, x.width), ("int64", x.width)]
    return x.graph.ops("TopK", [number, size], outputs, axis=1, largest=0)[0]


def median(x: Tensor, skip: bool = False) -> Tensor:
    """The middle one, or the mean of the two in the middle."""
    (number,) = floats(x)
    graph, ordered = x.graph, in_order(number)
    count = _count(x, skip).cast("int64") if skip else graph.constant([[x.width]], "int64")
    middle = [(count - 1) / 2, count / 2]
    if not skip:
        low, high = (ordered.take([place]) for place in ((x.width - 1) // 2, x.width // 2))
    else:
        low, high = (
            graph.op("GatherElements", ordered, place, width=1, axis=1)
            for place in (middle[0].maximum(0), middle[1].minimum(x.width - 1))
        )
    made = low.equals(high).where(low, (low + high) / 2.0)
    nothing = number.isnan().cast("int64")
    return ((nothing.min() if skip else nothing.max()) > 0).where(np.nan, made)


def count(x: Tensor, skip: bool = True) -> Tensor:
    """How many are not missing."""
    return _count(x, True).cast("int64")


def place_of_largest(x: Tensor) -> Tensor:
    """The first of equals; the first NaN where there is one."""
    (number,) = common(x)
    return _place(number, number.argmax())


def place_of_smallest(x: Tensor) -> Tensor:
    """The first of equals; the first NaN where there is one."""
    (number,) = common(x)
    return _place(number, number.argmin())


def _place(number: Tensor, found: Tensor) -> Tensor:
    if number.dtype == "int64":
        return found
    nan = number.isnan().cast("int64")
    return (nan.max() > 0).where(nan.argmax(), found)


def cumulated(x: Tensor) -> Tensor:
    """Sums from the left."""
    (number,) = common(x)
    return x.graph.op("CumSum", number, x.graph.constant(1, "int64"))


REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    "sum": total, "prod": product, "product": product, "mean": mean, "var": variance,
    "std": deviation, "max": largest, "min": smallest, "all": every, "any": some,
    "median": median, "count": count,
}  # fmt: skip


def over_columns(name: str, axis: Any, dims: int = 2) -> None:
    """Refuse what goes over the rows.

    Args:
        name: of the reduction.
        axis: that the function asks for.
        dims: of what is reduced.
    """
    if dims == 2 and axis in (1, -1, "columns"):
        return
    refuse(
        f"its {name}() goes over the rows: it depends on which rows come together in a request",
        "Take the value from the training set before (a constant), or use a transformer that "
        "learns it in fit: StandardScaler, SimpleImputer, MinMaxScaler, …",
    )
