"""Rows that are made for what an estimator has fitted: nodes, borders, edges, points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.evidence.discontinuities import between_labels
from onnxlet.convert.evidence.fitted_values import at_fitted_values
from onnxlet.convert.evidence.thresholds import at_pipeline_thresholds, at_tree_thresholds
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column
from tests.convert.helpers import reference_of

random = np.random.default_rng(3)
X = random.normal(size=(80, 3)).round(2)
Y = X @ [1.0, -2.0, 0.5]
ROWS = X.tolist()
COLUMNS = [Column(f"x{place}", "float64", nullable=True) for place in range(3)]
ALL = range(3)


def paths(tree: Any, rows: Any) -> Any:
    return tree.decision_path(np.asarray(rows)).toarray().astype(bool)


def test_every_node_of_a_tree_is_come_by_on_both_sides() -> None:
    tree = DecisionTreeRegressor(random_state=0).fit(X, Y)
    rows = [row for row in at_tree_thresholds(COLUMNS, ROWS[:2], tree) if None not in row]
    found = paths(tree, rows)
    assert found.any(axis=0).all()


def test_every_node_of_a_tree_sees_its_threshold_and_a_gap() -> None:
    tree = DecisionTreeRegressor(random_state=0, max_depth=3).fit(X, Y)
    rows = at_tree_thresholds(COLUMNS, ROWS[:2], tree)
    inner = np.flatnonzero(tree.tree_.feature >= 0)
    whole = [row for row in rows if None not in row]
    found = paths(tree, whole)
    for node in inner.tolist():
        place, threshold = tree.tree_.feature[node], tree.tree_.threshold[node]
        values = {row[place] for row, on in zip(whole, found[:, node], strict=True) if on}
        assert {threshold, np.nextafter(threshold, 9), np.nextafter(threshold, -9)} <= values
    assert {row.index(None) for row in rows if None in row} == set(tree.tree_.feature[inner])


def test_whole_numbers_stay_whole_and_text_is_no_column_of_a_tree() -> None:
    whole = [Column("a", "int64"), Column("b", "int64"), Column("c", "string")]
    tree = DecisionTreeRegressor(random_state=0).fit((10 * X).round(), Y)
    rows = at_tree_thresholds(whole, [[1, 2, "t"], [3, -4, "u"]], tree)
    assert rows
    assert {tuple(map(type, row)) for row in rows} == {(int, int, str)}


def test_nodes_that_part_missing_and_infinite_values_from_all_others() -> None:
    """Histogram boosting has thresholds of infinity, and of 1e300 for the largest number."""
    gaps = np.where(random.random((80, 3)) < 0.3, np.nan, (10 * X).round())
    gaps[::5, 1] = np.inf
    boosting = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=3)
    boosting.fit(gaps, np.isnan(gaps[:, 0]) + np.isinf(gaps[:, 1]) * 3.0)
    thresholds = [t for p in np.ravel(boosting._predictors) for t in p.nodes["num_threshold"]]
    assert np.isinf(thresholds).any()
    assert 1e300 in thresholds
    for kind in ("float64", "int64"):
        columns = [Column(name, kind, nullable=True) for name in "abc"]
        rows = at_tree_thresholds(columns, [[1, 2, 3], [-4, 5, None]], boosting)
        assert rows
        assert all(abs(cell) < 2**63 for row in rows for cell in row if type(cell) is int)


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keeps nothing of its fit, which scikit-learn takes for none."""

    def fit(self, X: Any, y: Any = None) -> Doubled:
        return self

    def transform(self, X: Any) -> Any:
        return np.asarray(X) * 2


@pytest.mark.parametrize("first", [StandardScaler(), Doubled()], ids=["scaler", "own"])
@pytest.mark.parametrize(
    "last",
    [DecisionTreeRegressor(max_depth=3), HistGradientBoostingRegressor(max_iter=2)],
    ids=["tree", "boosting"],
)
def test_thresholds_behind_other_steps_are_found_from_both_sides(first: Any, last: Any) -> None:
    train = np.tile(X, (3, 1))
    model = make_pipeline(first, last).fit(train, np.tile(Y, 3))
    rows = at_pipeline_thresholds(COLUMNS, ROWS, [], reference_of(Source(model, X))[0], ALL)
    whole = np.array([row for row in rows if None not in row])
    moved = np.nextafter(whole, whole + 1)
    jumps = (model.predict(whole) != model.predict(moved)) | (
        model.predict(whole) != model.predict(np.nextafter(whole, whole - 1))
    )
    assert len(whole) >= 20
    assert jumps.mean() > 0.9


def test_a_pipeline_that_is_given_something_else_is_passed_over() -> None:
    model = make_pipeline(StandardScaler(), DecisionTreeRegressor()).fit(X[:, :2], Y)
    assert at_pipeline_thresholds(COLUMNS, ROWS, [], reference_of(Source(model, X))[0], ALL) == []


def test_borders_between_all_labels_are_met_from_both_sides() -> None:
    model = KMeans(4, n_init=1, random_state=0).fit(X)
    rows = between_labels(COLUMNS, ROWS, reference_of(Source(model, X))[0])
    squares = np.sort(model.transform(np.array(rows)) ** 2, axis=1)
    on_border = np.abs(squares[:, 1] - squares[:, 0]) < 1e-6
    assert on_border.all()
    assert set(model.predict(np.array(rows)).tolist()) == {0, 1, 2, 3}


def test_answers_in_numbers_have_no_borders() -> None:
    model = DummyRegressor(strategy="constant", constant=0.0).fit(X, Y)
    assert between_labels(COLUMNS, ROWS, reference_of(Source(model, X))[0]) == []


def test_every_bin_and_every_edge_has_a_row() -> None:
    model = KBinsDiscretizer(5, encode="ordinal", strategy="uniform").fit(X)
    rows = at_fitted_values(COLUMNS, ROWS, model, ALL)
    for place, edges in enumerate(model.bin_edges_):
        values = {row[place] for row in rows}
        assert set(edges.tolist()) <= values
        assert set(np.digitize(sorted(values), edges)) >= set(range(1, len(edges)))


def test_training_rows_are_asked_about() -> None:
    model = KNeighborsRegressor().fit(X, Y)
    rows = {tuple(row) for row in at_fitted_values(COLUMNS, ROWS[:1], model, ALL)}
    assert set(map(tuple, ROWS)) <= rows
