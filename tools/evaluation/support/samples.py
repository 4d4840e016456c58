"""Real data of every kind that scikit-learn's estimators are fitted on.

All but the loans come with scikit-learn. Numbers lie on a grid, as measurements do: rows that
share a value with a training row, or lie halfway between two, are where conversions go wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import datasets

from onnxlet.convert.examples.loan_default import DATA
from onnxlet.function.arrays import Array

CENTRE = (18, 19, 20, 26, 27, 28, 34, 35, 36, 42, 43, 44)  # of a digit's 8 by 8 pixels
WORDS = 5  # a sentence has more
GAPS = 0.1  # the share of cells, where an estimator takes missing values


class Sample(NamedTuple):
    """What an estimator is fitted on (X, y), and other rows of the same kind."""

    X: Any
    y: Any
    others: Any


def with_gaps(X: Any, seed: int) -> Any:
    """A copy of an array or a DataFrame without some of its values."""
    random = np.random.default_rng(seed)
    gaps = random.random(X.shape) < GAPS
    if isinstance(X, pd.DataFrame):
        return X.mask(gaps)
    return np.where(gaps, X.dtype.type(np.nan), X)


def _halves(X: Any, y: Any = None) -> Sample:
    if isinstance(X, pd.DataFrame):
        return Sample(X.iloc[::2], y[::2], X.iloc[1::2])
    return Sample(X[::2], None if y is None else y[::2], X[1::2])


def _standardised(X: Array) -> Array:
    return np.asarray(((X - X.mean(axis=0)) / X.std(axis=0)).round(2))


def two_classes() -> Sample:
    """Tumours, malignant or benign by name."""
    data = datasets.load_breast_cancer()
    X = _standardised(data.data[:, [0, 1, 4, 5, 6, 7, 8, 9]])
    return _halves(X, data.target_names[data.target].astype(object))


def three_classes() -> Sample:
    """Wines of three growers, by number."""
    X, y = datasets.load_wine(return_X_y=True)
    return _halves(_standardised(X[:, [0, 1, 4, 6, 9, 12]]), y)


def unscaled() -> Sample:
    """Tumours as they were measured: magnitudes from 0.01 to 1000, zeros too."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return _halves(X[:, [0, 3, 4, 6, 7, 8]], y)


def with_gaps_in_it() -> Sample:
    """The same without some of its values."""
    X, y, others = unscaled()
    return Sample(with_gaps(X, 1), y, with_gaps(others, 2))


def one_target() -> Sample:
    """How diabetes went on."""
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    return _halves(_standardised(X), y)


def one_column() -> Sample:
    """How diabetes went on, from the body mass index only."""
    X, y = datasets.load_diabetes(return_X_y=True, scaled=False)
    return _halves(X[:, [2]], y)


def two_targets() -> Sample:
    """Two blood values from the others."""
    X, _ = datasets.load_diabetes(return_X_y=True, scaled=False)
    return _halves(_standardised(X[:, [0, 2, 3, 4, 8, 9]]), X[:, [6, 7]])


def two_labels() -> Sample:
    """Wines: the grower, and whether there is much alcohol."""
    X, y = datasets.load_wine(return_X_y=True)
    return _halves(_standardised(X[:, [1, 4, 6, 9, 12]]), np.column_stack([y, X[:, 0] > 13]))


def two_indicators() -> Sample:
    """Wines: whether they are the first grower's, and whether there is much alcohol."""
    X, y = datasets.load_wine(return_X_y=True)
    indicators = np.column_stack([y == 0, X[:, 0] > 13]).astype(int)
    return _halves(_standardised(X[:, [1, 4, 6, 9, 12]]), indicators)


def pixels() -> Sample:
    """The middle of handwritten digits, from 0 to 16."""
    X, y = datasets.load_digits(return_X_y=True)
    return _halves(X[:500, CENTRE], y[:500])


def shades() -> Sample:
    """The same from 0 to 1."""
    X, y, others = pixels()
    return Sample(X / 16, y, others / 16)


def counts() -> Sample:
    """The same as whole numbers."""
    X, y, others = pixels()
    return Sample(X.astype(np.int64), y, others.astype(np.int64))


def similarities() -> Sample:
    """Each wine's scalar products with those that were fitted on."""
    X, y, others = three_classes()
    return Sample(X[:20] @ X[:20].T, y[:20], others @ X[:20].T)


def categories() -> Sample:
    """Who asked for loans, in text; whether they went well."""
    loans = _loans()
    return _halves(loans[["Home", "Marital", "Job"]], loans["Status"].to_numpy())


def loans() -> Sample:
    """The same with numbers."""
    loans = _loans()
    X = loans[["Home", "Job", "Age", "Income", "Price"]].astype({"Income": float, "Age": float})
    return _halves(X, loans["Status"].to_numpy())


def _loans() -> pd.DataFrame:
    return pd.read_csv(DATA).dropna().iloc[:600]


def sentences() -> Sample:
    """What scikit-learn says of its data sets."""
    makers: tuple[Callable[[], Any], ...] = (
        datasets.load_iris, datasets.load_wine, datasets.load_breast_cancer,
        datasets.load_diabetes, datasets.load_digits, datasets.load_linnerud,
    )  # fmt: skip
    text = " ".join(make().DESCR for make in makers)
    found = [" ".join(part.split()) for part in re.split(r"(?<=[.:])\s+|\n\n+", text)]
    return _halves([part for part in found if len(part.split()) > WORDS])


def word_counts() -> Sample:
    """The words of each sentence, counted: a mapping by word."""
    X, y, others = sentences()
    return Sample([_counted(text) for text in X], y, [_counted(text) for text in others])


def _counted(text: str) -> dict[str, int]:
    words = text.lower().split()
    return {word: words.count(word) for word in words}


def images() -> Sample:
    """Whole digits, 8 by 8 pixels each."""
    return _halves((datasets.load_digits().images[:100] * 15).astype(np.uint8))
