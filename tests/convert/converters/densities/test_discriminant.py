"""Discriminant analysis, linear and quadratic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.covariance import OAS
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

from tests.convert.exactness import assert_exact

X, y = load_iris(return_X_y=True)
PAIR = y < 2
WORDS = np.array(["setosa", "versicolor", "virginica"])
FAR = np.vstack([X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])
ROWS = np.vstack([X + 0.05, FAR])

LINEAR: list[dict[str, Any]] = [
    {},
    {"n_components": 1},
    {"priors": [0.2, 0.3, 0.5]},
    {"solver": "lsqr"},
    {"solver": "lsqr", "shrinkage": "auto"},
    {"solver": "lsqr", "covariance_estimator": OAS()},
    {"solver": "eigen"},
    {"solver": "eigen", "shrinkage": 0.3, "n_components": 1},
]


@pytest.mark.parametrize("options", LINEAR, ids=str)
def test_linear(options: dict[str, Any]) -> None:
    fitted = LinearDiscriminantAnalysis(**options).fit(X[::2], WORDS[y[::2]])
    assert_exact(fitted, ROWS)
    if options.get("solver") != "lsqr":
        assert_exact(fitted, ROWS, methods=["transform"])


@pytest.mark.parametrize("solver", ["svd", "lsqr", "eigen"])
def test_linear_with_two_classes(solver: str) -> None:
    near = X[50:] + np.random.default_rng(0).normal(size=(100, 4))
    for target in (y[50:], WORDS[y[50:]], y[50:] == 2):
        fitted = LinearDiscriminantAnalysis(solver=solver).fit(near, target)
        assert_exact(fitted, np.vstack([near, FAR]))
    assert_exact(LinearDiscriminantAnalysis(solver=solver).fit(X[:, :1], y), ROWS[:, :1])


QUADRATIC: list[dict[str, Any]] = [
    {},
    {"reg_param": 0.2},
    {"priors": [0.2, 0.3, 0.5]},
    {"store_covariance": True},
]


@pytest.mark.parametrize("options", QUADRATIC, ids=str)
def test_quadratic(options: dict[str, Any]) -> None:
    fitted = QuadraticDiscriminantAnalysis(**options).fit(X, WORDS[y])
    assert_exact(fitted, ROWS)


def test_quadratic_with_two_classes() -> None:
    for target in (y[PAIR], WORDS[y[PAIR]], y[PAIR] == 1):
        assert_exact(QuadraticDiscriminantAnalysis().fit(X[PAIR], target), ROWS)
    assert_exact(QuadraticDiscriminantAnalysis().fit(X[:, :1], y), ROWS[:, :1])


def test_quadratic_by_eigenvectors() -> None:
    pytest.importorskip("sklearn", "1.8")
    fitted = QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=0.1).fit(X, y)
    assert_exact(fitted, ROWS)
