"""`astype`: other dtypes of the same values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.tracing.arithmetic import (
    choose,
    floats,
    graph_of,
    truth,
    with_text_in_gaps,
)
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.str_accessor import stepped
from onnxlet.convert.graph.converter import Tensor, Unsupported
from onnxlet.function.arrays import MISSING_TEXT

LEAST = -(2**63)


def cast(x: Tensor, dtype: Any, in_array: bool = False) -> Tensor:
    """`astype`: integers are truncated, and a bool is whether the value is not 0."""
    if dtype in ("category", object, "object", "O"):
        return x  # the values stay the same
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
