"""Scalers against scikit-learn, to the last digit: thresholds of trees come after them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.graph.responses import RELEASE
from tests.convert.exactness import assert_exact

NAN = np.nan
RANDOM = np.random.default_rng(2)
SMOOTH = RANDOM.normal(size=(120, 4)) * [1.0, 1e6, 1e-9, 1e12] + [0.0, 1e6, 1.0, 0.0]
GAPS = np.where(RANDOM.random(SMOOTH.shape) < 0.2, NAN, SMOOTH)
CONSTANT = np.column_stack([np.full(120, 3.7), np.zeros(120), SMOOTH[:, 0], np.full(120, -1e25)])
GRID = RANDOM.integers(-3, 4, (120, 4)) / 10
ODD = np.array([[0.0, -0.0, 1e-300, 1e6], [NAN] * 4, [1e12, -1e25, 5e-324, -1.0]])

SCALERS: dict[str, Any] = {
    "standard": StandardScaler(),
    "no mean": StandardScaler(with_mean=False),
    "no deviation": StandardScaler(with_std=False),
    "neither": StandardScaler(with_mean=False, with_std=False),
    "min max": MinMaxScaler(),
    "a range": MinMaxScaler((-2.5, 7)),
    "clipped": MinMaxScaler((-1, 1), clip=True),
    "max abs": MaxAbsScaler(),
    **({"max abs, clipped": MaxAbsScaler(clip=True)} if RELEASE >= (1, 8) else {}),
    "robust": RobustScaler(),
    "no centre": RobustScaler(with_centering=False),
    "no range": RobustScaler(with_scaling=False),
    "quantiles": RobustScaler(quantile_range=(5, 60), unit_variance=True),
}


@pytest.mark.parametrize(
    "X", [SMOOTH, GAPS, CONSTANT, GRID], ids=["smooth", "gaps", "flat", "grid"]
)
@pytest.mark.parametrize("scaler", SCALERS.values(), ids=SCALERS)
def test_to_the_last_digit(scaler: Any, X: Any) -> None:
    assert_exact(scaler.fit(X), np.vstack([X, ODD, X * 10, -X]), tolerance=0.0)


@pytest.mark.parametrize("scaler", SCALERS.values(), ids=SCALERS)
def test_whole_numbers_and_booleans(scaler: Any) -> None:
    X = pd.DataFrame(
        {"i": RANDOM.integers(-9, 2**40, 60), "b": RANDOM.random(60) < 0.3, "f": GRID[:60, 0]}
    )
    assert_exact(scaler.fit(X), X, tolerance=0.0)
    assert_exact(scaler.fit(X[["i"]]), X[["i"]], tolerance=0.0)


def test_counts_of_words_stay_few() -> None:
    texts = ["one two two", "", "three one", "four four four four five", "unseen words", "two"] * 2
    columns = (
        [MaxAbsScaler()],
        [StandardScaler(with_mean=False)],
        [RobustScaler(with_centering=False), Normalizer("l1")],
        [Binarizer(threshold=1.0), Normalizer("l2"), MaxAbsScaler()],
        [FunctionTransformer(), Normalizer("max")],
    )
    for parts in columns:
        model = make_pipeline(CountVectorizer(), *parts)
        assert_exact(model.fit(texts[:-2]), texts, tolerance=1e-15)


@pytest.mark.parametrize("scaler", SCALERS.values(), ids=SCALERS)
def test_trees_behind_find_their_thresholds(scaler: Any) -> None:
    model = make_pipeline(scaler, DecisionTreeClassifier(random_state=0))
    model.fit(GRID, RANDOM.integers(0, 2, 120))

    near = [GRID, np.nextafter(GRID, 1), np.nextafter(GRID, -1), GRID + 0.05]
    assert_exact(model, np.vstack(near))
