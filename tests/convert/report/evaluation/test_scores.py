"""Scores and baselines, beside scikit-learn's of the estimator's own answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn import metrics
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.report.evaluation.fairness import differences
from onnxlet.convert.report.evaluation.importance import dependence, importance
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.evaluation.scores import scores
from onnxlet.convert.report.evaluation.statistics import resamples, wilson
from onnxlet.convert.report.form.findings import from_json
from onnxlet.convert.report.sections import scores as sentences
from tests.convert.report.evaluation import figures
from tests.convert.report.evaluation.figures import plain


def by_name(given: Measured) -> dict[str, Any]:
    return {each["metric"]: each for each in plain(scores(figures.of(given)))}


def value(found: Any) -> Any:
    return found["model"]["value"]


def test_scores_of_two_classes_are_those_of_the_estimators_answers() -> None:
    given = figures.binary()
    found = by_name(given)
    y, said = given.y_test, given.estimator.predict(given.X_test)
    p = given.estimator.predict_proba(given.X_test)

    assert list(found) == [
        "roc_auc", "average_precision", "log_loss", "accuracy", "balanced_accuracy", "f1", "brier",
    ]  # fmt: skip
    dear = y == "dear"
    expected = {
        "roc_auc": metrics.roc_auc_score(dear, p[:, 1]),
        "average_precision": metrics.average_precision_score(dear, p[:, 1]),
        "log_loss": metrics.log_loss(y, p),
        "accuracy": np.mean(said == y),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, said),
        "f1": metrics.f1_score(y, said, pos_label="dear"),
        "brier": np.mean((p[:, 1] - dear) ** 2),
    }
    assert {name: value(each) for name, each in found.items()} == pytest.approx(expected, abs=1e-6)
    assert all(each["rows"] == 240 for each in found.values())


def test_intervals_are_percentiles_of_the_same_resampled_rows_for_all() -> None:
    always = DummyRegressor(strategy="constant", constant=100.0).fit([[0]], [0])
    given = figures.regression(baselines={"linear": always})
    found = by_name(given)["rmse"]
    y, said = given.y_test, given.estimator.predict(given.X_test)
    ours, constant, others = [], [], []
    middle = given.y_train.mean()
    for counts in np.concatenate(list(resamples(0, 240))):
        rows = np.repeat(np.arange(240), counts.astype(int))
        ours.append(np.sqrt(np.mean((y[rows] - said[rows]) ** 2)))
        constant.append(np.sqrt(np.mean((y[rows] - middle) ** 2)))
        others.append(np.sqrt(np.mean((y[rows] - 100.0) ** 2)))

    low, high = np.percentile(ours, (2.5, 97.5))
    assert found["model"] == pytest.approx(
        {"value": np.sqrt(np.mean((y - said) ** 2)), "low": low, "high": high}, rel=1e-5
    )
    first, second = found["baselines"]
    for baseline, name, drawn in ((first, "constant", constant), (second, "linear", others)):
        assert baseline["name"] == name
        assert (baseline["low"], baseline["high"]) == pytest.approx(
            tuple(np.percentile(drawn, (2.5, 97.5))), rel=1e-5
        )
        gain = np.percentile(np.subtract(drawn, ours), (2.5, 97.5))
        assert (baseline["gain"]["low"], baseline["gain"]["high"]) == pytest.approx(
            tuple(gain), rel=1e-5
        )
        assert baseline["gain"]["value"] == pytest.approx(
            baseline["value"] - found["model"]["value"]
        )


def test_the_interval_of_accuracy_is_wilsons() -> None:
    given = figures.binary()
    hits = int((given.estimator.predict(given.X_test) == given.y_test).sum())

    found = by_name(given)["accuracy"]["model"]
    assert (found["low"], found["high"]) == pytest.approx(wilson(hits, 240))


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_the_constant_is_the_most_frequent_label_of_the_training_rows(kind: str) -> None:
    given = getattr(figures, kind)()
    dummy = DummyClassifier(strategy="prior").fit(given.X_train, given.y_train)
    found = by_name(given)

    for name, expected in {
        "accuracy": metrics.accuracy_score(given.y_test, dummy.predict(given.X_test)),
        "log_loss": metrics.log_loss(given.y_test, dummy.predict_proba(given.X_test)),
    }.items():
        constant = found[name]["baselines"][0]
        assert (constant["name"], constant["value"]) == ("constant", pytest.approx(expected))


def test_the_constant_answers_the_label_that_scores_best() -> None:
    given = figures.binary()
    rarer = figures.binary(positive="cheap" if np.mean(given.y_train == "dear") > 0.5 else "dear")
    for about in (given, rarer):
        positive = about.positive or "dear"
        f1 = by_name(about)["f1"]["baselines"][0]["value"]
        share = np.mean(about.y_test == positive)
        assert f1 == pytest.approx(2 * share / (1 + share))


def test_the_constant_is_the_median_where_that_is_best_and_the_mean_elsewhere() -> None:
    given = figures.regression()
    found = by_name(given)

    for name, strategy in {"rmse": "mean", "r2": "mean", "mae": "median"}.items():
        dummy = DummyRegressor(strategy=strategy).fit(given.X_train, given.y_train)
        said = dummy.predict(given.X_test)
        expected = {
            "rmse": metrics.root_mean_squared_error(given.y_test, said),
            "r2": metrics.r2_score(given.y_test, said),
            "mae": metrics.mean_absolute_error(given.y_test, said),
        }[name]
        assert found[name]["baselines"][0]["value"] == pytest.approx(expected)


def test_without_training_rows_the_constant_is_of_the_test_rows_and_the_only_one() -> None:
    given = figures.regression(X_train=None, y_train=None)
    (constant,) = by_name(given)["rmse"]["baselines"]

    assert constant["value"] == pytest.approx(given.y_test.std())


def test_a_linear_model_is_fitted_where_none_is_given() -> None:
    given = figures.regression()
    found = by_name(given)["r2"]

    assert [each["name"] for each in found["baselines"]] == ["constant", "linear"]
    linear = found["baselines"][1]["value"]
    assert linear == pytest.approx(value(found), abs=0.02)  # the truth is linear, and so are both


def by_size(estimator: Any, given: Measured) -> Any:
    """Fitted on one column of the training rows."""
    columns = make_column_transformer(("passthrough", ["size"]))
    return make_pipeline(columns, estimator).fit(given.X_train, given.y_train)


def test_probabilities_of_a_baseline_are_scored_as_such() -> None:
    given = figures.binary()
    logistic = by_size(LogisticRegression(), given)
    p = logistic.predict_proba(given.X_test)
    found = by_name(figures.binary(baselines={"linear": logistic}))

    for name, expected in {
        "roc_auc": metrics.roc_auc_score(given.y_test == "dear", p[:, 1]),
        "accuracy": logistic.score(given.X_test, given.y_test),
    }.items():
        assert found[name]["baselines"][1]["value"] == pytest.approx(expected)


def test_a_baseline_of_labels_has_no_score_of_probabilities() -> None:
    labels = by_size(RidgeClassifier(), figures.binary())
    found = by_name(figures.binary(baselines={"linear": labels}))

    assert [each["name"] for each in found["log_loss"]["baselines"]] == ["constant"]
    assert [e["name"] for e in found["accuracy"]["baselines"]] == ["constant", "linear"]


def test_a_baseline_has_a_threshold_of_its_own() -> None:
    given = figures.binary()
    late = FixedThresholdClassifier(LogisticRegression(), threshold=0.8, pos_label="dear")
    found = by_name(figures.binary(baselines={"linear": by_size(late, given)}))

    p = by_size(LogisticRegression(), given).predict_proba(given.X_test)[:, 1]
    said = np.where(p >= 0.8, "dear", "cheap")
    assert (said != np.where(p >= 0.5, "dear", "cheap")).any()
    expected = metrics.f1_score(given.y_test, said, pos_label="dear")
    assert found["f1"]["baselines"][1]["value"] == pytest.approx(expected)


def test_a_linear_model_is_not_compared_with_itself() -> None:
    about = figures.of(figures.regression(baselines=None))
    first = plain(scores(about)[0])

    assert [each["name"] for each in first["baselines"]] == ["constant"]
    assert about.notes == ["the model is a linear one itself: it is compared with a constant"]


def test_whole_groups_are_drawn_where_their_rows_are_alike() -> None:
    groups = np.repeat(np.arange(30), 8)
    given = figures.binary(groups=groups)
    found = by_name(given)["accuracy"]["model"]
    right = given.estimator.predict(given.X_test) == given.y_test

    drawn = []
    for counts in np.concatenate(list(resamples(0, 30))):
        rows = np.concatenate(
            [np.flatnonzero(groups == g) for g in np.repeat(range(30), counts.astype(int))]
        )
        drawn.append(right[rows].mean())
    assert (found["low"], found["high"]) == pytest.approx(tuple(np.percentile(drawn, (2.5, 97.5))))


def test_rows_of_few_groups_say_too_little_for_an_interval() -> None:
    about = figures.of(figures.regression(groups=np.arange(240) % 10))
    found = plain(scores(about)[0])

    assert found["model"]["low"] is found["baselines"][0]["gain"]["low"] is None
    assert about.notes == ["the test rows are of 10\u00a0groups: too few for intervals"]
    read = from_json({"format": 1, "name": "m", "task": "regression", "scores": [found]})
    assert sentences.answer(read).endswith(
        "; how sure that is can't be said of so few groups of rows."
    )
    assert "on too few rows or groups to say how surely" in sentences.scores(read)


def test_every_interval_is_of_whole_groups_or_none() -> None:
    few = figures.of(figures.binary(groups=np.arange(240) % 4))
    sensitive = np.arange(240) // 4 % 2
    intervals = [
        *importance(few).columns,
        *dependence(few, importance(few).columns)[0].points,
        *differences(few, few.answered.prediction, sensitive),
    ]
    used = [each for each in plain(intervals) if each["value"]]
    assert len(used) > 10
    assert all(np.isnan(each["low"] if each["low"] is not None else np.nan) for each in used)

    def widths(groups: Any) -> list[float]:
        about = figures.of(figures.binary(groups=groups))
        found = [
            *importance(about).columns,
            *differences(about, about.answered.prediction, sensitive),
        ]
        return [each["high"] - each["low"] for each in plain(found) if each["value"]]

    pairs = zip(widths(np.arange(240) // 8), widths(None), strict=True)
    assert sum(one != other for one, other in pairs) > 6


def test_a_faultless_score_is_as_sure_as_its_groups_are_many() -> None:
    given = figures.binary(groups=np.repeat(np.arange(24), 10))
    said = given.estimator.predict(given.X_test)
    found = by_name(replace(given, y_test=said))["accuracy"]["model"]

    fewest = min(len({row // 10 for row in np.flatnonzero(said == c)}) for c in np.unique(said))
    assert (found["low"], found["value"]) == (pytest.approx(wilson(fewest, fewest)[0]), 1)


def test_labels_that_the_model_does_not_know_are_counted() -> None:
    given = figures.binary()
    y = given.y_test.astype(object)
    y[:3] = "priceless"
    about = figures.of(replace(given, y_test=y))

    assert about.notes == ["true labels of test rows that the model never answers: priceless (3)"]


def test_the_metric_that_was_optimised_is_first() -> None:
    assert next(iter(by_name(figures.binary(metric="f1")))) == "f1"
    assert list(by_name(figures.regression(metric="mape")))[:2] == ["mape", "rmse"]


def test_a_classifier_without_probabilities_is_ranked_by_its_score() -> None:
    y = np.where(figures.price(figures.table(440)) > 160, "dear", "cheap")
    given = figures.measured(figures.pipeline(LinearSVC(max_iter=20_000)), y)
    found = by_name(given)

    score = given.estimator.decision_function(given.X_test)
    assert value(found["roc_auc"]) == pytest.approx(
        metrics.roc_auc_score(given.y_test == "dear", score)
    )
    assert "log_loss" not in found


def test_a_score_without_fault_is_not_sure() -> None:
    X = figures.table(300)
    y = (X["rooms"] > 3).to_numpy()
    given = figures.measured(figures.pipeline(DecisionTreeClassifier()), y, X=X)
    found = by_name(given)["roc_auc"]["model"]

    fewest = min(given.y_test.sum(), (~given.y_test).sum())
    assert found["value"] == 1
    assert found["low"] == pytest.approx(wilson(int(fewest), int(fewest))[0])
