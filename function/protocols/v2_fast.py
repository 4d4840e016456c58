"""Version 2's floats read without making an object of each, where pysimdjson is installed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from onnxlet.function.arrays import LARGEST_FLOAT32, Array
from onnxlet.function.inputs import number_lists

MOST_MEMBERS = 20  # each is looked for from the first one on
FLOATS = {"FP32": np.float32, "FP64": np.float64}


class _Odd(ValueError):
    """To be read in the ordinary way."""


def read(text: bytes) -> Any:
    """A request whose data are floats alone, as JSON has it, but each `data` an array.

    simdjson takes nested and ragged lists for flat ones. So the lists are counted that it should
    have met: there are as many opening brackets, or it is read in the ordinary way.

    Returns:
        The arrays of the declared shape and datatype; None where anything is odd.
    """
    return number_lists.parsed(text, lambda document, kinds: _form(document, kinds, text))


def _form(document: Any, kinds: Any, text: bytes) -> Any:
    form = _members(document, kinds, "inputs")
    entries = [_entry(entry, kinds) for entry in form["inputs"]]
    others = [member for name, member in form.items() if name != "inputs"]
    lists = 1 + sum(number for _, number in entries) + _lists(others)
    if np.count_nonzero(np.frombuffer(text, np.uint8) == ord("[")) != lists:
        return None
    form["inputs"] = [entry for entry, _ in entries]
    return form


def _members(found: Any, kinds: Any, kept: str) -> dict[str, Any]:
    """An object's members as Python's own, but for one that has to be a list."""
    names = list(found.keys()) if isinstance(found, kinds.Object) else []
    if kept not in names or len(names) > MOST_MEMBERS or len(set(names)) < len(names):
        raise _Odd
    if not isinstance(found[kept], kinds.Array):
        raise _Odd
    return {name: found[name] if name == kept else _plain(found[name], kinds) for name in names}


def _plain(value: Any, kinds: Any) -> Any:
    if isinstance(value, kinds.Array):
        return value.as_list()
    return value.as_dict() if isinstance(value, kinds.Object) else value


def _entry(found: Any, kinds: Any) -> tuple[dict[str, Any], int]:
    """One input, and how many lists it has in it."""
    entry = _members(found, kinds, "data")
    data, shape, datatype = entry["data"], entry.get("shape"), entry.get("datatype")
    if datatype not in FLOATS or not isinstance(shape, list) or set(map(type, shape)) != {int}:
        raise _Odd
    nested = isinstance(data[0], kinds.Array)
    if nested and (len(shape) != 2 or len(data) != shape[0]):
        raise _Odd
    if nested and set(map(len, data)) != {shape[1]}:
        raise _Odd
    array: Array = np.frombuffer(data.as_buffer(of_type="d"), np.float64).reshape(shape)
    if datatype == "FP32":
        if not (array.min() >= -LARGEST_FLOAT32 and array.max() <= LARGEST_FLOAT32):
            raise _Odd
        array = array.astype(np.float32)
    lists = 1 + (len(data) if nested else 0)
    entry["data"] = array
    return entry, lists + _lists(entry.values())


def _lists(members: Iterable[Any]) -> int:
    """How many lists there are among values and within them."""
    count = 0
    for member in members:
        if type(member) is list:
            count += 1 + _lists(member)
        elif type(member) is dict:
            count += _lists(member.values())
    return count
