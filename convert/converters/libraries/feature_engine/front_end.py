"""Features of text and of dates, which the front end counts and takes apart.

Sources: `feature_engine/text/text_features.py` (`TEXT_FEATURES`): pandas' `.str`, of Python's `re`;
`feature_engine/datetime/datetime.py`, `_datetime_constants.py` (FEATURES_FUNCTIONS),
`datetime_ordinal.py`, `datetime_subtraction.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from feature_engine import datetime, text

from onnxlet.convert.converters.libraries.feature_engine import (
    added,
    chosen_of,
    columns_of_fit,
    finished,
    names,
)
from onnxlet.convert.converters.preprocessing.imputation import filled_text
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.converter import DATE, Graph, Outputs, Table, Tensor, Unsupported


class TextCounts:
    """Numbers of a column of text, each of shape (rows, 1)."""

    def __init__(self, column: Tensor) -> None:
        self._column = column

    def number(self, step: str, **settings: Any) -> Tensor:
        """What a step of the front end makes of the text."""
        graph = self._column.graph
        return graph.front_end(self._column, {"step": step, **settings}, graph.precision)

    def found(self, pattern: str) -> Tensor:
        """How often a regular expression is found."""
        return self.number("pattern_count", pattern=pattern)

    def matches(self, pattern: str, how: str) -> Tensor:
        """1 where a regular expression matches."""
        return self.number("pattern_matches", pattern=pattern, how=how)

    def stripped(self) -> TextCounts:
        """The same of the text between the first character that is no space and the last."""
        step = {"step": "str_method", "name": "strip"}
        return TextCounts(self._column.graph.front_end(self._column, step))


SPACES, LETTERS, WORDS, CAPITALS, DIGITS = r"\s", r"\S", r"\S+", "[A-Z]", r"\d"

FEATURES: dict[str, Callable[[TextCounts], Tensor]] = {
    "char_count": lambda x: x.found(LETTERS),
    "word_count": lambda x: x.found(WORDS),
    "sentence_count": lambda x: x.found("[.!?]+"),
    "avg_word_length": lambda x: x.stripped().number("length") / x.found(WORDS),
    "digit_count": lambda x: x.found(DIGITS),
    "letter_count": lambda x: x.found("[a-zA-Z]"),
    "uppercase_count": lambda x: x.found(CAPITALS),
    "lowercase_count": lambda x: x.found("[a-z]"),
    "special_char_count": lambda x: x.found(r"[^a-zA-Z0-9\s]"),
    "whitespace_count": lambda x: x.found(SPACES),
    "whitespace_ratio": lambda x: x.found(SPACES) / x.number("length").maximum(1.0),
    "digit_ratio": lambda x: x.found(DIGITS) / x.found(LETTERS).maximum(1.0),
    "uppercase_ratio": lambda x: x.found(CAPITALS) / x.found(LETTERS).maximum(1.0),
    "has_digits": lambda x: x.matches(DIGITS, "search"),
    "has_uppercase": lambda x: x.matches(CAPITALS, "search"),
    "is_empty": lambda x: x.number("length").equals(0.0).cast(x.number("length").dtype),
    "starts_with_uppercase": lambda x: x.matches("^[A-Z]", "match"),
    "ends_with_punctuation": lambda x: x.matches(".*[.!?]$", "match"),
    "unique_word_count": lambda x: x.number("distinct_words"),
    "lexical_diversity": lambda x: x.found(WORDS) / x.number("distinct_words"),
}


def counted(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The columns, and the features of each text."""
    table, chosen = chosen_of(fitted, table)
    for name in chosen:
        if fitted.missing_values == "ignore":
            [filled] = filled_text(table[name], [table[name]], [""], None)
            table = table.assign(**{name: filled})
        x = TextCounts(table[name])
        made = graph.concat([FEATURES[feature](x) for feature in fitted.features_])
        new = [f"{name}_{feature}" for feature in fitted.features_]
        table = added(table, new, made.isnan().where(0.0, made))
    return finished(fitted, table, chosen)


DAY = 86_400e6  # microseconds
BEFORE_1970 = 719_163  # days from the first of the first year


def ordinal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DatetimeOrdinal: the number of each day, from the first year or from a date."""
    table, chosen = chosen_of(fitted, table)
    start = 0 if fitted.start_date_ordinal_ is None else fitted.start_date_ordinal_ - 1
    for name in chosen:
        days = (dates.microseconds(_date(fitted, table, name)) / DAY).unary("Floor")
        made = (days + float(BEFORE_1970 - start)).cast(graph.precision)
        table = added(table, [f"{name}_ordinal"], made)
    return finished(fitted, table, chosen)


def subtraction(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DatetimeSubtraction: the time from each reference to each date."""
    table = columns_of_fit(fitted, table)
    variables, references = names(fitted.variables_), names(fitted.reference_)
    unit = np.timedelta64(1, fitted.output_unit).astype("timedelta64[ns]").astype(np.int64)
    moments = {
        name: dates.microseconds(dates.in_utc(_date(fitted, table, name)))
        for name in (*variables, *references)
    }
    made = [
        _nanoseconds(moments[name] - moments[reference]) / float(unit)
        for reference in references
        for name in variables
    ]
    new = fitted._get_new_features_name()
    table = added(table, new, graph.concat(made).cast(graph.precision))
    return finished(fitted, table, [*variables, *references])


def _nanoseconds(microseconds: Tensor) -> Tensor:
    """In 64 bits, as pandas holds them: more than 292 years wrap around."""
    made = (microseconds.cast("int64") * 1000).cast("float64")
    return microseconds.isnan().where(np.nan, made)


def _date(fitted: Any, table: Table, name: str) -> Tensor:
    """`pd.to_datetime` of a column."""
    [column] = table[[name]].tensors
    utc = bool(getattr(fitted, "utc", False))
    if column.dtype == DATE:
        return dates.in_utc(column) if utc else column
    if column.dtype != "string":
        raise Unsupported(f"it reads dates out of numbers: '{name}'", "Give it text or dates.")
    form = dates.form_of(column) or getattr(fitted, "format", None)
    if form is None or form in ("ISO8601", "mixed"):
        raise Unsupported(
            f"'{name}' holds dates of no form that is known, or of several",
            "Give it format=…, such as '%Y-%m-%d'; or a column of dates.",
        )
    if "%z" in form and not utc:
        raise Unsupported("dates with an offset are in a zone of their own", "Set utc=True.")
    return dates.from_text(column, form)


CONVERTERS: Converters = {
    text.TextFeatures: exact(counted),
    datetime.DatetimeOrdinal: exact(ordinal),
    datetime.DatetimeSubtraction: exact(subtraction),
}
