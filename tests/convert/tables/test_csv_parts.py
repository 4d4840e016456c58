"""CSV is cut where Python's reader ends a row, and its rows are those that it finds."""

from __future__ import annotations

import csv
import gzip
import io
import random

import pyarrow as pa
import pytest

from onnxlet.convert.tables import csv_parts
from onnxlet.convert.tables.csv_parts import Cut, cuts, header_of, line_numbers, rows_of
from onnxlet.function.errors import MalformedRequest

FIELDS = ("", "1", "x", "é", '"a, b"', '"say ""so"""', '"two\nlines"', '"\r\n"', '""', " 3 ", '"1"')
STRAY = ('5" pipe', 'a""b', 'a"b"c')
ENDS = ("\n", "\r\n")


def table(seed: int, fields: tuple[str, ...], ends: tuple[str, ...], width: int = 3) -> bytes:
    """Rows, with blank lines among them, as they may stand in a file."""
    draw = random.Random(seed)  # noqa: S311 - nothing secret
    lines = [",".join(f"c{number}" for number in range(width))]
    for _ in range(draw.randrange(120)):
        lines.append(",".join(draw.choice(fields) for _ in range(width)))
        lines += [""] * (draw.random() < 0.1)
    text = "".join(line + draw.choice(ends) for line in lines)
    return (text if draw.random() < 0.7 else text.rstrip("\r\n")).encode()


def read_by_python(data: bytes) -> list[list[str]]:
    text = io.StringIO(data.decode("utf-8-sig"), newline="")
    return [row for row in csv.reader(text, strict=True) if row]


def cut_up(data: bytes, most: int) -> tuple[list[str], list[Cut]]:
    names, below = header_of(io.BytesIO(data))
    return names, list(cuts(lambda: io.BytesIO(data), below, most))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("fields", [FIELDS, FIELDS + STRAY], ids=["plain", "stray quotes"])
@pytest.mark.parametrize("ends", [ENDS, ("\n",), ("\r",)], ids=["mixed", "LF", "CR"])
def test_the_rows_of_all_parts_are_those_of_the_file(
    seed: int, fields: tuple[str, ...], ends: tuple[str, ...]
) -> None:
    data = table(seed, fields, ends)
    names, found = cut_up(data, 64)
    header, *expected = read_by_python(data)
    parts = [data[cut.start : cut.end] for cut in found]

    assert names == header
    assert b"".join(parts) == data[header_of(io.BytesIO(data))[1].end :]
    assert [row for part in parts for row in read_by_python(part)] == expected
    for cut, part in zip(found, parts, strict=True):
        rows = rows_of(part, names)
        assert not rows.faults
        assert [list(row.values()) for row in rows.table.to_pylist()] == read_by_python(part)
        assert cut.line == 1 + len(io.StringIO(data[: cut.start].decode(), newline="").readlines())
    if len(data) > 1000 and ends != ("\r",):
        assert len(found) > 3


def test_large_blocks_are_cut_as_small_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"".join([b"a,b\n", *(b'%d,"x\n%d"\n' % (n, n) for n in range(5000))])
    _, whole = cut_up(data, 20_000)
    monkeypatch.setattr(csv_parts, "BLOCK_BYTES", 7)
    _, small = cut_up(data, 20_000)
    for found in (whole, small):
        assert [data[cut.end - 2 : cut.end] for cut in found] == [b'"\n'] * len(found)
        assert [cut.start for cut in found[1:]] == [cut.end for cut in found[:-1]]
        assert all(19_980 <= cut.end - cut.start < 40_020 for cut in found[:-1])
        assert [data[: cut.start].count(b"\n") + 1 for cut in found] == [c.line for c in found]
    assert len(small) > 3


@pytest.mark.parametrize(
    ("data", "names", "rows"),
    [
        (b"\xef\xbb\xbfa,b\n1,2\n", ["a", "b"], [["1", "2"]]),
        (b"\n\na,b\n1,2\n", ["a", "b"], [["1", "2"]]),
        (b'"a\nb",c\n1,2', ["a\nb", "c"], [["1", "2"]]),
        (b"a\n\n1\n", ["a"], [[""], ["1"]]),
        (b"a,b\n", ["a", "b"], []),
        (b"a,b", ["a", "b"], []),
        (b"a,b\n\n\n", ["a", "b"], []),
    ],
)
def test_headers(data: bytes, names: list[str], rows: list[list[str]]) -> None:
    got, found = cut_up(data, 1 << 20)
    assert got == names
    parts = [rows_of(data[c.start : c.end], names).table.to_pylist() for c in found]
    assert [list(row.values()) for part in parts for row in part] == rows


def test_nothing_has_no_header() -> None:
    assert header_of(io.BytesIO(b"")) == ([], Cut(0, 0, 1))
    assert header_of(io.BytesIO(b"\n\n"))[0] == []


def test_rows_with_too_many_fields_or_too_few_are_named() -> None:
    rows = rows_of(b'1,2\n3\n\n"x\ny",5,6\n7,8\n', ["a", "b"])
    assert rows.faults == {1: "expected 2 fields, got 1", 2: "expected 2 fields, got 3"}
    assert rows.table.to_pydict() == {"a": ["1", None, None, "7"], "b": ["2", None, None, "8"]}
    assert rows.table.schema == pa.schema([("a", pa.string()), ("b", pa.string())])
    assert list(line_numbers(b'1,2\n3\n\n"x\ny",5,6\n7,8\n', 11, 2)) == [11, 12, 14, 16]


def test_a_column_by_itself_has_its_blank_lines() -> None:
    assert rows_of(b"x\n\ny\n\n", ["a"]).table.to_pydict() == {"a": ["x", "", "y", ""]}
    assert list(line_numbers(b"x\n\ny\n\n", 2, 1)) == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'1,2\n3,"x\n', "line 2: it is not CSV: unexpected end of data"),
        (b'1,2\n"a"b,2\n', "line 2: it is not CSV: ',' expected after '\"'"),
        (b"1,2\n3,\xff\n", "line 2 is not UTF-8"),
    ],
)
def test_what_is_no_csv_is_refused_by_line(data: bytes, said: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        rows_of(data, ["a", "b"])
    assert refused.value.message == said


def test_a_file_that_ends_in_quotes_is_refused_before_it_is_scored() -> None:
    with pytest.raises(MalformedRequest, match="line 3: it is not CSV: unexpected end of data"):
        cut_up(b'a,b\n1,2\n3,"x\n5,6\n', 4)


def test_packed_files_are_cut_alike() -> None:
    data = table(5, FIELDS, ENDS)
    packed = gzip.compress(data)
    _, below = header_of(io.BytesIO(data))
    unpacked = list(cuts(lambda: gzip.GzipFile(fileobj=io.BytesIO(packed)), below, 64))
    assert unpacked == cut_up(data, 64)[1]
