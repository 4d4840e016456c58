"""Clusters: the nearest centre, or pooled columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.cluster import (
    AffinityPropagation,
    Birch,
    BisectingKMeans,
    FeatureAgglomeration,
    KMeans,
    MeanShift,
    MiniBatchKMeans,
)
from sklearn.datasets import load_iris

from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact, assert_refused

X, _ = load_iris(return_X_y=True)
FAR = np.vstack([X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])
ROWS = np.vstack([X, X + 0.05, FAR])


CLUSTERS = [
    KMeans(5, random_state=0),
    KMeans(1),
    KMeans(3, algorithm="elkan", random_state=0),
    MiniBatchKMeans(4, random_state=0),
    BisectingKMeans(6, random_state=0),
    BisectingKMeans(1),
    BisectingKMeans(4, bisecting_strategy="largest_cluster", random_state=1),
    Birch(),
    Birch(n_clusters=None),
    Birch(threshold=0.2, n_clusters=KMeans(4, random_state=0)),
    MeanShift(),
    MeanShift(bandwidth=1.0, cluster_all=False),
    AffinityPropagation(random_state=0),
]
BY_DISTANCE = (KMeans, MiniBatchKMeans, BisectingKMeans, Birch)


@pytest.mark.parametrize("estimator", CLUSTERS, ids=str)
def test_nearest_centres(estimator: Any) -> None:
    fitted = fit(estimator, X[::2])
    assert_exact(fitted, ROWS)
    if isinstance(fitted, BY_DISTANCE):
        assert_exact(fitted, np.vstack([X + 0.05, FAR]), methods=["transform"])


@pytest.mark.parametrize("kind", [KMeans, Birch, MeanShift, BisectingKMeans])
def test_one_column(kind: Any) -> None:
    assert_exact(fit(kind(), X[:, :1]), ROWS[:, :1])


def test_rows_between_two_centres() -> None:
    grid = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    fitted = KMeans(4, init=grid, n_init=1).fit(np.vstack([grid, grid]))
    middle = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 2.0], [-7.0, 1.0]])
    near = [middle, np.nextafter(middle, -9.0), np.nextafter(middle, 9.0)]
    assert_exact(fitted, np.vstack(near))


@pytest.mark.parametrize("pool", [np.mean, np.median, np.sum, np.max, np.min])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_pooled_columns(pool: Any, count: int) -> None:
    wide = np.random.default_rng(0).normal(size=(40, 9)) + np.arange(9) // 4
    fitted = FeatureAgglomeration(count, pooling_func=pool).fit(wide)
    assert_exact(fitted, np.vstack([wide, wide * 1e12, wide * -1e25]))


def test_refusals() -> None:
    assert_refused(
        FeatureAgglomeration(2, pooling_func=np.std).fit(X), X, "pooling_func std", "np.mean"
    )
    assert_refused(
        AffinityPropagation(affinity="precomputed").fit(X[:30] @ X[:30].T),
        X,
        "precomputed",
        None,
        methods=["predict"],
    )
    assert_refused(
        fit(AffinityPropagation(max_iter=1), X), X, "found no cluster", methods=["predict"]
    )
