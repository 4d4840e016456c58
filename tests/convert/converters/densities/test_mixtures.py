"""Gaussian mixtures, of every shape of covariance."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from tests.convert.exactness import assert_exact

X, _ = load_iris(return_X_y=True)
ROWS = np.vstack([X + 0.05, X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])


def fit(estimator: Any, X: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X)


shapes = pytest.mark.parametrize("shape", ["full", "tied", "diag", "spherical"])


@shapes
def test_gaussian(shape: str) -> None:
    fitted = fit(GaussianMixture(3, covariance_type=shape, random_state=0), X[::2])
    assert_exact(fitted, ROWS, tolerance=1e-8)


@shapes
@pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])
def test_bayesian(shape: str, kind: str) -> None:
    options: Any = {"covariance_type": shape, "weight_concentration_prior_type": kind}
    fitted = fit(BayesianGaussianMixture(n_components=4, random_state=0, **options), X[::2])
    assert_exact(fitted, ROWS, tolerance=1e-8)


@pytest.mark.parametrize("kind", [GaussianMixture, BayesianGaussianMixture])
def test_single_components_and_columns(kind: Any) -> None:
    assert_exact(fit(kind(n_components=1), X), ROWS)
    assert_exact(fit(kind(n_components=2, random_state=0), X[:, 2:3]), ROWS[:, 2:3])
