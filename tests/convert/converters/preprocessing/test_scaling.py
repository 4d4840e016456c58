"""Scalers, bins and thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.graph.responses import RELEASE
from tests.convert.exactness import answers, assert_exact

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


OTHERS = np.random.default_rng(4)
VALUES = OTHERS.normal(size=(150, 3)) * [1.0, 1e6, 1e-3] + [0.0, 1e7, 0.0]
TENTHS = OTHERS.integers(0, 5, (150, 3)) / 10
FLAT = np.column_stack([VALUES[:, 0], np.full(150, 2.0), TENTHS[:, 0]])
EXTREME = np.array([[0.0, -0.0, 1e12], [1e6, -1e25, 5e-324], [-1e300, 1e300, 1.0]])


def around(X: Any, values: Any) -> Any:
    """The rows, and each of the values and its neighbours in every column."""
    near = np.concatenate([values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf)])
    near = np.concatenate([near, values.astype(np.float32)])
    near = near[np.isfinite(near)]
    return np.vstack(
        [X, np.repeat(near.reshape(-1, 1), X.shape[1], axis=1), EXTREME[:, : X.shape[1]]]
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.parametrize("X", [VALUES, TENTHS, FLAT], ids=["smooth", "grid", "constant"])
def test_bins(X: Any, strategy: Any, encode: Any) -> None:
    for count in (5, [2, 3, 7]):
        made = KBinsDiscretizer(count, encode=encode, strategy=strategy, subsample=None).fit(X)
        assert_exact(made, around(X, np.concatenate(made.bin_edges_)), tolerance=0.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [None, np.float64])
def test_more_ways_to_set_bins(dtype: Any) -> None:
    more: list[Any] = [{"quantile_method": "linear"}] if RELEASE >= (1, 7) else []
    for options in (*more, {"subsample": 50, "random_state": 0}):
        made = KBinsDiscretizer(4, strategy="quantile", dtype=dtype, **options)
        assert_exact(made.fit(VALUES), VALUES, tolerance=0.0)


@pytest.mark.filterwarnings("ignore")
def test_a_single_bin_everywhere() -> None:
    X = np.ones((10, 2))
    for encode in ("ordinal", "onehot"):
        assert_exact(KBinsDiscretizer(3, encode=encode).fit(X), around(X, np.array([1.0])))


@pytest.mark.filterwarnings("ignore")
def test_edges_are_compared_in_float64_in_a_float32_graph() -> None:
    X = np.float32(TENTHS).astype(float)
    made = KBinsDiscretizer(4, encode="ordinal", strategy="uniform").fit(X)
    near = np.concatenate(made.bin_edges_).astype(np.float32)
    near = np.concatenate([near, np.nextafter(near, np.float32(9)), np.nextafter(near, -near)])
    rows = np.repeat(near.astype(float).reshape(-1, 1), 3, axis=1)

    assert_exact(made, rows, precision="float32")
    assert_exact(Binarizer(threshold=0.1).fit(X), rows, precision="float32")
    whole = pd.DataFrame({"i": np.arange(2**25, 2**25 + 40)})
    made = KBinsDiscretizer(4, encode="ordinal", strategy="uniform").fit(whole)
    assert_exact(made, whole, precision="float32")


@pytest.mark.filterwarnings("ignore")
def test_bins_of_whole_numbers_and_booleans() -> None:
    X = pd.DataFrame({"i": OTHERS.integers(0, 2**40, 90), "b": OTHERS.random(90) < 0.4})

    assert_exact(KBinsDiscretizer(4, strategy="uniform").fit(X), X)
    assert_exact(Binarizer(threshold=2.0**39).fit(X), X)
    assert_exact(Binarizer(threshold=0.5).fit(X), X)


@pytest.mark.parametrize("threshold", [0.0, 0.1, -1e25, 2, 1e6])
def test_binarizer(threshold: float) -> None:
    made = Binarizer(threshold=threshold).fit(VALUES)

    assert_exact(made, around(np.vstack([VALUES, TENTHS]), np.array([float(threshold)])))


@pytest.mark.filterwarnings("ignore")
def test_before_a_model() -> None:
    model = make_pipeline(KBinsDiscretizer(6), LogisticRegression())
    model.fit(VALUES, TENTHS[:, 0] > 0.2)

    assert_exact(model, np.vstack([VALUES, EXTREME]))
    assert answers(model, VALUES)["predict_proba"].shape == (150, 2)
