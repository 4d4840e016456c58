"""Columns of text: prose, of which words say something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.estimators.bounded_svd import BoundedSVD
from onnxlet.convert.train.kinds.kind import (
    COMPONENTS,
    Kind,
    Part,
    Typed,
    Wanted,
    each_value,
    rounded,
)
from onnxlet.convert.train.kinds.profile import Content, Profile, TableColumn, Words

WORDS = 3.0  # on average, that make a text
LETTERS = 25.0  # on average, of scripts that set no spaces, too
MANY = 50  # different values of a category; above it, text that seldom repeats is a text or a code
SELDOM = 0.1  # different values among the known ones
OTHER = "which no request can carry"
# Terms of a text for linear models, by how it is cut.
CUTS: dict[str, dict[str, Any]] = {
    "words": {"ngram_range": (1, 2), "max_features": 20_000},
    "characters": {"analyzer": "char_wb", "ngram_range": (2, 4), "max_features": 30_000},
}
CONDENSED = 2_000  # terms of a text that are condensed for trees
PLAIN, FEWEST_PLAIN = 300, 50  # terms of a text that trees have as they are
PLAIN_CELLS = 20_000_000  # of all rows and terms: 160 MB


class Text(Kind):
    """Prose; and what has no form in JSON, which is shown as text and never used."""

    name = "text"
    is_faint = True
    is_looked_up = False

    def recognised(self, content: Content) -> TableColumn | None:
        """It is words, and most values come once."""
        seen = content.profile
        if not content.is_carried:
            shown = type(seen.column[seen.column.notna()].iloc[0]).__name__
            return seen.taken_for(
                self.name, f"values of type {shown}, {OTHER}: left out", used=False
            )
        words = content.words
        if words is None or not _is_prose(seen, words):
            return None
        each = (
            f"{words.words:.0f} words" if words.words >= WORDS else f"{words.letters:.0f} letters"
        )
        return seen.taken_for(
            self.name, f"{seen.different}, {each} on average{seen.gaps}{words.odd}"
        )

    def typed(self, column: pd.Series[Any], form: str | None) -> Typed:
        """In objects, the same text once in memory; NaN for a gap."""
        return Typed(
            each_value(column, lambda values: [v if type(v) is str else str(v) for v in values]), []
        )

    def linear(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """Weights of each text's terms."""
        return [
            (f"{cut} of {one.name}", _terms(**CUTS[cut]), [one.name])
            for one in columns
            for cut in wanted.texts
        ]

    def trees(self, columns: Sequence[TableColumn], wanted: Wanted) -> list[Part]:
        """A few numbers that all terms are condensed to, or which of the most frequent it has."""
        return [
            (f"text {one.name}", _terms_for_trees(columns, wanted), [one.name]) for one in columns
        ]


TEXT = Text()


def are_few(seen: Profile, words: Words) -> bool:
    """So few values that even long ones are categories, unless they hardly repeat."""
    wordy = words.words >= WORDS or words.letters >= LETTERS
    return seen.distinct <= MANY and not (seen.distinct / seen.known > 0.5 and wordy)


def _is_prose(seen: Profile, words: Words) -> bool:
    if are_few(seen, words) or seen.distinct / seen.known <= SELDOM:
        return False
    return words.words >= WORDS or (words.letters >= LETTERS and not words.are_of_one_word)


def _terms(**settings: Any) -> Pipeline:
    """Weights of a text's terms; a missing text has none."""
    return _vectorised(TfidfVectorizer(sublinear_tf=True, min_df=2, **settings))


def _terms_for_trees(columns: Sequence[TableColumn], wanted: Wanted) -> Pipeline:
    if wanted.terms:
        most = plain_terms(len(columns), wanted.rows)
        return _vectorised(CountVectorizer(binary=True, min_df=2, max_features=most))
    return make_pipeline(
        _terms(max_features=CONDENSED),
        BoundedSVD(COMPONENTS, random_state=wanted.seed),
        rounded(),
    )


def plain_terms(texts: int, rows: int) -> int:
    """How many terms of each text trees may have as they are; too few are 0."""
    most = min(PLAIN, PLAIN_CELLS // (rows * texts)) if texts else 0
    return most if most >= FEWEST_PLAIN else 0


def _vectorised(vectoriser: CountVectorizer) -> Pipeline:
    """A missing text, NaN or None, is one without terms."""
    filled = [
        SimpleImputer(missing_values=missing, strategy="constant", fill_value="")
        for missing in (np.nan, None)
    ]
    return make_pipeline(*filled, FunctionTransformer(np.ravel), vectoriser)
