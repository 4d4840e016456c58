"""Files as spreadsheets and people write them are scored as the same rows in plain CSV."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from onnxlet.convert.score import running
from onnxlet.convert.score.tasks import Options
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import WrongUse
from tests.convert.score.tables import golden_table
from tests.convert.tables.xlsx import xlsx
from tests.kept_builds import kept_builds

PRICES = "house-prices"
AREA = "Lot_Area"
ROWS = 40


def rows_of(models: Path) -> list[list[str]]:
    table = golden_table(models, PRICES, ROWS)
    cells = [["" if c is None else str(c) for c in column.to_pylist()] for column in table.columns]
    return [table.schema.names, *map(list, zip(*cells, strict=True))]


def german(rows: list[list[str]]) -> list[list[str]]:
    """Areas as 1.335,00 and the like; years and other columns stay."""
    at = rows[0].index(AREA)
    points = str.maketrans(",.", ".,")
    return [
        [f"{float(c):,.2f}".translate(points) if n == at and line else c for n, c in enumerate(row)]
        for line, row in enumerate(rows)
    ]


def text(rows: list[list[str]], separator: str = ",") -> str:
    written = io.StringIO()
    csv.writer(written, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return written.getvalue()


def typed(row: list[str]) -> list[Any]:
    """Numbers as a spreadsheet holds them."""
    return [float(c) if c.replace(".", "", 1).isdigit() else c or None for c in row]


def in_json(rows: list[list[str]]) -> bytes:
    return json.dumps([dict(zip(rows[0], typed(row), strict=True)) for row in rows[1:]]).encode()


Written = Callable[[list[list[str]]], bytes]
FORMS: dict[str, tuple[str, Written]] = {
    "a German export": ("rows.csv", lambda r: text(german(r), ";").encode("cp1252")),
    "Excel's Unicode text": ("rows.tsv", lambda r: text(german(r), "\t").encode("utf-16")),
    "packed": ("rows.csv.gz", lambda r: gzip.compress(text(german(r), ";").encode())),
    "a title": ("rows.csv", lambda r: f"Häuser\r\n\r\n{text(r)}".encode()),
    "Excel's line": ("rows.csv", lambda r: f"sep=|\r\n{text(r, '|')}".encode()),
    "its header again": ("rows.csv", lambda r: f"{text(r[:20])}{text([r[0], *r[20:]])}".encode()),
    "commas and decimal commas": ("rows.csv", lambda r: text(german(r)).encode()),
    "a workbook": ("rows.xlsx", lambda r: xlsx({"Häuser": [["Häuser"], [], *map(typed, r)]})),
    "JSON": ("rows.json", lambda r: in_json(r)),
    "a separator at the end": ("rows.csv", lambda r: text(r, ";").replace("\r", ";\r").encode()),
}


def score(models: Path, source: Path, out: Path, **options: object) -> list[str]:
    chosen = Options(keep=("id",), **options)  # type: ignore[arg-type] # a test's own
    running.score(PRICES, str(source), str(out), chosen, models=models, workers=1)
    written = out.read_text("utf-8-sig")
    separator = re.sub('[a-z"]', "", written.splitlines()[0])[:1] or ","
    read = csv.reader(io.StringIO(written), delimiter=separator)
    return [",".join(cell.replace(",", ".") for cell in row) for row in read]


@pytest.mark.parametrize("form", FORMS)
def test_the_answers_are_those_of_plain_csv(form: str, models: Path, tmp_path: Path) -> None:
    rows = rows_of(models)
    (tmp_path / "plain.csv").write_text(text(rows))
    name, written = FORMS[form]
    (tmp_path / name).write_bytes(written(rows))

    expected = score(models, tmp_path / "plain.csv", tmp_path / "expected.csv")
    assert score(models, tmp_path / name, tmp_path / "out.csv") == expected
    assert len(expected) == ROWS + 1
    assert not [line for line in expected if line.endswith(",")]


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_answers_are_written_as_what_they_answer(
    separator: str, models: Path, tmp_path: Path
) -> None:
    rows = [[cell.removesuffix(".0") for cell in row] for row in german(rows_of(models))]
    (tmp_path / "in.csv").write_bytes(text(rows, separator).encode("cp1252"))
    expected = score(models, tmp_path / "in.csv", tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_bytes().decode("utf-8-sig").splitlines()
    assert lines[0] == f'"id"{separator}"prediction"'
    number = expected[1].split(",")[1].replace(".", ",")
    assert lines[1] == f'"0"{separator}"{number}"'
    frame = pd.read_csv(tmp_path / "out.csv", sep=separator, decimal=",")
    numbers = [float(each.split(",")[1]) for each in expected[1:]]
    # An older pandas reads the last digit otherwise.
    assert frame["prediction"].tolist() == pytest.approx(numbers, rel=1e-15)


def test_a_point_that_may_part_thousands_is_asked_about(models: Path, tmp_path: Path) -> None:
    rows = rows_of(models)
    at = rows[0].index(AREA)
    for row in rows[1:]:
        row[at] = f"{1000 + int(row[at]) % 9000:,}".replace(",", ".")
        row[:] = [cell.removesuffix(".0") for cell in row]  # nor do others say
    (tmp_path / "in.csv").write_text(text(rows, ";"))

    with pytest.raises(WrongUse) as caught:
        score(models, tmp_path / "in.csv", tmp_path / "out.csv")
    first = rows[1][at]
    said = f"column '{AREA}': '{first}' may be {first.replace('.', '')} or {first}"
    assert said in caught.value.message
    assert "--decimal point, or --decimal comma" in caught.value.message

    for row in rows[1:]:
        row[at] = row[at].replace(".", "")
    (tmp_path / "plain.csv").write_text(text(rows))
    expected = score(models, tmp_path / "plain.csv", tmp_path / "expected.csv")
    assert score(models, tmp_path / "in.csv", tmp_path / "out.csv", decimal="comma") == expected


def test_a_row_that_is_wrong_is_named_by_its_own_line(models: Path, tmp_path: Path) -> None:
    rows = german(rows_of(models))
    rows[3][rows[0].index(AREA)] = "1,5,0"
    (tmp_path / "in.csv").write_bytes(("Häuser\r\n\r\n" + text(rows, ";")).encode("cp1252"))
    lines = score(models, tmp_path / "in.csv", tmp_path / "out.csv", on_error="side")
    assert len(lines) == ROWS
    [_, bad] = (tmp_path / "_bad_out.csv").read_text().splitlines()
    assert bad.startswith('"in.csv";6;')
    assert "expected a whole number, got '1,5,0'" in bad


def test_how_a_file_is_read_is_reported(models: Path, tmp_path: Path) -> None:
    rows = rows_of(models)
    lines: list[str] = []
    for name, written in (("plain.csv", text(rows)), ("in.csv", text(german(rows), ";"))):
        (tmp_path / name).write_text(written)
        out = str(tmp_path / f"out-{name}")
        running.score(
            PRICES, str(tmp_path / name), out, Options(), models=models, report=lines.append
        )
    assert [line for line in lines if line.startswith("note")] == [
        "note: 'in.csv' is read as it is separated by ';'"
    ]


def test_what_is_right_is_read_as_it_is_written(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Fläche": np.arange(20.0), "Baujahr": np.arange(20.0) % 7})
    price = frame["Fläche"] * 1000 + 1
    source = Source(LinearRegression().fit(frame, price), frame, price, target="Preis")
    models = kept_builds({"haus": source}, tmp_path / "models")
    points = str.maketrans(",.", ".,")
    rows = [["Fläche", "Baujahr", "Preis"]]
    rows += [[f"{n},5", "3", f"{n * 1000 + 511:,.2f} €".translate(points)] for n in range(20)]
    (tmp_path / "in.csv").write_bytes(text(rows, ";").encode("cp1252"))

    scored = running.score(
        "haus", str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), Options(), models=models
    )
    assert scored.compared == 20
    assert scored.scores["mean_absolute_error"] == pytest.approx(10, abs=1e-6)


def test_what_training_found_decides_what_a_file_leaves_open(tmp_path: Path) -> None:
    frame = pd.DataFrame({"Fläche": np.arange(20.0) * 1000, "Baujahr": np.arange(20.0) % 7})
    price = frame["Fläche"] * 2
    model = LinearRegression().fit(frame, price)
    (tmp_path / "in.csv").write_text("Fläche;Baujahr\n1.335;3\n2.480;4\n")
    for decimal, first in (("comma", 2670.0), ("point", 2.67)):
        source = Source(model, frame, price, target="Preis", decimal=decimal)
        models = kept_builds({decimal: source}, tmp_path / "models")
        out = tmp_path / f"{decimal}.csv"
        running.score(decimal, str(tmp_path / "in.csv"), str(out), Options(), models=models)
        found = pd.read_csv(out, sep=";", decimal="," if decimal == "comma" else ".")
        assert found["prediction"][0] == pytest.approx(first)
