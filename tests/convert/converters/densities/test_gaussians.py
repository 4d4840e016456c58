"""Gaussian mixtures, and outliers of an ellipse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_iris
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact

X, _ = load_iris(return_X_y=True)
ROWS = np.vstack([X + 0.05, X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])


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


@pytest.mark.parametrize("contamination", [0.05, 0.3])
@pytest.mark.parametrize("keeps", [True, False])
def test_elliptic_envelope(contamination: float, keeps: bool) -> None:
    fitted = EllipticEnvelope(
        contamination=contamination, store_precision=keeps, random_state=0
    ).fit(X)
    assert_exact(fitted, np.vstack([X, ROWS]))


def test_one_column() -> None:
    assert_exact(EllipticEnvelope(random_state=0).fit(X[:, :1]), np.vstack([X, ROWS])[:, :1])
