"""Rows of numbers read without making an object of each, where pysimdjson is installed.

simdjson writes a JSON array's numbers into one buffer, in less than half the time that orjson and
NumPy take together. It does so for ragged and nested rows too, without a word: so the rows are
counted, and their lengths, before its buffer is believed. Booleans, nulls, strings, objects, NaN
and integers beyond 64 bits it refuses. Whatever is odd is read in the ordinary way.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import Any, overload

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.arrays import Array

LEAST_BYTES = 10_000  # below, the parser's own overhead is most of the time
MOST_KEPT_BYTES = 2**20  # a parser keeps memory for the largest text that it has read
LISTS = re.compile(rb"\s*(?:\{[^\[{]*)?\[\s*\[")  # how such a request begins
MEMBERS = frozenset({"instances", "model"})

simdjson: Any = None
with suppress(ImportError):
    simdjson = import_module("simdjson")


class NumberLists(Sequence[Any]):
    """A request's instances: lists of numbers, one as long as another.

    Attributes:
        matrix: float64 of shape (rows, values).
        lists: the same as Python's lists, read when somebody asks for them.
    """

    def __init__(self, matrix: Array, body: bytes) -> None:
        self.matrix = matrix
        self._body = body

    @cached_property
    def lists(self) -> list[Any]:
        """Exactly as orjson reads them: 3 is an int."""
        form = json_text.loads(self._body)
        rows: list[Any] = form["instances"] if isinstance(form, dict) else form
        return rows

    def __len__(self) -> int:
        return len(self.matrix)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...

    def __getitem__(self, place: int | slice) -> Any:
        return self.lists[place]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.lists)


class _Parsers(threading.local):
    """A parser of each thread, used again."""

    def __init__(self) -> None:
        self.kept = simdjson.Parser()


_parsers: _Parsers | None = None


def read(body: bytes) -> Any:
    """A native request's JSON with its instances as NumberLists; None where it isn't so simple.

    Args:
        body: JSON text: an object with `instances`, or the bare list.
    """
    if not LISTS.match(body, 0, 300):
        return None
    return parsed(body, lambda document, kinds: _read(document, kinds, body))


def parsed(body: bytes, read: Callable[[Any, Any], Any]) -> Any:
    """What is made of a document, or None where it isn't parsed here, or is odd.

    Args:
        body: JSON text.
        read: takes the document, and simdjson for its types; nothing of the document may be
            kept. It returns None or raises ValueError, TypeError or KeyError for what is odd.
    """
    global _parsers
    if simdjson is None or len(body) < LEAST_BYTES:
        return None
    if _parsers is None:
        _parsers = _Parsers()
    try:
        parser = _parsers.kept if len(body) <= MOST_KEPT_BYTES else simdjson.Parser()
        return read(parser.parse(body), simdjson)
    except (ValueError, TypeError, RuntimeError, LookupError):  # not JSON, or not numbers alone
        return None


def _read(document: Any, parsing: Any, body: bytes) -> Any:
    if isinstance(document, parsing.Array):
        return _rows(document, body)
    if not isinstance(document, parsing.Object):
        return None
    names = list(document.keys())
    if "instances" not in names or len(set(names)) < len(names) or not MEMBERS.issuperset(names):
        return None
    rows = _rows(document["instances"], body)
    model = document["model"] if "model" in names else None
    if rows is None or not isinstance(model, str | None):
        return None
    return {"instances": rows, "model": model}


def _rows(array: Any, body: bytes) -> NumberLists | None:
    """One list of flat lists of one length; anything else has other brackets or other lengths."""
    lengths = set(map(len, array))  # raises TypeError for a number
    text = np.frombuffer(body, dtype=np.uint8)
    brackets = np.count_nonzero(text == ord("["))
    if len(lengths) != 1 or 0 in lengths or brackets != len(array) + 1:
        return None
    [width] = lengths
    flat: Array = np.frombuffer(array.as_buffer(of_type="d"), dtype=np.float64)
    return NumberLists(flat.reshape(-1, width), body)
