"""Confusion, residuals and worst rows, by counting."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, roc_auc_score

from onnxlet.convert.report.evaluation.errors import (
    confusion,
    few_labels,
    over_time,
    residuals,
    worst,
)
from onnxlet.convert.report.evaluation.statistics import edges, equal_bins, histogram
from tests.convert.report.evaluation import figures
from tests.convert.report.evaluation.figures import plain


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_the_confusion_matrix_is_scikit_learns(kind: str) -> None:
    given = getattr(figures, kind)()
    said = given.estimator.predict(given.X_test)
    labels = given.estimator.classes_.tolist()

    assert plain(confusion(figures.of(given))) == {
        "labels": labels,
        "counts": confusion_matrix(given.y_test, said, labels=labels).tolist(),
        "other": False,
    }


def test_rare_labels_are_lumped_where_there_are_many() -> None:
    values = np.repeat(np.arange(30), np.arange(30, 0, -1))
    labels, place = few_labels([f"label {n}" for n in range(30)], values)

    assert labels == [*(f"label {n}" for n in range(19)), "other"]
    assert place.tolist() == [*range(19), *[19] * 11]


def test_residuals_are_binned_as_they_are_counted_one_by_one() -> None:
    given = figures.regression()
    found = plain(residuals(figures.of(given)))
    off = given.y_test - given.estimator.predict(given.X_test)
    bins = found["bins"]

    pairs = list(itertools.pairwise(bins))
    inside = [sum(1 for o in off if low <= o < high) for low, high in pairs]
    below, above = sum(o < bins[0] for o in off), sum(o >= bins[-1] for o in off)
    inside[0] += below
    inside[-1] += above
    assert found["counts"] == inside
    assert sum(found["counts"]) == found["rows"] == 240
    assert found["beyond"] == [below, above]
    for each in found["within"]:
        assert each["error"] == pytest.approx(np.quantile(np.abs(off), each["share"]), rel=5e-3)


def test_residuals_by_prediction_are_of_equally_many_rows() -> None:
    given = figures.regression()
    found = plain(residuals(figures.of(given)))
    said = given.estimator.predict(given.X_test)
    off = given.y_test - said
    order = np.argsort(said)

    assert [each["rows"] for each in found["by_prediction"]] == [24] * 10
    for number, each in enumerate(found["by_prediction"]):
        rows = order[24 * number : 24 * (number + 1)]
        assert each["mean"] == pytest.approx(off[rows].mean())
        assert each["low"] == pytest.approx(said[rows].min(), abs=1)
        assert each["high"] == pytest.approx(said[rows].max(), abs=1)
        assert each["p05"] == pytest.approx(np.percentile(off[rows], 5), abs=0.5)
        assert each["p95"] == pytest.approx(np.percentile(off[rows], 95), abs=0.5)


def test_bins_have_round_edges_and_hold_what_is_far_out() -> None:
    values = np.append(np.random.default_rng(0).normal(size=1000), [1e9, -1e9])
    found = edges(values)

    assert len(found) <= 22
    assert found == pytest.approx(np.round(found * 4) / 4)  # steps of 0.25
    counts, beyond = histogram(values, found)
    assert sum(counts) == 1002
    assert beyond == [sum(values < found[0]), sum(values > found[-1])]


def test_equal_values_are_in_one_bin() -> None:
    values = np.repeat([1.0, 2.0, 3.0], [100, 5, 100])
    bins = equal_bins(values)

    assert all(len(set(bins[values == v])) == 1 for v in (1.0, 2.0, 3.0))
    assert np.min(np.bincount(bins)) >= 100
    assert equal_bins(np.full(60, 5.0)).tolist() == [0] * 60
    assert edges(np.full(60, 5.0)).min() < 5 < edges(np.full(60, 5.0)).max()


def test_the_worst_rows_are_those_furthest_off() -> None:
    given = figures.regression()
    off = np.abs(given.y_test - given.estimator.predict(given.X_test))
    found, what = plain(worst(figures.of(given)))

    assert what == "absolute error"
    assert [each["row"] for each in found] == np.argsort(-off)[:10].tolist()
    assert [e["error"] for e in found] == pytest.approx(np.sort(off)[::-1][:10], rel=5e-3)


def test_the_worst_rows_of_classes_were_given_least_for_what_they_are() -> None:
    given = figures.multiclass()
    p = given.estimator.predict_proba(given.X_test)
    of_true = np.array([row[label] for row, label in zip(p, given.y_test, strict=True)])
    found, what = plain(worst(figures.of(given)))

    assert what == "1 − probability of the true class"
    assert [each["error"] for each in found] == pytest.approx(
        np.sort(1 - of_true)[::-1][:10], rel=5e-3
    )
    assert all(1 - of_true[e["row"]] == pytest.approx(e["error"], rel=5e-3) for e in found)


@pytest.mark.parametrize("kind", ["regression", "binary"])
def test_over_time_the_first_and_the_last_fifth_are_counted_apart(kind: str) -> None:
    given = getattr(figures, kind)()
    assert over_time(figures.of(given)) is None
    earlier = np.linspace(0, 1, 101) * (30 if kind == "regression" else 0.5)
    found = plain(over_time(figures.of(replace(given, earlier_errors=earlier))))

    limit, size = sorted(earlier)[90], len(given.y_test) // 5
    if kind == "regression":
        off = np.abs(given.y_test - given.estimator.predict(given.X_test))
    else:
        shares = given.estimator.predict_proba(given.X_test)
        right = np.searchsorted(given.estimator.classes_, given.y_test)
        off = 1 - shares[np.arange(len(right)), right]
    for name, part in (("first", slice(size)), ("last", slice(-size, None))):
        if kind == "regression":
            worth = np.sqrt(np.mean(off[part] ** 2))
        else:
            worth = roc_auc_score(right[part], shares[part, 1])
        assert found[name] == {
            "rows": size,
            "value": pytest.approx(worth, rel=1e-5),
            "coverage": pytest.approx(np.mean(off[part] <= limit)),
        }
    assert found["asked"] == 0.9
