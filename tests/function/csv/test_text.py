"""CSV read column by column: the same cells as one by one, only faster."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from onnxlet.function import deadline
from onnxlet.function.csv import lines as csv_lines
from onnxlet.function.csv.text import READ, read, typed
from onnxlet.function.errors import RequestTooLarge, TookTooLong
from onnxlet.function.inputs.columns import Column, ColumnType

TYPES: tuple[ColumnType, ...] = ("float64", "float32", "int64", "bool", "string")
NUMBERS = st.from_regex(r"\A[-+]?\d{0,3}\.?\d{0,3}([eE][-+]?\d{0,3})?\Z")
TEXTS = (
    NUMBERS
    | st.sampled_from(["", "nan", "-inf", "1_0", "1,5", " 1 ", "٣", "9" * 301, str(2**53 + 1)])
    | st.text(max_size=3)
    | st.floats().map(repr)
    | st.integers().map(str)
)


def one_by_one(text: str, kind: str) -> Any:
    return None if text == "" else READ[kind](text)


def same(cell: Any, expected: Any) -> bool:
    if isinstance(expected, bool | str) or expected is None or isinstance(cell, bool | str):
        return type(cell) is type(expected) and bool(cell == expected)
    return repr(float(cell)) == repr(float(expected))


@given(st.sampled_from(TYPES), st.lists(TEXTS, min_size=1, max_size=4))
@example("float64", ["1", "", "2.5"])
@example("int64", ["1", "4.0"])
@example("float64", ["e5", "1"])
@example("float64", ["9" * 301, "1"])
@example("float64", ["-0", "-00"])
@example("int64", ["-0"])
@example("int64", ["-0", "1.0"])
def test_a_column(kind: ColumnType, texts: list[str]) -> None:
    columns = [Column("a", kind), Column("b", "string")]
    expected = [one_by_one(text, kind) for text in texts]

    in_order = typed([[text, "x"] for text in texts], None, columns)
    named = typed([["x", text, "1"] for text in texts], ["b", "a", "c"], columns)

    assert [row[1] for row in in_order] == ["x"] * len(texts)
    assert [[row[0], row[2]] for row in named] == [["x", "1"]] * len(texts)
    assert all(same(row[0], cell) for row, cell in zip(in_order, expected, strict=True))
    assert all(same(row[1], cell) for row, cell in zip(named, expected, strict=True))


@pytest.mark.parametrize("rows", [[["1"], ["2", "3"], []], [["1", "2", "3"]], []])
def test_rows_of_another_width(rows: list[list[str]]) -> None:
    columns = [Column("a", "float64"), Column("b", "int64")]

    as_they_are = [[2, 3] if row == ["2", "3"] else row for row in rows]
    assert typed(rows, None, columns) == typed(rows, ["b", "a"], columns) == as_they_are


def frame(body: bytes) -> tuple[list[str], list[list[str]]]:
    found = read(body, lambda size, more: None)
    return list(found.names or ()), list(found.rows)


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbfa,b\n1,2\n\n\r\n3,4\r\r5,6",
        b"a,b\r\n1,2\r\n 	\r\n\n",
        b'a,b\n1,"2\n\n3"\n\n4,5\n',
        b"a\n1\n\n\n2\n",
        b"a,b\n" + b"1,2\n\n" * 20,
    ],
)
def test_rows_of_a_large_body_are_those_of_a_small_one(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = frame(body)
    monkeypatch.setattr(csv_lines, "LARGE_BODY", 0)
    monkeypatch.setattr(csv_lines, "SLICE", 5)
    assert frame(body) == expected
    assert len(read(body, lambda size, more: None).rows) == len(expected[1])


def test_a_blank_line_is_a_row_where_there_is_one_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a missing cell, as the csv module writes one; of several columns it is no row."""
    for large in (0, 2**20):
        monkeypatch.setattr(csv_lines, "LARGE_BODY", large)
        assert frame(b"a\n1\n\n2\n") == (["a"], [["1"], [""], ["2"]])
        assert frame(b'a\n"1"\n\n2\n') == (["a"], [["1"], [""], ["2"]])
        assert frame(b'a,b\n"1",1\n\n2,2\n') == (["a", "b"], [["1", "1"], ["2", "2"]])


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("large", [0, 2**20])
def test_lines_that_are_no_rows_are_bounded(
    quoted: bool, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_lines, "MOST_LINES", 50)
    monkeypatch.setattr(csv_lines, "LARGE_BODY", large)
    few = b'a,b\n"1\n2",3\n' if quoted else b"a,b\n1,3\n"
    assert len(frame(few + b"\n" * 40 + b"4,5\n" * 200)[1]) == 201
    with pytest.raises(RequestTooLarge, match="lines of the CSV are no rows"):
        frame(few + b"\n" * 60)
    with pytest.raises(RequestTooLarge, match="lines of the CSV are no rows"):
        frame(b'a,b\n"' + b"x\n" * 60 + b'",1\n')


def test_blank_lines_have_a_deadline() -> None:
    deadline.begin(0, 1e-9)
    try:
        with pytest.raises(TookTooLong):
            frame(b"a,b\n" + b"\n" * 100_000)
    finally:
        deadline.end()


@pytest.mark.parametrize(
    "text", ["$" + " " * 50_000 + "x", "1" + " " * 50_000 + "x", "(" * 50_000, "1," * 25_000 + "x"]
)
def test_what_looks_like_a_number_is_read_once(text: str) -> None:
    """Where time grew with a power of its length, this would not end."""
    columns = [Column("a", "float64")]
    assert typed([[text]], ["a"], columns, {"": ","}) == [[text]]
    assert typed([[text]], ["a"], columns, {"a": "."}) == [[text]]
