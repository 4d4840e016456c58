"""Embeddings by neighbours, and labels that spread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.manifold import Isomap, LocallyLinearEmbedding
from sklearn.semi_supervised import LabelPropagation, LabelSpreading

from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact, assert_refused

random = np.random.default_rng(0)
X, y = load_iris(return_X_y=True)
TRAIN = X[::2] + random.normal(scale=0.02, size=(75, 4))
SOME = np.where(random.random(75) < 0.5, y[::2], -1)
ROWS = np.vstack([X, TRAIN[:9], X[:3] * 100.0])


EMBEDDINGS = [
    Isomap(),
    Isomap(n_neighbors=9, n_components=3, metric="manhattan"),
    Isomap(neighbors_algorithm="brute"),
    LocallyLinearEmbedding(random_state=0),
    LocallyLinearEmbedding(n_neighbors=8, n_components=3, reg=0.1, random_state=0),
]


@pytest.mark.parametrize("estimator", EMBEDDINGS, ids=str)
def test_embeddings(estimator: Any) -> None:
    assert_exact(fit(estimator, TRAIN), ROWS, tolerance=1e-7)


@pytest.mark.parametrize("kind", [LabelPropagation, LabelSpreading])
@pytest.mark.parametrize("options", [{}, {"gamma": 2}, {"kernel": "knn"}], ids=str)
def test_spread_labels(kind: Any, options: dict[str, Any]) -> None:
    assert_exact(fit(kind(**options), TRAIN, SOME), ROWS)
    two = np.where(SOME == 0, -1, SOME)
    assert_exact(fit(kind(**options), TRAIN, two), ROWS)


def test_refusals() -> None:
    assert_refused(fit(Isomap(n_neighbors=None, radius=1.0), TRAIN), X, "within a radius")
    own = LabelPropagation(kernel=lambda a, b: np.exp(-((a[:, None] - b) ** 2).sum(-1)))
    assert_refused(fit(own, TRAIN, SOME), X, "Python function")
