"""Bins and thresholds against scikit-learn, on and next to every edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, KBinsDiscretizer

from onnxlet.convert.graph.responses import RELEASE
from tests.convert.exactness import answers, assert_exact

RANDOM = np.random.default_rng(4)
SMOOTH = RANDOM.normal(size=(150, 3)) * [1.0, 1e6, 1e-3] + [0.0, 1e7, 0.0]
GRID = RANDOM.integers(0, 5, (150, 3)) / 10
CONSTANT = np.column_stack([SMOOTH[:, 0], np.full(150, 2.0), GRID[:, 0]])
ODD = np.array([[0.0, -0.0, 1e12], [1e6, -1e25, 5e-324], [-1e300, 1e300, 1.0]])


def around(X: Any, values: Any) -> Any:
    """The rows, and each of the values and its neighbours in every column."""
    near = np.concatenate([values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf)])
    near = np.concatenate([near, values.astype(np.float32)])
    near = near[np.isfinite(near)]
    return np.vstack([X, np.repeat(near.reshape(-1, 1), X.shape[1], axis=1), ODD[:, : X.shape[1]]])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("encode", ["ordinal", "onehot", "onehot-dense"])
@pytest.mark.parametrize("strategy", ["uniform", "quantile", "kmeans"])
@pytest.mark.parametrize("X", [SMOOTH, GRID, CONSTANT], ids=["smooth", "grid", "constant"])
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
        assert_exact(made.fit(SMOOTH), SMOOTH, tolerance=0.0)


@pytest.mark.filterwarnings("ignore")
def test_a_single_bin_everywhere() -> None:
    X = np.ones((10, 2))
    for encode in ("ordinal", "onehot"):
        assert_exact(KBinsDiscretizer(3, encode=encode).fit(X), around(X, np.array([1.0])))


@pytest.mark.filterwarnings("ignore")
def test_edges_are_compared_in_float64_in_a_float32_graph() -> None:
    X = np.float32(GRID).astype(float)
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
    X = pd.DataFrame({"i": RANDOM.integers(0, 2**40, 90), "b": RANDOM.random(90) < 0.4})

    assert_exact(KBinsDiscretizer(4, strategy="uniform").fit(X), X)
    assert_exact(Binarizer(threshold=2.0**39).fit(X), X)
    assert_exact(Binarizer(threshold=0.5).fit(X), X)


@pytest.mark.parametrize("threshold", [0.0, 0.1, -1e25, 2, 1e6])
def test_binarizer(threshold: float) -> None:
    made = Binarizer(threshold=threshold).fit(SMOOTH)

    assert_exact(made, around(np.vstack([SMOOTH, GRID]), np.array([float(threshold)])))


@pytest.mark.filterwarnings("ignore")
def test_before_a_model() -> None:
    model = make_pipeline(KBinsDiscretizer(6), LogisticRegression())
    model.fit(SMOOTH, GRID[:, 0] > 0.2)

    assert_exact(model, np.vstack([SMOOTH, ODD]))
    assert answers(model, SMOOTH)["predict_proba"].shape == (150, 2)
