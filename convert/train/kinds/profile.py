"""A column of a table, counted; and what its values look like, for kinds to recognise it by."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.problems import counted
from onnxlet.convert.tables.units import several_units
from onnxlet.convert.train.kinds.written import (
    DATES,
    PARSED,
    DateForm,
    NumbersRead,
    as_floats,
    date_form,
    numbers_in,
)

HALF = 0.5  # of them, for a column that is taken for something else to say so
SOME_TEXTS = 2000  # different ones, that are looked at for words
FEWEST_NUMBERS = 0.4  # of these, for all to be read as numbers: a million texts take seconds
NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")  # as pandas infers
CELLS = str | int | float | bool | np.bool_ | np.integer | np.floating  # that JSON has a form for
MIXED = " (numbers and text are mixed in it)"
DATE_LIKE = re.compile(r"\d{1,4}[./-]\s?(\d{1,2}|\w{3,9})[./-]\s?\d{1,4}(\D.*)?|\d{4}-W\d\d.*")


class TableColumn(NamedTuple):
    """A column of a table, and what it is taken for."""

    name: str
    kind: str
    why: str  # in a short sentence, with numbers
    used: bool  # the model is given it
    missing: int  # rows without a value
    distinct: int  # different values
    format: str | None = None  # of dates, for `strptime`; of images, the size and mode
    unit: str = ""  # that stands in the cells of numbers


class Profile(NamedTuple):
    """A column, counted."""

    name: str
    column: pd.Series[Any]
    missing: int  # values that are not there
    distinct: int  # different values
    codes: Any  # int32, of each row's value in the order in which they come, -1 for a missing one
    uniques: Any  # the different values in that order

    @property
    def known(self) -> int:
        """Values that are not missing."""
        return len(self.codes) - self.missing

    @property
    def different(self) -> str:
        """How many different ones there are, in words."""
        return counted(self.distinct, "different value")

    @property
    def gaps(self) -> str:
        """How much of it is missing, in words; '' where nothing is."""
        if not self.missing:
            return ""
        share = self.missing / len(self.codes)
        return f", {share:.0%} missing" if share >= 0.01 else ", under 1% missing"

    @property
    def counts(self) -> Any:
        """How many rows have each of the different values, int64 of shape (distinct,)."""
        return np.bincount(self.codes[self.codes >= 0], minlength=self.distinct)

    def taken_for(
        self, kind: str, why: str, *, used: bool = True, form: str | None = None
    ) -> TableColumn:
        """The column as one of a kind."""
        return TableColumn(self.name, kind, why, used, self.missing, self.distinct, form)


def profile(column: pd.Series[Any], name: str) -> Profile:
    """Count a column's values; lists and the like are counted as they are written."""
    try:
        codes, uniques = pd.factorize(column)
    except TypeError:
        codes, uniques = pd.factorize(column.map(lambda v: v if _is_missing(v) else str(v)))
    codes = np.asarray(codes, dtype=np.int32)  # half of what pandas holds them in
    return Profile(name, column, int((codes < 0).sum()), len(uniques), codes, uniques)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


class Words(NamedTuple):
    """What a text of a column has on average."""

    some: Sequence[str]
    words: float
    letters: float
    odd: str  # what else is to be said of the column

    @property
    def are_of_one_word(self) -> bool:
        """Addresses of the web and keys: long, of one word, in letters of one byte."""
        return self.words < 1.2 and all(text.isascii() for text in self.some)


class Content:
    """What a column's values look like: each thing is found out when a kind asks for it, once."""

    def __init__(self, seen: Profile) -> None:
        self.profile = seen
        self.inferred = pd.api.types.infer_dtype(seen.column, skipna=True)

    @cached_property
    def is_carried(self) -> bool:
        """JSON has a form for each of the values."""
        if self.inferred in (*NUMBERS, *DATES, "boolean", "string", "empty", "categorical"):
            return True
        column = self.profile.column
        return self.inferred.startswith("mixed") and all(
            isinstance(value, CELLS) for value in column[column.notna()]
        )

    @property
    def is_category(self) -> bool:
        """Pandas has it as a categorical."""
        return isinstance(self.profile.column.dtype, pd.CategoricalDtype)

    @property
    def is_date(self) -> bool:
        """It is dates in a type of their own."""
        return self.profile.column.dtype.kind == "M" or self.inferred in DATES

    @cached_property
    def numbers(self) -> Any:
        """The different values as float64; None where they are no numbers by their type."""
        is_number = self.inferred in NUMBERS and not self.is_category
        return as_floats(pd.Series(self.profile.uniques)) if is_number else None

    @cached_property
    def is_whole(self) -> bool:
        """All of these numbers that are finite are whole."""
        finite = self.numbers[np.isfinite(self.numbers)]
        return bool((finite == np.floor(finite)).all())

    @cached_property
    def counts_rows(self) -> bool:
        """Each row's number is one more than the last one's."""
        seen = self.profile
        if seen.missing or seen.distinct < len(seen.codes) or len(seen.codes) < 2:
            return False
        if seen.column.dtype.kind not in "iuf":
            return False
        with np.errstate(invalid="ignore"):  # infinities
            return bool((np.diff(seen.column.to_numpy()) == 1).all())

    @cached_property
    def texts(self) -> pd.Series[Any] | None:
        """The different values as text; None where they have another type, or no form in JSON."""
        typed = self.is_category or self.is_date or self.inferred in (*NUMBERS, "boolean")
        if typed or not self.is_carried:
            return None
        uniques = np.asarray(self.profile.uniques, dtype=object).tolist()
        return pd.Series([v if type(v) is str else str(v) for v in uniques], dtype=object)

    @cached_property
    def numbers_held(self) -> NumbersRead | None:
        """The numbers that the texts are; None where these are few."""
        if self.texts is None:
            return None
        some = numbers_in(self.texts.iloc[:: max(1, len(self.texts) // SOME_TEXTS)])
        if some is None or some.share < FEWEST_NUMBERS:
            return None
        held = numbers_in(self.texts, self.profile.counts)
        return held if held is not None and held.share >= HALF else None

    @cached_property
    def date_form(self) -> DateForm | None:
        """The form of dates that most of the texts have; None for numbers, or where there is none.

        `share` says whether that is enough for a column of dates.
        """
        if self.texts is None or self.numbers_held is not None:
            return None
        return date_form(self.texts.tolist())

    @cached_property
    def words(self) -> Words | None:
        """What the texts have on average; None where they are numbers or dates."""
        held, form = self.numbers_held, self.date_form
        if self.texts is None or (held and held.are_all) or (form and form.share >= PARSED):
            return None
        texts = self.texts.tolist()
        some = texts[:: max(1, len(texts) // SOME_TEXTS)]
        words = float(np.mean([len(text.split()) for text in some]))
        return Words(some, words, float(np.mean([len(text) for text in some])), self._odd(texts))

    def _odd(self, texts: Sequence[str]) -> str:
        if units := several_units(texts[:SOME_TEXTS]):
            return f"; {units}"
        mixed = MIXED * self.inferred.startswith("mixed")
        if held := self.numbers_held:
            return (
                f"; {held.share:.0%} of its values are numbers, and {held.unread:,} are not{mixed}"
            )
        some, form = texts[:100], self.date_form
        if form is not None:
            of_dates = f"; {form.share:.0%} of its values are dates written as {form.format}"
            return mixed + of_dates * (form.share >= HALF)
        if sum(bool(DATE_LIKE.fullmatch(text.strip())) for text in some) > 0.8 * len(some):
            return f"{mixed}; if these are dates, their form is not known: write them as 2026-11-26"
        return mixed
