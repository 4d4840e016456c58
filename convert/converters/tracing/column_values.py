"""pandas' methods of values on tensors: the same for a Series and for a DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas import Series

from onnxlet.convert.converters.tracing import arithmetic
from onnxlet.convert.converters.tracing.arithmetic import (
    choose,
    floats,
    graph_of,
    may_lack,
    missing,
    tensor_of,
    truth,
    with_text_in_gaps,
)
from onnxlet.convert.converters.tracing.base import refuse
from onnxlet.convert.converters.tracing.str_accessor import stepped
from onnxlet.convert.graph.categories import index_among, is_missing
from onnxlet.convert.graph.converter import DATE, Table, Tensor, Unsupported
from onnxlet.function.arrays import MISSING_TEXT

OF_DATES = (
    "Take their parts, X['when'].dt.month, or a time between two, such as "
    "(X['when'] - pd.Timestamp(0)).dt.total_seconds(); fill gaps in these."
)


def _refuse_dates(x: Tensor) -> None:
    if x.dtype == DATE:
        refuse("it takes dates for numbers", OF_DATES)


def filled(x: Tensor, value: Any) -> Tensor:
    """`fillna`: text fills text, numbers fill numbers, other columns stay."""
    _refuse_dates(x)
    if isinstance(value, Tensor):
        if (value.dtype == "string") != (x.dtype == "string"):
            refuse("it fills text with numbers, or numbers with text")
        return choose(missing(x), value, x) if may_lack(x) else x
    if not isinstance(value, str | int | float | bool | np.generic) or is_missing(value):
        refuse(f"it fills gaps with {value!r:.40}")
    if x.dtype == "string":
        return with_text_in_gaps(x, value) if isinstance(value, str) else x
    if isinstance(value, str):
        refuse("it fills numbers with text")
    return choose(missing(x), value, x) if may_lack(x) else x


def replaced(x: Tensor, pairs: Iterable[tuple[Any, Any]]) -> Tensor:
    """`replace`: all pairs at once; a value of another kind than the column's is ignored."""
    known = [(old, new) for old, new in pairs if _may_equal(x, old)]
    if not known:
        return x
    if x.dtype == "string" and not any(isinstance(new, str) for _, new in known):
        values = [new for _, new in known]
        if not all(map(is_missing, values)):
            return mapped(x, dict(known))  # other text is lost: no step computes with it
    made = x
    for old, new in known:
        made = choose(missing(x) if is_missing(old) else arithmetic.equal(x, old), new, made)
    return made


def _may_equal(x: Tensor, value: Any) -> bool:
    if is_missing(value):
        return x.dtype not in ("bool", "int64")
    if isinstance(value, bool | np.bool_) != (x.dtype == "bool"):
        return False
    return isinstance(value, str) == (x.dtype == "string")


def mapped(x: Tensor, values: Mapping[Any, Any]) -> Tensor:
    """`map` with a dictionary: missing for values that are no key."""
    if hasattr(type(values), "__missing__"):
        refuse("it maps by a dictionary with a default", "Use .map(dict(d)).fillna(default).")
    keys, entries = list(values), list(values.values())
    texts = any(isinstance(entry, str) for entry in entries)
    if texts and not all(isinstance(entry, str) or is_missing(entry) for entry in entries):
        refuse("it maps to text and numbers")
    nothing = MISSING_TEXT if texts else np.nan
    wanted = [nothing if is_missing(entry) else entry for entry in entries]
    positions = _key_position(x, keys)
    kind = "string" if texts else x.graph.precision
    table = [*wanted, nothing] if texts else [*(float(one) for one in wanted), np.nan]
    constant = x.graph.constant(table, kind)
    return x.graph.op("Gather", constant, positions, dtype=kind, width=x.width, axis=0)


def _key_position(x: Tensor, keys: list[Any]) -> Tensor:
    """The position of each value among the keys, int64; `len(keys)` if it is none."""
    known = [np.nan if is_missing(key) else key for key in keys]
    if x.dtype == "bool":
        x = x.cast("int64")
    parts = [Table((x.take([position]),)) for position in range(x.width)]
    return x.graph.concat([index_among(arithmetic.graph_of(x), part, known) for part in parts])


def is_in(x: Tensor, values: Iterable[Any]) -> Tensor:
    """`isin`; a missing value is in only if one is among the values."""
    keys = list(dict.fromkeys(np.nan if is_missing(value) else value for value in values))
    return _key_position(x, keys) < len(keys)


def clipped(x: Tensor, low: Any, high: Any) -> Tensor:
    """`clip`; text stays the same."""
    _refuse_dates(x)
    return x if x.dtype == "string" else arithmetic.clip(x, low, high)


def pairs_of(to_replace: Any, value: Any) -> list[tuple[Any, Any]]:
    """The arguments of `replace`, as pairs of a value and its replacement."""
    if isinstance(to_replace, Series):
        to_replace = to_replace.to_dict()
    if isinstance(to_replace, dict):
        return list(to_replace.items())
    if not isinstance(to_replace, list | tuple):
        return [(to_replace, value)]
    values = value if isinstance(value, list | tuple) else [value] * len(to_replace)
    return list(zip(to_replace, values, strict=True))


def spread(x: Tensor, value: Any) -> Tensor:
    """One value for every row of a tensor."""
    column = x if x.width == 1 else x.take([0])
    constant = tensor_of(arithmetic.graph_of(x), value)
    return choose(arithmetic.everywhere(column), constant, constant)


LEAST = -(2**63)


def cast(x: Tensor, dtype: Any, in_array: bool = False) -> Tensor:
    """`astype`: integers are truncated, and a bool is whether the value is not 0."""
    if dtype in ("category", object, "object", "O"):
        return x  # the values stay the same
    _refuse_dates(x)
    kind = _numpy_dtype(dtype)
    if kind.kind in "UT":
        if not in_array:  # what a gap becomes is another thing in each version of pandas
            return as_text(x, lambda gap: pd.Series([gap], dtype=object).astype(dtype)[0])
        made = as_text(x, lambda gap: np.array([gap], dtype=object).astype(dtype)[0])
        return _without_nul(made) if x.dtype == "string" else made
    if kind.kind == "b":
        return truth(x)
    if kind.kind not in "iuf":
        refuse(f"astype({kind}) has no conversion")
    if x.dtype == "string":
        x = read_number(x, "parse_int" if kind.kind in "iu" else "parse_float")
    if kind.kind in "iu":
        return as_whole(x)
    (number,) = floats(x)
    return number.cast("float32").cast(number.dtype) if kind.itemsize < 8 else number


def read_number(x: Tensor, step: str, coerce: bool = False, **settings: Any) -> Tensor:
    """The numbers that texts are; scikit-learn raises for others, unless they are to be missing."""
    parts = [x.take([position]) for position in range(x.width)]
    dtype = "int64" if step == "parse_int" else x.graph.precision
    read = [stepped(part, {"step": step, **settings}, dtype, 2) for part in parts]
    for pair in () if coerce else read:
        graph_of(x).refuse_rows(pair.take([1]).equals(1))
    return x.graph.concat([pair.take([0]) for pair in read])


def as_whole(x: Tensor) -> Tensor:
    """int64, towards 0; NaN and what is too large become the least int64, as on x86."""
    if x.dtype in ("bool", "int64"):
        return x.cast("int64")
    inside = (x >= float(LEAST)) & (x < -float(LEAST))
    return inside.where(x, float(LEAST)).cast("int64")


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    try:
        return np.dtype("str" if str(dtype) == "string" else dtype)
    except TypeError:
        refuse(f"astype({dtype!r:.40}) has no conversion", "Use int, float, bool or str.")


def as_text(x: Tensor, of_gap: Callable[[Any], Any] = str) -> Tensor:
    """Text, whole numbers or booleans as text; None or NaN as what is made of such a gap."""
    if x.dtype == "bool":
        return choose(x, "True", "False")
    if x.dtype == "int64":
        return x.cast("string")
    kinds, filled = set(x.types), any(found == MISSING_TEXT for found, _ in x.replaced)
    gap = of_gap(None if kinds == {"string?None"} else np.nan)
    gap = MISSING_TEXT if pd.isna(gap) else str(gap)
    if kinds == {"int64?"}:  # a gap makes floats of its column, and is all that its row has there
        return choose(x.isnan(), gap, as_whole(x).cast("string"))
    if kinds == {"bool?"}:
        return choose(x.isnan(), gap, choose(x.equals(0.0), "False", "True"))
    if x.dtype != "string":
        refuse(
            "the digits of fractions as text have no conversion",
            "Where they are whole, say so before: X['a'].fillna(0).astype(int).astype(str).",
        )
    if filled or kinds == {"string"}:
        return x
    if kinds not in ({"string?"}, {"string?None"}):
        refuse(
            "a missing text that a step before has left becomes 'nan' or 'None', or stays missing",
            "Fill the column before: X['a'].fillna('').astype(str).",
        )
    return with_text_in_gaps(x, gap)


def _without_nul(x: Tensor) -> Tensor:
    """NumPy's text has no NUL at its end."""
    try:
        return x.graph.front_end(x, {"step": "str_method", "name": "rstrip", "arguments": ["\0"]})
    except Unsupported:  # made inside the graph: no text with a NUL, or parity finds it
        return x
