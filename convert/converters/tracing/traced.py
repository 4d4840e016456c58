"""What all proxies have in common: operators, NumPy's protocols, and refusals.

What is computed with a proxy is written to the graph. Whatever needs a value, above all an `if`
on a column, is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic
from onnxlet.convert.converters.tracing.base import (
    ColumnsBase,
    check_options,
    elementwise,
    methods,
    refuse,
    refusing,
)
from onnxlet.convert.converters.tracing.ufuncs import REDUCED, UFUNCS

BY_VALUE = "it decides by a column's values (if, and, or, not, in, while, max, min)"
INSTEAD = "Use np.where(condition, a, b), &, |, ~, np.maximum, np.minimum."

# Our version of each function of NumPy that dispatches by `__array_function__` (NEP 18).
ARRAY_FUNCTIONS: dict[Any, Callable[..., Any]] = {}


class Traced(ColumnsBase):
    """Columns of the graph that stand in for an array, a Series, a DataFrame or one element."""

    __slots__ = ()
    __array_priority__ = 1e6
    __pandas_priority__ = 10**6  # pandas then leaves operations to it

    def _operate(self, function: Any, *operands: Any) -> Any:
        return elementwise(UFUNCS[function], *operands)

    def _in_place(self, function: Any, other: Any) -> Any:
        return self._operate(function, self, other)

    def __array_ufunc__(self, ufunc: Any, method: str, *given: Any, **options: Any) -> Any:
        if method == "reduce" and ufunc in REDUCED:
            return getattr(given[0], REDUCED[ufunc])(axis=options.pop("axis", 0), **options)
        if method != "__call__" or ufunc not in UFUNCS:
            refuse(
                f"{_name(ufunc)}{'' if method == '__call__' else '.' + method} has no conversion"
            )
        where, out = options.pop("where", True), options.pop("out", None)
        check_options(_name(ufunc), options, casting=("unsafe", "same_kind"))
        made = elementwise(UFUNCS[ufunc], *given)
        if where is not True:
            if out is None or not isinstance(out[0], Traced):
                refuse(f"{_name(ufunc)} with where, but without out, leaves values undefined")
            made = elementwise(arithmetic.choose, where, made, out[0])
        if out is None:
            return made
        if not isinstance(out[0], Traced):
            refuse(f"{_name(ufunc)} writes to an array that has a row for each of some rows")
        return out[0]._overwritten(made)

    def __array_function__(self, function: Any, _: Any, given: Any, options: Any) -> Any:
        if function not in ARRAY_FUNCTIONS:
            refuse(f"np.{_name(function)} has no conversion")
        return ARRAY_FUNCTIONS[function](*given, **options)

    def __divmod__(self, other: Any) -> Any:
        return self._operate(np.floor_divide, self, other), self._operate(np.remainder, self, other)


# What is refused: the methods, by their names, the reason, and what works instead.
REFUSED = {
    "__bool__ __contains__": (BY_VALUE, INSTEAD),
    "__float__ __int__ __index__": (
        "it takes a column for one number (math.log, float, int, round, …)",
        "NumPy's functions work: np.log, x.astype(int), np.round.",
    ),
    "__hash__": (
        "it looks a column or an element up in a dictionary or a set",
        "Use .map(dictionary).fillna(otherwise) or .isin(values) of the column.",
    ),
    "__array__": (
        "it hands the columns to a function that wants their values",
        "np.asarray, np.array, pd.Series, … work, called by these names; of dates .dt; of SciPy "
        "what is in scipy.special, such as ndtr for norm.cdf.",
    ),
    "__len__": (
        "it computes with the number of rows, which is another for each request",
        "For as many values as rows take X.shape[0], np.zeros(X.shape[0]), or assign(z=0.0).",
    ),
    "__iter__": (
        "it goes through the rows one by one",
        "Compute with whole columns, X['a'] * X['b'], or by .apply(…) of one element.",
    ),
    "__repr__ __format__": (
        "it prints a column's values, or makes text of them",
        "Leave prints out; of whole numbers and text X['a'].astype(str) + '…' makes text.",
    ),
    "__reduce_ex__": ("it pickles or copies the columns", "Use .copy()."),
    "_overwritten": ("it writes the result of a NumPy function into a column", ""),
}
UNARY = {"abs": np.absolute, "neg": np.negative, "pos": np.positive, "invert": np.invert}
OPERATORS: dict[str, Any] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide,
    "floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power, "and": np.bitwise_and,
    "or": np.bitwise_or, "xor": np.bitwise_xor,
}  # fmt: skip
COMPARISONS: dict[str, Any] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal,
}  # fmt: skip


def _operator(function: Any) -> Callable[..., Any]:
    return lambda self, *other: self._operate(function, self, *other)


def _reflected(function: Any) -> Callable[..., Any]:
    return lambda self, other: self._operate(function, other, self)


def _assignment(function: Any) -> Callable[..., Any]:
    return lambda self, other: self._in_place(function, other)


for _stem, _function in (UNARY | OPERATORS | COMPARISONS).items():
    setattr(Traced, f"__{_stem}__", _operator(_function))
for _stem, _function in OPERATORS.items():
    setattr(Traced, f"__r{_stem}__", _reflected(_function))
    setattr(Traced, f"__i{_stem}__", _assignment(_function))
methods(
    Traced,
    {
        "__copy__ __deepcopy__": lambda self, *_: self._like(self._table),
        **{names: refusing(*why) for names, why in REFUSED.items()},
    },
)


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", function))[:60]


def implements(*functions: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register our version of functions of NumPy; the installed one need not have them all."""

    def register(made: Callable[..., Any]) -> Callable[..., Any]:
        for name in functions:
            if hasattr(np, name):
                ARRAY_FUNCTIONS[getattr(np, name)] = made
        return made

    return register


def implement_all(small: Mapping[str, Callable[..., Any]]) -> None:
    """Register our versions that are one expression, by the names of NumPy's functions."""
    for name, made in small.items():
        made.__qualname__ = f"_{name}"  # Python's messages have it
        implements(name)(made)
