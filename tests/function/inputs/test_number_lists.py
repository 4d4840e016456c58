"""Numbers read by simdjson are those that orjson reads, or they are left to orjson."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onnxlet.function import json_text
from onnxlet.function.errors import OnnxletError
from onnxlet.function.inputs import number_lists
from onnxlet.function.inputs.number_lists import LEAST_BYTES, NumberLists
from onnxlet.function.inputs.signature import Column, Signature
from onnxlet.function.inputs.validation import read_table
from onnxlet.function.messages import Request
from onnxlet.function.protocols import native
from tests.function.inputs.test_validation import COLUMNS, SIGNATURE

if number_lists.simdjson is None:
    pytest.skip("pysimdjson is not installed", allow_module_level=True)

THREE = Signature(
    [
        Column("a", "float64"),
        Column("b", "float64", nullable=True),
        Column("c", "float64", maximum=2.0**64),
    ],
    [],
    [{"name": "in", "dtype": "float64", "columns": ["a", "b", "c"]}],
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -0.0, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 10**400, 5e-324]),
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [float("nan"), float("inf"), "1", "[", "a[b", {}, {"x": 1}, [], [1.0], [[2.0]]]
    ),
)
ROW = st.lists(NUMBERS, min_size=3, max_size=3)
ROWS = st.one_of(
    st.lists(ROW, min_size=1, max_size=5),
    st.lists(st.lists(NUMBERS, max_size=4), max_size=4),
    st.lists(st.one_of(ROW, st.lists(st.one_of(NUMBERS, ODD), max_size=4), ODD), max_size=5),
)
FORMS = st.one_of(
    ROWS,
    st.fixed_dictionaries({"instances": ROWS}),
    st.fixed_dictionaries({"instances": ROWS, "model": st.one_of(st.text(max_size=4), ODD)}),
    st.fixed_dictionaries({"instances": st.one_of(ROWS, ODD), "other": ODD}),
)


def padded(text: str) -> bytes:
    """The same JSON, long enough to be read here."""
    return text.encode() + b" " * LEAST_BYTES


def outcome(body: bytes, signature: Signature) -> Any:
    """Arrays, rows and model of a request; or how it is refused."""
    try:
        call = native.decode(Request(body))
        table = read_table(call.rows, signature)
    except OnnxletError as error:
        return type(error), error.message
    return [repr(array.tolist()) for array in table.arrays], table.rows, call.model


def ordinary(body: bytes, signature: Signature) -> Any:
    """The same without simdjson."""
    kept, number_lists.simdjson = number_lists.simdjson, None
    try:
        return outcome(body, signature)
    finally:
        number_lists.simdjson = kept


@settings(max_examples=800, deadline=None)
@given(form=FORMS, spaces=st.booleans())
@example(form=[[1, 2, 3], [4, 5, [6]]], spaces=False)
@example(form=[[1, 2, 3], [4, 5], [6, 7, 8, 9]], spaces=True)
def test_the_answer_is_the_ordinary_one(form: Any, spaces: bool) -> None:
    separators = (" , ", " : ") if spaces else (",", ":")
    body = padded(json.dumps(form, separators=separators))
    for signature in (THREE, SIGNATURE):
        assert outcome(body, signature) == ordinary(body, signature)


TEXTS = [
    '{"instances": [[1, 2, 3]], "instances": [[4, 5, 6]]}',
    '{"instances": [[1, 2, 3]], "instances": [[true, 5, 6]]}',
    '{"model": "a", "instances": [[1, 2, 3]], "model": "b"}',
    '{"instances": [[1, 2, 3]], "model": "a[b"}',
    '{"instances": [[1, 2, 3]]',
    '{"instances": [[1, 2, 3]]}]',
    '{"instances": [[1, 2, 3],]}',
    '{"instances": [[01, 2, 3]]}',
    '{"instances": [[-0, -0.0, 1e2]]}',
    '{"instances": [[1e999, 2, 3]]}',
    '{"instances": [[NaN, 2, 3], [1, NaN, 3]]}',
    '{"instances": [[9007199254740993, 0.1, 0.30000000000000004]]}',
    '{"instances": [[1.7976931348623159e308, 2, 3]]}',
    '{"inst\\u0061nces": [[1, 2, 3]]}',
    '\ufeff{"instances": [[1, 2, 3]]}',
    "[[1, 2, 3], [4, 5, 6]]",
    "[[1, 2], [3, 4, 5, 6], [7, 8, 9]]",
    "[[1, 2, [3]]]",
    "[[], [], []]",
    "[]",
    "[1, 2, 3]",
    "7",
]


@pytest.mark.parametrize("text", TEXTS)
def test_odd_texts_are_read_in_the_ordinary_way(text: str) -> None:
    body = padded(text)
    assert outcome(body, THREE) == ordinary(body, THREE)


@pytest.mark.parametrize("form", [[[1, 2.5, -3e7]] * 40, {"instances": [[1, 2, 3]], "model": "m"}])
def test_usual_rows_are_read_here(form: Any) -> None:
    read = number_lists.read(padded(json.dumps(form)))
    rows = read["instances"] if isinstance(read, dict) else read
    expected = form["instances"] if isinstance(form, dict) else form

    assert isinstance(rows, NumberLists)
    assert rows.matrix.tolist() == expected
    assert (len(rows), rows[0], rows[:2], list(rows)) == (
        len(expected),
        expected[0],
        expected[:2],
        expected,
    )


def test_bodies_of_all_lengths_are_read_by_one_parser_or_another() -> None:
    for rows in (100, 30_000, 100, 30_000):
        form = [[1.25, 2, 3]] * rows
        read = number_lists.read(padded(json.dumps(form)))
        assert read.matrix.tolist() == form


def test_without_it_nothing_is_read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_lists, "simdjson", None)
    assert number_lists.read(padded("[[1, 2, 3]]")) is None


def test_small_requests_are_left_to_orjson() -> None:
    assert number_lists.read(json_text.dumps([[1, 2, 3]])) is None


assert len(COLUMNS) > 3  # SIGNATURE is one that no matrix of floats fits
