"""Partial least squares and canonical correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression

from tests.convert.exactness import assert_exact

random = np.random.default_rng(0)
X = random.normal(size=(80, 5)) * [1.0, 10.0, 0.1, 1.0, 1.0] + [0.0, 3.0, 0.0, -50.0, 1e3]
Y = X[:, :3] @ random.normal(size=(3, 2)) + random.normal(size=(80, 2))
ROWS = np.vstack([X, X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 5)), X[:2] * -1e25])


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("kind", [PLSRegression, PLSCanonical, CCA])
def test_predictions_and_scores(kind: Any, scale: bool) -> None:
    fitted = kind(2, scale=scale).fit(X[::2], Y[::2])
    assert_exact(fitted, ROWS)
    assert_exact(fitted, ROWS, methods=["transform"])


@pytest.mark.parametrize("target", [Y[:, 0], Y[:, :1]], ids=["flat", "one column"])
def test_one_target(target: Any) -> None:
    assert_exact(PLSRegression(3).fit(X, target), ROWS)


@pytest.mark.parametrize("scale", [True, False])
def test_singular_values(scale: bool) -> None:
    assert_exact(PLSSVD(2, scale=scale).fit(X, Y), ROWS)
