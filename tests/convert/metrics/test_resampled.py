"""Every score on many draws at once, beside scikit-learn's of the very rows that were drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from onnxlet.convert.metrics.metrics import METRICS, Metric
from onnxlet.convert.metrics.resampled import ScoredAnswers, Truth
from onnxlet.convert.report.evaluation.statistics import resamples

ROWS = 90


def two_classes(seed: int = 0, positive: int = 1) -> tuple[Truth, ScoredAnswers]:
    """With ties: probabilities of one digit."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 2, ROWS)
    p = np.clip(np.round(0.3 * y + 0.7 * random.random(ROWS), 1), 0, 1)
    probabilities = np.column_stack([1 - p, p])
    answered = ScoredAnswers((p > 0.5).astype(int), probabilities, probabilities[:, positive])
    return Truth(y, ["no", "yes"], positive), answered


def four_classes(seed: int = 0) -> tuple[Truth, ScoredAnswers]:
    """One of which no row has, and one that none is answered."""
    random = np.random.default_rng(seed)
    y = random.choice([0, 1, 3], ROWS)
    weights = random.random((ROWS, 4)) + 1.2 * (np.arange(4) == y[:, None])
    weights[:, 3] /= 9
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    return Truth(y, list("abcd")), ScoredAnswers(probabilities.argmax(axis=1), probabilities)


def numbers(outputs: int = 1) -> tuple[Truth, ScoredAnswers]:
    random = np.random.default_rng(5)
    y = random.gamma(2, 100, (ROWS, outputs))
    said = y + random.normal(0, 30, y.shape)
    if outputs == 1:
        return Truth(y[:, 0], []), ScoredAnswers(said[:, 0])
    return Truth(y, []), ScoredAnswers(said)


DATA = {"binary": two_classes, "multiclass": four_classes, "regression": numbers}
f1 = partial(metrics.f1_score, zero_division=0.0)
BY_SCIKIT_LEARN: dict[tuple[str, str], Callable[[Any, Any], Any]] = {
    ("roc_auc", "binary"): lambda y, a: metrics.roc_auc_score(y, a.ranking),
    ("roc_auc", "multiclass"): lambda y, a: np.mean(
        [metrics.roc_auc_score(y == k, a.probabilities[:, k]) for k in np.unique(y)]
    ),
    ("average_precision", "binary"): lambda y, a: metrics.average_precision_score(y, a.ranking),
    ("accuracy", ""): lambda y, a: metrics.accuracy_score(y, a.prediction),
    ("balanced_accuracy", ""): lambda y, a: metrics.recall_score(
        y, a.prediction, average="macro", labels=np.unique(y)
    ),
    ("f1", "binary"): lambda y, a: f1(y, a.prediction),
    ("f1", "multiclass"): lambda y, a: f1(y, a.prediction, average="macro", labels=np.unique(y)),
    ("mcc", ""): lambda y, a: metrics.matthews_corrcoef(y, a.prediction),
    ("log_loss", ""): lambda y, a: metrics.log_loss(
        y,
        a.probabilities,
        labels=range(a.probabilities.shape[1]),
    ),
    ("brier", "binary"): lambda y, a: metrics.brier_score_loss(y, a.probabilities[:, 1]),
    ("brier", "multiclass"): lambda y, a: np.mean(
        np.sum((a.probabilities - np.eye(4)[y]) ** 2, axis=1)
    ),
    ("rmse", ""): lambda y, a: metrics.root_mean_squared_error(y, a.prediction),
    ("mae", ""): lambda y, a: metrics.mean_absolute_error(y, a.prediction),
    ("median_ae", ""): lambda y, a: metrics.median_absolute_error(y, a.prediction),
    ("r2", ""): lambda y, a: metrics.r2_score(y, a.prediction),
    ("mape", ""): lambda y, a: metrics.mean_absolute_percentage_error(y, a.prediction),
    ("rmsle", ""): lambda y, a: metrics.root_mean_squared_log_error(y, np.maximum(a.prediction, 0)),
}
CASES = [(metric, task) for metric in METRICS.values() for task in metric.tasks]


def by_scikit_learn(metric: Metric, task: str) -> Callable[[Any, Any], Any]:
    known = BY_SCIKIT_LEARN
    return known.get((metric.name, task)) or known[metric.name, ""]


@pytest.mark.parametrize(("metric", "task"), CASES, ids=[f"{m.name}-{t}" for m, t in CASES])
def test_each_score_is_scikit_learns_on_every_draw(metric: Metric, task: str) -> None:
    truth, answered = DATA[task]()
    expected = by_scikit_learn(metric, task)

    assert metric.fits(task, answered)
    assert metric.value(truth, answered) == pytest.approx(expected(truth.values, answered))
    weights = np.concatenate(list(resamples(1, ROWS, 12)))
    drawn = metric.drawn(truth, answered, weights)
    for counts, found in zip(weights, drawn, strict=True):
        rows = np.repeat(np.arange(ROWS), counts.astype(int))
        assert found == pytest.approx(expected(truth.values[rows], answered.at(rows)))


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
def test_several_outputs_are_averaged_as_scikit_learn_does(name: str) -> None:
    truth, answered = numbers(3)
    metric = METRICS[name]

    expected = by_scikit_learn(metric, "regression")(truth.values, answered)
    assert metric.value(truth, answered) == pytest.approx(expected)


def test_the_area_is_how_often_a_positive_is_above_a_negative_whichever_is_positive() -> None:
    for positive in (0, 1):
        truth, answered = two_classes(2, positive)
        assert answered.ranking is not None
        ones = answered.ranking[truth.values == positive]
        zeros = answered.ranking[truth.values != positive]
        pairs = [(a > b) + (a == b) / 2 for a, b in product(ones, zeros)]
        assert METRICS["roc_auc"].value(truth, answered) == pytest.approx(np.mean(pairs))


def test_f1_is_of_the_positive_class_whichever_that_is() -> None:
    truth, answered = two_classes(3, positive=0)

    expected = metrics.f1_score(truth.values, answered.prediction, pos_label=0)
    assert METRICS["f1"].value(truth, answered) == pytest.approx(expected)


def test_draws_of_one_class_have_no_area() -> None:
    truth, answered = two_classes()
    weights = (truth.values == 1).astype(float)[None]

    assert np.isnan(METRICS["roc_auc"].drawn(truth, answered, weights)).all()
