"""Columns of dates: as text of one form, or in a type of pandas' own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from onnxlet.convert.estimators.date_parts import DateParts
from onnxlet.convert.problems import counted
from onnxlet.convert.train.kinds.kind import (
    SAID,
    Kind,
    Part,
    Typed,
    Wanted,
    each_value,
    filler,
    scaled,
    unread_notes,
)
from onnxlet.convert.train.kinds.profile import Content, Profile, TableColumn
from onnxlet.convert.train.kinds.written import (
    PARSED,
    date_form,
    days,
    form_of_moments,
    is_of_dates,
    moments_of,
)
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.dates import GREATEST, LEAST, read

FIXED = re.compile(r"(%[YmdHMS]|[^%])+")  # of one length, and of one way to write a date
CLOCK = ("%H", "%I", "%T", "%X", "%c")  # in a form of dates that have a time of day
FEWEST_TIMES = 20  # different ones: fewer are groups, not a time that goes on
IN_ORDER = 0.98  # of neighbouring rows, the share that goes one way
KNOWN = 0.95  # of the rows, those with a time
DAY_PARTS = ("year", "month", "day", "weekday", "dayofyear", "days")


class Date(Kind):
    """Dates of one form."""

    name = "date"
    form_said = 'a date may have its form: "date %d.%m.%Y"'
    parses = True

    def recognised(self, content: Content) -> TableColumn | None:
        """It is dates by its type, or text of one form of dates."""
        seen = content.profile
        if content.is_date:
            return seen.taken_for(self.name, f"dates{seen.gaps}", form=form_of_moments(seen.column))
        texts, form = content.texts, content.date_form
        if texts is None or form is None or form.share < PARSED:
            return None
        why = f"dates written as {form.format}{seen.gaps}"
        if form.other is not None:
            why += f"; they may be {form.other}: if so, 'date {form.other}' in --columns"
        if unread := int(seen.counts[as_dates(texts, form.format).isna().to_numpy()].sum()):
            why += f"; {counted(unread, 'value')} of another form taken as missing"
        return seen.taken_for(self.name, why, form=form.format)

    def as_said(self, seen: Profile, form: str) -> TableColumn:
        """Of the form that is said, or of the one that the values have."""
        form = form or _form_of(seen)
        return seen.taken_for(self.name, f"dates written as {form}, {SAID}", form=form)

    def refusal(self, seen: Profile, form: str) -> tuple[str, str] | None:
        """It has no form, or few of its values have it."""
        if not (form := form or _form_of(seen)):
            return "its values have no one form of dates", "Say which: 'date %d.%m.%Y'."
        return super().refusal(seen, form)

    def typed(self, column: pd.Series[Any], form: str | None) -> Typed:
        """Text of one form in objects, NaN for a gap."""
        if column.dtype.kind in "iuf":
            column = column.map(lambda value: f"{value:.0f}", na_action="ignore").astype(object)
        made = as_dates(column, form or "").rename(str(column.name))
        what = f"dates written as {form} between 1700 and 2250"
        return Typed(made, unread_notes(what, made, column))

    def in_order(self, column: pd.Series[Any], form: str | None) -> Array | None:
        """Days since 1970."""
        return None if form is None else days(as_dates(column, form), form)

    def linear(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Their parts, those that begin anew as sine and cosine."""
        names = None if wanted.seasons else ("days",)
        return _parts(columns, cyclic=True, last=scaled, names=names)

    def trees(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Their parts."""
        return _parts(columns, cyclic=False, last=filler if wanted.filled else None)

    def native(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Their parts."""
        return _parts(columns, cyclic=False, last=None)

    def width(self, column: TableColumn) -> int:
        """Sines, cosines and marks of gaps."""
        return 10


DATE = Date()


def goes_on(times: Array) -> bool:
    """Whether times (n,), NaN for none, go one way from row to row, nearly all of them."""
    known = times[np.isfinite(times)]
    if len(known) < KNOWN * len(times) or len(np.unique(known)) < FEWEST_TIMES:
        return False
    steps = np.diff(known)
    return bool(max(np.mean(steps >= 0), np.mean(steps <= 0)) >= IN_ORDER)


def _form_of(seen: Profile) -> str:
    """The form of dates of a column; '' where it has none."""
    if seen.column.dtype.kind == "M":
        return form_of_moments(seen.column)
    found = date_form([f"{v:.0f}" if isinstance(v, float) else str(v) for v in seen.uniques])
    return found.format if found else ""


def as_dates(column: pd.Series[Any], form: str) -> pd.Series[Any]:
    """Text, or dates of pandas, as text of the form in objects; NaN for a gap or another form."""
    if is_of_dates(column):
        return _written(column, form)

    def read_each(values: Sequence[Any]) -> list[Any]:
        texts = [str(value) for value in values]
        good = _have_the_form(texts, form)
        return [text if ok else np.nan for text, ok in zip(texts, good, strict=True)]

    return each_value(column, read_each)


def _written(column: pd.Series[Any], form: str) -> pd.Series[Any]:
    moments = moments_of(column)
    plain = moments
    if getattr(moments.dtype, "tz", None) is not None:
        moments = moments.dt.tz_convert("UTC")
        plain = moments.dt.tz_localize(None)
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


def _parts(
    columns: Sequence[TableColumn],
    *,
    cyclic: bool,
    last: Callable[[], Any] | None,
    names: Sequence[str] | None = None,
) -> list[Part]:
    """A part for each column, since each has its own form."""
    parts: list[Part] = []
    for column in columns:
        form = column.format
        has_time = form is None or any(mark in form for mark in CLOCK)
        usual = (*DAY_PARTS, "hour", "minute") if has_time else DAY_PARTS
        made = DateParts(names or usual, format=form, cyclic=cyclic)
        whole = make_pipeline(made, last()) if last else made
        parts.append((f"date {column.name}", whole, [column.name]))
    return parts
