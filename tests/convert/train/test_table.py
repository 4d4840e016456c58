"""Tables are read as they are written; what is wrong or odd about them is said, and where."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from onnxlet.convert.tables import csv_rows
from onnxlet.convert.tables.rows_file import HowRead
from onnxlet.convert.train import table as module
from onnxlet.convert.train.preparing import Options, inspect_table
from onnxlet.convert.train.table import RawRows, read_table
from onnxlet.function.errors import WrongUse

Write = Callable[..., str]
ROWS = "a,b\n1,x\n2,y\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file; returns its path."""

    def written(name: str, content: str | bytes) -> str:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return str(tmp_path / name)

    return written


def refused(source: str) -> WrongUse:
    with pytest.raises(WrongUse) as caught:
        read_table(source, 0)
    return caught.value


def zipped(**members: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (ROWS.encode(), ""),
        (b"\xef\xbb\xbf" + ROWS.encode(), ""),
        (ROWS.replace("\n", "\r\n").encode(), ""),
        (ROWS.replace("\n", "\r").encode(), ""),
        (b"\n\n" + ROWS.encode(), ""),
        (ROWS.replace(",", ";").encode(), "separated by ';'"),
        (b"sep=;\n" + ROWS.replace(",", ";").encode(), "separated by ';'"),
        (ROWS.replace(",", "\t").encode("utf-16"), "in utf-16, separated by tabs"),
        (ROWS.replace(",", "|").encode(), "separated by '|'"),
        (gzip.compress(ROWS.encode(), mtime=0), ""),
        (bz2.compress(ROWS.encode()), ""),
        (lzma.compress(ROWS.encode()), ""),
        (zipped(rows=ROWS), ""),
        (b"a,b,\n1,x,\n2,y,\n"[:4] + b"\n1,x,\n2,y,\n", ""),
        (b'"a","b"\n"r1",1,"x"\n"r2",2,"y"\n', "the first of each row is left out"),
    ],
)
def test_csv_in_all_its_forms(write: Write, content: bytes, said: str) -> None:
    lines: list[str] = []
    table = read_table(write("rows.data", content), 0, lines.append)

    assert table.frame.loc[:, ["a", "b"]].to_numpy().tolist() == [[1, "x"], [2, "y"]]
    assert [f"note: {note}" for note in table.notes] == lines
    assert len(lines) == bool(said)
    assert all(said in line for line in lines)


@pytest.mark.parametrize(
    ("content", "decimal"),
    [
        ("a;b\n1,5;x\n", "comma"),
        ("a;b\n1.5;x\n", "point"),
        ("a;b\n15;x\n", ""),
        ("a,b\n1.5,x\n", ""),
    ],
)
def test_what_stands_before_decimals_is_kept(write: Write, content: str, decimal: str) -> None:
    assert read_table(write("r.csv", content), 0).decimal == decimal


def test_fields_separated_by_spaces_and_texts_with_spaces(write: Write) -> None:
    assert read_table(write("a.txt", "a b c\n1 2 3\n4 5 6\n"), 0).frame.shape == (2, 3)
    assert list(read_table(write("b.txt", "some text\none two\nthree\n"), 0).frame) == ["some text"]


def test_gaps_are_missing_and_none_is_a_text(write: Write) -> None:
    frame = read_table(write("r.csv", "a,b\n1,None\nNA,\nnull,n/a\n"), 0).frame
    assert frame["a"].isna().tolist() == [False, True, True]
    assert frame["b"].tolist()[0] == "None"
    assert frame["b"].isna().tolist() == [False, True, True]


@pytest.mark.parametrize("other", ["0,5", "1.234.567", "2,25"])
def test_points_part_thousands_where_another_column_says_so(write: Write, other: str) -> None:
    rows = f"a;b;c\n1.335;{other};1.2\n2.480;{other};1.2b\n950;{other};3.456\n"
    frame = read_table(write("r.csv", rows), 0).frame
    assert frame["a"].astype(float).tolist() == [1335, 2480, 950]
    assert frame["c"].tolist() == ["1.2", "1.2b", "3.456"]


def test_a_point_that_may_part_thousands_is_asked_about(write: Write) -> None:
    path = write("r.csv", "a;b\n1.335;x\n2.480;y\n950;z\n")
    error = refused(path)
    assert "'1.335' may be 1335 or 1.335, and no other number of the file says" in error.message
    assert "--decimal point, or --decimal comma" in error.hint
    for decimal, first in (("point", 1.335), ("comma", 1335)):
        frame = read_table(path, 0, how=HowRead(decimal=decimal)).frame
        assert frame["a"].astype(float).tolist()[0] == first
    # Where another number says it, or commas part fields, nobody is asked.
    assert read_table(write("s.csv", "a;b\n1.335;0.5\n"), 0).frame["a"].tolist() == [1.335]
    assert read_table(write("t.csv", "a,b\n1.335,5\n"), 0).frame["a"].tolist() == [1.335]


def test_codes_keep_their_zeros(write: Write) -> None:
    frame = read_table(write("r.csv", "zip,n\n01234,1\n94110,0\n"), 0).frame
    assert frame["zip"].tolist() == ["01234", "94110"]
    assert frame["n"].tolist() == [1, 0]


def test_a_column_that_turns_into_text_is_text_from_the_first_row(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_rows, "CELLS_AT_ONCE", 1)  # a thousand rows at once
    rows = [f"{i}.50,{i}" for i in range(2500)] + ["late,7"]
    frame = read_table(write("r.csv", "a,b\n" + "\n".join(rows)), 0).frame
    assert frame["a"].tolist() == [row.split(",")[0] for row in rows]  # 0.50, not 0.5
    assert frame["b"].dtype == np.int64


def test_rows_that_are_too_long_are_named_by_line(write: Write) -> None:
    lines = ["a,b", '"x\ny",1', *["1,2"] * 3000, "1,2,3", "4,5", "1,2,3,4"]
    error = refused(write("r.csv", "\n".join(lines)))
    assert "2 things are wrong" in error.message
    assert "line 3004: expected 2 fields, as its header has, got 3" in error.message
    assert "line 3006: expected 2 fields, as its header has, got 4" in error.message
    assert "Quote a field" in error.hint


def test_the_first_row_alone_is_too_long(write: Write) -> None:
    error = refused(write("r.csv", "a,b\n1,2,3\n4,5\n"))
    assert error.message.endswith("line 2: expected 2 fields, as its header has, got 3")


def test_a_header_and_its_rows_are_judged_together(write: Write) -> None:
    error = refused(write("r.csv", "a,b,a\n1,2,3\n1,2,3,4\n"))
    assert "'a' stands in its header more than once. Give each" in error.message
    assert "line 3: expected 3 fields" in error.message


def test_short_rows_are_counted(write: Write) -> None:
    table = read_table(write("r.csv", "a,b,c\n1,2,3\n4,5\n6\n7,8,\n"), 0)
    assert table.notes == [
        "'r.csv': 2 rows have fewer fields than the header (the first in line 3): what they lack "
        "is taken as missing"
    ]
    assert int(table.frame["c"].isna().sum()) == 3


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"", "is empty", "header"),
        (b"\n\n", "is empty", "header"),
        (b"a,b\n", "has a header ('a', 'b') and no rows", "a row a line"),
        (b"\x89PNG\r\n" + bytes(99), "is an image, and no table", "CSV"),
        (bytes(range(256)), "is no text, and no Parquet", "CSV"),
        (b'["a", 1]', "is JSON", "read_json"),
        (b"<!DOCTYPE html><p>", "is a page of markup", "CSV"),
        (b"PAR1 and nothing else", "can't be read", "whole"),
        (b"PK\x03\x04 and nothing else", "can't be read: BadZipFile", "whole"),
        (gzip.compress(ROWS.encode() * 999, mtime=0)[:-20], "Compressed file ended", "whole"),
        (zipped(a=ROWS, b=ROWS), "holds 2 files, expected one", "Unpack"),
        (zipped(**{"[Content_Types].xml": "", "xl": ""}), "the workbook can't be read", "whole"),
        (b'a,b\n1,"x\n2,y\n', "a quote is never closed", "double a quote"),
        (b"a,b\n\x81\x8d,1\n", "neither UTF-8 nor UTF-16 nor cp1252", "encoding"),
        (b"0,1.5,0\n1,2,3\n", "more than once", "no header"),
    ],
)
def test_files_that_are_no_table(write: Write, content: bytes, message: str, hint: str) -> None:
    error = refused(write("rows.csv", content))
    assert message in error.message
    assert error.message.startswith("DATA: 'rows.csv'") or "rows.csv' is empty" in error.message
    assert hint in error.hint


def test_paths_that_lead_to_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    assert refused(str(tmp_path)).message.endswith("is a folder")
    assert "rows.csv in it" in refused(str(tmp_path)).hint
    assert "there is no file" in refused(str(tmp_path / "gone.csv")).message
    assert "can't be read" in refused(str(tmp_path / ("x" * 300))).message

    def denied(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root may read whatever there is
    error = refused(str(tmp_path / "rows.csv"))
    assert error.message.endswith("may not be read: permission denied")
    assert "chmod a+r" in error.hint


def test_tables_that_lie_elsewhere() -> None:
    with fsspec.open("memory://folder/rows.csv", "wb") as file:
        file.write(gzip.compress(ROWS.encode()))
    assert read_table("memory://folder/rows.csv", 0).frame["a"].tolist() == [1, 2]
    assert (
        "there is no file 'memory://folder/gone.csv'" in refused("memory://folder/gone.csv").message
    )
    assert "Protocol not known" in refused("floppy://rows.csv").message


def test_keys_in_a_url_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(source: str, mode: str) -> None:
        raise ImportError("Please install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec, "open", absent)
    error = refused("gs://me:secret@bucket/rows.csv?signature=secret")
    assert "'gs://bucket/rows.csv' needs a package" in error.message
    assert "secret" not in error.message + error.hint
    assert error.hint == "pip install gcsfs"


def test_parquet_in_row_groups(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "t": ["x", None, "z"],
            "d": pd.to_datetime(["2026-01-01", "NaT", "2026-01-03"]),
            "c": pd.Categorical(["u", "v", "u"]),
        }
    )
    path = str(tmp_path / "rows.of.any.name")
    parquet.write_table(pa.Table.from_pandas(frame), path, row_group_size=2)
    read = read_table(path, 0)
    assert read.frame.astype(object).where(read.frame.notna(), None).to_numpy().tolist() == (
        frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    )
    parquet.write_table(pa.Table.from_pandas(frame[:0]), path)
    assert "and no rows" in refused(path).message


def test_of_too_many_rows_a_sample_is_taken(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("r.csv", "a,b\n" + "\n".join(f"{i},t{i}" for i in range(5000)))
    monkeypatch.setattr(module, "MOST_ROWS", 700)
    whole = read_table(path, 3)
    monkeypatch.setattr(csv_rows, "CELLS_AT_ONCE", 1)
    in_parts, other = read_table(path, 3), read_table(path, 4)

    assert len(whole.frame) == 700
    assert whole.frame["a"].is_monotonic_increasing
    assert (whole.frame["b"] == "t" + whole.frame["a"].astype(str)).all()
    pd.testing.assert_frame_equal(whole.frame, in_parts.frame)
    assert not whole.frame["a"].equals(other.frame["a"])
    assert whole.notes == [
        "'r.csv' has 5,000 rows of 2 columns: training takes 700 of them, drawn at random (seed 3)"
    ]


def test_each_row_is_as_likely_to_be_drawn() -> None:
    drawn = np.zeros(60)
    for seed in range(200):
        parts, came = module.sampled(
            iter([pd.DataFrame({"a": range(s, s + 6)}) for s in range(0, 60, 6)]), 15, seed
        )
        assert came == 60
        drawn[pd.concat(parts)["a"].to_numpy()] += 1
    assert drawn.sum() == 200 * 15
    expected, deviation = 50, np.sqrt(200 * 0.25 * 0.75)
    assert np.max(abs(drawn - expected)) < 4.5 * deviation


@pytest.mark.parametrize("most", [1, 7, 15, 59, 60])
def test_the_rows_with_the_least_draws_stay(most: int) -> None:
    parts, _ = module.sampled(iter([pd.DataFrame({"a": [i]}) for i in range(60)]), most, 5)
    least = np.argsort(np.random.default_rng(5).random(60))[:most]
    assert pd.concat(parts)["a"].tolist() == sorted(least.tolist())


def test_a_wide_table_keeps_fewer_rows() -> None:
    assert module.most_rows(10) == 1_000_000
    assert module.most_rows(1000) * 1000 == module.MOST_CELLS


def test_what_is_read_is_a_table(write: Write) -> None:
    table = read_table(write("r.csv", ROWS), 0)
    assert isinstance(table, RawRows)
    assert table.frame.index.equals(pd.RangeIndex(2))


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ("a,b\n1,x\n2,y\n3,z", [2, 3, 4]),
        ("a,b\r\n1,x\r\n\r\n2,y\r\n3,z\r\n", [2, 4, 5]),
        ("\n\na,b\n1,x\n   \n2,y\n3,z\n", [4, 6, 7]),
        ('a,b\n1,"x\nx\n\nx"\n2,y\n3,z\n', [2, 6, 7]),
        ("a,b\r1,x\r2,y\r3,z\r", [2, 3, 4]),
        ("Sales of 2026\n\na;b\n1;x\n2;y\na;b\n3;z\n", [4, 5, 7]),
        ('a;b\n1,5;"x;\nx"\n2,5;y\n\n3,25;z\n', [2, 4, 6]),
        ("a,b\n1,x\n2\n3,z\n", [2, 3, 4]),
    ],
)
def test_each_row_knows_its_line(write: Write, content: str, lines: list[int]) -> None:
    table = read_table(write("r.csv", content), 0)
    assert (table.places.unit, table.places.file) == ("line", "r.csv")
    assert table.places.numbers.tolist() == lines
    text = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line, first in zip(lines, table.frame.iloc[:, 0], strict=True):  # of the very file
        assert text[line - 1].startswith(str(first)[0])


def test_rows_of_a_sample_know_their_lines(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"{i},t\n" + "\n" * (i % 7 == 0) for i in range(5000))
    path = write("r.csv", f"a,b\n{rows}")
    monkeypatch.setattr(module, "MOST_ROWS", 700)
    monkeypatch.setattr(csv_rows, "CELLS_AT_ONCE", 1)
    table = read_table(path, 3)
    text = Path(path).read_text().split("\n")
    lines = [text[line - 1] for line in table.places.numbers]
    assert lines == [f"{i},t" for i in table.frame["a"]]


def test_other_tables_have_rows_that_are_counted(tmp_path: Path, write: Write) -> None:
    frame = pd.DataFrame({"a": range(5), "y": range(5)})
    parquet.write_table(pa.Table.from_pandas(frame), tmp_path / "r.parquet", row_group_size=2)
    sources: list[Any] = [
        str(tmp_path / "r.parquet"),
        write("r.json", frame.to_json(orient="records")),
        frame.set_axis(list("vwxyz"), axis=0),
    ]
    for source in sources:
        places = module.rows_of(source, "y", 0, lambda line: None).places
        assert (places.unit, places.numbers.tolist()) == ("row", [1, 2, 3, 4, 5])


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
def test_spaces_are_no_part_of_a_name(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({" Größe ": np.arange(80.0), "b\u00a0": 1.0, " y": np.arange(80) % 2})
    data: Any = frame
    if kind == "csv":
        frame.to_csv(tmp_path / "t.csv", index=False)
        data = str(tmp_path / "t.csv")
    elif kind == "parquet":
        frame.to_parquet(tmp_path / "t.parquet")
        data = str(tmp_path / "t.parquet")
    options = Options(sensitive=("b\u00a0",), columns={"Gro\u0308ße": "number"})
    table = inspect_table(data, "y ", options, lambda line: None)
    assert [column.name for column in table.columns] == ["Größe", "b"]
    assert table.target_name == "y"


def test_a_metric_that_is_none_is_refused_before_columns_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = pd.DataFrame({"a": np.arange(80.0), "y": np.arange(80) % 2})
    monkeypatch.setattr("onnxlet.convert.train.preparing.recognise_columns", None)
    with pytest.raises(WrongUse, match="--metric: expected one for binary, got 'rmse'"):
        inspect_table(frame, "y", Options(metric="rmse"), lambda line: None)


def test_spellings_that_differ_by_case_or_spaces_are_noted() -> None:
    towns = ["Berlin", "berlin", "Bonn", "New  York", "New York ", "Ulm"] * 20
    labels = ["Ja", "nein", "ja", "nein"] * 30
    frame = pd.DataFrame({"town": towns, "size": np.arange(120.0), "y": labels})
    lines: list[str] = []
    table = inspect_table(frame, "y", Options(), lines.append)
    town, target = [note for note in table.notes if "case or spaces" in note]
    assert town.startswith("'town': 'Berlin', 'berlin' differ only by case or spaces, and 1 more")
    assert target.startswith("'y': 'Ja', 'ja' differ only by case or spaces: each is a value")
    assert {town, target} <= set(lines)


@pytest.mark.parametrize(
    ("above", "line"), [("Häuser\n\n", 3), ("Häuser\n# alle\n\n\n", 5), ('"a\nb";\n', 3)]
)
def test_the_line_of_the_header_is_named(write: Write, above: str, line: int) -> None:
    table = read_table(write("rows.csv", above + ROWS.replace(",", ";")), 0)
    assert f"with its header in line {line}" in table.notes[0]
    assert table.frame.to_numpy().tolist() == [[1, "x"], [2, "y"]]
    assert table.places.numbers.tolist() == [line + 1, line + 2]


def test_points_part_thousands_beside_units_as_other_numbers_say(write: Write) -> None:
    rows = "".join(f"{n + 1}.250 €;{n},5 m²\n" for n in range(20))
    table = read_table(write("rows.csv", f"price;area\n{rows}"), 0)
    assert table.decimal == "comma"
    assert table.frame["price"].tolist()[:2] == ["1250 €", "2250 €"]


def test_a_row_of_totals_is_left_out(write: Write, tmp_path: Path) -> None:
    rows = "".join(f"{n + 1},x{n},{n * 1.5}\n" for n in range(20))
    content = f"n,name,a\n{rows}Summe,,285\n"
    for name in ("rows.csv", "rows.json"):
        path = write(name, content)
        if name == "rows.json":
            pd.read_csv(path.replace("json", "csv")).to_json(path, orient="records", lines=True)
        lines = list[str]()
        table = read_table(path, 0, lines.append)
        assert len(table.frame) == len(table.places.numbers) == 20
        assert [n for n in table.notes if "('Summe'), and left out" in n] == table.notes[-1:]
        assert table.frame["n"].tolist() == list(range(1, 21))
    assert (
        "line 22 is taken for a row of totals" in read_table(str(tmp_path / "rows.csv"), 0).notes[0]
    )
