"""Our versions of functions without a protocol: np.asarray, np.c_, pandas' and math's.

They replace the originals in their modules while the user's function runs, and only then, and pass
calls without a proxy on to the originals.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.tracing import (
    arithmetic,
    array_functions,
    array_shapes,
    column_kinds,
    dt_accessor,
)
from onnxlet.convert.converters.tracing.array import Transposed
from onnxlet.convert.converters.tracing.array_functions import searched
from onnxlet.convert.converters.tracing.array_shapes import as_array
from onnxlet.convert.converters.tracing.base import (
    RowCount,
    check_options,
    elementwise,
    refuse,
    refusing,
)
from onnxlet.convert.converters.tracing.checks import VALIDATION
from onnxlet.convert.converters.tracing.column_values import read_number
from onnxlet.convert.converters.tracing.frame import beside, frame_of
from onnxlet.convert.converters.tracing.pandas_base import Index, PandasBase
from onnxlet.convert.converters.tracing.series import TracedSeries
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import Tensor
from onnxlet.function.arrays import MISSING_TEXT

CONCAT_OPTIONS = {
    "join": ("outer", "inner"), "ignore_index": (False,), "copy": (True, False), "sort": (False,),
}  # fmt: skip
UNSEEN = "pd.cut by the values it is given depends on which rows come together in a request"


def concat(objs: Any, *, axis: Any = 0, **options: Any) -> Any:
    """`pd.concat(…, axis=1)`: columns side by side."""
    check_options("concat", options, **CONCAT_OPTIONS)
    if axis not in (1, "columns"):
        refuse("it puts rows below each other", "pd.concat needs axis=1 for columns.")
    parts = list(objs.values()) if isinstance(objs, dict) else list(objs)
    graph = next(part._graph for part in parts if isinstance(part, Traced))
    return beside(graph, parts)


def frame(data: Any = None, index: Any = None, columns: Any = None, **options: Any) -> Any:
    """`pd.DataFrame`."""
    check_options("DataFrame", options, copy=(None, True, False), dtype=(None,))
    return frame_of(data, columns, index.of if type(index) is Index else None)


def series(
    data: Any = None, index: Any = None, dtype: Any = None, name: Any = None, **_: Any
) -> Any:
    """`pd.Series`."""
    if type(index) is Index and np.ndim(data) == 0 and isinstance(data, SCALARS):
        column = frame_of({name: data}, None, index.of)
        data = TracedSeries(column._graph, column._table.tensors[0])
    if not isinstance(data, Traced) or not data._flat:
        refuse("it makes a Series of something else than a column")
    called = data._name if name is None and type(data) is TracedSeries else name
    made = TracedSeries(data._graph, data._table.tensors[0], called)
    return made if dtype is None else made.astype(dtype)


def to_numeric(arg: Any, **options: Any) -> Any:
    """`pd.to_numeric`: numbers stay the same, texts are read."""
    check_options("to_numeric", options, errors=("raise", "coerce"), downcast=(None,))
    coerce = options.get("errors") == "coerce"
    return elementwise(
        lambda x: (
            read_number(x, "parse_float", coerce, of_pandas=True) if x.dtype == "string" else x
        ),
        arg,
    )


def cut(
    x: Any, bins: Any, right: bool = True, labels: Any = None, include_lowest: bool = False,
    **options: Any,
) -> Any:  # fmt: skip
    """`pd.cut`: the number or label of the bin of a value; missing outside."""
    precision = options.pop("precision", 3)
    check_options("cut", options, ordered=(True, False), duplicates=("raise",))
    if isinstance(bins, int | np.integer | Traced):
        refuse(UNSEEN, "Give pd.cut the edges of the bins.")
    edges = np.asarray(bins, dtype=np.float64)
    if labels is None:  # intervals, in pandas' own words
        nothing: Any = pd.Series([], dtype=np.float64)
        made = pd.cut(
            nothing, edges.tolist(), right, precision=precision, include_lowest=include_lowest
        )
        labels = [str(interval) for interval in made.cat.categories]
    entries = range(len(edges) - 1) if labels is False else list(labels)
    lowest = edges[0] if include_lowest else None
    column = x if isinstance(x, PandasBase) else as_array(x)
    return elementwise(lambda t: _bins(t, edges, right, lowest, list(entries)), column)


def _bins(x: Tensor, edges: Any, right: bool, lowest: Any, entries: list[Any]) -> Tensor:
    (number,) = arithmetic.floats(x)
    found = searched(number, edges, "left" if right else "right")
    if lowest is not None:
        found = number.equals(float(lowest)).where(1, found)
    texts = any(isinstance(entry, str) for entry in entries)
    nothing, kind = (MISSING_TEXT, "string") if texts else (np.nan, number.dtype)
    table = x.graph.constant([nothing, *entries, nothing], kind)
    made = x.graph.op("Gather", table, found, dtype=kind, width=x.width, axis=0)
    return replace(made, types=("string?",) * x.width) if texts else made


SCALARS = (bool, int, float, str, np.generic)
DEPTH = 3  # of lists in lists in which a proxy is found
OF_MATH = {
    "log": np.log, "log1p": np.log1p, "log2": np.log2, "log10": np.log10, "exp": np.exp,
    "expm1": np.expm1, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "fabs": np.fabs, "pow": np.float_power,
    "radians": np.radians, "degrees": np.degrees, "hypot": np.hypot, "fmod": np.fmod,
    "copysign": np.copysign, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
}  # fmt: skip


def is_traced(value: Any, depth: int = DEPTH) -> bool:
    """Whether a value is a proxy, or a list, tuple or dictionary that contains one."""
    if issubclass(type(value), Traced | Transposed | RowCount | Index):
        return True
    if type(value) is dict:
        value = list(value.values())
    return (
        depth > 0
        and type(value) in (list, tuple)
        and any(is_traced(one, depth - 1) for one in value)
    )


def _dispatched(original: Any, traced: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def function(*given: Any, **options: Any) -> Any:
        if any(map(is_traced, (*given, *options.values()))):
            return traced(*given, **options)
        return original(*given, **options)

    return function


class _DispatchedClass(type):
    """The metaclass of a class that replaces pandas': for isinstance they are the same."""

    stands_for: type
    traced: Callable[..., Any]

    def __call__(cls, *given: Any, **options: Any) -> Any:
        return _dispatched(cls.stands_for, cls.traced)(*given, **options)

    def __instancecheck__(cls, one: Any) -> bool:
        return isinstance(one, cls.stands_for)

    def __subclasscheck__(cls, kind: type) -> bool:
        return kind is cls or issubclass(kind, cls.stands_for)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.stands_for, name)

    def __eq__(cls, other: object) -> bool:
        if isinstance(other, type) and issubclass(other, Traced):
            refuse("it compares the type of what it is given", "Use isinstance(X, pd.DataFrame).")
        return other is cls or other is cls.stands_for

    def __hash__(cls) -> int:
        return hash(cls.stands_for)


def _class(real: type, traced: Callable[..., Any]) -> Any:
    return _DispatchedClass(real.__name__, (), {"stands_for": real, "traced": staticmethod(traced)})


class _Vectorized:
    """`np.vectorize(function)`."""

    def __init__(self, pyfunc: Any, *given: Any, **options: Any) -> None:
        self._function, self._given = pyfunc, (given, options)

    def __call__(self, *columns: Any, **options: Any) -> Any:
        if not is_traced(columns):
            given, settings = self._given
            return REAL_VECTORIZE(self._function, *given, **settings)(*columns, **options)
        made = array_functions.vectorized(self._function, columns, options)
        given, settings = self._given
        types = given[0] if given else settings.get("otypes")
        return made if types is None else made.astype(types[0])


class _Stacking:
    """`np.c_`."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        return array_shapes.column_stack(parts) if is_traced(parts) else self._real[key]


REAL_VECTORIZE = np.vectorize
ENCODE = "Use OneHotEncoder or OrdinalEncoder, which learn the categories in fit."
BINS = "Use KBinsDiscretizer, or pd.cut with the edges of the bins."
TRACED: dict[tuple[Any, str], Callable[..., Any]] = {
    (np, "asarray"): array_shapes.as_array,
    (np, "asanyarray"): array_shapes.as_array,
    (np, "ascontiguousarray"): array_shapes.as_array,
    (np, "asfortranarray"): array_shapes.as_array,
    (np, "array"): array_shapes.copied,
    (np, "zeros"): array_shapes.rows_of(0.0),
    (np, "empty"): array_shapes.rows_of(0.0),
    (np, "ones"): array_shapes.rows_of(1.0),
    (np, "full"): array_shapes.full,
    **{(pd, name): lambda obj: elementwise(arithmetic.missing, obj) for name in ("isna", "isnull")},
    **{
        (pd, name): lambda obj: elementwise(lambda x: ~arithmetic.missing(x), obj)
        for name in ("notna", "notnull")
    },
    **{(pd.api.types, name): column_kinds.question(name) for name in column_kinds.IS_DTYPE},
    (pd, "concat"): concat,
    (pd, "cut"): cut,
    (pd, "to_datetime"): dt_accessor.to_datetime,
    (pd, "to_numeric"): to_numeric,
    (pd, "get_dummies"): refusing("pd.get_dummies makes columns of the values it is given", ENCODE),
    (pd, "factorize"): refusing("pd.factorize numbers the values it is given", ENCODE),
    (pd, "qcut"): refusing("pd.qcut makes bins of the values it is given", BINS),
    **{
        (np, name): array_functions.list_reduction(name)
        for name in ("sum", "prod", "mean", "median", "std", "max", "min", "any", "all")
    },
    **{(math, name): function for name, function in OF_MATH.items()},
    **VALIDATION,
}


def traced_version(function: Any) -> Any:
    """Our version of a function that was taken from its module before: `func=np.asarray`."""
    for (module, name), traced in TRACED.items():
        if function is getattr(module, name):
            return traced
    return function


@contextmanager
def traced_modules(namespaces: Iterable[dict[str, Any]] = ()) -> Iterator[None]:
    """Put our versions into NumPy, pandas, math and scikit-learn for the time of a trace.

    In the namespaces of functions too, where they were imported by name.
    """
    real = {key: getattr(*key) for key in TRACED}
    ours = {key: _dispatched(real[key], traced) for key, traced in TRACED.items()}
    special = {
        (np, "c_"): _Stacking(np.c_),
        (np, "vectorize"): _Vectorized,
        (pd, "DataFrame"): _class(pd.DataFrame, frame),
        (pd, "Series"): _class(pd.Series, series),
    }
    real |= {key: getattr(*key) for key in special}
    instead = {id(real[key]): version for key, version in (ours | special).items()}
    imported = [
        (names, name, value)
        for names in namespaces
        for name, value in names.items()
        if id(value) in instead
    ]
    try:
        for (module, name), function in (ours | special).items():
            setattr(module, name, function)
        for names, name, value in imported:
            names[name] = instead[id(value)]
        yield
    finally:
        for (module, name), function in real.items():
            setattr(module, name, function)
        for names, name, value in imported:
            names[name] = value
