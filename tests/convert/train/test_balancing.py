"""Rows are weighted where that makes the metric better, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from onnxlet.convert.metrics.metrics import METRICS
from onnxlet.convert.train.balancing import balanced_weights

random = np.random.default_rng(0)
Y = random.choice(["a", "b", "c"], 3000, p=[0.9, 0.06, 0.04])
X = np.searchsorted(["a", "b", "c"], Y)[:, None] + random.normal(0, 1, (3000, 2))


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "mcc"])
def test_each_class_weighs_the_same(name: str) -> None:
    weights = balanced_weights(Y, "multiclass", METRICS[name], None)
    assert weights is not None
    sums = [weights[label == Y].sum() for label in "abc"]
    assert sums == pytest.approx([1000.0] * 3)
    twice = balanced_weights(Y, "multiclass", METRICS[name], np.full(3000, 2.0))
    assert twice == pytest.approx(2 * weights)


def test_it_makes_balanced_accuracy_better() -> None:
    metric, classes = METRICS["balanced_accuracy"], np.array(["a", "b", "c"])
    weights = balanced_weights(Y[:2000], "multiclass", metric, None)
    plain, balanced = (
        LogisticRegression().fit(X[:2000], Y[:2000], sample_weight=given).predict(X[2000:])
        for given in (None, weights)
    )
    gain = metric.score(Y[2000:], balanced, classes) - metric.score(Y[2000:], plain, classes)
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
def test_elsewhere_the_weights_are_those_given(task: str, name: str) -> None:
    assert balanced_weights(Y, task, METRICS[name], None) is None
    given = np.ones(3000)
    assert balanced_weights(Y, task, METRICS[name], given) is given
