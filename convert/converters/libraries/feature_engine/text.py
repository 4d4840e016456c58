"""TextFeatures: what is counted in text, by the front end.

Source: `feature_engine/text/text_features.py` (`TEXT_FEATURES`): pandas' `.str`, of Python's `re`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from feature_engine import text as library

from onnxlet.convert.converters.libraries.feature_engine.columns import (
    added,
    given,
    names,
    without,
)
from onnxlet.convert.converters.preprocessing.imputation import filled_text
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor


class Counted:
    """Numbers of a column of text, each of shape (rows, 1)."""

    def __init__(self, column: Tensor) -> None:
        self._column = column

    def found(self, pattern: str) -> Tensor:
        """How often a regular expression is found."""
        return self._number({"step": "pattern_count", "pattern": pattern})

    def matches(self, pattern: str, how: str) -> Tensor:
        """1 where a regular expression matches."""
        return self._number({"step": "pattern_matches", "pattern": pattern, "how": how})

    def distinct_words(self) -> Tensor:
        """How many different words there are."""
        return self._number({"step": "distinct_words"})

    def length(self) -> Tensor:
        """How many characters there are."""
        return self._number({"step": "length"})

    def stripped_length(self) -> Tensor:
        """How many there are between the first that is no space and the last."""
        graph = self._column.graph
        stripped = graph.front_end(self._column, {"step": "str_method", "name": "strip"})
        return graph.front_end(stripped, {"step": "length"}, graph.precision)

    def _number(self, step: Mapping[str, Any]) -> Tensor:
        graph = self._column.graph
        return graph.front_end(self._column, step, graph.precision)


SPACES, LETTERS, WORDS, CAPITALS, DIGITS = r"\s", r"\S", r"\S+", "[A-Z]", r"\d"

FEATURES: dict[str, Callable[[Counted], Tensor]] = {
    "char_count": lambda x: x.found(LETTERS),
    "word_count": lambda x: x.found(WORDS),
    "sentence_count": lambda x: x.found("[.!?]+"),
    "avg_word_length": lambda x: x.stripped_length() / x.found(WORDS),
    "digit_count": lambda x: x.found(DIGITS),
    "letter_count": lambda x: x.found("[a-zA-Z]"),
    "uppercase_count": lambda x: x.found(CAPITALS),
    "lowercase_count": lambda x: x.found("[a-z]"),
    "special_char_count": lambda x: x.found(r"[^a-zA-Z0-9\s]"),
    "whitespace_count": lambda x: x.found(SPACES),
    "whitespace_ratio": lambda x: x.found(SPACES) / x.length().maximum(1.0),
    "digit_ratio": lambda x: x.found(DIGITS) / x.found(LETTERS).maximum(1.0),
    "uppercase_ratio": lambda x: x.found(CAPITALS) / x.found(LETTERS).maximum(1.0),
    "has_digits": lambda x: x.matches(DIGITS, "search"),
    "has_uppercase": lambda x: x.matches(CAPITALS, "search"),
    "is_empty": lambda x: x.length().equals(0.0).cast(x.length().dtype),
    "starts_with_uppercase": lambda x: x.matches("^[A-Z]", "match"),
    "ends_with_punctuation": lambda x: x.matches(".*[.!?]$", "match"),
    "unique_word_count": lambda x: x.distinct_words(),
    "lexical_diversity": lambda x: x.found(WORDS) / x.distinct_words(),
}


def counted(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The columns, and the features of each text."""
    table = given(fitted, table)
    chosen = names(fitted.variables_)
    for name in chosen:
        if fitted.missing_values == "ignore":
            [filled] = filled_text(table[name], [table[name]], [""], None)
            table = table.assign(**{name: filled})
        x = Counted(table[name])
        made = graph.concat([FEATURES[feature](x) for feature in fitted.features_])
        new = [f"{name}_{feature}" for feature in fitted.features_]
        table = added(table, new, made.isnan().where(0.0, made))
    return {"transform": without(table, chosen) if fitted.drop_original else table}


CONVERTERS: Converters = {library.TextFeatures: exact(counted)}
