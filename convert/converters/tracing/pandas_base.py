"""The base of the proxies for a Series and a DataFrame: pandas' methods of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.array import TracedArray
from onnxlet.convert.converters.tracing.array_methods import (
    ACROSS,
    CHECKS,
    REDUCTIONS,
    matrix_product,
    over_columns,
    rounded,
)
from onnxlet.convert.converters.tracing.base import (
    check_options,
    elementwise,
    methods,
    refuse,
    whole,
)
from onnxlet.convert.converters.tracing.traced import (
    ARRAY_FUNCTIONS,
    COMPARISONS,
    OPERATORS,
    REFUSED,
    Traced,
)
from onnxlet.convert.converters.tracing.ufuncs import UFUNCS, by_zero_is_infinite
from onnxlet.convert.graph.converter import Table, Tensor

PERMITTED = {
    "copy": (True, False, None), "deep": (True, False), "errors": ("raise",), "level": (None,),
    "fill_value": (None,), "inplace": (False,), "regex": (False,), "method": (None,),
    "downcast": (None,), "limit": (None,), "na_action": (None,), "result_type": (None,),
    "numeric_only": (True, False, None), "bool_only": (None, False), "axis": (None, 0, "index"),
}  # fmt: skip
BY_ZERO = {np.floor_divide, np.remainder}  # which pandas computes differently from NumPy
ROW_METHODS = frozenset(
    {
        "shift", "diff", "pct_change", "rolling", "expanding", "ewm", "rank", "groupby", "ffill",
        "bfill", "interpolate", "dropna", "drop_duplicates", "duplicated", "sort_values", "query",
        "quantile", "describe", "value_counts", "unique", "nunique", "mode", "sample", "head",
        "tail", "cumsum", "cumprod", "cummax", "cummin", "corr", "cov", "factorize", "merge",
        "nlargest", "nsmallest", "sort_index", "skew", "kurt", "sem", "transpose", "T", "iterrows",
        "itertuples", "resample", "idxmax", "idxmin", "argmax", "argmin", "size", "item",
    }
)  # fmt: skip
NO_ROWS = "it takes some rows and not others"
INSTEAD = "Use np.where(condition, a, b), or .where and .mask."
OF_ROWS = (
    "Learn it in fit, by a transformer of your own with a converter, or hold it as a constant."
)
BY_COLUMN = "Compute with whole columns, X['a'] * X['b'], or by .apply(…, axis=1) of one row."
OF_INDEX = "Leave index= out: all columns of a request have the same rows, in the same order."
LEAVE_OUT = "Leave it out: a transform answers every row, in order."
INSTEAD_OF = {  # what does the same, or what to do without a method
    **dict.fromkeys(("iterrows", "itertuples"), BY_COLUMN),
    **dict.fromkeys(("query", "dropna", "drop_duplicates"), INSTEAD),
    **dict.fromkeys(("head", "tail", "sample", "sort_values", "sort_index"), LEAVE_OUT),
    "cat": "Encode categories by a step, such as OrdinalEncoder or OneHotEncoder.",
    "size": "X.shape[0] gives the number of rows, where one is needed: np.zeros(X.shape[0]).",
    "eval": BY_COLUMN,
}


class Index:
    """The index of rows: it may be passed on with columns, and has nothing else."""

    def __init__(self, of: PandasBase) -> None:
        self.of = of

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(f"the index's .{name} has no conversion: requests have no index", OF_INDEX)

    def __len__(self) -> int:
        return refuse(*REFUSED["__len__"])

    def __iter__(self) -> NoReturn:
        refuse("it goes through the index of the rows: requests have none", OF_INDEX)


def check_pandas(name: str, options: dict[str, Any], **permitted: Any) -> None:
    """Refuse options that would change the values of a method of pandas."""
    check_options(name, options, **PERMITTED, **permitted)


class PandasBase(Traced):
    """A Series or a DataFrame of columns of the graph."""

    __slots__ = ()
    empty = False  # a request has a row

    @property
    def index(self) -> Index:
        """The index of rows."""
        return Index(self)

    def _mapped(self, function: Callable[..., Tensor], *others: Any) -> Any:
        return elementwise(function, self, *others)

    def _operate(self, function: Any, *operands: Any) -> Any:
        made = UFUNCS[function]
        return elementwise(by_zero_is_infinite(made) if function in BY_ZERO else made, *operands)

    def _attribute(self, kind: type, name: str) -> NoReturn:
        """Refuse an attribute of pandas; raise AttributeError where pandas has none either."""
        if name.startswith("__") or not hasattr(kind, name):
            raise AttributeError(f"'{kind.__name__}' object has no attribute '{name}'")
        if name.startswith("_"):  # pandas' own code looks for it
            refuse(*REFUSED["__array__"])
        if name in ROW_METHODS:
            hint = INSTEAD_OF.get(name, OF_ROWS)
            refuse(f".{name} depends on which rows come together in a request", hint)
        refuse(f"a {kind.__name__}'s .{name} has no conversion", INSTEAD_OF.get(name, ""))

    def agg(self, func: Any, axis: Any = 0, **options: Any) -> Any:
        """`agg` of one method, by its name."""
        if not isinstance(func, str):
            refuse("agg with other than one name has no conversion")
        return getattr(self, func)(axis=axis, **options)

    aggregate = agg

    def to_numpy(self, dtype: Any = None, **options: Any) -> TracedArray:
        """A copy, as an array."""
        check_pandas("to_numpy", options)
        made = TracedArray(self._graph, self._table, self._flat)
        return made if dtype is None else made.astype(dtype)

    @property
    def values(self) -> TracedArray:
        """The columns as an array."""
        return self.to_numpy()

    def round(self, decimals: Any = 0) -> Any:
        """Rounded to some decimals."""
        if not isinstance(decimals, int | np.integer):
            refuse("round with other than one number of decimals has no conversion")
        return rounded(self, decimals)

    def clip(self, lower: Any = None, upper: Any = None, **options: Any) -> Any:
        """Values beyond a bound become the bound."""
        check_options("clip", options, inplace=(False,), axis=(None, 1, "columns"))
        return self._mapped(
            lambda x, low, high: column_values.clipped(
                x, None if lower is None else low, None if upper is None else high
            ),
            0.0 if lower is None else lower,
            0.0 if upper is None else upper,
        )

    def isin(self, values: Any) -> Any:
        """Whether a value is one of these."""
        if isinstance(values, dict) or not isinstance(values, list | tuple | set | frozenset):
            values = np.ravel(np.asarray(values, dtype=object)).tolist()
        return self._mapped(lambda x: column_values.is_in(x, values))

    def where(self, cond: Any, other: Any = np.nan, **options: Any) -> Any:
        """The other where the condition is false."""
        check_pandas("where", options)
        return self._chosen(cond, self, other)

    def mask(self, cond: Any, other: Any = np.nan, **options: Any) -> Any:
        """The other where the condition is true."""
        check_pandas("mask", options)
        return self._chosen(cond, other, self)

    def _chosen(self, condition: Any, yes: Any, no: Any) -> Any:
        condition, yes, no = (
            one(self) if callable(one) and not isinstance(one, Traced) else one
            for one in (condition, yes, no)
        )
        if isinstance(condition, PandasBase) and condition._flat != self._flat:
            condition = condition._table.tensors[0]
        return elementwise(arithmetic.choose, condition, yes, no)

    def _reduce(self, name: str, axis: Any = 0, skipna: bool = True, **options: Any) -> Any:
        only_numbers = options.pop("numeric_only", None)
        known = {k: options.pop(k) for k in ("min_count", "ddof") if k in options}
        check_pandas(name, options)
        across = not self._flat and axis in ACROSS
        if name not in CHECKS:
            over_columns(name, axis, 1 if self._flat else 2)
        tensors = self._table.tensors
        if only_numbers:
            tensors = tuple(tensor for tensor in tensors if tensor.dtype != "string")
        x = whole(self._graph, Table(tensors))
        if not across and name in CHECKS:
            return CHECKS[name](x, skipna)
        return self._row_wise(REDUCTIONS[name](x, skip=skipna, **known))


def _method(function: Any, reflected: bool = False) -> Callable[..., Any]:
    def method(self: Any, other: Any, axis: Any = "columns", **options: Any) -> Any:
        check_pandas(str(function.__name__), options)
        if axis in (0, "index") and not self._flat and isinstance(other, Traced) and other._flat:
            other = other._table.tensors[0]
        return self._operate(function, *((other, self) if reflected else (self, other)))

    return method


def _reduction(name: str) -> Callable[..., Any]:
    if name in ("std", "var"):
        return lambda self, axis=0, skipna=True, ddof=1, **options: self._reduce(
            name, axis, skipna, ddof=ddof, **options
        )
    return lambda self, axis=0, skipna=True, **options: self._reduce(name, axis, skipna, **options)


BY_NAME = {stem: OPERATORS[stem] for stem in OPERATORS if stem not in ("and", "or", "xor")} | {
    "div": np.divide, "multiply": np.multiply, "divide": np.divide, "subtract": np.subtract,
}  # fmt: skip
methods(
    PandasBase,
    {
        "pipe": lambda self, function, *given, **options: function(self, *given, **options),
        "copy": lambda self, deep=True: self._like(self._table),
        "infer_objects": lambda self, **options: self._like(self._table),
        "abs": lambda self: abs(self),
        "__round__": lambda self, ndigits=None: rounded(self, ndigits or 0),
        "__matmul__": lambda self, other: self._like(matrix_product(self.to_numpy(), other)._table),
        "isna isnull": lambda self: self._mapped(arithmetic.missing),
        "notna notnull": lambda self: self._mapped(lambda x: ~arithmetic.missing(x)),
        **{stem: _method(function) for stem, function in (BY_NAME | COMPARISONS).items()},
        **{f"r{stem}": _method(function, reflected=True) for stem, function in BY_NAME.items()},
        **{name: _reduction(name) for name in REDUCTIONS},
    },
)


def is_elementwise(function: Any) -> bool:
    """Whether a function takes a whole column: NumPy's, of which there is our version."""
    return isinstance(function, np.ufunc) or function in ARRAY_FUNCTIONS
