"""Trees and forests answer as scikit-learn's, on either side of every threshold and bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    RandomTreesEmbedding,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from onnxlet.convert.graph import tree_ensemble
from onnxlet.convert.graph.converter import Graph
from onnxlet.convert.graph.responses import RELEASE
from onnxlet.convert.graph.tree_ensemble import Tree, constant, rounded_down, sums, unrounded
from onnxlet.function.arrays import Array
from tests.convert.converters.near_thresholds import BEYOND_FLOAT32, ODD, around, edge_cases
from tests.convert.exactness import answers, assert_exact, run

random = np.random.default_rng(0)
X = np.column_stack(
    [
        random.normal(size=240),
        random.normal(size=240).round(1),
        random.integers(0, 5, 240),
        random.normal(1e6, 10.0, 240).round(2),
    ]
)
SCORE = X[:, 0] + X[:, 1] * X[:, 2] + (X[:, 3] - 1e6) / 10 + random.normal(size=240)
GAPS = np.where(random.random(X.shape) < 0.15, np.nan, X)
BINARY = SCORE > 0
THREE = np.digitize(SCORE, [-1.5, 1.5])
WORDS = np.array(["no", "maybe", "yes"])[THREE]
SEVERAL = np.column_stack([THREE, BINARY, np.digitize(SCORE, [-2, -1, 1, 2])])

CLASSIFIERS: list[Any] = [
    DecisionTreeClassifier(random_state=0),
    DecisionTreeClassifier(max_depth=3, criterion="entropy", class_weight="balanced"),
    ExtraTreeClassifier(max_leaf_nodes=9, random_state=0),
    RandomForestClassifier(10, random_state=0),
    RandomForestClassifier(7, max_depth=4, class_weight="balanced_subsample", random_state=0),
    ExtraTreesClassifier(10, min_samples_leaf=3, bootstrap=True, random_state=0),
]
REGRESSORS: list[Any] = [
    DecisionTreeRegressor(random_state=0),
    DecisionTreeRegressor(max_depth=3, criterion="absolute_error"),
    ExtraTreeRegressor(max_leaf_nodes=9, random_state=0),
    RandomForestRegressor(10, random_state=0),
    ExtraTreesRegressor(10, max_depth=5, random_state=0),
]


def splits(fitted: Any) -> Iterator[tuple[int, float]]:
    """The columns and thresholds of a tree or forest."""
    parts = getattr(fitted, "estimators_", [fitted])
    every = [np.arange(fitted.n_features_in_)] * len(parts)
    for part, columns in zip(parts, getattr(fitted, "estimators_features_", every), strict=True):
        inner = part.tree_.children_left >= 0
        yield from zip(columns[part.tree_.feature[inner]], part.tree_.threshold[inner], strict=True)


@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=str)
@pytest.mark.parametrize("y", [BINARY, THREE, WORDS, SEVERAL, BINARY * 0], ids=range(5))
def test_classifiers(estimator: Any, y: Any) -> None:
    if y.ndim > 1 and estimator.class_weight is not None:
        y = y[:, :2]
    estimator.fit(X, y)
    rows = edge_cases(X, splits(estimator), missing=True)
    methods = ["class_index", "predict_proba"] if y.ndim > 1 else ["predict", "predict_proba"]
    if y.ndim > 1:
        got = answers(estimator, rows, methods)["class_index"]
        labels = [c[got[:, k]] for k, c in enumerate(estimator.classes_)]
        assert np.array_equal(np.column_stack(labels), estimator.predict(rows))
        methods = methods[1:]
    assert_exact(estimator, rows, methods=methods, tolerance=1e-12)


@pytest.mark.parametrize("estimator", REGRESSORS, ids=str)
@pytest.mark.parametrize("y", [SCORE, np.column_stack([SCORE, -SCORE * 1e9, X[:, 2]])], ids="13")
def test_regressors(estimator: Any, y: Any) -> None:
    estimator.fit(X, y)
    answers_gaps = RELEASE >= (1, 9) or estimator.criterion != "absolute_error"
    rows = edge_cases(X, splits(estimator), missing=answers_gaps)
    assert_exact(estimator, rows, tolerance=1e-12)


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, *REGRESSORS], ids=str)
def test_missing_values_in_training(estimator: Any) -> None:
    if getattr(estimator, "criterion", "") == "absolute_error":
        estimator = DecisionTreeRegressor(max_depth=4)
    estimator.fit(GAPS, THREE)
    rows = edge_cases(GAPS, splits(estimator), missing=True)
    assert_exact(estimator, rows, tolerance=1e-12)


@pytest.mark.parametrize("estimator", [CLASSIFIERS[3], REGRESSORS[3]], ids=str)
def test_float32_inputs(estimator: Any) -> None:
    estimator.fit(GAPS, THREE)
    rows = edge_cases(GAPS, splits(estimator), missing=True).astype(np.float32)
    assert_exact(estimator, rows, precision="float32", tolerance=1e-6)


def test_one_leaf() -> None:
    """Trees that are one leaf, among others whose roots stand elsewhere than their leaves."""
    single = DecisionTreeRegressor(max_depth=1).fit(X, np.full(240, 7.0))
    assert_exact(single, X, tolerance=0.0)
    for y, kind in (
        (SCORE, RandomForestRegressor),
        (BINARY, RandomForestClassifier),
        (THREE, RandomForestClassifier),
    ):
        forest = kind(40, min_samples_leaf=76, max_features=1, random_state=1).fit(X, y)
        assert {part.tree_.node_count for part in forest.estimators_} >= {1, 3}
        assert_exact(forest, X, tolerance=1e-12)


def test_even_splits_of_the_vote_go_to_the_first_class() -> None:
    estimator = RandomForestClassifier(2, max_features=1, random_state=0).fit(X, BINARY)
    tied = estimator.predict_proba(X)[:, 0] == 0.5
    assert tied.sum() > 10
    assert_exact(estimator, X, tolerance=0.0)


def test_columns_of_a_frame_and_whole_numbers() -> None:
    frame = pd.DataFrame({"big": (X[:, 3] * 1e4).astype(np.int64), "small": X[:, 2].astype(int)})
    estimator = RandomForestRegressor(5, random_state=0).fit(frame, SCORE)
    assert_exact(estimator, frame)
    huge = pd.DataFrame({"big": [2**60 + 2**36, 2**60 + 2**36 + 1], "small": [0, 1]})
    assert_exact(estimator, huge)


def test_more_targets_than_are_held_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_ensemble, "CELLS", 7)
    assert_exact(RandomForestClassifier(10, random_state=0).fit(X, THREE), X, tolerance=1e-12)


def test_more_leaves_than_float32_can_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_ensemble, "MOST_IN_FLOAT32", 50)
    assert_exact(RandomForestClassifier(10, random_state=0).fit(X, THREE), X, tolerance=1e-12)


def test_embedding() -> None:
    estimator = RandomTreesEmbedding(6, max_depth=3, random_state=0).fit(X)
    assert_exact(estimator, edge_cases(X, splits(estimator)), tolerance=0.0)
    dense = RandomTreesEmbedding(3, max_leaf_nodes=5, sparse_output=False).fit(X)
    assert_exact(dense, X, tolerance=0.0)


def test_thresholds_in_float32_compare_alike() -> None:
    thresholds = np.array([0.1, -0.1, 1e300, -1e300, np.inf, 0.5, 1e-50, -1e-50, 16777217.0])
    down = rounded_down(thresholds)
    values = [0.1, -0.1, 0.5, 0.0, 16777216, 16777218, np.inf, -np.inf, 3e38]
    for x in np.array([around(value) for value in values]).ravel().tolist():
        narrow = np.array(np.clip(x, -3e38, 3e38) if np.isfinite(x) else x, dtype=np.float32)
        assert ((narrow <= down) == (narrow.astype(np.float64) <= thresholds)).all()


def summed(trees: list[Tree], x: Array, dtype: str, targets: int = 1) -> Array:
    """What the operator makes of trees."""
    graph = Graph("float64", {})
    made = sums(graph, graph.input(["a"], dtype, x.shape[1]), trees, targets)
    [got] = run(graph.finished([made]), {graph.inputs[0]["name"]: x.astype(dtype)})
    return got


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constants_come_first_and_each_tree_has_its_target(dtype: str) -> None:
    x = np.array([[-1.0], [0.0], [2.0], [np.nan], [np.inf], [-np.inf]])
    ends, zero = np.array([1, -1, -1]), np.zeros(3, dtype=int)
    step = Tree(ends, ends * 2, zero, zero + 0.5, zero, np.array([[0], [1], [5]]), target=1)
    got = summed([constant(10.0), constant(20.0, 1), step, constant(0.25)], x, dtype, 2)
    assert got.tolist() == [[10.25, 20.0 + (1 if row[0] <= 0.5 else 5)] for row in x]


def test_bounds_of_float64_are_those_of_rounded_float32() -> None:
    random = np.random.default_rng(0)
    largest = float(np.finfo(np.float32).max)
    edges = [0.0, -0.0, 1e-45, -1e-45, 7e-46, -7e-46, 5e-324, largest, -largest, 1e300, -1e300]
    normal = random.normal(size=1000)
    single = normal.astype(np.float32)
    middles = (single.astype(float) + np.nextafter(single, np.float32(9.0))) / 2.0
    wide = normal * 10.0 ** random.uniform(-45, 38, 1000)
    thresholds = np.concatenate([edges, [np.inf], normal, single, middles, wide])

    bounds = unrounded(thresholds)

    for x in (bounds, thresholds):
        for near in (x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf)):
            with np.errstate(over="ignore", under="ignore"):
                seen = near.astype(np.float32)
            np.testing.assert_array_equal(near <= bounds, seen <= thresholds)


@pytest.mark.parametrize("leaf", [1, 4])
def test_leaves_of_one_class_and_of_several(leaf: int) -> None:
    for estimator in (
        RandomForestClassifier(12, min_samples_leaf=leaf, random_state=0),
        DecisionTreeClassifier(min_samples_leaf=leaf, random_state=0),
    ):
        assert_exact(estimator.fit(X, THREE), X, tolerance=0.0)


# isolation forests

POINTS = np.column_stack(
    [random.normal(size=301), random.normal(size=301).round(1), random.integers(0, 5, 301)]
)
POINTS_AND_GAPS = np.where(random.random(POINTS.shape) < 0.1, np.nan, POINTS)
OF_OUTLIERS = ["predict", "decision_function", "score_samples"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_features": 2},
        {"max_features": 0.5, "bootstrap": True},
        {"max_samples": 1},
        {"max_samples": 2},
        {"max_samples": 0.9, "contamination": 0.2},
    ],
    ids=str,
)
def test_scores_of_isolation(settings: dict[str, Any]) -> None:
    estimator = IsolationForest(n_estimators=12, random_state=0, **settings).fit(POINTS_AND_GAPS)
    odd = (*ODD, *BEYOND_FLOAT32)
    rows = edge_cases(POINTS_AND_GAPS, splits(estimator), odd, missing=True, bound=np.inf)
    assert_exact(estimator, rows, methods=OF_OUTLIERS, tolerance=1e-12)


@pytest.mark.parametrize("trees", [1, 7, 40])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5])
def test_a_training_row_is_the_bound(trees: int, share: float) -> None:
    """Of 301 rows the percentile is one of them, and its score minus the offset is zero."""
    estimator = IsolationForest(n_estimators=trees, contamination=share, random_state=trees).fit(
        POINTS
    )
    assert (estimator.decision_function(POINTS) == 0).any()
    assert_exact(estimator, POINTS, methods=OF_OUTLIERS, tolerance=1e-12)


def test_outliers_everywhere_and_nowhere() -> None:
    estimator = IsolationForest(n_estimators=5, random_state=0).fit(POINTS)
    for offset in (-1.5, -1.0, -0.999, -1e-9, 0.0, 0.5):
        estimator.offset_ = offset
        assert_exact(estimator, POINTS, methods=OF_OUTLIERS)


def test_isolation_of_float32_inputs() -> None:
    estimator = IsolationForest(n_estimators=12, random_state=0).fit(POINTS_AND_GAPS)
    rows = edge_cases(POINTS_AND_GAPS, splits(estimator), missing=True).astype(np.float32)
    assert_exact(estimator, rows, methods=OF_OUTLIERS, precision="float32", tolerance=1e-6)


def test_scores_beside_the_bound() -> None:
    estimator = IsolationForest(n_estimators=9, random_state=0).fit(POINTS)
    for score in np.unique(estimator.score_samples(POINTS))[::40]:
        for offset in (np.nextafter(score, -1), score, np.nextafter(score, 0)):
            estimator.offset_ = offset
            assert_exact(estimator, POINTS, methods=OF_OUTLIERS, tolerance=1e-12)
