"""Curves and thresholds, by counting rows at each threshold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import auc, average_precision_score, roc_auc_score
from sklearn.model_selection import FixedThresholdClassifier

from onnxlet.convert.report.evaluation.curves import calibration, precision_recall, roc, threshold
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.evaluation.scores import scores
from onnxlet.convert.report.evaluation.statistics import wilson
from onnxlet.function.arrays import Array
from tests.convert.report.evaluation import figures
from tests.convert.report.evaluation.figures import plain


def asked(given: Measured) -> tuple[Array, Array]:
    """The probability of "dear", and whether it is so."""
    return given.estimator.predict_proba(given.X_test)[:, 1], given.y_test == "dear"


def test_points_of_the_roc_curve_are_rates_at_their_thresholds() -> None:
    given = figures.binary()
    p, dear = asked(given)
    about = figures.of(given)
    found = plain(roc(about, scores(about)))

    assert found["points"][0] == [0.0, 0.0, None]
    assert found["points"][-1][:2] == [1.0, 1.0]
    assert 50 < len(found["points"]) <= 101
    for false, true, at in found["points"][1:]:
        near = np.abs(p - at) < 1e-4  # thresholds are rounded
        for rate, rows in ((false, ~dear), (true, dear)):
            assert rate == pytest.approx(
                np.mean((p >= at)[rows]), abs=1e-9 + np.sum(near & rows) / np.sum(rows)
            )
    assert found["positives"] == dear.sum()
    assert found["negatives"] == (~dear).sum()
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(dear, p))
    points = np.array([point[:2] for point in found["points"]])
    assert auc(points[:, 0], points[:, 1]) == pytest.approx(found["auc"]["value"], abs=5e-3)


def test_points_of_precision_and_recall_are_those_at_their_thresholds() -> None:
    given = figures.binary()
    p, dear = asked(given)
    about = figures.of(given)
    found = plain(precision_recall(about, scores(about)))

    assert found["points"][-1] == [0.0, 1.0, None]
    assert found["share"] == dear.mean()
    for recall, precision, at in found["points"][:-1]:
        chosen = p >= at - 5e-5
        loose = np.sum(np.abs(p - at) < 1e-4)
        assert recall == pytest.approx((chosen & dear).sum() / dear.sum(), abs=loose / dear.sum())
        assert precision == pytest.approx((chosen & dear).sum() / chosen.sum(), abs=0.05)
    assert found["average_precision"]["value"] == pytest.approx(average_precision_score(dear, p))


def test_the_table_of_thresholds_counts_rows() -> None:
    given = figures.binary()
    p, dear = asked(given)
    found = plain(threshold(figures.of(given)))

    assert found["chosen"] == 0.5
    assert [each["threshold"] for each in found["table"]] == [n / 20 for n in range(1, 20)]
    for each in found["table"]:
        chosen = [x >= each["threshold"] for x in p]
        hits = sum(c and d for c, d in zip(chosen, dear, strict=True))
        right = sum(c == d for c, d in zip(chosen, dear, strict=True))
        assert each == pytest.approx(
            {
                "threshold": each["threshold"],
                "selected": sum(chosen) / 240,
                "precision": hits / sum(chosen),
                "recall": hits / sum(dear),
                "false_positive_rate": (sum(chosen) - hits) / (240 - sum(dear)),
                "accuracy": right / 240,
            }
        )


@pytest.mark.parametrize("known", [None, 0.27])
def test_the_chosen_threshold_is_the_models_own(known: float | None) -> None:
    y = np.where(figures.price(figures.table(440)) > 160, "dear", "cheap")
    inner = figures.pipeline(LogisticRegression(max_iter=3000))
    fixed = FixedThresholdClassifier(inner, threshold=0.27, pos_label="dear")
    given = figures.measured(fixed, y, threshold=known, metric="f1")
    found = plain(threshold(figures.of(given)))

    assert (found["chosen"], found["metric"]) == (0.27, None if known is None else "f1")
    (at,) = [each for each in found["table"] if each["threshold"] == 0.27]
    assert at["accuracy"] == pytest.approx(np.mean(fixed.predict(given.X_test) == given.y_test))


def test_rates_are_of_the_class_that_is_called_positive() -> None:
    found = plain(threshold(figures.of(figures.binary(positive="cheap"))))
    other = plain(threshold(figures.of(figures.binary())))
    assert found is not None

    assert found["positives"] == 240 - other["positives"]
    assert found["table"][9]["accuracy"] == pytest.approx(other["table"][9]["accuracy"])
    assert found["table"][9]["selected"] == pytest.approx(1 - other["table"][9]["selected"])


def test_calibration_is_what_was_so_in_bins_of_equally_many_rows() -> None:
    given = figures.binary()
    p, dear = asked(given)
    found = plain(calibration(figures.of(given)))
    order = np.argsort(p)
    off = 0.0

    assert (found["of"], found["rows"], len(found["bins"])) == ("positive", 240, 10)
    for number, each in enumerate(found["bins"]):
        rows = order[24 * number : 24 * (number + 1)]
        hits = int(dear[rows].sum())
        low, high = wilson(hits, 24)
        assert each == pytest.approx(
            {
                "low": round(p[rows].min(), 3),
                "high": round(p[rows].max(), 3),
                "rows": 24,
                "predicted": p[rows].mean(),
                "observed": hits / 24,
                "observed_low": low,
                "observed_high": high,
            },
            abs=1e-6,
        )
        off += abs(p[rows].sum() - hits)
    assert found["error"] == pytest.approx(off / 240, abs=1e-6)
    assert found["brier"] == pytest.approx(np.mean((p - dear) ** 2), abs=1e-6)


def test_calibration_of_many_classes_is_of_the_predicted_one() -> None:
    given = figures.multiclass()
    p = given.estimator.predict_proba(given.X_test)
    found = plain(calibration(figures.of(given)))

    assert found["of"] == "top"
    right = p.argmax(axis=1) == given.y_test
    rows = [each["rows"] for each in found["bins"]]
    assert sum(rows) == 240
    assert np.average([e["predicted"] for e in found["bins"]], weights=rows) == pytest.approx(
        p.max(axis=1).mean()
    )
    assert np.average([e["observed"] for e in found["bins"]], weights=rows) == pytest.approx(
        right.mean()
    )
    assert found["brier"] == pytest.approx(np.mean(np.sum((p - np.eye(3)[given.y_test]) ** 2, 1)))


def test_numbers_have_no_curves() -> None:
    about = figures.of(figures.regression())

    assert [roc(about, []), precision_recall(about, [])] == [None, None]
    assert [threshold(about), calibration(about)] == [None, None]
