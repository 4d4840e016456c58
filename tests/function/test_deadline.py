"""How long a request may take, and that everything which goes on and on asks."""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from onnxlet.function import deadline
from onnxlet.function.aws.object_batches import (
    Limits,
    of_csv,
    of_json_lines,
    rows_of_lines,
    unpacked,
)
from onnxlet.function.csv import text as csv_text
from onnxlet.function.errors import TookTooLong
from onnxlet.function.inputs import json_body
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.front_end import StepFeed
from onnxlet.function.inputs.restricted_python import followed_numbers, followed_text
from onnxlet.function.inputs.sequences import IdFeed
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.text import TokenFeed
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.messages import Request
from onnxlet.function.protocols import native, v1, v2
from onnxlet.function.protocols.shared import forms, image_bodies


def test_one_that_was_stopped_watches_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_watchdog", None)
    stopped = deadline.watch(10)
    stopped.stop()

    with deadline.watched(10):
        assert deadline._watchdog is not stopped
        assert deadline._watchdog is not None
        assert deadline._watchdog.watches
    assert deadline._watchdog is None


def test_one_that_watches_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_watchdog", None)
    there = deadline.watch(10)

    with deadline.watched(10):
        assert deadline._watchdog is there
    assert deadline._watchdog is there
    there.stop()


# ---- every loop over what comes looks at the time


@pytest.fixture
def late() -> Iterator[Callable[[], None]]:
    """Lets this thread's time run out."""
    yield lambda: deadline.begin(time.perf_counter() - 2, 1)
    deadline.end()


def test_items_are_the_same_while_there_is_time(late: Callable[[], None]) -> None:
    deadline.begin(time.perf_counter(), 3600)
    for every in (1, 2, 3, 7, 20):
        assert [*deadline.checked(range(10), every)] == [*range(10)]
        assert [*deadline.checked("", every)] == []
    late()
    assert [*deadline.checked("a")] == ["a"]  # one item is no loop
    with pytest.raises(TookTooLong):
        next(iter(deadline.checked("ab")))


@pytest.mark.parametrize("every", [1, 3])
def test_time_that_runs_out_among_items(every: int, late: Callable[[], None]) -> None:
    items = iter(deadline.checked(range(10), every))
    assert next(items) == 0
    late()
    assert [next(items) for _ in range(every - 1)] == [*range(1, every)]
    with pytest.raises(TookTooLong, match="no answer within 1 seconds"):
        next(items)


def test_time_that_runs_out_among_bytes(late: Callable[[], None]) -> None:
    stream = io.BufferedReader(deadline.Blocks(iter([b"0123", b"4567", b"89"])), 4)
    assert stream.read(4) == b"0123"
    late()
    with pytest.raises(TookTooLong):
        stream.read(4)
    deadline.end()
    assert stream.read() == b"456789"


SIGNATURE = Signature([Column("a", "float64"), Column("b", "float64")], [], [])
LIMITS = Limits(100, 2**20)
MANY = 200_000
JSON = b"[" + b",".join([b"[1.5,2.5]"] * MANY) + b"]"
CSV_TEXT = b"a,b\n" + b"1.5,2.5\n" * MANY


def objects_of(read: Any, content: bytes) -> list[Any]:
    with unpacked(io.BufferedReader(io.BytesIO(content))) as stream:
        return list(read(stream, SIGNATURE, (), LIMITS))


def form(files: int) -> Request:
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n'
    return Request(part * files + b"--x--\r\n", image_bodies.FORM, {"boundary": "x"})


def tensor(rows: int) -> bytes:
    data = b",".join([b"[1.5,2.5]"] * rows)
    head = b'{"name":"input","datatype":"FP64","shape":[%d,2],"data":[' % rows
    return b'{"inputs":[' + head + data + b"]}]}"


TOKENS: Any = {
    "name": "counts",
    "places": "positions",
    "dtype": "float64",
    "columns": ["text"],
    "tokens": {
        "analyzer": "word", "token_pattern": r"\w+", "ngram_range": [1, 1], "stop_words": None,
        "lowercase": False, "strip_accents": None, "binary": False, "replaced": [],
        "vocabulary": ["a", "b"],
    },
}  # fmt: skip
BY_FUNCTION: Any = {
    "functions": {"tokenizer": {"code": "def main(text):\n    return text.split()"}}
}
UNITS: Any = {
    "name": "ids",
    "columns": ["text"],
    "ids": {
        "unit": "character", "units": ["a", "b"], "special": [], "unknown": None, "before": [],
        "after": [], "nfc": False, "longest": 5, "cost": 0,
    },
}  # fmt: skip


LOOPS: dict[str, Callable[[], object]] = {
    "blank lines of JSON in gzip": lambda: objects_of(of_json_lines, gzip.compress(b"\n" * 2**22)),
    "blank lines of CSV in gzip": lambda: objects_of(
        of_csv, gzip.compress(b"a,b\n" + b"\n" * 2**20)
    ),
    "lines of spaces in gzip": lambda: objects_of(of_json_lines, gzip.compress(b" \n" * 2**20)),
    "rows of a large JSON body": lambda: json_body.read(JSON, native.LONG_LISTS),
    "columns of a large JSON body": lambda: v1.decode(
        Request(b'{"inputs":{"a":%b,"b":%b}}' % (JSON, JSON), "application/json")
    ),
    "one string in a large JSON body": lambda: json_body.read(
        b'["' + b"a" * 2**21 + b'"]', native.LONG_LISTS
    ),
    "a large CSV body": lambda: csv_text.read(CSV_TEXT, lambda rows, least: None),
    "a large CSV body in quotes": lambda: csv_text.read(
        b'"a",b\n' + b'"1",2\n' * MANY, lambda rows, least: None
    ),
    "blank lines of a large CSV body": lambda: csv_text.read(
        b"a,b\n1,2\n" + b"\n" * 2**21, lambda rows, least: None
    ),
    "a tensor in a large JSON body": lambda: v2.decode(
        Request(tensor(MANY), "application/json", most_rows=MANY)
    ),
    "files of a form": lambda: image_bodies.decode(form(1000)),
    "rows of a batch": lambda: validate_rows([[1.5, 2.5]] * 100_000, SIGNATURE),
    "cells that steps change": lambda: StepFeed(
        {"name": "a", "dtype": "string", "steps": [{"step": "str_method", "name": "lower"}]}, (0, 0)
    ).gather([np.array([["A"]] * 100, dtype=object)]),
    "a cell that a user's function changes": lambda: followed_text(
        code="def main(text):\n    return text"
    )("a"),
    "numbers that a user's function makes": lambda: followed_numbers(
        1, code="def main(text):\n    return len(text)"
    )("a"),
    "texts that are cut into tokens": lambda: TokenFeed(TOKENS, (0, 0)).gather(
        [np.array([["a b"]] * 30, dtype=object)]
    ),
    "texts that a user's function cuts": lambda: TokenFeed(
        {**TOKENS, "tokens": {**TOKENS["tokens"], **BY_FUNCTION}}, (0, 0)
    ).gather([np.array([["a b"]] * 3, dtype=object)]),
    "texts that are cut into units": lambda: IdFeed(UNITS, (0, 0)).cut(
        [np.array([["ab"]] * 3, dtype=object)]
    ),
}


@pytest.mark.parametrize("what", LOOPS)
def test_a_loop_over_what_comes_looks_at_the_time(what: str, late: Callable[[], None]) -> None:
    LOOPS[what]()  # it is read while there is time

    late()
    with pytest.raises(TookTooLong):
        LOOPS[what]()


def test_rows_that_are_read_later_look_at_the_time(late: Callable[[], None]) -> None:
    """Of a large body only how many they are is known before."""
    rows: Any = csv_text.read(CSV_TEXT, lambda rows, least: None).rows
    columns: Any = forms.by_column(json_body.read(
        b'{"a":%b,"b":%b}' % (JSON, JSON), frozenset({("a",), ("b",)}), frozenset({()})
    )).rows  # fmt: skip
    lines, _ = rows_of_lines([b"[1, 2]"] * MANY, SIGNATURE, ())
    for each in (rows, json_body.read(JSON, native.LONG_LISTS), columns, lines):
        parts = each.parts()
        next(parts)
        late()
        with pytest.raises(TookTooLong):
            next(parts)
        deadline.end()
