"""AutoGluonFeatures: what an AutoGluon predictor gives its models, made of a table's columns."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer

from onnxlet.convert.dates import ODD, RENAMED, forms
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.dates import expected, read

Entry = Mapping[str, Any]
SETTINGS = ("analyzer", "binary", "lowercase", "stop_words", "strip_accents", "token_pattern")
BETWEEN = ". "  # texts of several columns, which one vectorizer counts
# By the name of a measure: what is counted, None for characters; whether that is of the text
# without spaces; and whether it is divided by the length.
PATTERNS: Mapping[str, tuple[str | None, bool, bool]] = {
    "char_count": (None, False, False),
    "word_count": (r"\S+", False, False),
    "capital_ratio": ("[A-Z]", True, True),
    "lower_ratio": ("[a-z]", True, True),
    "digit_ratio": ("[0-9]", True, True),
    "special_ratio": (r"[^\w]", True, True),
}


class AutoGluonFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """The features of a description that `features_there.described` has made.

    A number is float64, or int64 where AutoGluon makes whole numbers; a category is its index among
    `categories_`, float64, NaN for a value that is none or is missing. AutoGluon numbers them so,
    too.

    Args:
        description: `features`, pairs of a name and an entry, and `vectorizers`.

    Attributes:
        feature_names_in_: the columns that features are made of.
        features_out_: the names of the features, in AutoGluon's order.
        categories_: by the name of a feature, its categories in the order of their codes.
        vectorizers_: what counts texts, whose counts start anew at `wraps_` where that is not 0.
        forms_: by the name of a column, the form of its dates, which `with_dates` has found.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        self.description = description
        self.entries_: dict[str, Entry] = dict(description["features"])
        self.features_out_ = list(self.entries_)
        self.categories_ = {
            name: np.array(entry["categories"], dtype=object)
            for name, entry in self.entries_.items()
            if entry["is"] == "category"
        }
        settings = description["vectorizers"]
        self.vectorizers_ = [_vectorizer(each) for each in settings]
        self.wraps_ = [_wraps(np.dtype(each["dtype"])) for each in settings]
        used = [entry["column"] for entry in self.entries_.values() if "column" in entry]
        used += [column for each in settings for column in each["columns"]]
        self.feature_names_in_ = np.array(list(dict.fromkeys(used)), dtype=object)
        self.forms_: dict[str, str] = {}
        self.n_features_in_ = len(self.feature_names_in_)

    def fit(self, X: Any, y: Any = None) -> AutoGluonFeatures:
        """Learns nothing: the description has what AutoGluon has learned."""
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The features of each row.

        Args:
            X: the columns of `feature_names_in_`, among others.

        Raises:
            ValueError: an infinite number has no whole one; a text is no number, or no date.
        """
        self.check(X)
        rows = _Rows(X, self)
        made = {name: MAKERS[entry["is"]](rows, entry) for name, entry in self.entries_.items()}
        return pd.DataFrame(made, index=X.index)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the features."""
        return np.array(self.features_out_, dtype=object)

    def with_dates(self, X: pd.DataFrame) -> pd.DataFrame:
        """Held-out rows, in which a column of dates has one form, or holds dates where it is text.

        AutoGluon reads each text by itself, however it is written; nothing else does so. Texts that
        have one form stay, and `check` allows no others. Of other columns requests bring dates in
        ISO 8601, in UTC where some text has an offset; what AutoGluon takes for no date is missing.
        """
        dated = {e["column"] for e in self.entries_.values() if e["is"] == "date"} & {*X.columns}
        made: dict[str, pd.Series[Any]] = {}
        for name in dated:
            if X[name].dtype.kind != "M":
                texts = [str(text) for text in X[name].dropna()]
                alike = next((form for form in forms(texts) if _is_read_alike(form, texts)), None)
                if alike is None:
                    made[name] = _as_dates(X[name])
                else:
                    self.forms_[name] = alike
        return X.assign(**made)

    def check(self, X: pd.DataFrame) -> None:
        """Raise ValueError for a text of another form than the dates of its column have."""
        for name, form in self.forms_.items():
            for text in X[name].dropna().unique().tolist():
                if isinstance(text, str) and read(text, form) is None:
                    raise ValueError(f"column '{name}': expected {expected(form, False)}")


def _vectorizer(settings: Entry) -> CountVectorizer:
    """Counts in int64, whatever the dtype is in which AutoGluon does."""
    given = {name: settings[name] for name in SETTINGS}
    made = CountVectorizer(
        **given,
        ngram_range=tuple(settings["ngram_range"]),
        vocabulary={term: index for index, term in enumerate(settings["vocabulary"])},
        dtype=np.int64,
    )
    made._validate_vocabulary()
    return made


def _wraps(dtype: np.dtype[Any]) -> int:
    """The number at which counts of a dtype begin anew; 0 where no text is long enough."""
    return int(np.iinfo(dtype).max) + 1 if dtype.kind == "u" and dtype.itemsize < 4 else 0


def _is_read_alike(form: str, texts: Sequence[str]) -> bool:
    """Whether AutoGluon reads dates of a form by it: it takes 5/3 for May, and 25/3 for March."""
    every = [moment.strftime(form.replace("%z", "+0000")) for moment in ODD] + list(texts)
    as_autogluon = pd.to_datetime(every, utc=True, errors="coerce", format="mixed")
    return bool((as_autogluon == pd.to_datetime(every, utc=True, format=form)).all())


def _as_dates(column: pd.Series[Any]) -> pd.Series[Any]:
    read = pd.to_datetime(column, utc=True, errors="coerce", format="mixed")
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)  # pandas 2 warns of what pandas 3 refuses
        try:
            written = pd.to_datetime(column[read.notna()], format="mixed")
            has_offset = isinstance(written.dtype, pd.DatetimeTZDtype)
        except (FutureWarning, ValueError):  # offsets that differ, or that some lack
            has_offset = True
    return read if has_offset else read.dt.tz_localize(None)


class _Rows:
    """Rows that features are made of, and what several are made of, each once."""

    def __init__(self, X: pd.DataFrame, fitted: AutoGluonFeatures) -> None:
        self.X, self.fitted = X, fitted
        self.cells, self.moments = cache(self._cells), cache(self._moments)
        self.texts, self.counts = cache(self._texts), cache(self._counts)

    def _cells(self, column: str) -> list[Any]:
        """Missing ones are None."""
        cells = self.X[column]
        gaps = cells.isna().tolist()
        return [None if gap else cell for cell, gap in zip(cells.tolist(), gaps, strict=True)]

    def _texts(self, column: str) -> list[str]:
        return ["" if cell is None else str(cell) for cell in self.cells(column)]

    def _moments(self, column: str) -> Any:
        read = pd.to_datetime(self.X[column], utc=True, errors="coerce", format="mixed")
        return read.astype("datetime64[ns, UTC]")

    def _counts(self, number: int) -> Array:
        """Of each term, and then of how many terms there are some: int64, (rows, terms + 1)."""
        columns = self.fitted.description["vectorizers"][number]["columns"]
        joined = [BETWEEN.join(texts) for texts in zip(*map(self.texts, columns), strict=True)]
        counts = self.fitted.vectorizers_[number].transform(joined).toarray()
        if wraps := self.fitted.wraps_[number]:
            counts %= wraps
        return np.column_stack([counts, np.count_nonzero(counts, axis=1)])


def _number(rows: _Rows, entry: Entry) -> Array:
    return rows.X[entry["column"]].astype(entry["dtype"]).to_numpy(dtype=np.float64)


def _whole(rows: _Rows, entry: Entry) -> Array:
    """A gap is 0, and fractions are cut off."""
    column: Any = rows.X[entry["column"]]
    if column.isna().any():
        column = column.astype(np.float64).fillna(0)
    whole: Array = column.astype(entry["dtype"]).to_numpy(dtype=np.int64)
    return whole


def _flag(rows: _Rows, entry: Entry) -> Array:
    cells = rows.cells(entry["column"])
    return np.array([cell is not None and cell == entry["true"] for cell in cells], dtype=np.int64)


def _category(rows: _Rows, entry: Entry) -> Array:
    codes, unseen = codes_of(entry)
    found = [codes.get(cell, unseen) for cell in rows.cells(entry["column"])]
    return np.array(found, dtype=np.float64)


def codes_of(entry: Entry) -> tuple[dict[Any, float], float]:
    """The code of each category, that of a gap under None; and that of any other value."""
    codes = {value: float(code) for code, value in enumerate(entry["categories"])}
    unseen = np.nan if entry["instead"] is None else float(entry["instead"])
    return {**codes, None: codes.get("", unseen) if entry["filled"] else unseen}, unseen


def _date(rows: _Rows, entry: Entry) -> Array:
    moments = rows.moments(entry["column"])
    whole = moments.fillna(pd.Timestamp(entry["fill"], tz="UTC"))
    if entry["part"] == NANOSECONDS:
        return np.asarray(whole.astype(np.int64), dtype=np.int64)
    return np.asarray(getattr(whole.dt, plain_part(entry["part"])), dtype=np.int64)


def _measure(rows: _Rows, entry: Entry) -> Array:
    pattern, without_spaces, is_ratio = how_measured(entry)
    made = []
    for text in rows.texts(entry["column"]):
        cut = text.replace(" ", "") if without_spaces else text
        counted = len(cut) if pattern is None else len(re.findall(pattern, cut))
        made.append(np.float32(counted / max(len(cut), 1)) if is_ratio else counted)
    if entry["bins"] is None:
        return np.array(made, dtype=np.float64)
    return np.digitize(made, entry["bins"], right=True).astype(np.int64)


def how_measured(entry: Entry) -> tuple[str | None, bool, bool]:
    """What PATTERNS has of a measure, or of a symbol's."""
    measure, symbol = entry["measure"], "\\" + entry["symbol"]
    return PATTERNS.get(measure) or (symbol, False, measure == "symbol_ratio")


def _count(rows: _Rows, entry: Entry) -> Array:
    counts: Array = rows.counts(entry["vectorizer"])[:, entry["index"]]
    return counts


def plain_part(part: str) -> str:
    """A part of dates by the name that pandas has today."""
    return RENAMED.get(part, part)


NANOSECONDS = "nanoseconds"  # since 1970, a part of dates
MAKERS: Mapping[str, Callable[[_Rows, Entry], Array]] = {
    "number": _number,
    "whole": _whole,
    "flag": _flag,
    "category": _category,
    "date": _date,
    "measure": _measure,
    "count": _count,
}
