"""The threshold that is chosen, against trying every one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxlet.convert.metrics.metrics import METRICS
from onnxlet.convert.train.threshold import USUAL, choose_threshold


def rows(count: int = 150) -> tuple[Any, Any]:
    """Few positives, with probabilities that are right about them."""
    random = np.random.default_rng(0)
    chance = random.beta(0.6, 4, count)
    return np.where(random.random(count) < chance, "yes", "no").astype(object), chance


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc"])
def test_no_other_threshold_is_better(name: str) -> None:
    y, chance = rows()
    metric, both = METRICS[name], np.array(["no", "yes"], object)
    chosen = choose_threshold(y, chance, metric)

    def value(threshold: float) -> float:
        return metric.score(y, both[(chance >= threshold).astype(int)], both)

    assert chosen.value == pytest.approx(max(value(at) for at in chance))
    assert chosen.value == pytest.approx(value(chosen.threshold))
    assert value(chosen.threshold) > value(USUAL)
    assert len(chosen.table) == 101
    for threshold, score in chosen.table[::10]:
        assert score == pytest.approx(value(threshold))


def test_both_columns_or_one_are_the_same() -> None:
    y, chance = rows()
    one = choose_threshold(y, chance, METRICS["f1"])
    assert one == choose_threshold(y, np.column_stack([1 - chance, chance]), METRICS["f1"])


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "accuracy"])
def test_a_metric_that_needs_no_other_keeps_a_half(name: str) -> None:
    y, chance = rows()
    chosen = choose_threshold(y, chance, METRICS[name])
    assert chosen.threshold == USUAL
    assert (chosen.value is None) == (name != "accuracy")


def test_of_equal_ones_the_nearest_to_a_half_is_taken() -> None:
    y = np.array([0, 0, 1, 1])
    chosen = choose_threshold(y, np.array([0.1, 0.2, 0.9, 0.95]), METRICS["f1"])
    assert chosen.threshold == pytest.approx(0.55)
    assert chosen.value == 1.0


def test_rows_of_one_class_choose_nothing() -> None:
    both = np.array([0, 1])
    chosen = choose_threshold(np.zeros(5, int), np.linspace(0, 1, 5), METRICS["f1"], both)
    assert chosen.threshold == USUAL
