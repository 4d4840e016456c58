"""FunctionTransformer: the functions of NumPy and SciPy that people transform columns with.

Source: `sklearn/preprocessing/_function_transformer.py`. Upstream: skl2onnx converts the
identity alone (sklearn-onnx #609). `elementary` has those that need care.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy import special
from sklearn.preprocessing import FunctionTransformer
from sklearn.preprocessing._function_transformer import _identity

from convert.converters import elementary
from convert.converters.choices import chosen
from convert.converters.graph import Answers, Converter, Graph, Table, Tensor, Unsupported

HINT = (
    "Use a NumPy function of one array (np.log1p, np.sqrt, np.clip with kw_args, ...), or do it in "
    "an estimator of your own and register a converter for that (docs/converters.md)."
)
TEXT_HINT = (
    "Of text a function may choose columns and fill gaps alone: lambda df: df['text'].fillna(''), "
    "np.ravel. For the rest there are a vectoriser's own lowercase, strip_accents, token_pattern "
    "and stop_words."
)


def transformer(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The function of all columns."""
    function, options = _unwrapped(fitted.func, fitted.kw_args)
    if _changes_nothing(function, options, table.width):
        return {"transform": table}
    if function is np.reciprocal and _whole(fitted, table):
        raise Unsupported(
            "np.reciprocal of whole numbers is a whole number, 0 for most",
            "Turn the columns into floats before.",
        )
    if not _known(function, options):
        columns = chosen(graph, function, options, table)
        if columns is not None:
            return {"transform": columns}
        if any(tensor.dtype == "string" for tensor in table.tensors):
            raise Unsupported(f"the function {_name(function)} may change text", TEXT_HINT)
    return {"transform": applied(graph, fitted.func, fitted.kw_args, graph.matrix(table))}


def applied(graph: Graph, function: Any, kw_args: Any, x: Tensor) -> Tensor:
    """A function's values, numbers in the graph's precision.

    Raises:
        Unsupported: it is none that is known.
    """
    function, options = _unwrapped(function, kw_args)
    if _changes_nothing(function, options, x.width):
        return x
    if not _known(function, options):
        raise Unsupported(f"the function {_name(function)} has no conversion", HINT)
    try:
        made = FUNCTIONS[function](x, **options)
    except TypeError as error:
        said = ", ".join(options)
        raise Unsupported(f"{_name(function)} with {said} has no conversion", HINT) from error
    return made.cast(graph.precision)


def _unwrapped(function: Any, kw_args: Any) -> tuple[Any, dict[str, Any]]:
    """Without functools.partial around it; None is the identity."""
    options = dict(kw_args or {})
    while isinstance(function, functools.partial) and not function.args:
        options = {**function.keywords, **options}
        function = function.func
    return _identity if function is None else function, options


def _known(function: Any, options: Mapping[str, Any]) -> bool:
    try:
        return function in FUNCTIONS
    except TypeError:  # it can't be hashed
        return False


def _changes_nothing(function: Any, options: dict[str, Any], width: int) -> bool:
    """A function that leaves a table of this width as it is; text too."""
    if options and function is np.reshape and width == 1:
        shape = options.get("shape", options.get("newshape"))
        return set(options) <= {"shape", "newshape"} and shape in ((-1, 1), [-1, 1])
    if options:
        return False
    return _is_one_of(function, SAME) or (width == 1 and _is_one_of(function, FLAT))


def _is_one_of(function: Any, functions: tuple[Any, ...]) -> bool:
    return any(function is other for other in functions)


def _whole(fitted: Any, table: Table) -> bool:
    """The function is given whole numbers: a DataFrame's column keeps its dtype."""
    dtypes = [tensor.dtype for tensor in table.tensors]
    by_column = hasattr(fitted, "feature_names_in_") and not fitted.validate
    return "int64" in dtypes if by_column else set(dtypes) == {"int64"}


def _name(function: Any) -> str:
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    return str(name or repr(function))[:60]


def _clip(x: Tensor, **limits: Any) -> Tensor:
    """Between `a_min` and `a_max`, which are `min` and `max` in newer NumPy."""
    if not set(limits) <= {"a_min", "a_max", "min", "max"}:
        raise TypeError
    low, high = (_bound(limits.get(f"a_{end}", limits.get(end))) for end in ("min", "max"))
    return x.clip(low, high)


def _bound(value: Any) -> Any:
    return None if value is None else np.asarray(value, dtype=np.float64)


def _round(x: Tensor, decimals: int = 0) -> Tensor:
    """As NumPy does it: times a power of ten, to the nearest, and back."""
    power = 10.0 ** abs(decimals)
    if decimals > 0:
        return (x * power).unary("Round") / power
    return (x / power).unary("Round") * power if decimals else x.unary("Round")


def _round_digits(x: Tensor, ndigits: int | None = None) -> Tensor:
    return _round(x, ndigits or 0)


def _numbers_for_nan(
    x: Tensor, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Tensor:
    largest = float(np.finfo(x.dtype).max)
    high, low = (largest if posinf is None else posinf), (-largest if neginf is None else neginf)
    finite = x.equals(np.inf).where(high, x.equals(-np.inf).where(low, x))
    return x.isnan().where(nan, finite)


def _unary(operator: str) -> Callable[..., Tensor]:
    return lambda x: x.unary(operator)


def _infinite(x: Tensor) -> Tensor:
    return x.unary("Abs").equals(np.inf)


SAME = (_identity, np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.copy, np.positive,
        np.atleast_2d, np.conjugate, np.real)  # fmt: skip
FLAT = (np.ravel, np.squeeze)  # one column is a column, whatever its shape
FUNCTIONS: dict[Any, Callable[..., Tensor]] = {
    np.exp: _unary("Exp"),
    np.log: _unary("Log"),
    np.sqrt: _unary("Sqrt"),
    np.abs: _unary("Abs"),
    np.fabs: _unary("Abs"),
    abs: _unary("Abs"),
    np.sign: _unary("Sign"),
    np.sin: _unary("Sin"),
    np.cos: _unary("Cos"),
    np.tanh: _unary("Tanh"),
    np.negative: _unary("Neg"),
    np.floor: _unary("Floor"),
    np.ceil: _unary("Ceil"),
    np.rint: _unary("Round"),
    np.reciprocal: _unary("Reciprocal"),
    np.square: lambda x: x * x,
    np.tan: lambda x: x.unary("Sin") / x.unary("Cos"),
    np.exp2: lambda x: 2.0**x,
    np.log1p: elementary.log1p,
    np.expm1: elementary.expm1,
    np.log2: elementary.log2,
    np.log10: elementary.log10,
    np.cbrt: elementary.cube_root,
    np.sinh: elementary.sinh,
    np.cosh: elementary.cosh,
    np.arcsin: elementary.arcsin,
    np.arccos: elementary.arccos,
    np.arctan: elementary.arctan,
    np.arcsinh: elementary.arcsinh,
    np.arccosh: elementary.arccosh,
    np.arctanh: elementary.arctanh,
    np.trunc: elementary.truncated,
    np.fix: elementary.truncated,
    np.deg2rad: lambda x: x * (math.pi / 180.0),
    np.radians: lambda x: x * (math.pi / 180.0),
    np.rad2deg: lambda x: x * (180.0 / math.pi),
    np.degrees: lambda x: x * (180.0 / math.pi),
    np.isnan: lambda x: x.isnan(),
    np.isinf: _infinite,
    np.isfinite: lambda x: ~(x.isnan() | _infinite(x)),
    np.logical_not: lambda x: x.equals(0.0),
    np.nan_to_num: _numbers_for_nan,
    np.clip: _clip,
    np.round: _round,
    np.around: _round,
    round: _round_digits,
    special.expit: elementary.logistic,
    special.logit: elementary.logit,
    special.log1p: elementary.log1p,
    special.expm1: elementary.expm1,
    special.exp2: lambda x: 2.0**x,
    special.exp10: lambda x: 10.0**x,
    special.cbrt: elementary.cube_root,
    special.ndtr: elementary.normal_distribution,
    special.ndtri: elementary.normal_quantile,
}

CONVERTERS: dict[type, Converter] = {FunctionTransformer: transformer}
