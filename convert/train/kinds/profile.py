"""What a column's values are taken for, each column for itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.problems import counted
from onnxlet.convert.reference.columns_given import ID_NAME, UNNAMED, UUID
from onnxlet.convert.train.kinds.date import DateForm, as_dates, date_form, form_of_moments
from onnxlet.convert.train.numbers_as_text import NO_VALUE, as_floats, numbers_in

PARSED = 0.95  # of the values, for text to be taken for numbers or dates
CODE_NAME = re.compile(
    r"(?i:(^|[\W_])(zip|zip_?code|post_?code|postal_?code|area_?code|plz|phone|fips|iban|code)$)"
    r"|[a-z](Code|Zip)$"
)
SOME_TEXTS = 2000  # different ones, that are looked at for words
WORDS = 3.0  # on average, that make a text
LETTERS = 25.0  # on average, of scripts that set no spaces, too
MANY = 50  # different values of a category; above it, text that seldom repeats is a text or a code
SELDOM = 0.1  # different values among the known ones
ALMOST_ALL = 0.95
SHOWN_FROM = 5  # rows that a value is in, for a message to name it: it is then nobody's own
MIXED = " (numbers and text are mixed in it)"
NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")  # as pandas infers
DATES = ("datetime", "date", "datetime64")
OTHER = "which no request can carry"


class Guess(NamedTuple):
    """What a column is taken for.

    Attributes:
        kind: number, category, text, date, boolean, image, identifier, constant or empty.
        why: in a short sentence, with numbers.
        used: whether the model is given it.
        format: of dates, for `strptime`; of images, the size and mode.
    """

    kind: str
    why: str
    used: bool = True
    format: str | None = None


class Profile(NamedTuple):
    """A column, counted.

    Attributes:
        name: of the column.
        column: its values.
        missing: how many there are not.
        distinct: different values.
        codes: int32, of each row's value in the order in which they come, -1 for a missing one.
        uniques: the different values in that order.
    """

    name: str
    column: pd.Series[Any]
    missing: int
    distinct: int
    codes: Any
    uniques: Any

    @property
    def known(self) -> int:
        """Values that are not missing."""
        return len(self.codes) - self.missing


def profile(column: pd.Series[Any], name: str) -> Profile:
    """Count a column's values; lists and the like are counted as they are written."""
    try:
        codes, uniques = pd.factorize(column)
    except TypeError:
        column = column.map(lambda value: value if _is_missing(value) else str(value))
        codes, uniques = pd.factorize(column)
    codes = np.asarray(codes, dtype=np.int32)  # half of what pandas holds them in
    return Profile(name, column, int((codes < 0).sum()), len(uniques), codes, uniques)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def guessed(original: pd.Series[Any], seen: Profile) -> Guess:
    """What a column is taken for.

    Args:
        original: the column as it was read.
        seen: the same, counted.
    """
    if not seen.known:
        return Guess("empty", "no row has a value", used=False)
    kind = pd.api.types.infer_dtype(original, skipna=True)
    if not _is_carried(original, kind):
        shown = type(original[original.notna()].iloc[0]).__name__
        return Guess("text", f"values of type {shown}, {OTHER}: left out", used=False)
    if seen.distinct == 1 and not seen.missing:
        return Guess("constant", f"the same value in all {seen.known:,} rows", used=False)
    if UNNAMED.fullmatch(seen.name) and _counts_rows(seen):
        why = "counts the rows: an index that pandas wrote (to_csv(index=False) leaves it out)"
        return Guess("identifier", why, used=False)
    dtype = original.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return Guess("category", f"a category of {_values(seen)}")
    if kind == "boolean":
        return Guess("boolean", "true or false" + _gaps(seen))
    if dtype.kind == "M" or kind in DATES:
        return Guess("date", f"dates{_gaps(seen)}", format=form_of_moments(original))
    if kind in NUMBERS:
        return _of_numbers(seen)
    return _of_texts(seen, mixed=kind.startswith("mixed"))


def _is_carried(column: pd.Series[Any], kind: str) -> bool:
    """Whether JSON has a form for each of the values."""
    if kind in (*NUMBERS, *DATES, "boolean", "string", "empty", "categorical"):
        return True
    cells = str | int | float | bool | np.bool_ | np.integer | np.floating
    some = column[column.notna()]
    return kind.startswith("mixed") and all(isinstance(value, cells) for value in some)


def _of_numbers(seen: Profile) -> Guess:
    values = as_floats(pd.Series(seen.uniques))
    finite = values[np.isfinite(values)]
    whole = bool((finite == np.floor(finite)).all())
    id_named = bool(ID_NAME.search(seen.name))
    if whole and seen.known >= MANY // 2:
        if _counts_rows(seen):
            return Guess("identifier", "counts the rows, as an index does", used=False)
        if id_named and seen.distinct == seen.known:
            why = "another whole number in each row, and named like an id"
            return Guess("identifier", why, used=False)
    if whole and id_named and seen.distinct > MANY and seen.distinct > seen.known / 5:
        return Guess("identifier", _id_of_groups(seen), used=False)
    if whole and (id_named or CODE_NAME.search(seen.name)) and seen.distinct > 2:
        return Guess("category", f"{_values(seen)}, whole numbers named like a code")
    infinite = int(np.isinf(values[seen.codes[seen.codes >= 0]]).sum())
    more = f"; {counted(infinite, 'infinite one')} taken as missing" if infinite else ""
    hint = ""
    if whole and len(finite) and _are_days(finite):
        hint = "; dates as 20261126? 'date %Y%m%d' in --columns takes them apart"
    kind = f"{'whole numbers' if whole else 'numbers'}, {seen.distinct:,} different"
    least = int(np.min(np.bincount(seen.codes[seen.codes >= 0])))
    if seen.distinct == 2 and len(finite) == 2 and least >= SHOWN_FROM:
        kind = f"two numbers ({' and '.join(f'{value:g}' for value in sorted(finite))})"
    return Guess("number", f"{kind}{_gaps(seen)}{more}{hint}")


def _id_of_groups(seen: Profile) -> str:
    return (
        f"{_values(seen)} in {seen.known:,} rows, and named like an id: "
        "rows of one go together with --group"
    )


def _counts_rows(seen: Profile) -> bool:
    """Whether each row's number is one more than the last one's."""
    if seen.missing or seen.distinct < len(seen.codes) or len(seen.codes) < 2:
        return False
    if seen.column.dtype.kind not in "iuf":
        return False
    values = seen.column.to_numpy()
    with np.errstate(invalid="ignore"):  # infinities
        return bool((np.diff(values) == 1).all())


def _are_days(values: Any) -> bool:
    if not (values.min() >= 17000101 and values.max() <= 22501231 and len(values) > 2):
        return False
    texts = [f"{value:.0f}" for value in values[:SOME_TEXTS]]
    moments = pd.to_datetime(pd.Series(texts), format="%Y%m%d", errors="coerce")
    return bool(moments.notna().all())


def _of_texts(seen: Profile, mixed: bool) -> Guess:
    uniques = np.asarray(seen.uniques, dtype=object).tolist()
    texts = pd.Series([v if type(v) is str else str(v) for v in uniques], dtype=object)
    if guess := _numbers_in_text(seen, texts, mixed):
        return guess
    form = date_form(texts.tolist())
    if form is not None and form.share >= PARSED:
        return _of_dates(seen, texts, form)
    guess = _of_words(seen, texts)
    odd = MIXED * mixed
    if form is None and _looks_like_dates(texts.tolist()):
        odd += "; if these are dates, their form is not known: write them as 2026-11-26"
    elif form is not None and form.share >= 0.5:
        odd += f"; {form.share:.0%} of its values are dates written as {form.format}"
    return guess._replace(why=guess.why + odd)


def _numbers_in_text(seen: Profile, texts: pd.Series[Any], mixed: bool) -> Guess | None:
    some = numbers_in(texts.iloc[:: max(1, len(texts) // SOME_TEXTS)])
    if some is None or some.share < 0.4:  # all of a million texts take seconds
        return None
    read = numbers_in(texts)
    if read is None:
        return None
    counts = np.bincount(seen.codes[seen.codes >= 0], minlength=len(texts))
    numbers = int(counts[read.values.notna().to_numpy()].sum())
    gaps, unread = _absent(texts, counts, read.values)
    share = numbers / max(numbers + unread, 1)
    if share < PARSED or numbers < 2:
        if share >= 0.5:
            why = f"{share:.0%} of its values are numbers, and {unread:,} are not"
            words = _of_words(seen, texts)
            return words._replace(why=f"{words.why}; {why}{MIXED * mixed}")
        return None
    said = (
        f"numbers written as text {read.said}: clients send plain numbers"
        if read.said
        else (f"numbers, {int(read.values.nunique()):,} different")
    )
    said += "; 1,234 taken for 1234" if read.ambiguous else ""
    said += (
        f"; {counted(gaps, 'value')} such as {_shown(texts, counts)} taken as missing"
        if gaps
        else ""
    )
    if unread:
        verb = "is" if unread == 1 else "are"
        said += f"; {counted(unread, 'value')} that {verb} no number taken as missing"
    return Guess("number", said)


def _absent(texts: pd.Series[Any], counts: Any, values: pd.Series[Any]) -> tuple[int, int]:
    """How many rows hold what stands for no value, and how many what is no number otherwise."""
    none = values.isna().to_numpy()
    gap = np.array([text.strip().casefold() in NO_VALUE for text in texts])
    return int(counts[none & gap].sum()), int(counts[none & ~gap].sum())


def _shown(texts: pd.Series[Any], counts: Any) -> str:
    """The most frequent of the texts that stand for no value."""
    none = np.flatnonzero([text.strip().casefold() in NO_VALUE for text in texts])
    most = none[np.argmax(counts[none])]
    return repr(texts[most].strip()) if texts[most].strip() else "blanks"


def _of_dates(seen: Profile, texts: pd.Series[Any], form: DateForm) -> Guess:
    why = f"dates written as {form.format}{_gaps(seen)}"
    if form.other is not None:
        why += f"; they may be {form.other}: if so, 'date {form.other}' in --columns"
    counts = np.bincount(seen.codes[seen.codes >= 0], minlength=len(texts))
    if unread := int(counts[as_dates(texts, form.format).isna().to_numpy()].sum()):
        why += f"; {counted(unread, 'value')} of another form taken as missing"
    return Guess("date", why, format=form.format)


def _of_words(seen: Profile, texts: pd.Series[Any]) -> Guess:
    some = texts.tolist()[:: max(1, len(texts) // SOME_TEXTS)]
    words = float(np.mean([len(text.split()) for text in some]))
    letters = float(np.mean([len(text) for text in some]))
    share = seen.distinct / seen.known
    if seen.distinct <= MANY and not (share > 0.5 and (words >= WORDS or letters >= LETTERS)):
        if _are_codes(seen, some, words):
            return Guess("identifier", _another(seen), used=False)
        return Guess("category", _values(seen) + _gaps(seen))
    each = f"{words:.0f} words" if words >= WORDS else f"{letters:.0f} letters"
    if share > SELDOM and (words >= WORDS or (letters >= LETTERS and not _one_word(some, words))):
        return Guess("text", f"{_values(seen)}, {each} on average{_gaps(seen)}")
    if _are_codes(seen, some, words):
        return Guess("identifier", _another(seen), used=False)
    if ID_NAME.search(seen.name) and share > 0.2:
        return Guess("identifier", _id_of_groups(seen), used=False)
    return Guess("category", _values(seen) + _gaps(seen))


def _one_word(some: Sequence[str], words: float) -> bool:
    """Addresses of the web and keys: long, of one word, in letters of one byte."""
    return words < 1.2 and all(text.isascii() for text in some)


def _are_codes(seen: Profile, some: Sequence[str], words: float) -> bool:
    """Whether nearly each row has a value of its own that says nothing of another row."""
    if seen.known < MANY // 2 or seen.distinct < ALMOST_ALL * seen.known:
        return False
    return words < WORDS or all(UUID.fullmatch(text) for text in some)


def _another(seen: Profile) -> str:
    if seen.distinct == seen.known:
        return "another text in each row"
    return f"{_values(seen)} in {seen.known:,} rows: nearly each has its own"


def _looks_like_dates(texts: Sequence[str]) -> bool:
    pattern = re.compile(r"\d{1,4}[./-]\s?(\d{1,2}|\w{3,9})[./-]\s?\d{1,4}(\D.*)?|\d{4}-W\d\d.*")
    some = list(texts[:100])
    return sum(bool(pattern.fullmatch(text.strip())) for text in some) > 0.8 * len(some)


def _values(seen: Profile) -> str:
    return counted(seen.distinct, "different value")


def _gaps(seen: Profile) -> str:
    """How much of it is missing, where that is something."""
    if not seen.missing:
        return ""
    share = seen.missing / len(seen.codes)
    return f", {share:.0%} missing" if share >= 0.01 else ", under 1% missing"
