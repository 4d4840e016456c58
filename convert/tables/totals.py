"""Rows of a table that are none: sums of those above, as spreadsheets and reports end with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.progress import Report
from onnxlet.convert.tables.places import Places, placed
from onnxlet.convert.tables.units import bare, is_gap, parted, unit_in
from onnxlet.function.arrays import Array
from onnxlet.function.csv.layout import decimal_in
from onnxlet.function.csv.numbers import written_number

MEAN = r"durchschnitt|mittelwert|averages?"
# A row's first word; of others one may follow, as in Total Nord. More is a sentence or a name.
WORD = re.compile(
    r"(?:[Σ∑]|(?:(?:zwischen|gesamt|end|teil)?summen?|(?:gesamt|zwischen|end)?ergebnis"
    r"|gesamt(?:betrag)?|insgesamt|(?:grand |sub-?)?totals?|sum|somme|suma|totale|totaal"
    rf"|{MEAN})\b)(?:\W+\w{{1,20}})?\W*",
    re.I,
)
IS_MEAN = re.compile(rf"(?:{MEAN})\b", re.I)
MOST = 5  # rows of totals at the end
TAIL = 100  # rows at the end, among which may be blank ones
FILLED = 0.9  # of a column's rows, for a row without a value to stand out
FEW = 0.05  # of the rows: a word that more have is a value like others
LOOKED_AT = 20  # cells, by which a column is one of numbers
FEWEST = 10  # numbers that are summed: of fewer a sum may come by chance
LONGEST = 80  # characters of such a word


class Totals(NamedTuple):
    """What is to be said of a table's rows of totals."""

    last: Array  # positions of those at the end, int64, which are left out
    within: Array  # of others that say so, also at the end, which stay


def is_word(text: Any) -> bool:
    """Whether a cell says that its row has totals, such as Summe, Gesamtsumme: or Total Nord."""
    if not isinstance(text, str) or len(text) > LONGEST:
        return False
    return WORD.fullmatch(text.strip()) is not None


def totals_in(frame: pd.DataFrame, whole: bool = True) -> Totals:
    """The rows of totals of a table in its order; only with all of its rows `whole` can be summed.

    The last rows are such where all of their numbers are the sums of those above, or the means
    where a word says so: one at least in a row whose only text is a word for it, two in a row that
    lacks texts which nearly all rows have. Where that is not sure, it is a row.
    """
    held = np.flatnonzero(frame.tail(TAIL).notna().to_numpy().any(axis=1))
    blank = min(len(frame), TAIL) - (held[-1] + 1 if len(held) else 0)
    if blank:  # rows of separators only end what spreadsheets save
        frame = frame.iloc[: len(frame) - blank]
    lacking = _lacking(frame)
    said = _said(frame, lacking)
    plain = ~(said & lacking)  # others count in no sum
    within = np.flatnonzero(~plain)
    end, start = len(frame), len(frame)
    while start > max(FEWEST, end - MOST) and (said[start - 1] or lacking[start - 1]):
        start -= 1
    values = cache(lambda at: _values(frame.iloc[:, at]))
    while whole and start < end:
        above, rows = plain[:start], range(start, end)
        if all(_are_sums(frame, row, above, said[row], values) for row in rows):
            return Totals(np.arange(start, end), within[within < start])
        start += 1
    return Totals(np.arange(end, end), within)


def _lacking(frame: pd.DataFrame) -> Array:
    """Rows without a value, bool (rows,), in a column of texts or dates that is nearly filled."""
    found = np.zeros(len(frame), bool)
    for _, column in frame.items():
        gaps = column.isna().to_numpy()
        if gaps.any() and gaps.mean() <= 1 - FILLED and not _is_of_numbers(column):
            found |= gaps
    return found


def _is_of_numbers(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iufbc" or all(map(_is_number, column.dropna().head(LOOKED_AT)))


def _said(frame: pd.DataFrame, lacking: Array) -> Array:
    """Whether each row's only text, bool (rows,), is a word for totals that few rows have.

    Rows that lack nothing are not looked at, but for the last ones.
    """
    found, looked = np.zeros(len(frame), bool), lacking.copy()
    looked[-MOST:] = True
    rows = np.flatnonzero(looked)
    for _, column in frame.items():
        if column.dtype.kind in "iufbcmM":
            continue
        words = rows[_are_words(column.iloc[rows])]
        if len(words) and _are_words(column).sum() <= max(1, FEW * len(frame)):
            found[words] = True
    for row in np.flatnonzero(found):
        found[row] = len(_texts(frame.iloc[row])) == 1
    return found


def _are_words(column: pd.Series[Any]) -> Array:
    return np.fromiter(map(is_word, column.astype(object)), bool, len(column))


def _texts(row: Iterable[Any]) -> list[str]:
    """The cells of a row that are text, and no numbers."""
    return [c for c in row if isinstance(c, str) and not is_gap(c) and parted(c) is None]


def _are_sums(
    frame: pd.DataFrame, row: int, plain: Array, said: bool, values: Callable[[int], Array]
) -> bool:
    """Whether all numbers of a row are the sums (or means) of the first that are plain rows."""
    cells = list(frame.iloc[row])
    texts = _texts(cells)
    if texts and not said:
        return False
    is_mean = bool(texts and IS_MEAN.match(texts[0].strip()))
    sums = 0
    for at, cell in enumerate(cells):
        if not _is_number(cell):
            continue
        above = values(at)[: len(plain)][plain]
        above = above[np.isfinite(above)]
        if not len(above) or not _is_total(values(at)[row], above, is_mean):
            return False
        sums += int(np.count_nonzero(above) >= FEWEST)
    return sums >= (1 if said else 2)


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return parted(cell) is not None
    return isinstance(cell, int | float | np.number) and cell == cell


def _is_total(value: float, above: Array, is_mean: bool) -> bool:
    """It is the sum or mean of those above, to a unit of what they are rounded to."""
    total = above.mean() if is_mean else above.sum()
    near = 0.005 * len(above) if (above != np.round(above)).any() else 0.0
    near = 0.005 if is_mean else near
    most = min(near, 1e-3 * abs(total)) + 1e-9 * abs(total)
    return bool(np.isfinite(total) and abs(value - total) <= most)


def _values(column: pd.Series[Any]) -> Array:
    """The numbers of a column as float64, also of text; NaN where there is none."""
    if column.dtype.kind in "iufb":
        return column.to_numpy(np.float64, na_value=np.nan)
    codes, uniques = pd.factorize(column.astype(str))
    unit = unit_in([str(text) for text in uniques])
    texts = [bare(str(text), unit) for text in uniques]
    comma = decimal_in([text.strip("-") for text in texts]) == ","
    read = [written_number(text, comma) for text in texts]
    found = np.array([np.nan if isinstance(each, str) else each for each in read], np.float64)
    return found[codes]


def without_totals(
    frame: pd.DataFrame, places: Places, whole: bool, note: Report
) -> tuple[pd.DataFrame, Places]:
    """A table without its rows of totals at the end, which are noted, and others within, too.

    Columns that are text for their sake only are numbers again.
    """
    found = totals_in(frame, whole)
    if len(found.within):
        note(
            f"{placed(places, found.within)} may be {_called(frame, found.within)}: taken as "
            "rows. Leave them out of the file if they are none"
        )
    if not len(found.last):
        return frame, places
    verb = "is" if len(found.last) == 1 else "are"
    said = f"{_called(frame, found.last)}, and left out"
    note(f"{placed(places, found.last)} {verb} taken for {said}")
    dropped = frame.iloc[found.last]
    kept = np.delete(np.arange(len(frame)), found.last)
    frame = frame.iloc[kept].reset_index(drop=True)
    return frame.apply(lambda column: _typed(column, dropped[column.name])), places.at(kept)


def word_below(text: str, separator: str) -> str:
    """A word for totals in the last line of a text of CSV, whose row lacks a value; else ''."""
    line = next((line for line in reversed(text.splitlines()) if line.strip(separator + '" ')), "")
    cells = [cell.strip('" ') for cell in line.split(separator)]
    return "" if all(cells) else next(filter(is_word, cells), "")


def _called(frame: pd.DataFrame, rows: Array) -> str:
    cells = frame.iloc[rows].to_numpy().ravel()
    words = {str(cell).strip() for cell in cells if is_word(cell)}
    named = f" ('{sorted(words)[0]:.40}')" if words else ", whose numbers are sums"
    return f"{'a row' if len(rows) == 1 else 'rows'} of totals{named}"


def _typed(column: pd.Series[Any], dropped: pd.Series[Any]) -> pd.Series[Any]:
    """Plain numbers that were text beside a word as numbers; codes with leading zeros stay."""
    if not pd.api.types.is_string_dtype(column.dtype) or not _texts(dropped):
        return column
    known = column.dropna()
    if known.empty or not known.map(lambda each: isinstance(each, str)).all():
        return column
    if not known.str.fullmatch(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?").all():
        return column
    return pd.to_numeric(column)
