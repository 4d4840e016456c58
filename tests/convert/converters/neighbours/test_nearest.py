"""Neighbours are found, weighed and tied as scikit-learn's trees and brute force do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    LocalOutlierFactor,
    NearestCentroid,
    NeighborhoodComponentsAnalysis,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from threadpoolctl import threadpool_limits

from tests.convert.converters.samples import fit
from tests.convert.exactness import answers, assert_exact, assert_refused

random = np.random.default_rng(0)
X, y = load_iris(return_X_y=True)
NAN = float("nan")
POINTS = random.normal(size=(200, 4))
CLASS = (POINTS[:, 0] + random.normal(size=200) * 0.5 > 0).astype(int) + (POINTS[:, 1] > 0.3)
NUMBER = POINTS @ [1.0, -2.0, 0.5, 3.0] + random.normal(size=200)
ROWS = np.vstack([random.normal(size=(150, 4)), POINTS[:20]])
FAR = np.vstack([ROWS[:3] * 1e6, -ROWS[:3] * 1e12, np.zeros((1, 4)), ROWS[:2] * -1e25])
WORDS = np.array(["low", "mid", "high"])

METRICS: list[dict[str, Any]] = [
    {},
    {"algorithm": "brute"},
    {"algorithm": "ball_tree"},
    {"metric": "manhattan"},
    {"metric": "l1", "algorithm": "ball_tree"},
    {"metric": "chebyshev"},
    {"metric": "chebyshev", "algorithm": "ball_tree"},
    {"p": 3},
    {"p": 1.5, "algorithm": "brute"},
    {"p": 3, "metric_params": {"w": [1.0, 0.5, 2.0, 0.0]}},
    {"metric": "cosine"},
    {"metric": "sqeuclidean"},
    {"metric": "seuclidean", "metric_params": {"V": [1.0, 2.0, 0.5, 3.0]}},
    {"leaf_size": 1},
    {"leaf_size": 1000},
]
metrics = pytest.mark.parametrize("metric", METRICS, ids=str)
weights = pytest.mark.parametrize("weights", ["uniform", "distance"])


@metrics
@weights
def test_metrics(metric: dict[str, Any], weights: str) -> None:
    """Brute force finds no zero between a row and itself, to within the root of a rounding."""
    close = 1e-6 if weights == "distance" else 1e-9
    options = {**metric, "weights": weights}
    assert_exact(fit(KNeighborsClassifier(7, **options), POINTS, CLASS), ROWS, tolerance=close)
    assert_exact(fit(KNeighborsRegressor(7, **options), POINTS, NUMBER), ROWS, tolerance=close)
    radius = {**options, "radius": 0.3 if metric.get("metric") == "cosine" else 1.4}
    voters = RadiusNeighborsClassifier(outlier_label=1, **radius)
    assert_exact(fit(voters, POINTS, CLASS), ROWS, tolerance=close)
    mean = RadiusNeighborsRegressor(**radius)
    assert_exact(fit(mean, POINTS, NUMBER), ROWS, tolerance=close)


@weights
def test_rows_far_from_every_point(weights: str) -> None:
    assert_exact(fit(KNeighborsRegressor(1, weights=weights), POINTS, NUMBER), FAR[:7])
    assert_exact(fit(KNeighborsClassifier(len(X), weights="uniform"), X, y), FAR)
    voters = RadiusNeighborsClassifier(outlier_label="most_frequent", weights=weights)
    assert_exact(fit(voters, POINTS, CLASS), FAR)


ENDLESS = np.vstack(
    [ROWS[0], [-1e300, 0, 0, 0], [0, 1e160, 1, 1], [1.7e308, -1.7e308, 1, 1], ROWS[1]]
)


@pytest.mark.parametrize(
    ("options", "weights"),
    [
        ({"algorithm": "brute"}, "uniform"),
        ({"algorithm": "brute"}, "distance"),
        ({"algorithm": "brute", "metric": "manhattan"}, "distance"),
        ({"algorithm": "kd_tree", "leaf_size": 5}, "uniform"),
        ({"algorithm": "ball_tree", "leaf_size": 5}, "uniform"),
    ],
    ids=str,
)
def test_rows_whose_distances_overflow(options: dict[str, Any], weights: str) -> None:
    """What scikit-learn's heap begins with stays in it: the first row of the fit, again and again.

    Trees begin with infinity, brute force with the largest number. The very first row is of
    another class than most, and lies in no first leaf.
    """
    points = np.vstack([[9.0, 9.0, 9.0, 9.0], POINTS])
    several = {**options, "weights": weights}
    labels = np.r_[9, CLASS]
    fitted = fit(KNeighborsClassifier(5, **several), points, labels)
    assert_exact(fitted, ENDLESS)
    assert_exact(fit(KNeighborsRegressor(5, **several), points, np.r_[50.0, NUMBER]), ENDLESS)


def test_outliers_whose_distances_overflow() -> None:
    for algorithm in ("brute", "kd_tree"):
        assert_exact(fit(LocalOutlierFactor(novelty=True, algorithm=algorithm), POINTS), ENDLESS)


def test_radii_where_distances_overflow() -> None:
    voters = RadiusNeighborsClassifier(2.0, algorithm="brute", outlier_label="most_frequent")
    assert_exact(fit(voters, POINTS, CLASS), ENDLESS)


@weights
@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize("count", [1, 2, 5, 11])
def test_points_as_near_as_each_other(count: int, algorithm: str, weights: str) -> None:
    """Irises lie on a grid: the order of search and the heap decide between equals.

    In millimetres, where a matrix product is exact whichever way it is added up: equals stay equal.
    """
    options: dict[str, Any] = {"algorithm": algorithm, "weights": weights, "leaf_size": 10}
    grid = np.rint(X * 10)
    voters = KNeighborsClassifier(count, **options).fit(grid, random.integers(0, 9, len(grid)))
    assert_exact(voters, grid if weights == "uniform" else grid + 0.5)


@pytest.mark.parametrize("count", [1, 4, 9])
@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_points_on_a_coarse_grid(algorithm: str, count: int) -> None:
    grid = random.integers(0, 5, size=(120, 3)).astype(float)
    target = random.normal(size=120)
    nearest = KNeighborsRegressor(count, algorithm=algorithm, leaf_size=8).fit(grid, target)
    assert_exact(nearest, np.vstack([grid, grid + 0.5]))


def test_a_point_that_is_the_row() -> None:
    """Only it has weight; of several the mean."""
    twice = np.vstack([POINTS, POINTS[:50]])
    target = np.concatenate([NUMBER, NUMBER[:50] + 1])
    near = np.vstack([POINTS, np.nextafter(POINTS, 9.0), POINTS.astype(np.float32)])
    assert_exact(KNeighborsRegressor(4, weights="distance").fit(twice, target), near)
    inside = RadiusNeighborsRegressor(weights="distance").fit(twice, target)
    assert_exact(inside, near)


@weights
@pytest.mark.parametrize("algorithm", ["auto", "brute"])
def test_several_outputs(weights: str, algorithm: str) -> None:
    options: Any = {"weights": weights, "algorithm": algorithm}
    both = np.column_stack([CLASS, CLASS % 2])
    rows = ROWS[:150]
    assert_exact(KNeighborsClassifier(**options).fit(POINTS, both), rows)
    assert_exact(KNeighborsClassifier(**options).fit(POINTS, WORDS[both]), rows)
    voters = RadiusNeighborsClassifier(2.0, outlier_label=[1, 0], **options)
    assert_exact(voters.fit(POINTS, both), np.vstack([rows, FAR]))
    numbers = np.column_stack([NUMBER, -(NUMBER**2)])
    assert_exact(KNeighborsRegressor(**options).fit(POINTS, numbers), rows)
    assert_exact(fit(RadiusNeighborsRegressor(2.0, **options), POINTS, numbers), rows)


def test_labels() -> None:
    assert_exact(KNeighborsClassifier(4).fit(POINTS, WORDS[CLASS]), ROWS)
    assert_exact(KNeighborsClassifier(4).fit(POINTS, CLASS == 1), ROWS)
    voters = RadiusNeighborsClassifier(0.4, outlier_label="mid").fit(POINTS, WORDS[CLASS])
    assert_exact(voters, ROWS)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
@pytest.mark.parametrize("algorithm", ["kd_tree", "brute"])
def test_points_on_the_circle(metric: str, algorithm: str) -> None:
    grid = random.integers(-6, 7, size=(250, 2)).astype(float)
    inside = RadiusNeighborsRegressor(5.0, metric=metric, algorithm=algorithm)
    assert_exact(fit(inside, grid, random.normal(size=250)), grid)


@weights
@pytest.mark.parametrize("algorithm", ["auto", "ball_tree"])
def test_indices_on_a_sphere(algorithm: str, weights: str) -> None:
    """Latitudes and longitudes in radians; many share a place."""
    indices = np.radians(random.uniform([42.0, -94.0], [42.1, -93.6], (120, 2)).round(2))
    others = np.radians([[42.034, -93.621], [-42.0, 86.4], [90.0, 0.0], [0.0, 180.0], [50.0, 1e6]])
    options: Any = {"metric": "haversine", "algorithm": algorithm, "weights": weights}
    rows, target = np.vstack([indices[:60], others]), random.normal(size=120)
    assert_exact(KNeighborsRegressor(5, **options).fit(indices, target), rows)
    assert_exact(KNeighborsClassifier(9, **options).fit(indices, target > 0), rows)
    assert_exact(fit(RadiusNeighborsRegressor(0.0007, **options), indices, target), rows)


@pytest.mark.parametrize("count", [1, 3, 5, 30])
def test_rows_of_zeros_have_no_direction(count: int) -> None:
    options: Any = {"metric": "cosine", "weights": "distance"}
    rows = np.vstack([ROWS[:20], np.zeros((1, 4)), ROWS[:1] * 1e-200])
    assert_exact(KNeighborsClassifier(count, **options).fit(POINTS, CLASS), rows)
    assert_exact(KNeighborsRegressor(count, **options).fit(POINTS, NUMBER), rows)
    fitted = LocalOutlierFactor(count, novelty=True, metric="cosine").fit(POINTS)
    assert_exact(fitted, rows[:-1])


def test_no_neighbour_at_all() -> None:
    assert_exact(fit(RadiusNeighborsRegressor(0.3), POINTS, NUMBER), ROWS)
    assert_exact(fit(RadiusNeighborsRegressor(0.3), POINTS, CLASS), ROWS)


def test_single_and_many_columns() -> None:
    wide = random.normal(size=(80, 40))
    for algorithm in ("auto", "kd_tree"):
        options: Any = {"algorithm": algorithm}
        assert_exact(KNeighborsClassifier(**options).fit(POINTS[:, :1], CLASS), ROWS[:, :1])
        assert_exact(KNeighborsRegressor(**options).fit(wide[:60], NUMBER[:60]), wide[60:])


def test_missing_values() -> None:
    gaps = np.where(random.random(POINTS.shape) < 0.2, NAN, POINTS)
    rows = np.where(random.random(ROWS.shape) < 0.2, NAN, ROWS)
    rows = rows[~np.isnan(rows).any(axis=1) | ~np.isnan(rows[:, :3]).any(axis=1)]
    options: Any = {"metric": "nan_euclidean"}
    whole = gaps[~np.isnan(gaps[:, :2]).any(axis=1)]
    target = NUMBER[: len(whole)]
    assert_exact(KNeighborsRegressor(**options).fit(whole, target), rows)
    weighted = KNeighborsRegressor(weights="distance", **options).fit(whole, target)
    assert_exact(weighted, rows, tolerance=1e-6)


@pytest.mark.parametrize("options", [*METRICS[:8], {"contamination": 0.2}], ids=str)
def test_local_outlier_factor(options: dict[str, Any]) -> None:
    fitted = LocalOutlierFactor(10, novelty=True, **options).fit(POINTS)
    assert_exact(fitted, np.vstack([ROWS[:150], FAR[:7]]))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metric": "manhattan"},
        {"shrink_threshold": 0.4},
        {"priors": "empirical"},
        {"priors": [0.5, 0.2, 0.3], "metric": "manhattan"},
    ],
    ids=str,
)
def test_nearest_centroid(options: dict[str, Any]) -> None:
    assert_exact(fit(NearestCentroid(**options), POINTS, CLASS), np.vstack([ROWS, FAR[:3]]))
    assert_exact(fit(NearestCentroid(**options), POINTS, WORDS[CLASS]), ROWS)
    if "priors" not in options:
        assert_exact(fit(NearestCentroid(**options), POINTS, CLASS == 1), ROWS)


def test_nearest_centroid_with_a_constant_column() -> None:
    flat = np.column_stack([POINTS, np.ones(200)])
    assert_exact(fit(NearestCentroid(priors="empirical"), flat, CLASS), flat + 0.1)


def test_components_analysis() -> None:
    for count in (None, 2):
        fitted = NeighborhoodComponentsAnalysis(count, max_iter=5, random_state=0).fit(X, y)
        assert_exact(fitted, np.vstack([X, X * 1e12]))


def test_fitted_on_sparse_rows() -> None:
    fitted = KNeighborsClassifier().fit(sparse.csr_matrix(POINTS), CLASS)
    assert (answers(fitted, ROWS)["predict"].ravel() == fitted.predict(ROWS)).all()


REFUSED = [
    (KNeighborsClassifier(weights=np.exp).fit(X, y), "weights are a Python function"),
    (KNeighborsClassifier(metric=lambda a, b: abs(a - b).sum()).fit(X, y), "metric .* has no"),
    (KNeighborsClassifier(metric="canberra").fit(X, y), "metric canberra has no"),
    (RadiusNeighborsClassifier().fit(X, y), "no neighbour within its radius"),
    (RadiusNeighborsClassifier(outlier_label=-7).fit(X, y), "outlier_label -7 is no class"),
    (LocalOutlierFactor().fit(X), "novelty=True"),
]


@pytest.mark.parametrize(("fitted", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_refusals(fitted: Any, reason: str) -> None:
    assert_refused(fitted, X, reason, methods=["predict"])


@weights
@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree", "brute"])
@pytest.mark.parametrize("count", [5, 60, 150, 400, 1100])
def test_ties_among_few_points_and_many(count: int, algorithm: str, weights: str) -> None:
    lattice = np.random.default_rng(count).integers(0, 6, (count, 3)).astype(float)
    labels = np.arange(count) % 3
    model = fit(KNeighborsClassifier(5, algorithm=algorithm, weights=weights), lattice, labels)
    rows = np.vstack([lattice[:30], lattice[:20] + 0.5, ROWS[:20, :3], FAR[:, :3]])
    with threadpool_limits(1):  # brute force shares points out to threads, and ties with them
        assert_exact(model, rows)
