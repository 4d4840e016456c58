"""Python's plain values and NumPy's arrays as JSON, and back without a loss."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from onnxlet.function.numpy_later import np

ARRAY, DICT, TUPLE = "array", "dict", "tuple"


def written(value: Any) -> Any:
    """A value for JSON: numbers, texts, lists, tuples, dictionaries with any key, arrays."""
    if isinstance(value, np.ndarray):
        data = b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {ARRAY: [value.dtype.str, value.shape, data]}
    if isinstance(value, dict):
        return {DICT: [[written(key), written(each)] for key, each in value.items()]}
    if isinstance(value, tuple):
        return {TUPLE: [written(each) for each in value]}
    return [written(each) for each in value] if isinstance(value, list) else value


def read(form: Any) -> Any:
    """The value that was written."""
    if isinstance(form, list):
        return [read(each) for each in form]
    if not isinstance(form, dict):
        return form
    [(kind, found)] = form.items()
    if kind == ARRAY:
        dtype, shape, data = found
        return np.frombuffer(b64decode(data), dtype).reshape(shape).copy()
    if kind == DICT:
        return {read(key): read(each) for key, each in found}
    return tuple(read(each) for each in found)
