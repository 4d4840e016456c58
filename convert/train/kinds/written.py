"""What a table holds as text: numbers (1,234.50, (250), 1.234,50 €, 76 m²), forms of dates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.dates import forms
from onnxlet.convert.estimators.date_parts import days_since
from onnxlet.convert.tables.csv_rows import CODE
from onnxlet.convert.tables.units import NO_VALUE, SIGN, Units, parted, units_of
from onnxlet.function.arrays import Array
from onnxlet.function.csv.numbers import GROUPED, SPACES, WRITTEN, number_in
from onnxlet.function.inputs.dates import read

DECIMAL_COMMA = re.compile(r"^[0-9]*,([0-9]{1,2}|[0-9]{4,})$|\.[0-9]{3},[0-9]+$")
PARSED = 0.95  # of the values, for text to be taken for numbers or dates
LOOKED_AT = 500  # different texts
FIRST = 20  # of them, whose forms are tried on all
HAS_DIGIT = re.compile(r"[0-9]")
DAY = "%Y-%m-%d"
SECOND = "%Y-%m-%dT%H:%M:%S"
DATES = ("datetime", "date", "datetime64")  # as pandas infers


class NumbersRead(NamedTuple):
    """Text that was read as numbers."""

    values: pd.Series[Any]  # float64 with the index of the text, NaN where it is no number
    said: str  # how they are written, such as "with '$' and thousands commas"; '' for plain ones
    numbers: int  # rows that hold a number
    gaps: int  # rows that hold what stands for no value, such as '?'
    unread: int  # rows that hold what is neither
    ambiguous: bool  # 1,234 may be 1.234
    # In which they are; numbers with one of the others are not read.
    units: Units = Units("")

    @property
    def share(self) -> float:
        """Of the rows with a value, those with a number, 0 to 1."""
        return self.numbers / max(self.numbers + self.unread, 1)

    @property
    def are_all(self) -> bool:
        """The column is one of numbers."""
        return self.share >= PARSED and self.numbers >= 2


def numbers_in(texts: pd.Series[Any], rows: Array | None = None) -> NumbersRead | None:
    """Read text, none of it missing, as numbers; each is in so many rows, in one without.

    None where they are codes with leading zeros, or none of them is a number.
    """
    codes, uniques = pd.factorize(texts)
    stripped = [str(text).strip() for text in uniques]
    counts = np.bincount(codes, rows, minlength=len(stripped))
    cells = [parted(text) for text in stripped]
    if any(cell and CODE.fullmatch(cell.number) for cell in cells):
        return None
    units = units_of(cells, counts)
    joined = {units.unit, "" if units.unit in SIGN else units.unit}
    cells = [cell if cell and cell.unit in joined else None for cell in cells]
    found = [WRITTEN.fullmatch(cell.number) if cell else None for cell in cells]
    digits = [match["digits"].translate(SPACES) for match in found if match]
    comma = any(DECIMAL_COMMA.search(one) for one in digits)
    grouped = not comma and any(GROUPED.fullmatch(one) for one in digits)
    read = np.array([number_in(match, comma) for match in found], dtype=np.float64)
    if np.isnan(read).all():
        return None
    gaps = np.array([text.casefold() in NO_VALUE for text in stripped])
    behind = any(cell.is_behind for cell in cells if cell)
    matches = [match for match, value in zip(found, read, strict=True) if match and value == value]
    return NumbersRead(
        pd.Series(read[codes], index=texts.index),
        _said(matches, units.written, comma, grouped, behind),
        int(counts[~np.isnan(read)].sum()),
        int(counts[np.isnan(read) & gaps].sum()),
        int(counts[np.isnan(read) & ~gaps].sum()),
        grouped and not any("." in one or one.count(",") > 1 for one in digits),
        units,
    )


def _said(matches: list[re.Match[str]], unit: str, comma: bool, grouped: bool, behind: bool) -> str:
    said = [f"'{unit}'"] if unit else []
    said += ["decimal commas"] if comma else []
    said += ["thousands commas"] if grouped else []
    said += ["brackets for negative ones"] if any(match["open"] for match in matches) else []
    said += ["minus signs behind"] if behind else []
    return f"with {' and '.join(said)}" if said else ""


def as_floats(column: pd.Series[Any]) -> Array:
    """Numbers of any type of pandas' as float64, NaN where one is missing."""
    if column.dtype == object:
        column = pd.to_numeric(column, errors="coerce")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


class DateForm(NamedTuple):
    """The form that dates have."""

    format: str  # for `strptime`
    share: float  # of the different texts that have it, 0 to 1
    other: str | None  # that as many of them have, such as the day first


def date_form(texts: Sequence[str]) -> DateForm | None:
    """The form that most of these different texts have; the first of them are looked at."""
    some = list(texts[:LOOKED_AT])
    if not some or not HAS_DIGIT.search(some[0] + some[-1]):
        return None
    spread = some[:: max(1, len(some) // FIRST)][:FIRST]
    tried = Counter(form for text in spread for form in forms([text]) if _is_of_a_date(form))
    if not tried:
        return None
    shares = {form: sum(read(text, form) is not None for text in some) for form in tried}
    best, *others = sorted(shares, key=lambda form: (-shares[form], not form.startswith("%Y")))
    other = next((form for form in others if shares[form] == shares[best]), None)
    return DateForm(best, shares[best] / len(some), other)


def _is_of_a_date(form: str) -> bool:
    return ("%Y" in form or "%y" in form) and bool(re.search("%[mbB]", form))


def form_of_moments(column: pd.Series[Any]) -> str:
    """The form in which a client writes the dates of pandas' own type."""
    moments = moments_of(column)
    zone = getattr(moments.dtype, "tz", None) is not None
    known = moments.dropna()
    if not zone and bool((known == known.dt.normalize()).all()):
        return DAY
    return f"{SECOND}%z" if zone else SECOND


def days(column: pd.Series[Any], form: str) -> Array:
    """Days since 1970 with fractions, float64; NaN for a missing one."""
    return days_since(pd.to_datetime(column, format=form, utc="%z" in form, errors="coerce"))


def is_of_dates(column: pd.Series[Any]) -> bool:
    """It holds dates in a type of their own, pandas' or Python's."""
    if column.dtype.kind == "M":
        return True
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in DATES


def moments_of(column: pd.Series[Any]) -> pd.Series[Any]:
    """Such dates in pandas' type."""
    if column.dtype.kind == "M":
        return pd.Series(column)
    moments: pd.Series[Any] = pd.to_datetime(column, errors="coerce")
    return moments
