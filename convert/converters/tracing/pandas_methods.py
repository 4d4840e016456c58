"""pandas' methods of values on tensors: the same for a Series and for a DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from pandas import Series

from onnxlet.convert.converters.tracing import arithmetic
from onnxlet.convert.converters.tracing.arithmetic import (
    choose,
    may_lack,
    missing,
    tensor_of,
    with_text_in_gaps,
)
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.graph.categories import index_among, is_missing
from onnxlet.convert.graph.converter import DROPPED, Table, Tensor
from onnxlet.function.arrays import MISSING_TEXT


def filled(x: Tensor, value: Any) -> Tensor:
    """`fillna`: text fills text, numbers fill numbers, other columns stay."""
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


def between(x: Tensor, low: Any, high: Any, inclusive: str) -> Tensor:
    """`between`; `inclusive` is both, neither, left or right."""
    above = "GreaterOrEqual" if inclusive in ("both", "left") else "Greater"
    below = "LessOrEqual" if inclusive in ("both", "right") else "Less"
    return arithmetic.compare(above)(x, low) & arithmetic.compare(below)(x, high)


def clipped(x: Tensor, low: Any, high: Any) -> Tensor:
    """`clip`; text stays the same."""
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


def is_number(tensor: Tensor) -> bool:
    """Whether `select_dtypes("number")` takes a column."""
    return tensor.dtype not in ("bool", "string", DROPPED)


def spread(x: Tensor, value: Any) -> Tensor:
    """One value for every row of a tensor."""
    column = x if x.width == 1 else x.take([0])
    constant = tensor_of(arithmetic.graph_of(x), value)
    return choose(arithmetic.everywhere(column), constant, constant)
