"""Rows of a table that are none: sums of those above, as spreadsheets and reports end with."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.progress import Report
from onnxlet.convert.tables.places import Places, placed
from onnxlet.convert.tables.units import bare, is_gap, parted, unit_in
from onnxlet.function.arrays import Array
from onnxlet.function.csv.layout import decimal_in
from onnxlet.function.csv.numbers import written_number

HINT = re.compile("[Σ∑]|sum|som|tot|gesam|ergeb|durchs|mittelw|avera", re.I)  # which is fast
WORD = re.compile(
    r"[Σ∑].*|(.*\s)?((zwischen|gesamt|end|teil)?summen?|(gesamt|zwischen|end)?ergebnis"
    r"|gesamt(betrag)?|insgesamt|(grand |sub-?)?totals?|sum|somme|suma|totale|totaal|durchschnitt"
    r"|mittelwert|average)\b\W*.{0,40}",
    re.I,
)
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
    within: Array  # of others that say so, which stay


def is_word(text: Any) -> bool:
    """Whether a cell says that its row has totals, such as Summe, Total Nord or Berlin Ergebnis."""
    if not isinstance(text, str) or len(text) > LONGEST or not HINT.search(text):
        return False
    return WORD.fullmatch(text.strip()) is not None


def totals_in(frame: pd.DataFrame, whole: bool = True) -> Totals:
    """The rows of totals of a table in its order; only with all of its rows `whole` can be summed.

    A word for it is the only text of such a row, and it lacks other texts that nearly all rows
    have; or its numbers are the sums of those above. Where neither is sure, it is a row.
    """
    held = np.flatnonzero(frame.tail(TAIL).notna().to_numpy().any(axis=1))
    blank = min(len(frame), TAIL) - (held[-1] + 1 if len(held) else 0)
    if blank:  # rows of separators only end what spreadsheets save
        frame = frame.iloc[: len(frame) - blank]
    texts, lacking = _lacking(frame, texts=True), _lacking(frame, texts=False)
    said = _said(frame, texts)
    sure = said & texts
    end = len(frame)
    while end > max(FEWEST, len(frame) - MOST) and (
        sure[end - 1] or (whole and _are_sums(frame.iloc[:end], said[end - 1], lacking[end - 1]))
    ):
        end -= 1
    return Totals(np.arange(end, len(frame)), np.flatnonzero(sure[:end]))


def _lacking(frame: pd.DataFrame, texts: bool) -> Array:
    """Rows without a value, bool (rows,), in a column (of texts or dates) that is nearly filled."""
    found = np.zeros(len(frame), bool)
    for _, column in frame.items():
        gaps = column.isna().to_numpy()
        if gaps.any() and gaps.mean() <= 1 - FILLED and not (texts and _is_of_numbers(column)):
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
        texts = [cell for cell in frame.iloc[row] if isinstance(cell, str) and not is_gap(cell)]
        found[row] = sum(parted(text) is None for text in texts) == 1
    return found


def _are_words(column: pd.Series[Any]) -> Array:
    return np.fromiter(map(is_word, column.astype(object)), bool, len(column))


def _are_sums(frame: pd.DataFrame, said: bool, lacks: bool) -> bool:
    """Whether the numbers of the last row are the sums of those above it.

    Of a row that a word marks one is enough; else it has no text, and all of them are, two at
    least, or one where the row lacks what nearly all have.
    """
    sums = 0
    if not said and any(isinstance(c, str) and not _is_number(c) for c in frame.iloc[-1]):
        return False
    for at, cell in enumerate(frame.iloc[-1]):
        if not _is_number(cell):
            continue
        if _is_sum(frame.iloc[:, at]):
            sums += 1
        elif not said:
            return False
    return sums >= (1 if said or lacks else 2)


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return parted(cell) is not None
    return isinstance(cell, int | float | np.number) and cell == cell


def _is_sum(column: pd.Series[Any]) -> bool:
    """Whether the last of these is the sum of the others, to a unit of what they are rounded to."""
    values = _values(column)
    above = values[:-1][np.isfinite(values[:-1])]
    if np.count_nonzero(above) < FEWEST or not np.isfinite(values[-1]):
        return False
    total = above.sum()
    near = 0.005 * len(above) if (above != np.round(above)).any() else 0.0
    return bool(abs(values[-1] - total) <= min(near, 1e-3 * abs(total)) + 1e-9 * abs(total))


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
    kept = np.delete(np.arange(len(frame)), found.last)
    return frame.iloc[kept].reset_index(drop=True).apply(_typed), places.at(kept)


def totals_below(rows: Any) -> dict[int, str]:
    """Rows of totals that end an Arrow table of texts and have a word for it, and what they are."""
    start = max(0, rows.num_rows - TAIL)
    end = pd.DataFrame(rows.slice(start).to_pydict(), dtype=object)
    if not any(map(is_word, end.to_numpy().ravel())):
        return {}
    frame = pd.DataFrame(rows.to_pydict(), dtype=object)
    frame = frame.mask(frame == "")
    last = totals_in(frame).last
    return {int(at): f"it is {_called(frame, np.array([at]))}" for at in last}


def _called(frame: pd.DataFrame, rows: Array) -> str:
    cells = frame.iloc[rows].to_numpy().ravel()
    words = {str(cell).strip() for cell in cells if is_word(cell)}
    named = f" ('{sorted(words)[0]:.40}')" if words else ", whose numbers are sums"
    return f"{'a row' if len(rows) == 1 else 'rows'} of totals{named}"


def _typed(column: pd.Series[Any]) -> pd.Series[Any]:
    """Text of plain numbers only as numbers; codes with leading zeros stay."""
    known = column.dropna()
    if column.dtype.kind != "O" or not known.map(lambda each: isinstance(each, str)).all():
        return column
    if not known.str.fullmatch(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?").all() or known.empty:
        return column
    return pd.to_numeric(column)
