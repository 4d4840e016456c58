"""Outliers of an ellipse."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_iris

from tests.convert.exactness import assert_exact

X, _ = load_iris(return_X_y=True)
ROWS = np.vstack([X, X + 0.05, X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])


@pytest.mark.parametrize("contamination", [0.05, 0.3])
@pytest.mark.parametrize("keeps", [True, False])
def test_elliptic_envelope(contamination: float, keeps: bool) -> None:
    fitted = EllipticEnvelope(
        contamination=contamination, store_precision=keeps, random_state=0
    ).fit(X)
    assert_exact(fitted, ROWS)


def test_one_column() -> None:
    assert_exact(EllipticEnvelope(random_state=0).fit(X[:, :1]), ROWS[:, :1])
