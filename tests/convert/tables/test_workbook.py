"""Workbooks are read as CSV of their first table, or of the cells that are asked for."""

from __future__ import annotations

import time
import zipfile
from datetime import date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.tables.held_out import read_table_file
from onnxlet.convert.tables.limits import LIMITS
from onnxlet.convert.tables.rows_file import HowRead
from onnxlet.convert.tables.workbook import _fill_merged
from onnxlet.convert.train.table import read_table
from onnxlet.function.errors import WrongUse
from tests.convert.tables.xlsx import xlsx
from tests.function.csv.known import HEADER, ROWS

FILES = sorted(Path(__file__).with_name("files").iterdir())
TABLE: list[list[Any]] = [["a", "b"], [1.0, "x"], [2.5, "y"]]


def read(tmp_path: Path, content: bytes, sheet: str = "") -> tuple[list[list[Any]], list[str]]:
    (tmp_path / "book.xlsx").write_bytes(content)
    found = read_table(str(tmp_path / "book.xlsx"), 0, how=HowRead(sheet))
    names = list(found.frame.columns)
    return [names, *found.frame.to_numpy().tolist()], found.notes


def refused(tmp_path: Path, content: bytes, sheet: str = "") -> WrongUse:
    with pytest.raises(WrongUse) as caught:
        read(tmp_path, content, sheet)
    return caught.value


def test_each_row_knows_its_row_of_the_sheet(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["Sales\nof 2026", None], [None, None], *TABLE[:2]]
    rows += [[2.5, "y\n\ny"], [3.0, "z"]]
    for sheet, top in (("", 3), ("S!A3:B6", 3), ("S!A1:B6", 1)):
        (tmp_path / "book.xlsx").write_bytes(xlsx({"S": rows}))
        found = read_table(str(tmp_path / "book.xlsx"), 0, how=HowRead(sheet))
        assert found.frame["a"].astype(float).tolist() == [1, 2.5, 3], (sheet, top)
        assert found.places.unit == "row of the sheet"
        assert found.places.numbers.tolist() == [4, 5, 6]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_libreoffice_wrote(path: Path) -> None:
    frame = read_table(str(path), 0).frame
    assert list(frame.columns) == list(HEADER)
    rows: list[list[Any]] = [list(row) for row in ROWS[1:]]
    rows[1][0], rows[4][0] = 'say "hi"; twice', None
    found = frame.astype(object).where(frame.notna(), None).to_numpy().tolist()
    assert found == rows
    assert read_table_file(path).shape == (6, 6)


def test_every_kind_of_cell(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["flag", "whole", "number", "day", "moment", "text", "gap"],
        [True, 3, 0.1, date(2024, 2, 29), datetime(2024, 1, 2, 3, 4, 5), "007", None],
        [False, -(2**40), 1e300, date(1999, 12, 31), datetime(1999, 1, 1), 'a,\n"b"', "x"],
    ]
    (_, first, second), _ = read(tmp_path, xlsx({"S": rows}))
    assert first[:6] == [True, 3, 0.1, "2024-02-29", "2024-01-02T03:04:05", "007"]
    assert second[:6] == [False, -(2**40), 1e300, "1999-12-31", "1999-01-01T00:00:00", 'a,\n"b"']


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        (TABLE, "rows 1 to 3"),
        ([[], [], *TABLE], "rows 3 to 5"),
        ([["Sales 2024"], [], *TABLE, [], ["Sum", 3.5], ["q", "r"]], "rows 3 to 5"),
        ([["Sales 2024", None], *TABLE], "rows 1 to 4"),
        ([[None, None, *row, None, "note"] for row in TABLE], "rows 1 to 3"),
    ],
)
def test_the_first_table_of_a_sheet(tmp_path: Path, rows: Any, where: str) -> None:
    found, notes = read(tmp_path, xlsx({"Umsätze": rows, "Other": [["no"]]}))
    assert found == TABLE
    assert notes[0] == (f"of 'book.xlsx' is read the sheet 'Umsätze', {where}; others are 'Other'")


def test_merged_cells_have_the_value_of_the_one_above(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["town", "n"],
        ["Ulm", 1],
        [None, 2],
        [None, 3],
        ["Bonn", 4],
        [None, 5],
    ]
    book = with_merged(xlsx({"S": rows}), "A2:A4", "A5:A6", "ZZ2:ZZ9", "A7:A1048576")
    found, notes = read(tmp_path, book)
    assert [row[0] for row in found[1:]] == ["Ulm"] * 3 + ["Bonn"] * 2
    assert "3 cells that are merged with one above have its value" in notes[0]


def test_ranges_that_overlap_or_lie_beside_the_table_end_soon() -> None:
    for left in (0, 3):
        rows: list[list[Any]] = [[number, 1, 2] for number in range(5_000)]
        started = time.process_time()
        _fill_merged(rows, [((0, left), (4_999, left))] * 100_000)
        assert time.process_time() - started < 2  # all of them take longer than ten
        assert rows[7][1:] == [1, 2]


def with_merged(book: bytes, *ranges: str) -> bytes:
    """A workbook of one sheet with merged cells."""
    made, cells = BytesIO(), "".join(f'<mergeCell ref="{each}"/>' for each in ranges)
    with zipfile.ZipFile(BytesIO(book)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            end = "</sheetData>"
            text = old.read(name).decode().replace(end, f"{end}<mergeCells>{cells}</mergeCells>")
            new.writestr(name, text)
    return made.getvalue()


@pytest.mark.parametrize("sheet", ["two", "two!", "two!C2:D4", "'two'!$C$2:$D$4"])
def test_another_sheet_and_some_of_its_cells(tmp_path: Path, sheet: str) -> None:
    second = [["x"] * 6, *([None, None, *row, None, 1] for row in TABLE)]
    if "$" not in sheet and "C2" not in sheet:
        second = TABLE
    found, _ = read(tmp_path, xlsx({"one": [["c"], [1]], "two": second}), sheet)
    assert found == TABLE


def test_what_is_no_table(tmp_path: Path) -> None:
    book = xlsx({"Sales": TABLE, "Empty": []})
    error = refused(tmp_path, book, "Sale")
    assert error.message == "DATA: 'book.xlsx': there is no sheet 'Sale'. Is it 'Sales'?"
    assert "'Sales' and 'Empty'" in error.hint or "'Sales', 'Empty'" in error.hint
    assert "the sheet 'Empty' has no rows" in refused(tmp_path, book, "Empty").message
    assert "the sheet 'Sales' has no rows" in refused(tmp_path, book, "Sales!F9:G12").message
    cut = refused(tmp_path, book[:400])
    assert "can't be read" in cut.message


def test_what_unpacks_to_much_is_refused_whatever_it_states(tmp_path: Path) -> None:
    packed = BytesIO(xlsx({"S": TABLE}))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/large.xml", bytes(1 << 24))
    content = packed.getvalue()
    size = (1 << 24).to_bytes(4, "little")
    small = LIMITS._replace(surely_fine=1 << 20)
    for lying in (content, content.replace(size, (9).to_bytes(4, "little"))):
        (tmp_path / "book.xlsx").write_bytes(lying)
        with pytest.raises(WrongUse, match="unpacked it has"):
            read_table(str(tmp_path / "book.xlsx"), 0, limits=small)
