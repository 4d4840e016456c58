"""The manifest's `estimate`: calibrated on held-out rows, or not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.build import build
from onnxlet.convert.directory.expected_performance import calibration, expected_performance
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.sources.source import Source
from onnxlet.function.monitoring import estimate
from tests.conftest import quiet
from tests.function.monitoring.models import customers

NUMBERS = ["age", "visits"]


def made(model: Any, X: Any, y: Any, positive: int = 1) -> Any:
    task = task_of(model)
    return expected_performance(task, task.answers(model, X), y, positive)


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any]:
    X, y = customers(6000, seed=2)
    return X[NUMBERS], y


@pytest.mark.parametrize("number", [1, 0])
def test_of_two_classes(table: tuple[Any, Any], number: int) -> None:
    X, y = table
    model = LogisticRegression().fit(X[:2000], y[:2000])
    found = made(model, X[2000:4000], y[2000:4000], number)

    [entry] = found["classes"]
    answered, p = model.predict(X[4000:]), model.predict_proba(X[4000:])[:, 1]
    step = np.searchsorted(entry["edges"], p, side="left")
    size = len(entry["calibrated"])
    counts = [np.bincount(step[answered == c], minlength=size) for c in model.classes_]
    expected = estimate.of(found, [np.array(counts)], number)
    truth = y[4000:]
    assert expected["accuracy"] == pytest.approx(metrics.accuracy_score(truth, answered), abs=0.03)
    positive = truth == model.classes_[number]
    area = metrics.roc_auc_score(truth == model.classes_[1], p)
    assert expected["roc_auc"] == pytest.approx(area, abs=0.03)
    for name, score in (
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
        ("f1", metrics.f1_score),
    ):
        realised = score(positive, answered == model.classes_[number])
        assert expected[name] == pytest.approx(realised, abs=0.04)
    held_out = found["held_out"]
    got = model.predict(X[2000:4000]) == model.classes_[number]
    recall = metrics.recall_score(y[2000:4000] == model.classes_[number], got)
    assert held_out["recall"] == pytest.approx(recall)
    assert held_out["accuracy"] == pytest.approx(model.score(X[2000:4000], y[2000:4000]))


def test_steps_are_those_of_isotonic_regression_and_hold_five_rows_each() -> None:
    random = np.random.default_rng(0)
    scores = random.random(700)
    right = (random.random(700) < scores**2).astype(float)

    edges, calibrated = calibration(scores, right)

    step = np.searchsorted(edges, scores, side="left")
    assert np.min(np.bincount(step)) >= 5
    assert len(calibrated) == len(edges) + 1 <= 20
    assert calibrated == [pytest.approx(right[step == n].mean()) for n in range(len(calibrated))]
    assert calibrated == sorted(calibrated)
    isotonic = IsotonicRegression().fit(scores, right).predict(scores)
    assert np.abs(np.array(calibrated)[step] - isotonic).mean() < 0.02


@pytest.mark.parametrize("model", [LinearSVC(), SVC(decision_function_shape="ovr")])
def test_scores_are_calibrated_too(model: Any, table: tuple[Any, Any]) -> None:
    X, y = table
    found = made(model.fit(X[:1000], y[:1000]), X[1000:3000], y[1000:3000])

    assert found["of"] == "score"
    assert len(found["classes"]) == 1


def test_scores_of_pairs_of_classes_are_none_of_classes() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 3))
    y = X.argmax(axis=1)
    pairs = SVC(decision_function_shape="ovo").fit(X, y)

    assert pairs.decision_function(X).shape == (600, 3)
    assert made(pairs, X, y) is None
    assert made(SVC(decision_function_shape="ovr").fit(X, y), X, y) is not None


def test_a_class_without_a_held_out_row() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(600, 2))
    y = (X[:, 0] > 0).astype(int)
    model = LogisticRegression().fit(X, y)

    assert made(model, X[y == 1], y[y == 1]) is None


def test_a_bin_of_errors_holds_many_rows() -> None:
    """Predictions that are tied, and one that is lonely."""
    X = np.concatenate([[1.0], np.full(30, 2.0), np.arange(3.0, 72.0)])[:, np.newaxis]
    y = X[:, 0] + np.random.default_rng(0).normal(size=100)
    model = DecisionTreeRegressor().fit(X, X[:, 0])

    found = made(model, X, y)

    rows = np.bincount(np.searchsorted(found["edges"], X[:, 0], side="left"))
    assert np.min(rows) >= 20
    errors = np.abs(y - X[:, 0])
    assert found["held_out"]["mean_absolute_error"] == pytest.approx(errors.mean())
    again = estimate.of(found, [rows])["mean_absolute_error"]
    assert again == pytest.approx(errors.mean())


@pytest.mark.parametrize(
    ("rows", "left"), [(60, [30, 12]), (100, [50, 20, 5]), (1000, [500, 200, 50])]
)
def test_large_errors_are_above_those_of_so_many_rows(rows: int, left: list[int]) -> None:
    random = np.random.default_rng(1)
    X, errors = np.arange(float(rows))[:, np.newaxis], random.permutation(rows) + 1.0
    model = DecisionTreeRegressor().fit(X, X[:, 0])

    found = made(model, X, X[:, 0] + errors)["large_errors"]

    assert found["rows"] == left
    assert [int((errors > edge).sum()) for edge in found["above"]] == left
    assert not set(found["above"]) & set(errors)  # no edge is a row's
    tied = made(model, X, X[:, 0] + (errors > rows / 3))["large_errors"]
    assert tied == {"above": [], "rows": []}


ODD_TRUTHS: dict[str, Any] = {
    "missing texts": lambda y: pd.Series(y, dtype="string").mask(np.arange(len(y)) == 3),
    "other texts": lambda y: [f"not {label}" for label in y],
    "numbers": lambda y: np.arange(len(y)),
    "half of them missing": lambda y: [None if n % 2 else v for n, v in enumerate(y)],
    "dates": lambda y: pd.date_range("2024-01-01", periods=len(y)),
    "a frame": lambda y: pd.DataFrame({"y": y}),
    "categories": lambda y: pd.Series(y, dtype="category"),
    "another index": lambda y: pd.Series(y, index=range(7000, 7000 + len(y))),
}


@pytest.mark.parametrize("kind", ODD_TRUTHS)
def test_a_build_takes_odd_truths(kind: str, table: tuple[Any, Any], tmp_path: Any) -> None:
    X, y = table
    model = LogisticRegression().fit(X[:500], y[:500])
    truth = ODD_TRUTHS[kind](y[500:900])

    manifest = build(Source(model, X[500:900], truth), "m", tmp_path, quiet).manifest

    if "estimate" in manifest:
        assert manifest["metrics"] is not None
        assert manifest["estimate"]["held_out"]["accuracy"] > 0.5


@pytest.mark.parametrize("kind", ["dates", "other texts", "missing texts"])
def test_a_regressor_with_odd_truths(kind: str, table: tuple[Any, Any], tmp_path: Any) -> None:
    X, y = table
    model = LinearRegression().fit(X[:500], X["age"][:500])

    manifest = build(Source(model, X[500:900], ODD_TRUTHS[kind](y[500:900])), "m", tmp_path, quiet)

    assert "estimate" not in manifest.manifest
