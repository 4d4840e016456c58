"""Scores over folds, how sure they are, and paired differences, computed a second way."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from onnxlet.convert.metrics.metrics import METRICS
from onnxlet.convert.metrics.resampled import ScoredAnswers, Truth
from onnxlet.convert.train.scoring import PARTS, USUAL, best_threshold, scorer

random = np.random.default_rng(0)
Y = np.where(random.random(300) < 0.3, "yes", "no").astype(object)
LABELS = np.array(["no", "yes"], object)
POSITIVE = np.clip(0.3 + 0.3 * (Y == "yes") + random.normal(0, 0.2, 300), 0.01, 0.99)
ANSWERS = np.column_stack([1 - POSITIVE, POSITIVE])
WORSE = ANSWERS[random.permutation(300)]


def folds(count: int, repeats: int = 1) -> Any:
    found = []
    for _ in range(repeats):
        for valid in np.array_split(random.permutation(300), count):
            found.append((np.setdiff1d(np.arange(300), valid), valid))
    return found


def test_a_score_is_the_mean_over_folds_with_its_standard_error() -> None:
    chosen = folds(5)
    rows = np.concatenate([valid for _, valid in chosen])
    found = scorer(METRICS["roc_auc"], Y, LABELS, chosen)
    each = [roc_auc_score(Y[valid], POSITIVE[valid]) for _, valid in chosen]
    assert found.worth(ANSWERS[rows]) == pytest.approx(np.mean(each))
    assert found.error(ANSWERS[rows]) == pytest.approx(stats.sem(each))
    assert found.pooled(ANSWERS[rows]) == pytest.approx(roc_auc_score(Y, POSITIVE))


def test_a_repeat_does_not_make_it_surer_than_its_rows_do() -> None:
    chosen = folds(5, repeats=3)
    rows = np.concatenate([valid for _, valid in chosen])
    found = scorer(METRICS["roc_auc"], Y, LABELS, chosen)
    each = [roc_auc_score(Y[valid], POSITIVE[valid]) for _, valid in chosen]
    assert found.error(ANSWERS[rows]) == pytest.approx(np.std(each, ddof=1) / np.sqrt(5))


def test_a_difference_is_paired_fold_by_fold() -> None:
    chosen = folds(4)
    rows = np.concatenate([valid for _, valid in chosen])
    found = scorer(METRICS["log_loss"], Y, LABELS, chosen)

    def losses(answers: Any) -> Any:
        right = answers[np.arange(300), (Y == "yes").astype(int)]
        return np.array([-np.log(right[valid]).mean() for _, valid in chosen])

    gains = losses(WORSE) - losses(ANSWERS)  # less is better
    difference = found.difference(ANSWERS[rows], WORSE[rows])
    assert difference.mean == pytest.approx(gains.mean())
    assert difference.error == pytest.approx(stats.sem(gains))
    assert difference.mean > 0
    assert found.difference(ANSWERS[rows], ANSWERS[rows]) == (0.0, 0.0)


def test_a_single_fold_is_judged_by_parts_of_it() -> None:
    chosen = folds(3)[:1]
    valid = chosen[0][1]
    found = scorer(METRICS["log_loss"], Y, LABELS, chosen)
    difference = found.difference(ANSWERS[valid], WORSE[valid])
    assert difference.mean == pytest.approx(
        found.worth(ANSWERS[valid]) - found.worth(WORSE[valid]), rel=0.1
    )
    assert 0 < difference.error < abs(difference.mean)
    order = np.argsort(Y[valid] == "yes", kind="stable")
    counts = [np.sum(Y[valid][order[part::PARTS]] == "yes") for part in range(PARTS)]
    assert np.ptp(counts) <= 1


def test_folds_without_a_score_do_not_count_and_rows_of_one_class_have_none() -> None:
    no = np.flatnonzero(Y == "no")
    chosen = [*folds(4), (np.arange(10), no[:20])]
    rows = np.concatenate([valid for _, valid in chosen])
    found = scorer(METRICS["roc_auc"], Y, LABELS, chosen)
    each = [roc_auc_score(Y[valid], POSITIVE[valid]) for _, valid in chosen[:4]]
    assert found.worth(ANSWERS[rows]) == pytest.approx(np.mean(each))
    nothing = scorer(METRICS["roc_auc"], Y, LABELS, [(np.arange(5), no)])
    assert math.isnan(nothing.worth(ANSWERS[no]))
    assert math.isnan(nothing.difference(ANSWERS[no], WORSE[no]).mean)


def test_labels_are_of_the_best_threshold_where_the_metric_needs_one() -> None:
    chosen = folds(1)
    valid = chosen[0][1]
    shy = np.column_stack([1 - POSITIVE[valid] / 3, POSITIVE[valid] / 3])  # never above 0.5
    assert scorer(METRICS["f1"], Y, LABELS, chosen).worth(shy) > 0.6
    share = np.mean(Y == "no")
    assert scorer(METRICS["accuracy"], Y, LABELS, chosen).worth(shy) == pytest.approx(share)


def test_less_is_better_in_regression() -> None:
    y = random.normal(size=100)
    chosen = [(np.arange(50), np.arange(50, 100))]
    found = scorer(METRICS["rmse"], y, None, chosen)
    assert found.worth(y[50:] + 0.5) == pytest.approx(-0.5)
    assert found.difference(y[50:], y[50:] + 0.5).mean == pytest.approx(0.5)


def few_positives(count: int = 150) -> tuple[Any, Any]:
    """Labels of two classes, with probabilities that are right about them."""
    draw = np.random.default_rng(0)
    chance = draw.beta(0.6, 4, count)
    return draw.random(count) < chance, chance


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy", "mcc"])
def test_no_other_threshold_is_better(name: str) -> None:
    y, chance = few_positives()
    metric, truth = METRICS[name], Truth(y.astype(int), [False, True])
    chosen = best_threshold(y, chance, metric)

    def value(threshold: float) -> float:
        return metric.value(truth, ScoredAnswers((chance >= threshold).astype(int)))

    assert value(chosen) == pytest.approx(max(value(at) for at in chance))
    assert value(chosen) > value(USUAL)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "accuracy"])
def test_a_metric_that_needs_no_other_keeps_a_half(name: str) -> None:
    assert best_threshold(*few_positives(), METRICS[name]) == USUAL


def test_of_equal_thresholds_the_nearest_to_a_half_is_taken() -> None:
    y = np.array([False, False, True, True])
    chosen = best_threshold(y, np.array([0.1, 0.2, 0.9, 0.95]), METRICS["f1"])
    assert chosen == pytest.approx(0.55)


def test_rows_of_one_class_choose_no_threshold() -> None:
    assert best_threshold(np.zeros(5, bool), np.linspace(0, 1, 5), METRICS["f1"]) == USUAL


@pytest.mark.parametrize("name", ["f1", "average_precision", "roc_auc", "log_loss", "mcc"])
def test_rates_are_of_the_positive_class_whichever_it_is(name: str) -> None:
    chosen = folds(4)
    rows = np.concatenate([valid for _, valid in chosen])
    turned = np.where(Y == "yes", "A", "B").astype(object)  # the positive one comes first
    first = scorer(METRICS[name]._replace(positive=0), turned, np.array(["A", "B"]), chosen)
    second = scorer(METRICS[name], Y, LABELS, chosen)
    assert first.worth(ANSWERS[rows][:, ::-1]) == pytest.approx(second.worth(ANSWERS[rows]))
    assert first.error(ANSWERS[rows][:, ::-1]) == pytest.approx(second.error(ANSWERS[rows]))
    other = scorer(METRICS[name], turned, np.array(["A", "B"]), chosen)
    of_one = name in ("f1", "average_precision")
    assert (other.worth(ANSWERS[rows][:, ::-1]) != second.worth(ANSWERS[rows])) == of_one


def test_a_few_rows_that_are_far_off_do_not_hide_a_better_model() -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=500)
    folds = [(np.arange(0), part) for part in np.array_split(np.arange(500), 5)]
    judged = scorer(METRICS["rmse"], y, None, folds)
    one, other = y + random.normal(0, 0.1, 500), y + random.normal(0, 0.3, 500)
    assert judged.clearly_better(one, other)
    assert not judged.clearly_better(other, one)
    assert not judged.clearly_better(one, one)
    far = one.copy()
    far[[3, 480]] += 8
    assert not judged.difference(far, other).mean > 2 * judged.difference(far, other).error
    assert judged.clearly_better(far, other)
