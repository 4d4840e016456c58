"""What can't be scored is found before anything is, in every file, and nothing is written."""

from __future__ import annotations

import csv as python_csv
import gzip
import os
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from onnxlet.convert.score import running
from onnxlet.convert.score.planning import part_names
from onnxlet.convert.score.tasks import Options
from onnxlet.function.errors import WrongUse
from tests.convert.score.tables import content, golden_table, read_parts, write

PRICES = "house-prices"


def run(models: Path, source: Path, out: Path, *keep: str) -> running.Scored:
    options = Options(keep=keep)
    return running.score(PRICES, str(source), str(out), options, models=models, workers=1)


def refused(models: Path, source: Path, out: Path, *keep: str) -> WrongUse:
    with pytest.raises(WrongUse) as caught:
        run(models, source, out, *keep)
    assert not [path for path in content(out.parent) if path.startswith(out.name)]
    return caught.value


def test_a_column_that_one_of_a_hundred_files_lacks(models: Path, tmp_path: Path) -> None:
    table = golden_table(models, PRICES, 10)
    for number in range(100):
        write(table, tmp_path / "in" / f"{number:03}.parquet")
    write(table.drop("Year_Built"), tmp_path / "in" / "041.parquet")
    at = table.schema.get_field_index("Lot_Area")
    texts = table.set_column(at, "Lot_Area", pa.array(["big"] * 10))
    write(texts, tmp_path / "in" / "077.parquet")
    error = refused(models, tmp_path / "in", tmp_path / "out")
    first, *lines = error.message.splitlines()
    assert first == "IN: 2 of 100 files can't be scored:"
    assert [line.split(":")[0].strip() for line in lines] == ["'041.parquet'", "'077.parquet'"]
    assert "column 'Year_Built': missing" in lines[0]
    assert "column 'Lot_Area': expected whole numbers, got string" in lines[1]
    assert error.hint == "Nothing was written. Correct them, or move them elsewhere."


def broken(models: Path, folder: Path) -> dict[str, str]:
    """Files that can't be scored, and why."""
    table = golden_table(models, PRICES, 100)
    whole = Path(write(table, folder / "whole.parquet")).read_bytes()
    (folder / "cut.parquet").write_bytes(whole[:-100])
    (folder / "short.parquet").write_bytes(whole[:3])
    (folder / "empty.parquet").touch()
    return {
        "cut.parquet": "can't be read",
        "short.parquet": "can't be read",
        "empty.parquet": "it is empty: expected a header at least",
    }


def test_files_that_are_no_parquet(models: Path, tmp_path: Path) -> None:
    expected = broken(models, tmp_path / "in")
    lines = refused(models, tmp_path / "in", tmp_path / "out").message.splitlines()
    assert lines[0] == "IN: 3 of 4 files can't be scored:"
    for name, why in expected.items():
        [line] = [line for line in lines if f"'{name}'" in line]
        assert why in line


def test_files_that_are_no_csv(models: Path, tmp_path: Path) -> None:
    text = Path(write(golden_table(models, PRICES, 3), tmp_path / "in" / "good.csv")).read_text()
    others = text.replace("Lot", "Garden").replace('"', "").replace(",", ";")
    others = ";".join(f"no_{name}" for name in others.splitlines()[0].split(";"))
    files = {
        "empty.csv": (b"", "it is empty"),
        "blank.csv": (b"\n\n", "it has no header"),
        "others.csv": (others.encode(), "the header names no column"),
        "twice.csv": (text.replace('"id"', '"Lot_Area"').encode(), "stand there more than once"),
        "nothing.csv": (b"\x81" * 99, "neither UTF-8 nor UTF-16 nor cp1252"),
        "cut.csv.gz": (gzip.compress(text.encode())[:-10], "can't be read"),
    }
    for name, (data, _) in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    lines = refused(models, tmp_path / "in", tmp_path / "out").message.splitlines()
    assert lines[0] == f"IN: {len(lines) - 1} of {len(files) + 1} files can't be scored:"
    for name, (_, why) in files.items():
        found = [line for line in lines if f"'{name}'" in line]
        assert why in found[0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_without_rows(kind: str, models: Path, tmp_path: Path) -> None:
    table = golden_table(models, PRICES, 10)
    write(table[:0], tmp_path / "in" / f"empty.{kind}")
    if kind == "parquet":
        with parquet.ParquetWriter(tmp_path / "in" / "groups.parquet", table.schema):
            pass
    scored = run(models, tmp_path / "in", tmp_path / "out", "id")
    assert scored.rows == 0
    name = tmp_path / "out" / f"empty-00000.{kind}"
    answers = parquet.read_table(name) if kind == "parquet" else csv.read_csv(name)
    assert (answers.num_rows, answers.schema.names) == (0, ["id", "prediction"])
    write(table, tmp_path / "in" / f"full.{kind}")
    assert run(models, tmp_path / "in", tmp_path / f"all.{kind}", "id").rows == 10


def test_packed_csv_is_one_part(models: Path, tmp_path: Path) -> None:
    table = golden_table(models, PRICES, 500)
    plain = Path(write(table, tmp_path / "in.csv"))
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    run(models, plain, tmp_path / "plain", "id")
    run(models, tmp_path / "packed.csv.gz", tmp_path / "packed", "id")
    [one], [other] = content(tmp_path / "plain").values(), content(tmp_path / "packed").values()
    assert one == other


def test_columns_that_are_passed_through(models: Path, tmp_path: Path) -> None:
    table = golden_table(models, PRICES, 10)
    write(table, tmp_path / "in" / "a.parquet")
    at = table.schema.get_field_index("id")
    write(table.set_column(at, "id", pa.array(["x"] * 10)), tmp_path / "in" / "b.parquet")
    assert "column 'id' is string, and in 'a.parquet' int64" in (
        refused(models, tmp_path / "in", tmp_path / "out", "id").message
    )
    named = table.rename_columns([*table.schema.names[:-1], "prediction"])
    source = Path(write(named, tmp_path / "named.parquet"))
    message = refused(models, source, tmp_path / "out", "prediction", "gone").message
    assert "--keep: the answers have a column 'prediction', too" in message
    assert "--keep: there is no column 'gone'. There are '" in message
    nested = table.append_column("tags", pa.array([["a"], None] * 5))
    run(models, Path(write(nested, tmp_path / "n.parquet")), tmp_path / "kept", "tags", "Lot_Area")
    kept = read_parts(tmp_path / "kept")
    assert kept.select(["tags", "Lot_Area"]) == nested.select(["tags", "Lot_Area"]).combine_chunks()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("gone", "there is no '"),
        ("gone.csv", "there is no '"),
        ("notes.txt", "expected .csv, .csv.gz, .parquet, .xlsx or .json, got '"),
        ("nothing", "there is no CSV or Parquet in '"),
        ("mixed", "has 1 .csv and 1 .parquet"),
        ("gs://bucket/rows.csv", "expected a path or s3://bucket/prefix"),
        ("s3:/bucket/rows.csv", "expected a path or s3://bucket/prefix"),
    ],
)
def test_what_is_no_table(
    source: str, said: str, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_text("read me")
    (tmp_path / "nothing" / "below").mkdir(parents=True)
    (tmp_path / "nothing" / "notes.txt").write_text("read me")
    for name in ("a.csv", "b.parquet"):
        write(golden_table(models, PRICES, 1), tmp_path / "mixed" / name)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WrongUse) as caught:
        running.score(PRICES, source, "out", Options(), models=models, workers=1)
    assert said in caught.value.message
    assert not (tmp_path / "out").exists()


def test_links_are_followed_once(models: Path, tmp_path: Path) -> None:
    write(golden_table(models, PRICES, 10), tmp_path / "elsewhere" / "a.parquet")
    (tmp_path / "in" / "below").mkdir(parents=True)
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "below" / "up").symlink_to(tmp_path / "in")
    assert run(models, tmp_path / "in", tmp_path / "out").rows == 10
    assert sorted(content(tmp_path / "out")) == ["linked/a-00000.parquet"]


def test_parts_of_files_of_one_stem_have_names_of_their_own() -> None:
    files = ["a.csv", "a.csv.gz", "b/a.csv", "c.v1.csv"]
    name = part_names(files, "parquet")
    names = [name(file, 3) for file in files]
    assert names == [
        "a.csv-00003.parquet", "a.csv.gz-00003.parquet", "b/a-00003.parquet", "c.v1-00003.parquet"
    ]  # fmt: skip


def test_no_model(models: Path, tmp_path: Path) -> None:
    source = write(golden_table(models, PRICES, 1), tmp_path / "in.csv")
    with pytest.raises(WrongUse, match="MODEL: there is no model 'prices'") as caught:
        running.score("prices", source, str(tmp_path / "out"), Options(), models=models)
    assert "Is it 'house-prices'" in caught.value.hint
    with pytest.raises(WrongUse) as caught:
        running.score("xyz", source, str(tmp_path / "out"), Options(), models=models)
    assert "There are 'house-prices', 'iris', 'loan-default', 'shop'" in caught.value.hint


def test_no_two_files_have_parts_of_one_name(models: Path, tmp_path: Path) -> None:
    table = golden_table(models, PRICES, 10)
    text = Path(write(table, tmp_path / "in" / "x.csv")).read_bytes()
    (tmp_path / "in" / "x.CSV.GZ").write_bytes(gzip.compress(text))
    write(table, tmp_path / "in" / "x.csv.csv")
    scored = run(models, tmp_path / "in", tmp_path / "out", "id")
    parts = content(tmp_path / "out")
    assert sorted(parts) == ["x.CSV.GZ-00000.csv", "x.csv-00000.csv", "x.csv.csv-00000.csv"]
    assert (scored.rows, len(set(parts.values()))) == (30, 1)


def test_broken_gzip_is_said(models: Path, tmp_path: Path) -> None:
    text = Path(write(golden_table(models, PRICES, 5000), tmp_path / "in.csv")).read_bytes()
    packed = bytearray(gzip.compress(text))
    packed[300:400] = b"\xff" * 100
    (tmp_path / "in.csv.gz").write_bytes(packed)
    message = refused(models, tmp_path / "in.csv.gz", tmp_path / "out").message
    assert "'in.csv.gz': it can't be read: Error -3 while decompressing data" in message


def test_names_of_files(models: Path, tmp_path: Path) -> None:
    for name in ("a b%20#?.csv", "a\nb.csv", "ü\u2028.csv"):
        write(golden_table(models, PRICES, 10), tmp_path / "in" / name)
    (tmp_path / "in" / ".#a.csv").symlink_to("me@host.123")  # Emacs edits it
    assert run(models, tmp_path / "in", tmp_path / "out").rows == 30
    assert run(models, tmp_path / "in", tmp_path / "out").already == 3
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / os.fsdecode(b"\xff.csv")).write_text("Lot_Area")
    message = refused(models, tmp_path / "odd", tmp_path / "other").message
    assert message == "IN: the name of '\\udcff.csv' is not UTF-8"


def test_a_mark_of_bytes_order_within_a_table(models: Path, tmp_path: Path) -> None:
    header, *rows = (
        Path(write(golden_table(models, PRICES, 3), tmp_path / "in.csv"))
        .read_bytes()
        .splitlines(keepends=True)
    )
    for number in range(3):
        marked = [b"\xef\xbb\xbf" * (n == number) + row for n, row in enumerate(rows)]
        (tmp_path / "marked.csv").write_bytes(b"".join([header, *marked]))
        assert run(models, tmp_path / "marked.csv", tmp_path / f"out{number}").bad == 1


def test_fields_of_any_size(models: Path, tmp_path: Path) -> None:
    table = golden_table(models, PRICES, 3).append_column("note", pa.array(["x" * 200_000] * 3))
    path = Path(write(table, tmp_path / "in.csv"))
    assert run(models, path, tmp_path / "whole").bad == 0
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "1,2", lines[3]]))
    scored = run(models, path, tmp_path / "out")
    assert (scored.rows, scored.problems) == (
        3, ("'in.csv', line 3: expected 12 fields, got 2",)
    )  # fmt: skip
    assert python_csv.field_size_limit() == 131072
