"""Assignment to arrays: which elements, and in which dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxlet.convert.converters.tracing import arithmetic, casts
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.graph.categories import is_missing
from onnxlet.convert.graph.converter import Tensor


def keys_of(key: Any, dims: int) -> list[Any]:
    """The keys in brackets, one for each dimension, rows first; `...` is expanded."""
    keys = list(key) if isinstance(key, tuple) else [key]
    positions = [position for position, one in enumerate(keys) if one is Ellipsis]
    if positions:
        lacking = dims - sum(one is not None and one is not Ellipsis for one in keys)
        keys[positions[0] : positions[0] + 1] = [slice(None)] * lacking
    if not keys or keys[0] is None:
        refuse("it makes rows of columns")
    return keys


def assigned(old: Tensor, mask: Any, value: Any) -> Tensor:
    """The old values, and where the mask is true the new one, in the old dtype."""
    everywhere = not isinstance(mask, Tensor)
    where = arithmetic.everywhere(old) if everywhere else mask
    if old.dtype == "string" and not isinstance(value, Tensor) and is_missing(value):
        return arithmetic.choose(where, value, old)
    given = as_dtype(arithmetic.tensor_of(arithmetic.graph_of(old), value), old.dtype)
    if everywhere:  # an array of objects takes any value
        return arithmetic.choose(where, given, given)
    return arithmetic.choose(where, given, old)


def as_dtype(x: Tensor, dtype: str) -> Tensor:
    """Cast numbers; text stays text."""
    if "string" in (x.dtype, dtype) or x.dtype == dtype:
        return x
    return casts.as_whole(x) if dtype == "int64" else x.cast(dtype)


def is_larger(after: Sequence[Tensor], before: Sequence[Tensor]) -> bool:
    """Whether a dtype is too large for the one before (bool < int64 < float32 < float64)."""
    order = ["bool", "int64", "float32", "float64"]
    return any(
        order.index(a.dtype) > order.index(b.dtype)
        for a, b in zip(after, before, strict=True)
        if "string" not in (a.dtype, b.dtype)
    )
