"""A sheet of a workbook (.xlsx, .xlsb, .xls, .ods) as plain CSV: its first table, or some cells.

What comes of it is read as any other file of CSV, so that titles above a header are passed over.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from datetime import date, datetime, time
from functools import lru_cache
from itertools import groupby
from typing import IO, Any, NamedTuple

from onnxlet.convert.errors import shortened
from onnxlet.convert.problems import close_to, listed
from onnxlet.convert.tables.limits import LIMITS, Limits
from onnxlet.function.errors import WrongUse

OLD = b"\xd0\xcf\x11\xe0"  # how a workbook of an old Excel begins
PACKED = b"PK\x03\x04"  # and any other
INSIDE = ("[Content_Types].xml", "mimetype")  # a file that such a zip has, and others have not
WHERE = re.compile(r"(?:(?P<sheet>.+?)!)?\$?(?P<from>[A-Z]{1,3})\$?(?P<top>[0-9]{1,7})"
                   r":\$?(?P<to>[A-Z]{1,3})\$?(?P<bottom>[0-9]{1,7})")  # fmt: skip
BLOCK = 1 << 20
WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")  # what names of workbooks end with
HINT = "--sheet 'Sheet2' names another, and --sheet 'Sheet2!B3:F200' some of its cells."


class Taken(NamedTuple):
    """What was taken of a workbook."""

    content: bytes  # plain CSV
    where: str  # in words, such as "the sheet 'Sales', rows 3 to 200"
    top: int  # the sheet's row, from 1, that is the first of the content


def is_workbook(file: IO[bytes]) -> bool:
    """Whether a file is a workbook, by its first bytes and the names inside."""
    start = file.read(len(OLD))
    if start != PACKED:
        return start == OLD
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            return not {*INSIDE}.isdisjoint(archive.namelist())
    except zipfile.BadZipFile:
        return False


@lru_cache(maxsize=1)  # it is opened a few times in a row
def taken_from(content: bytes, sheet: str, place: str, limits: Limits = LIMITS) -> Taken:
    """A table of a workbook: `sheet` names the sheet, or cells of it as "Sheet2!B3:F200".

    By itself it is the first sheet, and of it the first rows that have two cells or more and no
    blank row between. Messages begin with a place, such as "DATA: 'rows.xlsx'".

    Raises:
        WrongUse: it can't be read, or unpacks to too much; there is no such sheet, or nothing in
            it.
    """
    from python_calamine import CalamineError, CalamineWorkbook  # only workbooks need it

    _check_size(content, place, limits)
    name, cells = _named(sheet)
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        names = list(workbook.sheet_names)
        name = name or (names[0] if names else "")
        if name not in names:
            raise WrongUse(
                f"{place}: there is no sheet '{name}'. {close_to(name, names)}",
                f"It has {listed(names)}. {HINT}",
            )
        sheet_there = workbook.get_sheet_by_name(name)
        rows = sheet_there.to_python(skip_empty_area=False)
    except CalamineError as error:
        raise WrongUse(
            f"{place}: the workbook can't be read: {shortened(error)}",
            "Is it whole, and without a password?",
        ) from error
    merged = _fill_merged(rows, sheet_there.merged_cell_ranges or [])
    if cells is None:
        first, table = _first_table(rows)
    else:
        left, first, right, bottom = cells
        table = [row[left : right + 1] for row in rows[first:bottom]]
    if not table:
        raise WrongUse(f"{place}: the sheet '{name}' has no rows", HINT)
    written = io.StringIO()
    timed = [any(isinstance(row[n], datetime) for row in table) for n in range(len(table[0]))]
    texts = ([_text(cell, timed[n]) for n, cell in enumerate(row)] for row in table)
    csv.writer(written, lineterminator="\n").writerows(texts)
    top = first + 1
    where = f"the sheet '{name}', rows {top} to {top + len(table) - 1}"
    if merged:
        where += f"; {merged:,} cells that are merged with one above have its value"
    if any(isinstance(cell, bool | date) for row in table for cell in row):
        where += "; save rows to be answered as a workbook, too: in CSV dates and booleans differ"
    if len(names) > 1:
        where += f"; others are {listed([other for other in names if other != name])}"
    return Taken(written.getvalue().encode(), where, top)


def _check_size(content: bytes, place: str, limits: Limits) -> None:
    """Unpack each file of a workbook, a block at a time, and refuse what was packed to harm.

    The sizes that a zip states are its writer's word.
    """
    if not content.startswith(PACKED):
        return
    size = 0
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for each in archive.infolist():
                at = each.header_offset
                at += 30 + sum(
                    int.from_bytes(content[at + n : at + n + 2], "little") for n in (26, 28)
                )
                unpacker, left = zlib.decompressobj(-15), content[at : at + each.compress_size]
                if each.compress_type != zipfile.ZIP_DEFLATED:
                    size, left = size + len(left), b""
                while left:
                    size += len(unpacker.decompress(left, BLOCK))
                    left = unpacker.unconsumed_tail
                    limits.check_unpacked(size, len(content), f"{place}: ")
    except (zipfile.BadZipFile, zlib.error) as error:
        raise WrongUse(f"{place}: the workbook can't be read: {error}", "Is it whole?") from error


def _named(sheet: str) -> tuple[str, tuple[int, int, int, int] | None]:
    """The name of a sheet, and the first and last column and row of its cells."""
    found = WHERE.fullmatch(sheet)
    if not found:
        return sheet.removesuffix("!"), None
    left, right = (_column(found[name]) for name in ("from", "to"))
    cells = (left, int(found["top"]) - 1, right, int(found["bottom"]))
    return (found["sheet"] or "").strip("'"), cells


def _column(letters: str) -> int:
    """The index of a column, A is 0."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - ord("A") + 1
    return index - 1


def _fill_merged(rows: list[list[Any]], ranges: Sequence[Any]) -> int:
    """Give each cell the value of the one above that it is merged with; how many there are."""
    filled, most = 0, sum(map(len, rows))  # of ranges that overlap, as no program writes them
    width = max(map(len, rows), default=0)
    for (top, left), (bottom, _) in ranges:
        if left >= width:
            continue
        below = rows[top + 1 : bottom + 1]
        filled += len(below)
        if filled > most:
            break
        for row in below:
            row[left] = rows[top][left]
    return filled


def _first_table(rows: Sequence[list[Any]]) -> tuple[int, list[list[Any]]]:
    """Its first row's index, and its rows without blank columns around."""
    at, found = 0, list[tuple[int, list[list[Any]]]]()
    for filled, group in groupby(rows, lambda row: any(cell != "" for cell in row)):
        some = list(group)
        if filled:
            found.append((at, some))
        at += len(some)
    wide = [each for each in found if len(each[1]) > 1 and _width(each[1]) > 1]
    start, table = (wide or found or [(0, [])])[0]
    used = [n for n in range(len(table[0]) if table else 0) if any(row[n] != "" for row in table)]
    if not used:
        return start, []
    end = next((n for n in range(used[0], used[-1] + 1) if n not in used), used[-1] + 1)
    return start, [row[used[0] : end] for row in table]


def _width(table: Sequence[list[Any]]) -> int:
    return max(len([cell for cell in row if cell != ""]) for row in table)


def _text(cell: Any, timed: bool) -> str:
    """A cell as plain CSV has it; a date with a time where others of its column have one."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 2**53 else repr(cell)
    if isinstance(cell, date) and timed:
        moment = cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)
        return moment.isoformat(timespec="seconds")
    return str(cell.isoformat() if isinstance(cell, date | time) else cell)
