"""Each metric against its definition, written down here a second time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from onnxlet.convert.metrics.metrics import METRICS, Metric, metric_named
from onnxlet.convert.metrics.resampled import ScoredAnswers, Truth
from onnxlet.function.errors import WrongUse

random = np.random.default_rng(0)
BOTH, THREE = np.array(["no", "yes"], object), np.array(["a", "b", "c"], object)
Y2 = BOTH[random.integers(0, 2, 80)]
Y3 = THREE[random.integers(0, 3, 80)]
P2 = random.dirichlet([1, 1], 80)
P3 = random.dirichlet([1, 1, 1], 80)
L2, L3 = BOTH[P2.argmax(1)], THREE[P3.argmax(1)]
Y, A = random.gamma(2, 2, 80), random.gamma(2, 2, 80)


def auc(positive: Any, score: Any) -> float:
    """The share of pairs that are in the right order."""
    above, below = score[positive], score[~positive]
    return float(np.mean(np.sign(above[:, None] - below[None, :]) / 2 + 0.5))


def precision_steps(positive: Any, score: Any) -> float:
    order = np.argsort(-score)
    hits = positive[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def recalls(y: Any, answers: Any, classes: Any) -> list[float]:
    return [float(np.mean(answers[y == label] == label)) for label in classes]


def f1(y: Any, answers: Any, label: Any) -> float:
    hits = np.sum((y == label) & (answers == label))
    return float(2 * hits / (np.sum(y == label) + np.sum(answers == label)))


def of_truth(y: Any, probabilities: Any, classes: Any) -> Any:
    return probabilities[np.arange(len(y)), np.searchsorted(classes, y)]


POSITIVE = Y2 == "yes"
TABLE = np.array([[np.sum((a == Y2) & (b == L2)) for b in BOTH] for a in BOTH], float)
EXPECTED: dict[tuple[str, str], Any] = {
    ("roc_auc", "binary"): auc(POSITIVE, P2[:, 1]),
    ("roc_auc", "multiclass"): np.mean([auc(c == Y3, P3[:, i]) for i, c in enumerate(THREE)]),
    ("log_loss", "binary"): -np.log(of_truth(Y2, P2, BOTH)).mean(),
    ("log_loss", "multiclass"): -np.log(of_truth(Y3, P3, THREE)).mean(),
    ("average_precision", "binary"): precision_steps(POSITIVE, P2[:, 1]),
    ("brier", "binary"): np.mean((P2[:, 1] - POSITIVE) ** 2),
    ("brier", "multiclass"): np.mean(((P3 - (Y3[:, None] == THREE)) ** 2).sum(axis=1)),
    ("accuracy", "binary"): np.mean(Y2 == L2),
    ("accuracy", "multiclass"): np.mean(Y3 == L3),
    ("balanced_accuracy", "binary"): np.mean(recalls(Y2, L2, BOTH)),
    ("balanced_accuracy", "multiclass"): np.mean(recalls(Y3, L3, THREE)),
    ("f1", "binary"): f1(Y2, L2, "yes"),
    ("f1", "multiclass"): np.mean([f1(Y3, L3, c) for c in THREE]),
    ("mcc", "binary"): np.corrcoef(POSITIVE, L2 == "yes")[0, 1],
    ("rmse", "regression"): np.sqrt(np.mean((Y - A) ** 2)),
    ("mae", "regression"): np.mean(np.abs(Y - A)),
    ("median_ae", "regression"): np.median(np.abs(Y - A)),
    ("mape", "regression"): np.mean(np.abs(Y - A) / Y),
    ("rmsle", "regression"): np.sqrt(np.mean((np.log1p(Y) - np.log1p(A)) ** 2)),
    ("r2", "regression"): 1 - np.sum((Y - A) ** 2) / np.sum((Y - Y.mean()) ** 2),
}
ROWS = {
    ("binary", "probabilities"): (Y2, P2, BOTH),
    ("multiclass", "probabilities"): (Y3, P3, THREE),
    ("binary", "prediction"): (Y2, L2, BOTH),
    ("multiclass", "prediction"): (Y3, L3, THREE),
    ("regression", "prediction"): (Y, A, np.array([])),
}


def value(metric: Metric, y: Any, answers: Any, classes: Any) -> float:
    """Of two classes the last one is the positive."""
    if not len(classes):
        return metric.value(Truth(y, []), ScoredAnswers(answers))
    truth = Truth(np.searchsorted(classes, y), classes.tolist())
    if metric.needs == "prediction":
        return metric.value(truth, ScoredAnswers(np.searchsorted(classes, answers)))
    return metric.value(truth, ScoredAnswers(answers.argmax(axis=1), answers, answers[:, -1]))


@pytest.mark.parametrize(("name", "task"), EXPECTED)
def test_a_metric_is_what_it_is_defined_as(name: str, task: str) -> None:
    metric = METRICS[name]
    y, answers, classes = ROWS[task, metric.needs]
    assert task in metric.tasks
    assert value(metric, y, answers, classes) == pytest.approx(EXPECTED[name, task], rel=1e-9)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_metric_says_the_truth_about_which_way_is_better(metric: Any) -> None:
    for task in metric.tasks:
        y, answers, classes = ROWS[task, metric.needs]
        perfect = y if metric.needs == "prediction" else (y[:, None] == classes).astype(float)
        right, guessed = (value(metric, y, given, classes) for given in (perfect, answers))
        assert right > guessed if metric.greater_is_better else right < guessed
        assert metric_named(metric.name, task) is metric


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc"])
def test_a_metric_by_counts_is_the_same_as_of_labels(name: str) -> None:
    tn, fp, fn, tp = (np.array([count]) for count in TABLE.ravel())
    metric = METRICS[name]
    assert metric.at is not None
    assert metric.at(tp, fp, fn, tn)[0] == pytest.approx(value(metric, Y2, L2, BOTH))


def test_rows_without_a_score_have_none() -> None:
    assert np.isnan(value(METRICS["roc_auc"], Y2[POSITIVE], P2[POSITIVE], BOTH))
    assert np.isnan(value(METRICS["roc_auc"], Y3[Y3 == "a"], P3[Y3 == "a"], THREE))
    assert np.isnan(value(METRICS["average_precision"], Y2[~POSITIVE], P2[~POSITIVE], BOTH))
    assert np.isnan(value(METRICS["rmsle"], -Y, A, np.array([])))
    assert np.isnan(value(METRICS["r2"], Y[:1], A[:1], np.array([])))


def test_the_area_is_averaged_over_classes_however_many_there_are() -> None:
    many = np.array([f"{number:02}" for number in range(30)], object)
    y, chances = many[random.integers(0, 29, 300)], random.dirichlet(np.ones(30), 300)
    areas = [auc(y == label, chances[:, at]) for at, label in enumerate(many[:29])]
    assert value(METRICS["roc_auc"], y, chances, many) == pytest.approx(np.mean(areas))


def test_a_class_that_these_rows_lack_is_not_counted_as_missed() -> None:
    few = Y3 != "c"
    score = value(METRICS["balanced_accuracy"], Y3[few], Y3[few], THREE)
    assert score == value(METRICS["f1"], Y3[few], Y3[few], THREE) == 1.0


def test_every_task_has_a_default_and_unknown_names_are_refused_with_the_list() -> None:
    names = [metric_named(None, task).name for task in ("binary", "multiclass", "regression")]
    assert names == ["roc_auc", "log_loss", "rmse"]
    with pytest.raises(WrongUse, match="got 'auc', no metric") as refused:
        metric_named("auc", "binary")
    assert "roc_auc" in str(refused.value.hint)
    with pytest.raises(WrongUse, match="got 'rmse', a metric of regression"):
        metric_named("rmse", "binary")


@pytest.fixture(scope="module")
def unbalanced() -> tuple[Any, Any]:
    """Rows, and their labels, of which most are the same."""
    draw = np.random.default_rng(0)
    y = draw.choice(THREE, 3000, p=[0.9, 0.06, 0.04])
    return np.searchsorted(THREE, y)[:, None] + draw.normal(0, 1, (3000, 2)), y


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "mcc"])
def test_each_class_weighs_the_same(unbalanced: tuple[Any, Any], name: str) -> None:
    _, y = unbalanced
    weights = METRICS[name].balanced_weights(y, "multiclass")
    assert weights is not None
    assert [weights[y == label].sum() for label in THREE] == pytest.approx([1000.0] * 3)


def test_weights_make_balanced_accuracy_better(unbalanced: tuple[Any, Any]) -> None:
    (X, y), metric = unbalanced, METRICS["balanced_accuracy"]
    weights = metric.balanced_weights(y[:2000], "multiclass")
    plain, balanced = (
        LogisticRegression().fit(X[:2000], y[:2000], sample_weight=given).predict(X[2000:])
        for given in (None, weights)
    )
    gain = value(metric, y[2000:], balanced, THREE) - value(metric, y[2000:], plain, THREE)
    assert gain > 0.1


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("binary", "f1"),
        ("multiclass", "log_loss"),
        ("multiclass", "accuracy"),
        ("binary", "roc_auc"),
    ],
)
def test_elsewhere_all_rows_weigh_the_same(task: str, name: str) -> None:
    assert METRICS[name].balanced_weights(Y3, task) is None
