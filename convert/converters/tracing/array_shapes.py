"""NumPy's functions of shapes: conversion, stacking, selection and creation of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.array import TracedArray, Transposed, side_by_side
from onnxlet.convert.converters.tracing.base import RowCount, check_options, elementwise, refuse
from onnxlet.convert.converters.tracing.pandas_base import PandasBase
from onnxlet.convert.converters.tracing.traced import Traced, implement_all, implements
from onnxlet.convert.graph.converter import Table, Tensor

ACROSS = (1, -1)
SAME = {
    "order": ("C", "K", None), "copy": (True, False, None), "subok": (True, False),
    "ndmin": (0, 1, 2), "like": (None,),
}  # fmt: skip


def array_of(one: Any) -> Any:
    """The array of a Series or DataFrame: NumPy's functions return arrays of these."""
    return as_array(one) if isinstance(one, PandasBase) else one


def as_array(x: Any, dtype: Any = None, **options: Any) -> Any:
    """`np.asarray`: the same array, or the values of a DataFrame."""
    check_options("asarray", options, **SAME)
    if isinstance(x, list | tuple):
        return _rows_of(x)
    made = x.to_numpy() if isinstance(x, PandasBase) else x
    return made if dtype is None or made.dtype == np.dtype(dtype) else made.astype(dtype)


def copied(x: Any, dtype: Any = None, copy: Any = True, **options: Any) -> Any:
    """`np.array`: a copy, unless `copy` is False."""
    made = as_array(x, dtype, **options)
    return made.copy() if isinstance(made, TracedArray) and copy is not False else made


def _graph(parts: Sequence[Any]) -> Any:
    return next(part._graph for part in parts if isinstance(part, Traced))


def _rows_of(columns: Any) -> Transposed:
    """An array with a row for each of these columns."""
    return Transposed(side_by_side(_graph(_parts(columns)), [_flat(part) for part in columns]))


def _flat(part: Any) -> Any:
    if not isinstance(part, Traced) or not part._flat:
        refuse("it makes an array of a list of something else than columns")
    return as_array(part)


def _parts(given: Any) -> list[Any]:
    """The proxies of a list as arrays; constants stay."""
    if isinstance(given, Transposed):
        given = list(given)
    return [as_array(part) if isinstance(part, Traced) else part for part in given]


def column_stack(tup: Any, **options: Any) -> TracedArray:
    """`np.column_stack`: the columns of all side by side."""
    check_options("stack", options, dtype=(None,), casting=("same_kind",))
    parts = _parts(tup)
    if not all(isinstance(part, TracedArray) for part in parts):
        refuse("it puts an array that has a row for each of some rows beside columns")
    return side_by_side(_graph(parts), parts)


implements("column_stack")(column_stack)


@implements("hstack")
def _hstack(tup: Any, **options: Any) -> TracedArray:
    if any(isinstance(part, Traced) and part._flat for part in tup):
        refuse("np.hstack puts flat columns below each other", "Use np.column_stack.")
    return column_stack(tup, **options)


@implements("concatenate", "concat")
def _concatenate(arrays: Any, axis: Any = 0, **options: Any) -> Any:
    if axis not in ACROSS:
        refuse("it puts arrays below each other", "np.concatenate needs axis=1 for columns.")
    return _hstack(arrays, **options)


@implements("stack")
def _stack(arrays: Any, axis: Any = 0) -> Any:
    made = _rows_of(arrays)
    return made.T if axis in ACROSS else made


@implements("reshape")
def _reshape(a: Any, *shape: Any, **options: Any) -> Any:
    wanted = [options.pop(name) for name in ("shape", "newshape") if name in options] or shape[:1]
    return array_of(a).reshape(*wanted, **options)


@implements("atleast_2d")
def _atleast_2d(*arrays: Any) -> Any:
    if len(arrays) > 1 or arrays[0]._flat:
        refuse("np.atleast_2d makes a row of a column")
    return array_of(arrays[0])


@implements("delete")
def _delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    if axis not in ACROSS:
        refuse("it deletes rows")
    array = array_of(arr)
    return array[:, np.delete(np.arange(array._table.width), obj)]


@implements("insert")
def _insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    if axis not in ACROSS or not isinstance(obj, int):
        refuse("it inserts rows")
    array = array_of(arr)
    new = values if isinstance(values, Traced) else np.full_like(array[:, 0], values)
    return column_stack([array[:, :obj], new, array[:, obj:]])


def like(value: float) -> Callable[..., Any]:
    """`np.zeros_like` and such: an array of one value, of the shape of another."""

    def made(a: Any, dtype: Any = None, **options: Any) -> Any:
        check_options("full_like", options, subok=(True,))
        return full_like(a, value, dtype)

    return made


@implements("full_like")
def full_like(a: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    """`np.full_like`: an array of one value, of the shape and dtype of another."""
    kind = a.to_numpy().dtype if dtype is None and isinstance(a, PandasBase) else dtype or a.dtype
    array = array_of(a)
    constant = np.asarray(fill_value).astype(kind)

    def made(x: Tensor) -> Tensor:
        tensor = arithmetic.tensor_of(arithmetic.graph_of(x), constant)
        return arithmetic.choose(arithmetic.everywhere(x), tensor, tensor)

    return elementwise(made, array)


implements("zeros_like", "empty_like")(like(0.0))
implements("ones_like")(like(1.0))


@implements("take")
def _take(a: Any, indices: Any, axis: Any = None, **options: Any) -> Any:
    check_options("take", options)
    return (
        array_of(a)[:, indices] if axis in ACROSS else refuse("it takes some rows and not others")
    )


implement_all(
    {
        "append": lambda arr, values, axis=None: _concatenate([arr, values], axis),
        "copy": lambda a, order="K", subok=False: array_of(a).copy(),
        "expand_dims": lambda a, axis: (
            array_of(a)[:, None] if axis in ACROSS else refuse("it makes rows of columns")
        ),
        "fliplr": lambda m: array_of(m)[:, ::-1],
        "ndim": lambda a: a.ndim,
        "ravel": lambda a, order="C": array_of(a).ravel(),
        "real": lambda val: val,
        "shape": lambda a: a.shape,
        "squeeze": lambda a, axis=None: a.squeeze(),
        "transpose": lambda a, axes=None: array_of(a).T,
        "vstack": lambda tup: _rows_of(tup),
    }
)


def full(shape: Any, fill_value: Any, dtype: Any = None, **options: Any) -> TracedArray:
    """`np.full((x.shape[0], 2), 1.0)`: the number of rows has to be a proxy's."""
    check_options("full", options, order=("C",))
    wanted = shape if isinstance(shape, tuple | list) else (shape,)
    flat, width = len(wanted) == 1, 1 if len(wanted) == 1 else wanted[-1]
    if type(wanted[0]) is not RowCount or len(wanted) > 2 or not isinstance(width, int):
        refuse("it makes an array by the number of rows")
    value = np.asarray(fill_value) if dtype is None else np.asarray(fill_value).astype(dtype)
    one = column_values.spread(wanted[0].like, value[()])
    return TracedArray(arithmetic.graph_of(one), Table((one,) * width), flat)


def rows_of(value: float) -> Callable[..., Any]:
    """`np.zeros((x.shape[0], 2))` and such."""
    return lambda shape, dtype=float, **options: full(shape, value, dtype, **options)
