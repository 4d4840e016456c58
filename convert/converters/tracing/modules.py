"""Functions that nothing tells stand-ins of: np.asarray, np.c_, pandas' own, and math's.

While the user's function runs, and only then, these names of the modules lead to ours, which pass
on to the real ones whatever is no stand-in.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.tracing import array_functions, joining, pandas_functions, searching
from onnxlet.convert.converters.tracing.array import Transposed
from onnxlet.convert.converters.tracing.columns_base import Rows
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.traced import Traced

DEPTH = 3  # of lists in lists
OF_MATH = {
    "log": np.log, "log1p": np.log1p, "log2": np.log2, "log10": np.log10, "exp": np.exp,
    "expm1": np.expm1, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tan": np.tan,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2,
    "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "fabs": np.fabs, "pow": np.float_power,
    "radians": np.radians, "degrees": np.degrees, "hypot": np.hypot, "fmod": np.fmod,
    "copysign": np.copysign, "isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite,
}  # fmt: skip


def is_traced(value: Any, depth: int = DEPTH) -> bool:
    """A stand-in, or a list or dictionary with one in it."""
    if issubclass(type(value), Traced | Transposed | Rows):
        return True
    if type(value) is dict:
        value = list(value.values())
    return (
        depth > 0
        and type(value) in (list, tuple)
        and any(is_traced(one, depth - 1) for one in value)
    )


def _leading(original: Any, follow: Callable[..., Any]) -> Any:
    @functools.wraps(original)
    def function(*given: Any, **options: Any) -> Any:
        if any(map(is_traced, (*given, *options.values()))):
            return follow(*given, **options)
        return original(*given, **options)

    return function


class _Leading(type):
    """Of a class in the place of pandas': for isinstance it is the same, and so are its objects."""

    stands_for: type
    follow: Callable[..., Any]

    def __call__(cls, *given: Any, **options: Any) -> Any:
        return _leading(cls.stands_for, cls.follow)(*given, **options)

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


def _class(real: type, follow: Callable[..., Any]) -> Any:
    return _Leading(real.__name__, (), {"stands_for": real, "follow": staticmethod(follow)})


class _Vectorized:
    """`np.vectorize(function)`."""

    def __init__(self, pyfunc: Any, *given: Any, **options: Any) -> None:
        self._function, self._given = pyfunc, (given, options)

    def __call__(self, *columns: Any, **options: Any) -> Any:
        if not is_traced(columns):
            given, said = self._given
            return REAL_VECTORIZE(self._function, *given, **said)(*columns, **options)
        return array_functions.vectorized(self._function, columns, options)


class _Stacking:
    """`np.c_`."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        return joining.column_stack(parts) if is_traced(parts) else self._real[key]


def _refused(reason: str, hint: str) -> Callable[..., Any]:
    return lambda *_, **__: refuse(reason, hint)


REAL_VECTORIZE = np.vectorize
ENCODE = "Use OneHotEncoder or OrdinalEncoder, which learn the categories in fit."
BINS = "Use KBinsDiscretizer, or pd.cut with the edges of the bins."
REGISTERED = array_functions, searching  # in ARRAY_FUNCTIONS, by being imported
FOLLOWED: dict[tuple[Any, str], Callable[..., Any]] = {
    (np, "asarray"): joining.as_array,
    (np, "asanyarray"): joining.as_array,
    (np, "ascontiguousarray"): joining.as_array,
    (np, "asfortranarray"): joining.as_array,
    (np, "array"): joining.copied,
    (np, "zeros"): joining.rows_of(0.0),
    (np, "empty"): joining.rows_of(0.0),
    (np, "ones"): joining.rows_of(1.0),
    (np, "full"): joining.full,
    (pd, "isna"): pandas_functions.isna,
    (pd, "isnull"): pandas_functions.isna,
    (pd, "notna"): pandas_functions.notna,
    (pd, "notnull"): pandas_functions.notna,
    (pd, "concat"): pandas_functions.concat,
    (pd, "cut"): pandas_functions.cut,
    (pd, "to_numeric"): pandas_functions.to_numeric,
    (pd, "get_dummies"): _refused("pd.get_dummies makes columns of the values it is given", ENCODE),
    (pd, "factorize"): _refused("pd.factorize numbers the values it is given", ENCODE),
    (pd, "qcut"): _refused("pd.qcut makes bins of the values it is given", BINS),
    **{
        (np, name): array_functions.of_lists(name)
        for name in ("sum", "prod", "mean", "median", "std", "max", "min", "any", "all")
    },
    **{(math, name): function for name, function in OF_MATH.items()},
}


def instead_of(function: Any) -> Any:
    """What follows a function that was taken out of its module before."""
    for (module, name), follow in FOLLOWED.items():
        if function is getattr(module, name):
            return follow
    return function


@contextmanager
def followed_modules() -> Iterator[None]:
    """NumPy, pandas and math with ours in them."""
    real = {key: getattr(*key) for key in FOLLOWED}
    ours = {key: _leading(real[key], follow) for key, follow in FOLLOWED.items()}
    special = {
        (np, "c_"): _Stacking(np.c_),
        (np, "vectorize"): _Vectorized,
        (pd, "DataFrame"): _class(pd.DataFrame, pandas_functions.frame),
        (pd, "Series"): _class(pd.Series, pandas_functions.series),
    }
    real |= {key: getattr(*key) for key in special}
    try:
        for (module, name), function in (ours | special).items():
            setattr(module, name, function)
        yield
    finally:
        for (module, name), function in real.items():
            setattr(module, name, function)
