"""Realised performance, by scikit-learn's own metrics as the second way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from onnxlet.edge.predictions.performance import BLOCK, HALF, Performance
from onnxlet.function.arrays import Array
from onnxlet.function.monitoring.estimate import kind_of
from tests.conftest import at_once

RANDOM = np.random.default_rng(20)
Rows = list[dict[str, Any]]


def classifier(classes: Sequence[Any], estimate: Any = None) -> dict[str, Any]:
    return {"task": "classification", "classes": list(classes), "estimate": estimate}


def regressor(outputs: int = 1, estimate: Any = None) -> dict[str, Any]:
    shape = [-1] if outputs == 1 else [-1, outputs]
    signature = {"outputs": [{"name": "prediction", "shape": shape}]}
    return {"task": "regression", "signature": signature, "estimate": estimate}


def labelled(classes: Sequence[Any], rows: int) -> tuple[Rows, list[Any], Array]:
    """Answers of a fairly good classifier, what was right, and the probabilities."""
    size = len(classes)
    truth = RANDOM.integers(size, size=rows)
    odds = RANDOM.gamma(1.0, size=(rows, size))
    odds[np.arange(rows), truth] += 0.7
    probabilities = np.round(odds / odds.sum(axis=1, keepdims=True), 2)  # with ties
    answers = [
        {"prediction": classes[int(np.argmax(each))], "probabilities": each.tolist()}
        for each in probabilities
    ]
    return answers, [classes[n] for n in truth], probabilities


def steps(size: int) -> dict[str, Any]:
    edges = [0.2, 0.35, 0.5, 0.8]
    entries = [
        {"edges": edges, "calibrated": sorted(RANDOM.uniform(size=5).tolist())} for _ in range(size)
    ]
    return {"rows": 500, "of": "probabilities", "classes": entries}


def calibrated(entry: Any, values: Array) -> Array:
    """The slow way: for each value, the number of edges below it."""
    return np.array([entry["calibrated"][sum(v > e for e in entry["edges"])] for v in values])


def reported(manifest: dict[str, Any], answers: Rows, truths: Sequence[Any]) -> dict[str, Any]:
    """What is said of these answers, once all of them were added."""
    realised = Performance(manifest)
    realised.add(answers, truths)
    report = realised.report()
    assert report is not None
    return report


@pytest.mark.parametrize("label", ["yes", "no"])
def test_two_classes_are_as_scikit_learn_counts_them(label: str) -> None:
    answers, truths, probabilities = labelled(["no", "yes"], 700)
    said = {} if label == "yes" else {"positive": label}  # the second one goes without saying
    report = reported({**classifier(["no", "yes"]), **said}, answers, truths)

    got = [each["prediction"] for each in answers]
    assert {k: report[k] for k in ("rows", "accuracy", "precision", "recall", "f1", "roc_auc")} == {
        "rows": 700,
        "accuracy": pytest.approx(metrics.accuracy_score(truths, got), abs=1e-12),
        "precision": pytest.approx(metrics.precision_score(truths, got, pos_label=label)),
        "recall": pytest.approx(metrics.recall_score(truths, got, pos_label=label)),
        "f1": pytest.approx(metrics.f1_score(truths, got, pos_label=label)),
        "roc_auc": pytest.approx(metrics.roc_auc_score(truths, probabilities[:, 1])),
    }
    assert report["estimated"] is None
    assert report["coverage"] == []
    same = {k: v for k, v in report.items() if k not in ("total", "roc_auc", "tests")}
    assert report["total"] == same


@pytest.mark.parametrize("size", [3, 20])
def test_of_more_classes_the_means(size: int) -> None:
    classes = [f"c{n}" for n in range(size)]
    answers, truths, _ = labelled(classes, 60)
    report = reported(classifier(classes), answers, truths)

    got = [each["prediction"] for each in answers]
    expected = metrics.precision_recall_fscore_support(
        truths, got, labels=classes, average="macro", zero_division=0
    )
    assert [report[name] for name in ("precision", "recall", "f1")] == pytest.approx(expected[:3])
    assert "roc_auc" not in report


def test_of_many_classes_only_the_accuracy() -> None:
    classes = list(range(30))
    answers: Rows = [{"prediction": n, "confidence": 0.55} for n in classes]
    report = reported(classifier(classes, steps(20)), answers * 20, ([0] * 15 + classes[15:]) * 20)

    figures = {k: v for k, v in report.items() if k != "total"}
    assert figures == {
        "rows": 600,
        "accuracy": pytest.approx(16 / 30),
        "unknown_labels": 0,
        "calibration": [
            {"confidence": pytest.approx(0.55), "accuracy": pytest.approx(16 / 30), "rows": 600}
        ],
        "coverage": [],
        "estimated": None,
        "tests": [],
    }


def test_calibration_is_scikit_learn_s() -> None:
    answers, truths, probabilities = labelled([0, 1, 2], 900)
    report = reported(classifier([0, 1, 2]), answers, truths)

    hits = [each["prediction"] == truth for each, truth in zip(answers, truths, strict=True)]
    sure = probabilities.max(axis=1)
    bins = (np.floor(sure * 10)).clip(0, 9)
    members = [np.flatnonzero(bins == number) for number in range(10)]
    whole = [each[: len(each) // BLOCK * BLOCK] for each in members]
    assert report["calibration"] == [
        {
            "confidence": pytest.approx(sure[each].mean()),
            "accuracy": pytest.approx(np.array(hits)[each].mean()),
            "rows": len(each),
        }
        for each in whole
        if len(each)
    ]


def test_confidence_is_that_of_the_answer_not_the_largest_probability() -> None:
    """With a threshold of its own a classifier answers what is less likely than its opposite."""
    report = reported(
        classifier([False, True]),
        [{"prediction": True, "probabilities": [0.7, 0.3]}] * 20,
        [True] * 20,
    )

    assert report["calibration"] == [
        {"confidence": pytest.approx(0.3), "accuracy": 1.0, "rows": 20}
    ]


def test_the_estimate_is_of_the_same_rows() -> None:
    """Simulated: the truth is drawn again and again with the calibrated chances."""
    answers, truths, probabilities = labelled(["no", "yes"], 400)
    estimate = steps(1)
    report = reported(classifier(["no", "yes"], estimate), answers, truths)

    chance = calibrated(estimate["classes"][0], probabilities[:, 1])
    got = np.array([each["prediction"] == "yes" for each in answers])
    right = np.where(got, chance, 1 - chance)
    hits = chance[got].sum()
    from_other_side = reported(
        {**classifier(["no", "yes"], estimate), "positive": "no"}, answers, truths
    )["estimated"]
    misses = (1 - chance)[~got].sum()
    assert from_other_side == {
        **report["estimated"],
        "precision": pytest.approx(misses / (~got).sum()),
        "recall": pytest.approx(misses / (1 - chance).sum()),
        "f1": pytest.approx(2 * misses / ((~got).sum() + (1 - chance).sum())),
        "roc_auc": pytest.approx(report["estimated"]["roc_auc"]),
    }
    assert report["estimated"] == {
        "rows": 400,
        "accuracy": pytest.approx(right.mean()),
        "precision": pytest.approx(hits / got.sum()),
        "recall": pytest.approx(hits / chance.sum()),
        "f1": pytest.approx(2 * hits / (got.sum() + chance.sum())),
        "roc_auc": pytest.approx(weighted_auc(chance, chance)),
    }


def weighted_auc(score: Array, chance: Array) -> float:
    """scikit-learn's, of each row twice: positive and negative, by its chance."""
    both = np.repeat([1, 0], len(score))
    weights = np.concatenate([chance, 1 - chance])
    return float(metrics.roc_auc_score(both, np.tile(score, 2), sample_weight=weights))


def test_rows_without_a_probability_are_not_estimated() -> None:
    """They count as right or wrong all the same, so both figures name their rows."""
    answers: Rows = [{"prediction": 1, "probabilities": [0.1, 0.9]}, {"prediction": 0}]
    report = reported(classifier([0, 1], steps(1)), answers * 20, [1, 0] * 20)

    assert (report["rows"], report["estimated"]["rows"]) == (40, 20)
    assert (report["accuracy"], report["total"]["estimated"]["rows"]) == (1.0, 20)


def test_the_estimate_of_several_classes() -> None:
    answers, truths, probabilities = labelled(["a", "b", "c"], 300)
    estimate = steps(3)
    report = reported(classifier(["a", "b", "c"], estimate), answers, truths)

    each = [calibrated(e, p) for e, p in zip(estimate["classes"], probabilities.T, strict=True)]
    chances = np.stack(each, axis=1)
    answered = np.eye(3)[probabilities.argmax(axis=1)]
    hits, answers_of, truths_of = (
        (chances * answered).sum(axis=0), answered.sum(axis=0), chances.sum(axis=0),
    )  # fmt: skip
    assert report["estimated"] == {
        "rows": 300,
        "accuracy": pytest.approx(hits.sum() / 300),
        "precision": pytest.approx((hits / answers_of).mean()),
        "recall": pytest.approx((hits / truths_of).mean()),
        "f1": pytest.approx((2 * hits / (answers_of + truths_of)).mean()),
        "roc_auc": pytest.approx(np.mean([weighted_auc(c, c) for c in chances.T])),
    }


def test_scores_where_there_are_no_probabilities() -> None:
    step = {"edges": [-1.0, 1.0], "calibrated": [0.1, 0.5, 0.9]}
    estimate = {"rows": 9, "of": "score", "classes": [step]}
    scores = [-2.0, -0.5, 0.5, 3.0]
    answers: Rows = [{"prediction": int(score > 0), "score": score} for score in scores]
    report = reported(classifier([0, 1], estimate), answers * 5, [0, 1, 0, 1] * 5)

    assert report["calibration"] == []
    assert report["roc_auc"] == metrics.roc_auc_score([0, 1, 0, 1], scores)
    assert report["estimated"]["accuracy"] == pytest.approx((0.9 + 0.5 + 0.5 + 0.9) / 4)


def test_an_unknown_label_is_wrong_and_counted() -> None:
    answers: Rows = [{"prediction": "a"}, {"prediction": "b"}, {"prediction": "b"}]
    report = reported(classifier(["a", "b"]), answers * 20, ["a", "c", "b"] * 20)

    assert (report["rows"], report["unknown_labels"]) == (60, 20)
    assert report["accuracy"] == pytest.approx(2 / 3)
    assert (report["precision"], report["recall"]) == (0.5, 1.0)
    assert "roc_auc" not in report


def test_outliers_are_labels() -> None:
    answers: Rows = [{"prediction": -1, "score": -0.2}, {"prediction": 1, "score": 0.3}]
    report = reported({"task": "outlier"}, answers * 10, [-1] * 20)

    assert (report["accuracy"], report["roc_auc"]) == (0.5, None)


@pytest.mark.parametrize("outputs", [1, 3])
def test_numbers_are_as_scikit_learn_counts_them(outputs: int) -> None:
    answered = RANDOM.normal(size=(60, outputs))
    truth = answered + RANDOM.normal(size=(60, outputs))
    listed = answered.tolist() if outputs > 1 else answered[:, 0].tolist()
    report = reported(
        regressor(outputs),
        [{"prediction": each} for each in listed],
        truth.tolist() if outputs > 1 else truth[:, 0].tolist(),
    )

    figures = {
        "rows": 60,
        "mean_absolute_error": pytest.approx(metrics.mean_absolute_error(truth, answered)),
        "root_mean_squared_error": pytest.approx(metrics.root_mean_squared_error(truth, answered)),
        "beyond": 0,
        "large_errors": [],
        "coverage": [],
        "estimated": None,
    }
    assert report == {**figures, "tests": [], "total": figures}


def test_the_expected_error_of_the_same_rows() -> None:
    estimate = {"rows": 9, "edges": [0.0, 10.0], "absolute_error": [1.0, 2.0, 4.0]}
    report = reported(
        regressor(1, estimate), [{"prediction": v} for v in (-5.0, 0.0, 10.0, 11.0)] * 5, [0] * 20
    )

    assert report["estimated"] == {"rows": 20, "mean_absolute_error": (1 + 1 + 2 + 4) / 4}
    assert report["mean_absolute_error"] == 26 / 4


def test_coverage_by_what_was_asked() -> None:
    realised = Performance(regressor())
    asked: Rows = [
        {"prediction": 1.0, "interval": [0.0, 2.0], "coverage": 0.9},
        {"prediction": 1.0, "interval": [0.0, 2.0], "coverage": 0.9},
        {"prediction": 1.0, "interval": [0.5, 1.5], "coverage": 0.5},
        {"prediction": 1.0},
        {"prediction": 1.0, "interval": None, "coverage": 0.9},  # its row is unusual
    ]
    realised.add(asked * 20, [2.0, 2.1, 0.0, 0.0, 0.0] * 20)
    sets = Performance(classifier(["a", "b", "c"]))
    sets.add([{"prediction": "a", "set": ["a", "b"], "coverage": 0.8}] * 20, ["b", "c"] * 10)

    report, of_sets = realised.report(), sets.report()
    assert report is not None
    assert of_sets is not None
    assert report["coverage"] == [
        {"asked": 0.5, "realised": 0.0, "rows": 20}, {"asked": 0.9, "realised": 0.5, "rows": 40},
    ]  # fmt: skip
    assert of_sets["coverage"] == [{"asked": 0.8, "realised": 0.5, "rows": 20}]


def of_intervals(errors: Array, wider: float, asked: float = 0.9) -> Rows:
    """Answers of 0 whose intervals were of standard normal errors once."""
    half = 1.6449 * wider
    return [
        {"prediction": 0.0, "interval": [-half, half], "coverage": asked}
        for _ in range(len(errors))
    ]


@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0])
def test_intervals_of_a_history_become_as_wide_as_truths_ask(spread: float) -> None:
    realised = Performance({**regressor(), "conformal": {"adaptive": True}})
    hits: list[float] = []
    for _ in range(200):
        errors = RANDOM.normal(size=BLOCK) * spread
        wider = realised.wider(0.9)
        hits += (np.abs(errors) <= 1.6449 * wider).tolist()
        realised.add(of_intervals(errors, wider), errors.tolist())

    assert np.mean(hits) == pytest.approx(0.9, abs=0.02)
    assert realised.wider(0.9) == pytest.approx(spread, rel=0.5)
    # Summed otherwise: what was asked less what came, over all rows, is what the width has changed.
    expected = 1 + 0.05 * (0.9 * len(hits) - sum(hits))
    assert realised.wider(0.9) == pytest.approx(expected)
    assert realised.wider(0.5) == 1.0


def test_others_stay_as_wide_as_they_were_built() -> None:
    for manifest in (regressor(), {**regressor(), "conformal": {"rows": 100}}):
        realised = Performance(manifest)
        realised.add(of_intervals(np.ones(100), 1.0), [9.0] * 100)
        assert realised.wider(0.9) == 1.0


def test_widths_change_by_whole_blocks_and_go_on_in_another_process() -> None:
    manifest = {**regressor(), "conformal": {"adaptive": True}}
    realised, other = Performance(manifest), Performance(manifest)
    realised.add(of_intervals(np.ones(BLOCK - 1), 1.0), [9.0] * (BLOCK - 1))
    assert realised.wider(0.9) == 1.0
    realised.add(of_intervals(np.ones(1), 1.0), [9.0])
    assert realised.wider(0.9) == pytest.approx(1 + 0.05 * 0.9 * BLOCK)
    other.remember(realised.memory()[1])
    assert other.wider(0.9) == realised.wider(0.9)
    # A coverage that is not told apart counts with its whole percent, so that there are few.
    odd = Performance(manifest)
    for asked in np.linspace(0.1, 0.9, 900).tolist():
        odd.add(of_intervals(np.ones(1), 1.0, asked), [9.0])
    assert len(odd._widths.times) <= 81


def test_the_window_has_the_last_ones_and_the_total_all() -> None:
    realised = Performance(classifier([0, 1]))
    for part, right in ((700, 0), (800, 0), (HALF, 1), (900, 1)):
        realised.add([{"prediction": 1, "probabilities": [0.4, 0.6]}] * part, [right] * part)

    report = realised.report()
    assert report is not None
    assert (report["rows"], report["total"]["rows"]) == (1400, 3400)
    assert report["accuracy"] == 1.0
    assert report["total"]["accuracy"] == pytest.approx(1900 / 3400)


def test_in_parts_and_from_many_threads_it_is_the_same() -> None:
    answers, truths, _ = labelled(["a", "b", "c"], 800)
    whole, parts = Performance(classifier("abc")), Performance(classifier("abc"))
    whole.add(answers, truths)

    def add(first: int) -> None:
        for start in range(first, 800, 8 * 8):
            parts.add(answers[start : start + 8], truths[start : start + 8])

    at_once(*(partial(add, first) for first in range(0, 64, 8)))

    one, other = whole.report(), parts.report()
    assert one is not None
    assert other is not None
    assert other == {**one, "calibration": other["calibration"], "total": other["total"]}


def test_no_report_and_no_difference_of_two_is_of_less_than_a_block() -> None:
    """Each figure has its rows beside it: they change by whole blocks, whatever comes together."""
    asked: Rows = [{"coverage": each, "set": ["a"]} for each in (0.5, 0.8, 0.9, None)]
    answers, truths, _ = labelled(["a", "b"], 2600)
    realised = Performance(classifier(["a", "b"], steps(1)))
    start, changed = 0, set()
    before: dict[Any, int] = {}
    while start < len(truths):
        end = start + int(RANDOM.choice([1, 3, 19, 40, 300]))
        more = [
            {**each, **asked[RANDOM.integers(4)]} if RANDOM.random() < 0.7 else {"prediction": "a"}
            for each in answers[start:end]
        ]
        realised.add(more, truths[start:end])
        start = end
        now = rows_of(realised.report())
        changed |= {abs(now.get(key, 0) - before.get(key, 0)) for key in now | before}
        before = now

    assert len(before) > 12
    assert {each % BLOCK for each in changed} == {0}
    assert HALF % BLOCK == 0, "else a window would begin inside a block"


def rows_of(report: dict[str, Any] | None) -> dict[Any, int]:
    """The rows of each figure, by its place."""
    found: dict[Any, int] = {}
    for name, part in (("window", report), ("total", report and report["total"])):
        if part:
            found[name] = part["rows"]
            found[name, "estimated"] = part["estimated"]["rows"] if part["estimated"] else 0
            found |= {(name, each["asked"]): each["rows"] for each in part["coverage"]}
            for each in part["calibration"]:
                found[name, int(each["confidence"] * 10)] = each["rows"]
    return found


def test_blocks_are_the_same_whatever_comes_together() -> None:
    """As after a restart, which counts all of them at once."""
    answers, truths, _ = labelled(["a", "b"], 333)
    whole, single = Performance(classifier("ab", steps(1))), Performance(classifier("ab", steps(1)))
    whole.add(answers, truths)
    for answer, truth in zip(answers, truths, strict=True):
        single.add([answer], [truth])

    one, other = whole.report(), single.report()
    assert one is not None
    assert other is not None
    assert (one["rows"], rows_of(one)) == (320, rows_of(other))
    assert one["accuracy"] == other["accuracy"]


def test_no_coverage_silences_another() -> None:
    """Any number may be asked for: all but whole percents count together."""
    realised = Performance(regressor())
    odd = [number / 7919 for number in range(2, 7900)]
    one: Rows = [{"prediction": 1.0, "interval": [0.0, 2.0], "coverage": each} for each in odd]
    realised.add(one, [1.0] * len(odd))
    right: Rows = [{"prediction": 1.0, "interval": [0.0, 2.0], "coverage": 0.9}] * 20
    realised.add(right * 2, [5.0] * 40)

    report = realised.report()
    assert report is not None
    whole = len(odd) // 20 * 20
    assert report["total"]["coverage"] == [
        {"asked": pytest.approx(0.5, abs=0.01), "realised": 1.0, "rows": whole, "others": True},
        {"asked": 0.9, "realised": 0.0, "rows": 20},
    ]


def test_a_truth_beyond_all_that_was_seen_leaves_a_figure() -> None:
    """The largest number there is, and one that is infinite once it is squared."""
    seen = {"output": "prediction", "measure": "value", "edges": [0.0, 10.0], "counts": [9, 9, 9]}
    manifest = {**regressor(), "reference": {"features": [{**seen, "missing": 0}]}}
    answers: Rows = [{"prediction": 1.0}] * 17 + [{"prediction": 1e308}] * 3
    report = reported(manifest, answers, [2.0] * 16 + [1e308, -1e308, -1e200, 1.0])

    assert report["beyond"] == 4
    assert report["mean_absolute_error"] == (16 + 4 * 1000) / 20
    assert report["root_mean_squared_error"] == pytest.approx(math.sqrt((16 + 4e6) / 20))


def test_a_truth_beyond_leaves_a_figure_of_models_whose_range_is_not_known() -> None:
    report = reported(regressor(), [{"prediction": 1.0}] * 20, [1e308] * 20)

    assert math.isfinite(report["root_mean_squared_error"])
    assert report["beyond"] == 20


def test_nothing_has_come() -> None:
    assert Performance(regressor()).report() is None


@pytest.mark.parametrize(
    ("manifest", "kind"),
    [
        (regressor(), "numbers"),
        (classifier("ab"), "labels"),
        (classifier([["a", "b"], ["c"]]), ""),
        ({"task": "outlier"}, "labels"),
        ({"task": "clustering"}, ""),
        ({"task": "function"}, ""),
    ],
)
def test_what_can_be_compared(manifest: dict[str, Any], kind: str) -> None:
    assert kind_of(manifest) == kind
