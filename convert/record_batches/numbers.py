"""Arrow's numbers and booleans as NumPy's, and which of them have to be looked at one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.convert.record_batches.kinds import kind_of
from onnxlet.function.arrays import EXACT, Array
from onnxlet.function.inputs.array_checks import whole_numbers

LARGEST_POWER = 22  # of ten, that is float64's own
Read = tuple[Array, Array]  # the values, and which are odd


def booleans(array: Any) -> Read:
    """Booleans of shape (rows,); missing ones are odd."""
    if kind_of(array.type) == "null":
        return np.zeros(len(array), bool), missing(array)
    return _filled(array, False), missing(array)


def integers(array: Any) -> Read:
    """int64 of shape (rows,); what is missing, not whole or too large is odd."""
    if kind_of(array.type) == "null":
        return np.zeros(len(array), np.int64), missing(array)
    if types.is_decimal(array.type) or types.is_floating(array.type):
        found, odd = floats(array)
        whole, unlike = whole_numbers(found, "int64")
        return whole, odd | unlike
    found, odd = _filled(array, 0), missing(array)
    if found.dtype == np.uint64:
        odd |= found >= 2**63
    return found.astype(np.int64, copy=False), odd


def floats(array: Any, whole: bool = False) -> Read:
    """float64 of shape (rows,), NaN for what is missing; where asked, what is not whole is odd."""
    if kind_of(array.type) == "null":
        return np.full(len(array), np.nan), np.zeros(len(array), bool)
    found, odd = _of_decimals(array) if types.is_decimal(array.type) else _floats(array)
    if not whole or types.is_integer(array.type):
        return found, odd
    found, unlike = whole_numbers(found, "float64")
    return found, odd | unlike


def missing(array: Any) -> Array:
    """Where an array has nulls."""
    if not array.null_count:
        return np.zeros(len(array), bool)
    found: Array = array.is_null().to_numpy(zero_copy_only=False)
    return found


def _filled(array: Any, instead: int) -> Array:
    """With another value for nulls."""
    filled = compute.fill_null(array, instead) if array.null_count else array
    found: Array = filled.to_numpy(zero_copy_only=False)
    return found


def _floats(array: Any) -> Read:
    odd = np.zeros(len(array), bool)
    if array.null_count and types.is_integer(array.type):
        found = _filled(array, 0).astype(np.float64)
        found[missing(array)] = np.nan
        return found, odd
    given: Array = array.to_numpy(zero_copy_only=False)
    return given.astype(np.float64, copy=False), odd


def _of_decimals(array: Any) -> Read:
    """Decimals as the nearest floats: exact where the digits and the power of ten are floats."""
    rows, scale = len(array), array.type.scale
    if array.type.bit_width > 128 or not 0 <= scale <= LARGEST_POWER:
        return np.zeros(rows), np.ones(rows, bool)
    if array.type.bit_width < 128:
        array = array.cast(pa.decimal128(38, scale))
    words = np.frombuffer(array.buffers()[1], np.int64).reshape(-1, 2)
    words = words[array.offset : array.offset + rows]
    low, high = words[:, 0], words[:, 1]
    odd = (high != low >> 63) | (low > EXACT) | (low < -EXACT)
    found, gaps = low / 10.0**scale, missing(array)
    found[gaps] = np.nan
    return found, odd & ~gaps
