"""quantile-forest's models answer the quantiles that it does, by leaves of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("quantile_forest")

import quantile_forest
from sklearn.datasets import load_diabetes

from onnxlet.convert.converters.libraries import quantile_forest as converter
from tests.convert.exactness import assert_exact, assert_refused

X, Y = load_diabetes(return_X_y=True)
KINDS = [
    quantile_forest.RandomForestQuantileRegressor,
    quantile_forest.ExtraTreesQuantileRegressor,
]


def fitted(kind: Any, y: Any = Y, **options: Any) -> Any:
    return kind(n_estimators=12, random_state=0, **options).fit(X[::2], y[::2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [1, 3, None])
@pytest.mark.parametrize("quantiles", [None, "mean", 0.5, [0.9, 0.0, 0.1, 1.0, 0.333]], ids=str)
def test_quantiles_of_leaves(kind: Any, kept: Any, quantiles: Any) -> None:
    options = {"max_samples_leaf": kept, "default_quantiles": quantiles, "min_samples_leaf": 4}
    assert_exact(fitted(kind, **options), X)


@pytest.mark.parametrize("options", [{"bootstrap": False}, {"max_depth": 1}, {"max_features": 2}])
def test_other_forests(options: Any) -> None:
    for quantiles in ("mean", [0.25, 0.75]):
        model = fitted(KINDS[0], max_samples_leaf=None, default_quantiles=quantiles, **options)
        assert_exact(model, X)


def test_monotonic_forests() -> None:
    constraints = [0] * 2 + [1] + [0] * 7
    for quantiles in ("mean", [0.25, 0.75]):
        model = fitted(KINDS[0], monotonic_cst=constraints, default_quantiles=quantiles)
        assert_exact(model, X)


def test_several_outputs() -> None:
    both = np.column_stack([Y, -np.sqrt(Y)])
    for quantiles in (None, 0.7):
        assert_exact(fitted(KINDS[0], both, default_quantiles=quantiles), X)
    assert_refused(
        fitted(KINDS[0], both, default_quantiles=[0.1, 0.9]),
        X,
        "several quantiles of several outputs",
    )


def test_leaves_that_hold_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(KINDS[0], max_samples_leaf=None, max_depth=2, default_quantiles=0.5)
    monkeypatch.setattr(converter, "MOST_SORTED", 100)
    assert_refused(model, X, "12 trees keep up to", "max_samples_leaf")
