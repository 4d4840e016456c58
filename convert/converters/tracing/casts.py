"""`astype`: other dtypes of the same values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.tracing.arithmetic import choose, floats, graph_of, truth
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.str_accessor import stepped
from onnxlet.convert.graph.converter import Tensor
from onnxlet.function.arrays import MISSING_TEXT

LEAST = -(2**63)


def cast(x: Tensor, dtype: Any) -> Tensor:
    """`astype`: integers are truncated, and a bool is whether the value is not 0."""
    if dtype in ("category", object, "object", "O"):
        return x  # the values stay the same
    kind = _numpy_dtype(dtype)
    if kind.kind in "UT":
        return _as_text(x)
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


def _as_text(x: Tensor) -> Tensor:
    if x.dtype == "bool":
        return choose(x, "True", "False")
    if x.dtype == "int64":
        return x.cast("string")
    if set(x.types) == {"int64?"}:  # of pandas' column, a gap makes floats: "nan", if anything
        gap = pd.Series([np.nan]).astype(str)[0]
        digits = as_whole(x).cast("string")
        return choose(x.isnan(), MISSING_TEXT if pd.isna(gap) else gap, digits)
    if x.dtype != "string":
        refuse(
            "the digits of fractions, or of numbers beside gaps, have no conversion to text",
            "Where they are whole, make them so before: X['a'].fillna(0).astype(int).astype(str).",
        )
    if not any(found == MISSING_TEXT for found, _ in x.replaced):
        refuse(
            "a missing text becomes 'nan' or 'None', or stays missing, by pandas' version",
            "Fill the column before: X['a'].fillna('').astype(str).",
        )
    return x
