"""What is worth saying of a CSV file before its rows are read, or stops what reads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import IO

from onnxlet.convert.tables.limits import Limits
from onnxlet.function.csv.encodings import BLOCK, WINDOWS
from onnxlet.function.csv.form import CsvForm, text_of
from onnxlet.function.csv.layout import NUMBERS, Layout, columns_of, decimal_in, is_value
from onnxlet.function.csv.lines import limited_rows
from onnxlet.function.csv.text import COMMON_SEPARATORS

SEPARATORS = {**COMMON_SEPARATORS, "^": "'^'", "~": "'~'", ":": "':'", " ": "spaces"}
GUESSED = " (Windows' Western letters; is a name wrong, save it in UTF-8)"
SHOWN_NAMES = 3
GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}")  # or a number of three decimals


def notes(form: CsvForm, name: str) -> list[str]:
    """What a user has to know of how a file of this name is read; nothing of a plain one."""
    notes = [f"'{name}' is read as it is {said}"] if (said := _said(form)) else []
    if form.layout.first_unnamed:
        notes.append(
            f"'{name}' has a field more in its rows than in its header: the first of each row "
            "is left out"
        )
    if is_headerless(form.layout):
        first = ", ".join(map(repr, form.names[:SHOWN_NAMES]))
        notes.append(
            f"'{name}' seems to have no header: {first:.200} are taken for names of columns, "
            "and look like a row. Put a line of names above it"
        )
    return notes


def _said(form: CsvForm) -> str:
    """What it is written in, where that is not UTF-8, commas and points; else ''."""
    separator, skip = form.layout.separator, form.layout.skip
    said = {
        f"in {form.encoding}" + GUESSED * (form.encoding == WINDOWS): form.encoding != "utf-8",
        f"separated by {SEPARATORS.get(separator, repr(separator))}": separator != ",",
        "with decimal commas": form.decimal == ",",
        f"with its header in line {skip + 1}": skip,
        "with its header again among its rows": form.repeats,
    }
    return ", ".join(words for words, holds in said.items() if holds)


def is_headerless(layout: Layout) -> bool:
    """Whether what stands for names is what stands below them: in each column of its kind."""
    every = columns_of(layout.names, layout.rows)
    columns = [(name.strip(), cells) for name, cells in every if cells]
    valued = [name for name, cells in columns if all(map(is_value, cells))]
    if valued:
        return all(map(is_value, filter(None, valued))) and not _count_up(layout.names)
    return bool(columns) and all(name in cells for name, cells in columns)


def _count_up(names: Sequence[str]) -> bool:
    """Numbers one after another, such as years, are names where all others are no numbers, too."""
    numbers = [int(name) for name in names if name.strip().isdecimal()]
    return len(numbers) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def grouped(form: CsvForm, chosen: str) -> list[str]:
    """Columns of numbers in which points part thousands, as only others, or `chosen`, say.

    Raises WrongUse where nothing says whether they do.
    """
    found = []
    for name, cells in form.columns():
        numbers = all(map(NUMBERS.fullmatch, cells)) and any(map(GROUPED.fullmatch, cells))
        if numbers and not decimal_in(cells) and form.decimal_below(name, cells, chosen) == ",":
            found.append(name)
    return found


def check_rows(opened: Callable[[], IO[bytes]], place: str, limits: Limits) -> None:
    """Read all rows of a plain file in which one could be too long: lines are limited as they are.

    One that is, within quotes, raises WrongUse.
    """
    size, quotes = 0, False
    with opened() as file:
        while block := file.read(BLOCK):
            size, quotes = size + len(block), quotes or b'"' in block
    if size <= limits.row or not quotes:
        return
    with opened() as file, text_of(file) as text:
        for _ in limited_rows(
            text, limits.row, lambda line: limits.too_long(f"{place}, line {line}: ")
        ):
            pass
