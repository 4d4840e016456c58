"""`astype`: other dtypes of the same values."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing.arithmetic import choose, floats, truth
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.graph.graph import Tensor
from onnxlet.function.inputs.signature import MISSING_TEXT

LEAST = -(2**63)


def cast(x: Tensor, dtype: Any) -> Tensor:
    """`astype`: whole numbers without their fraction, booleans where they aren't 0."""
    if dtype in ("category", object, "object", "O"):
        return x  # the values stay what they are
    kind = _numpy_dtype(dtype)
    if kind.kind in "UT":
        return _as_text(x)
    if kind.kind == "b":
        return truth(x)
    if x.dtype == "string":
        refuse("it reads numbers out of text", "Turn the column into numbers before the pipeline.")
    if kind.kind in "iu":
        return as_whole(x)
    if kind.kind != "f":
        refuse(f"astype({kind}) is not followed")
    (number,) = floats(x)
    return number.cast("float32").cast(number.dtype) if kind.itemsize < 8 else number


def as_whole(x: Tensor) -> Tensor:
    """Towards 0; what has no 64 bits, NaN too, is the least of them, as on most processors."""
    if x.dtype in ("bool", "int64"):
        return x.cast("int64")
    inside = (x >= float(LEAST)) & (x < -float(LEAST))
    return inside.where(x, float(LEAST)).cast("int64")


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    try:
        return np.dtype("str" if str(dtype) == "string" else dtype)
    except TypeError:
        refuse(f"astype({dtype!r:.40}) is not followed", "Use int, float, bool or str.")


def _as_text(x: Tensor) -> Tensor:
    if x.dtype == "bool":
        return choose(x, "True", "False")
    if x.dtype == "int64":
        return x.cast("string")
    if x.dtype != "string":
        refuse("the digits of fractions as text are not followed", "Round to whole numbers before.")
    if not any(found == MISSING_TEXT for found, _ in x.replaced):
        refuse(
            "a missing text becomes 'nan' or 'None', or stays missing, by pandas' version",
            "Fill the column before: X['a'].fillna('').astype(str).",
        )
    return x
