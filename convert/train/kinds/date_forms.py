"""The form of dates that a table holds: as text, or in a type of pandas' own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from onnxlet.convert.estimators.date_parts import days_since
from onnxlet.convert.reference.dates import forms
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.dates import read

LOOKED_AT = 500  # different texts
FIRST = 20  # of them, whose forms are tried on all
HAS_DIGIT = re.compile(r"[0-9]")
DAY = "%Y-%m-%d"
SECOND = "%Y-%m-%dT%H:%M:%S"
DATES = ("datetime", "date", "datetime64")  # as pandas infers


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
