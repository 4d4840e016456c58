"""Arrow's numbers and booleans as NumPy's, and which of them have to be looked at one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, types

from onnxlet.convert.record_batches.kinds import kind_of
from onnxlet.function.arrays import EXACT, Array

LARGEST_POWER = 22  # of ten, that is float64's own
Read = tuple[Array, "Array | None"]  # the values, and which are odd; None where none is


def booleans(array: Any) -> Read:
    """Booleans of shape (rows,); missing ones are odd."""
    gaps = missing(array)
    if kind_of(array.type) == "null":
        return np.zeros(len(array), bool), gaps
    filled = array if gaps is None else compute.fill_null(array, False)
    return filled.to_numpy(zero_copy_only=False), gaps


def integers(array: Any) -> Read:
    """int64 of shape (rows,); what is missing, not whole or too large is odd."""
    gaps = missing(array)
    if kind_of(array.type) == "null":
        return np.zeros(len(array), np.int64), gaps
    if types.is_decimal(array.type):
        return _whole(*_of_decimals(array))
    if types.is_floating(array.type):
        return _whole(_floats(array), None)
    filled = array if gaps is None else compute.fill_null(array, 0)
    found = filled.to_numpy(zero_copy_only=False)
    if found.dtype == np.uint64:
        gaps = _either(gaps, found >= 2**63)
    return found.astype(np.int64, copy=False), gaps


def floats(array: Any, whole: bool) -> Read:
    """float64 of shape (rows,), NaN for what is missing.

    Args:
        array: numbers.
        whole: only whole numbers are not odd; none of them is -0.0.
    """
    if kind_of(array.type) == "null":
        return np.full(len(array), np.nan), None
    found, odd = _of_decimals(array) if types.is_decimal(array.type) else (_floats(array), None)
    if not whole or types.is_integer(array.type):
        return found, odd
    found = found + 0.0
    with np.errstate(invalid="ignore"):
        unlike = (np.floor(found) != found) & (found == found)
    return found, _either(odd, unlike)


def missing(array: Any) -> Array | None:
    """Where an array has nulls; None where it has none."""
    if not array.null_count:
        return None
    found: Array = array.is_null().to_numpy(zero_copy_only=False)
    return found


def _floats(array: Any) -> Array:
    if array.null_count and types.is_integer(array.type):
        filled: Array = compute.fill_null(array, 0).to_numpy(zero_copy_only=False)
        found = filled.astype(np.float64)
        found[missing(array)] = np.nan
        return found
    given: Array = array.to_numpy(zero_copy_only=False)
    return given.astype(np.float64, copy=False)


def _whole(found: Array, odd: Array | None) -> Read:
    """Floats as int64."""
    with np.errstate(invalid="ignore"):
        unlike = ~((np.floor(found) == found) & (np.abs(found) < 2.0**63))
    odd = _either(odd, unlike)
    if odd is not None:
        found = np.where(odd, 0.0, found)
    return found.astype(np.int64), odd


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
    found = low / 10.0**scale
    if (gaps := missing(array)) is not None:
        found[gaps] = np.nan
        odd &= ~gaps
    return found, odd if odd.any() else None


def _either(one: Array | None, other: Array) -> Array | None:
    if not other.any():
        return one
    return other if one is None else one | other
