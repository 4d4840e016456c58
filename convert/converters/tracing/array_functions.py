"""Our versions of NumPy's functions that dispatch by `__array_function__`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.array import TracedArray
from onnxlet.convert.converters.tracing.array_methods import (
    clipped,
    cumulated,
    in_order,
    matrix_product,
    over_columns,
    rounded,
)
from onnxlet.convert.converters.tracing.array_shapes import array_of, column_stack
from onnxlet.convert.converters.tracing.base import check_options, elementwise, refuse, whole
from onnxlet.convert.converters.tracing.elements import map_several
from onnxlet.convert.converters.tracing.traced import (
    ARRAY_FUNCTIONS,
    Traced,
    implement_all,
    implements,
)
from onnxlet.convert.graph.categories import is_missing
from onnxlet.convert.graph.converter import Table, Tensor
from onnxlet.convert.graph.tree_ensemble import intervals


@implements("where")
def _where(condition: Any, *given: Any) -> Any:
    if len(given) != 2:
        refuse("np.where with one argument asks which rows they are")
    return elementwise(arithmetic.choose, *(array_of(one) for one in (condition, *given)))


@implements("select")
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    made = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        made = _where(condition, choice, made)
    return made


@implements("clip")
def _clip(a: Any, a_min: Any = None, a_max: Any = None, **options: Any) -> Any:
    low, high = options.pop("min", a_min), options.pop("max", a_max)
    check_options("clip", options, out=(None,))
    return clipped(a, _bounds(low), _bounds(high))


def _bounds(value: Any) -> Any:
    return value if value is None or isinstance(value, Traced) else np.asarray(value)


@implements("round", "around", "round_")
def _round(a: Any, decimals: int = 0, out: Any = None) -> Any:
    if out is not None:
        refuse("np.round with out has no conversion")
    return rounded(a, decimals)


@implements("nan_to_num")
def _nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    def made(tensor: Tensor) -> Tensor:
        if tensor.dtype in ("bool", "int64"):
            return tensor
        (number,) = arithmetic.floats(tensor)
        largest = float(np.finfo(number.dtype).max)
        high = largest if posinf is None else posinf
        low = -largest if neginf is None else neginf
        finite = number.equals(np.inf).where(high, number.equals(-np.inf).where(low, number))
        return number.isnan().where(nan, finite)

    array = array_of(x)
    result = elementwise(made, array)
    return result if copy or not isinstance(array, TracedArray) else array._overwritten(result)


@implements("isin", "in1d")
def _isin(element: Any, test_elements: Any, **options: Any) -> Any:
    check_options("isin", options, assume_unique=(False,), kind=(None,))
    given = np.ravel(np.asarray(list(test_elements), dtype=object)).tolist()
    values = [value for value in given if not is_missing(value)]
    return elementwise(lambda x: column_values.is_in(x, values), array_of(element))


@implements("isclose")
def _isclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    if equal_nan:
        refuse("np.isclose with equal_nan has no conversion")
    a, b = array_of(a), array_of(b)
    near = np.less_equal(np.abs(a - b), atol + rtol * np.abs(b))
    return (near & np.isfinite(b)) | np.equal(a, b)


@implements("polyval")
def _polyval(p: Any, x: Any) -> Any:
    made: Any = array_of(x) * 0.0
    for coefficient in np.asarray(p, dtype=np.float64).tolist():
        made = made * array_of(x) + coefficient
    return made


@implements("diff")
def _diff(a: Any, n: int = 1, axis: Any = -1, **options: Any) -> Any:
    check_options("diff", options)
    array = array_of(a)
    over_columns("diff", axis, array.ndim)
    return array[:, 1:] - array[:, :-1] if n == 1 else _diff(array[:, 1:] - array[:, :-1], n - 1)


@implements("matmul", "dot")
def _dot(a: Any, b: Any, **options: Any) -> Any:
    check_options("dot", options)
    if not isinstance(a, Traced):
        refuse("it multiplies the rows with each other")
    return matrix_product(array_of(a), b)


@implements("median")
def _median(a: Any, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
    check_options("median", options)
    return array_of(a)._reduce("median", axis, keepdims)


def _reduction(name: str) -> Callable[..., Any]:
    def reduced(a: Any, axis: Any = None, *_: Any, **options: Any) -> Any:
        return getattr(a, name)(axis=axis, **options)

    return reduced


def _without_nan(name: str) -> Callable[..., Any]:
    def reduced(a: Any, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        return array_of(a)._reduce(name, axis, keepdims, True, **options)

    return reduced


for _function in ("sum", "prod", "mean", "max", "min", "any", "all", "argmax", "argmin"):
    implements(_function)(_reduction(_function))
for _function in ("max", "min"):
    implements(f"a{_function}")(_reduction(_function))


def _within_rows(
    function: Callable[[Tensor], Tensor],
    name: str,
    a: Any,
    axis: Any,
    options: Any,
    **permitted: Any,
) -> Any:
    """A function of the values of each row, in their order."""
    check_options(name, options, **permitted)
    array = array_of(a)
    over_columns(name, axis, array.ndim)
    return array._like(Table((function(whole(array._graph, array._table)),)))


SORTING: dict[str, Any] = {"kind": (None,), "stable": (None,)}
implement_all(
    {
        "cumsum": lambda a, axis=None, **o: _within_rows(cumulated, "cumsum", a, axis, o),
        "fix": lambda x: np.trunc(x),
        "sort": lambda a, axis=-1, **o: _within_rows(in_order, "sort", a, axis, o, **SORTING),
        "std": lambda a, axis=None, ddof=0, **o: a.std(axis=axis, ddof=ddof, **o),
        "var": lambda a, axis=None, ddof=0, **o: a.var(axis=axis, ddof=ddof, **o),
    }
)
for _function in ("sum", "prod", "mean", "max", "min", "median", "std", "var"):
    implements(f"nan{_function}")(_without_nan(_function))


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    array = array_of(x)
    over_columns("norm", axis, array.ndim)
    if ord not in (None, 1, 2, np.inf):
        refuse(f"np.linalg.norm of order {ord} has no conversion")
    if ord == 1:
        return np.abs(array).sum(axis=1, keepdims=keepdims)
    if ord == np.inf:
        return np.abs(array).max(axis=1, keepdims=keepdims)
    return np.sqrt((array * array).sum(axis=1, keepdims=keepdims))


ARRAY_FUNCTIONS[np.linalg.norm] = _norm


def list_reduction(name: str) -> Callable[..., Any]:
    """A reduction of a list of columns, for which NumPy does not dispatch."""
    reduce = ARRAY_FUNCTIONS[getattr(np, name)]

    def reduced(a: Any, axis: Any = None, **options: Any) -> Any:
        if isinstance(a, list | tuple):
            if axis != 0:
                refuse(f"np.{name} of a list of columns needs axis=0")
            return reduce(column_stack(a), 1, **options)
        return reduce(a, axis, **options)

    return reduced


def vectorized(function: Any, columns: Sequence[Any], options: Any) -> Any:
    """`np.vectorize`: a function of one element of each of several columns."""
    parts = [array_of(column) for column in columns]
    called = functools.partial(function, **options)
    return elementwise(lambda *tensors: map_several(called, tensors), *parts)


@implements("digitize")
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """`np.digitize`: the number of each value's bin; NaN comes after the last."""
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or np.any(np.diff(edges) < 0):
        refuse("np.digitize with bins that do not ascend has no conversion")
    return array_of(elementwise(lambda t: searched(t, edges, "left" if right else "right"), x))


@implements("searchsorted")
def _searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    if isinstance(a, Traced) or sorter is not None:
        refuse("it searches among the rows")
    return digitize(v, a, right=side == "left")


def searched(x: Tensor, edges: Any, side: str) -> Tensor:
    """`np.searchsorted(edges, x, side)`."""
    (number,) = arithmetic.floats(x)
    wide = number.cast("float64")
    # `intervals` counts edges <= x; to count edges < x (left), each edge moves up by one float.
    moved = np.nextafter(edges[edges < np.inf], np.inf) if side == "left" else edges
    known = np.unique(moved)
    counts = [int(np.searchsorted(moved, edge, side="right")) for edge in known]
    found = intervals(arithmetic.graph_of(x), wide, [known] * x.width).cast("int64")
    table = x.graph.constant([0, *counts], "int64")
    made = x.graph.op("Gather", table, found, width=x.width, axis=0)
    return wide.isnan().where(len(edges), made)


@implements("interp")
def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    if period is not None or any(isinstance(one, Traced) for one in (xp, fp)):
        refuse("np.interp with a period, or points that are columns, has no conversion")
    positions, values = np.asarray(xp, dtype=np.float64), np.asarray(fp, dtype=np.float64)
    ends = (values[0] if left is None else left, values[-1] if right is None else right)
    return elementwise(lambda t: _interpolated(t, positions, values, ends), array_of(x))


def _interpolated(x: Tensor, positions: Any, values: Any, ends: tuple[float, float]) -> Tensor:
    (number,) = arithmetic.floats(x)
    if len(positions) == 1:
        refuse("np.interp with one point has no conversion")
    slopes = np.diff(values) / np.diff(positions)
    piece = (searched(x, positions, "right") - 1).maximum(0).minimum(len(positions) - 2)

    def taken(entries: Any) -> Tensor:
        constant = x.graph.constant(entries, number.dtype)
        return x.graph.op("Gather", constant, piece, dtype=number.dtype, width=x.width, axis=0)

    made = taken(slopes) * (number - taken(positions[:-1])) + taken(values[:-1])
    made = number.equals(float(positions[-1])).where(float(values[-1]), made)
    outside = (number > float(positions[-1])).where(float(ends[1]), made)
    return (number < float(positions[0])).where(float(ends[0]), outside)
