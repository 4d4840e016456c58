"""Dates that a table holds: as text of one form, or in a type of pandas' own."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.estimators.date_parts import days_since
from onnxlet.convert.reference.dates import forms
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.dates import GREATEST, LEAST, read

LOOKED_AT = 500  # different texts
FIRST = 20  # of them, whose forms are tried on all
FIXED = re.compile(r"(%[YmdHMS]|[^%])+")  # of one length, and of one way to write a date
HAS_DIGIT = re.compile(r"[0-9]")
DAY = "%Y-%m-%d"
SECOND = "%Y-%m-%dT%H:%M:%S"


class DateForm(NamedTuple):
    """The form that dates have.

    Attributes:
        format: for `strptime`.
        share: of the different texts that have it, 0 to 1.
        other: a form that as many of them have, such as the day first; None where there is none.
    """

    format: str
    share: float
    other: str | None


def date_form(texts: Sequence[str]) -> DateForm | None:
    """The form that most of these texts have.

    Args:
        texts: different ones; the first of them are looked at.
    """
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


def as_dates(column: pd.Series[Any], form: str) -> pd.Series[Any]:
    """Text of the form in objects, NaN where there is none or it is of another form.

    Args:
        column: of text, numbers such as 20261126, or dates of pandas.
        form: for `strptime`.
    """
    if column.dtype.kind == "M" or _holds_dates(column):
        return _written(column, form)
    codes, uniques = pd.factorize(column)
    texts = [str(value) for value in uniques]
    good = _have_the_form(texts, form)
    found = np.empty(len(texts) + 1, dtype=object)
    found[:-1] = [text if ok else np.nan for text, ok in zip(texts, good, strict=True)]
    found[-1] = np.nan  # the code of what is missing is -1
    return pd.Series(found[codes], index=column.index, dtype=object)


def form_of_moments(column: pd.Series[Any]) -> str:
    """The form in which a client writes the dates of pandas' own type."""
    moments = _moments(column)
    zone = getattr(moments.dtype, "tz", None) is not None
    known = moments.dropna()
    if not zone and bool((known == known.dt.normalize()).all()):
        return DAY
    return f"{SECOND}%z" if zone else SECOND


def days(column: pd.Series[Any], form: str) -> Array:
    """Days since 1970 with fractions, float64; NaN for a missing one."""
    return days_since(pd.to_datetime(column, format=form, utc="%z" in form, errors="coerce"))


def _holds_dates(column: pd.Series[Any]) -> bool:
    kind = column.dtype == object and pd.api.types.infer_dtype(column, skipna=True)
    return kind in ("datetime", "date", "datetime64")


def _moments(column: pd.Series[Any]) -> pd.Series[Any]:
    if column.dtype.kind == "M":
        return pd.Series(column)
    moments: pd.Series[Any] = pd.to_datetime(column, errors="coerce")
    return moments


def _written(column: pd.Series[Any], form: str) -> pd.Series[Any]:
    moments = _moments(column)
    if getattr(moments.dtype, "tz", None) is not None:
        moments = moments.dt.tz_convert("UTC")
        plain = moments.dt.tz_localize(None)
    else:
        plain = moments
    served = plain.notna() & (plain >= LEAST) & (plain <= GREATEST)
    texts = moments.dt.strftime(form).astype(object)
    return pd.Series(texts.where(served, np.nan))


def _have_the_form(texts: list[str], form: str) -> Array:
    """Whether the function reads each of them: strictly, and within its years."""
    if not FIXED.fullmatch(form):
        return np.array([read(text, form) is not None for text in texts], dtype=bool)
    # A millionth of the calls: what pandas reads and is as long is what `strftime` writes.
    length = len(LEAST.strftime(form))
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    moments = pd.Series(
        pd.to_datetime(pd.Series(texts, dtype=object), format=form, errors="coerce")
    )
    within = moments.between(pd.Timestamp(LEAST), pd.Timestamp(GREATEST)).to_numpy(dtype=bool)
    good: Array = (lengths == length) & within
    return good
