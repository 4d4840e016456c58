"""Importance, dependence and the learning curve, by asking the estimator itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sklearn.neighbors import KNeighborsRegressor

from onnxlet.convert.report.evaluation.importance import REPEATS, dependence, importance
from onnxlet.convert.report.evaluation.learning import Refits, _samples, learning
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.report.evaluation.statistics import generator, resamples
from onnxlet.function.arrays import Array
from tests.convert.report.evaluation import figures
from tests.convert.report.evaluation.figures import plain


def shuffled(X: pd.DataFrame, column: str, random: np.random.Generator) -> pd.DataFrame:
    return X.assign(**{column: X[column].to_numpy()[random.permutation(len(X))]})


@pytest.mark.parametrize("column", ["size", "town", "rooms", "new"])
def test_importance_is_what_shuffling_costs_the_estimator_itself(column: str) -> None:
    given = figures.regression()
    (found,) = [e for e in importance(figures.of(given)).columns if e.column == column]
    y, X = given.y_test, given.X_test
    random = generator(0, f"importance {column}")
    base = given.estimator.predict(X)
    worse = [given.estimator.predict(shuffled(X, column, random)) for _ in range(REPEATS)]

    lost = [root_mean_squared_error(y, w) - root_mean_squared_error(y, base) for w in worse]
    assert found.value == pytest.approx(np.mean(lost))
    drawn = []
    for number, counts in enumerate(np.concatenate(list(resamples(0, len(y))))):
        rows = np.repeat(np.arange(len(y)), counts.astype(int))
        other = worse[number % REPEATS]
        drawn.append(
            root_mean_squared_error(y[rows], other[rows])
            - root_mean_squared_error(y[rows], base[rows])
        )
    expected = np.percentile(drawn, (2.5, 97.5))
    assert (found.low, found.high) == pytest.approx(tuple(expected))


def test_importance_has_every_column_and_those_first_that_matter_most() -> None:
    found = plain(importance(figures.of(figures.binary())))
    columns = {each["column"]: each for each in found["columns"]}

    assert set(columns) == {"size", "rooms", "town", "new", "noise"}
    values = [each["value"] for each in found["columns"]]
    assert values == sorted(values, reverse=True)
    assert found["columns"][0]["column"] == "size"
    assert columns["noise"]["low"] <= 0.003
    assert columns["size"]["low"] > 0.1
    assert (found["metric"], found["repeats"], found["rows"]) == ("roc_auc", REPEATS, 240)


def test_more_is_worse_of_an_error_and_better_of_a_score() -> None:
    given = figures.binary(metric="log_loss")
    found = plain(importance(figures.of(given)))

    assert found["metric"] == "log_loss"
    assert found["columns"][0]["column"] == "size"
    assert found["columns"][0]["low"] > 0


def test_a_column_that_the_model_drops_has_no_importance() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline

    X = figures.table(300)
    y = figures.price(X)
    some = make_column_transformer(("passthrough", ["size", "rooms"]))
    found = plain(
        importance(figures.of(figures.measured(make_pipeline(some, LinearRegression()), y)))
    )

    none = {"value": 0.0, "low": 0.0, "high": 0.0}
    others = {e["column"]: e for e in found["columns"][2:]}
    assert others == {n: {"column": n, **none} for n in ("town", "new", "noise")}


def test_dependence_on_a_number_is_the_mean_answer_as_all_rows_have_it() -> None:
    given = figures.regression()
    about = figures.of(given)
    found = {e["column"]: e for e in plain(dependence(about, importance(about).columns))}
    size = found["size"]

    assert (size["kind"], size["answer"], size["rows"]) == ("number", "prediction", 240)
    assert len(size["points"]) == 15
    assert sum(point["rows"] for point in size["points"]) == 240
    weights = np.concatenate(list(resamples(0, 240, 200)))
    for point in size["points"]:
        each = given.estimator.predict(given.X_test.assign(size=point["at"]))
        assert point["value"] == pytest.approx(each.mean())
        ends = np.percentile(
            [np.mean(np.repeat(each, w.astype(int))) for w in weights], (2.5, 97.5)
        )
        assert (point["low"], point["high"]) == pytest.approx(tuple(ends))
    at = [point["at"] for point in size["points"]]
    sizes = given.X_test["size"].to_numpy()
    nearest = [int(np.abs(np.array(at) - value).argmin()) for value in sizes]
    assert [p["rows"] for p in size["points"]] == np.bincount(nearest).tolist()
    assert not set(at) & set(sizes)  # nobody's value


def test_dependence_on_categories_has_the_frequent_ones() -> None:
    given = figures.binary()
    about = figures.of(given)
    found = {e["column"]: e for e in plain(dependence(about, importance(about).columns))}
    town = found["town"]

    counts = given.X_test["town"].value_counts()
    assert [(p["at"], p["rows"]) for p in town["points"]] == list(counts.items())
    assert (town["kind"], town["answer"]) == ("category", "probability of 'dear'")
    for point in town["points"]:
        each = given.estimator.predict_proba(given.X_test.assign(town=point["at"]))[:, 1]
        assert point["value"] == pytest.approx(each.mean())
    assert [p["at"] for p in found["rooms"]["points"]] == [1, 2, 3, 4, 5, 6]
    assert {p["at"] for p in found["new"]["points"]} == {True, False}


def test_dependence_of_many_classes_is_that_of_the_class_that_moves_most() -> None:
    given = figures.multiclass()
    about = figures.of(given)
    size = plain(dependence(about, importance(about).columns)[0])

    means = np.array(
        [
            given.estimator.predict_proba(given.X_test.assign(size=p["at"])).mean(axis=0)
            for p in size["points"]
        ]
    )
    most = int(np.argmax(np.ptp(means, axis=0)))
    assert size["answer"] == f"probability of '{most}'"
    assert [p["value"] for p in size["points"]] == pytest.approx(means[:, most].tolist())


def test_without_probabilities_dependence_is_the_share_of_answers() -> None:
    y = np.where(figures.price(figures.table(440)) > 160, "dear", "cheap")
    given = figures.measured(figures.pipeline(RidgeClassifier()), y)
    about = figures.of(given)
    size = plain(dependence(about, importance(about).columns)[0])

    assert size["answer"] == "share answered 'dear'"
    for point in size["points"]:
        said = given.estimator.predict(given.X_test.assign(size=point["at"]))
        assert point["value"] == pytest.approx(np.mean(said == "dear"))


def by_hand(given: Measured, rows: Array) -> float:
    fitted = clone(given.estimator).fit(given.X_train.iloc[rows], given.y_train[rows])
    p = fitted.predict_proba(given.X_test)[:, 1]
    return float(roc_auc_score(given.y_test == "dear", p))


def test_the_learning_curve_is_of_refits_on_parts_of_the_training_rows() -> None:
    y = np.where(figures.price(figures.table(640)) > 160, "dear", "cheap")
    forest = RandomForestClassifier(10, random_state=0)
    given = figures.measured(figures.pipeline(forest), y, train=400)
    about = figures.of(given)
    found = plain(learning(about, Refits(about)))
    assert about.trained is not None

    assert [p["rows"] for p in found["points"]] == [50, 100, 200, 400]
    for point in found["points"][:3]:
        samples = _samples(about, about.trained, point["rows"])
        assert [len(set(rows.tolist())) for rows in samples] == [point["rows"]] * 3
        expected = np.mean([by_hand(given, rows) for rows in samples])
        assert point["value"] == pytest.approx(expected)
    p = given.estimator.predict_proba(given.X_test)[:, 1]
    assert found["points"][3]["value"] == pytest.approx(roc_auc_score(given.y_test == "dear", p))
    gain = found["points"][3]["value"] - found["points"][2]["value"]
    assert found["gain"]["value"] == pytest.approx(gain)
    assert (found["gain"]["from_"], found["gain"]["to"]) == (200, 400)


def test_parts_of_classes_have_their_shares() -> None:
    about = figures.of(figures.binary())
    assert about.trained is not None
    share = np.mean(about.trained == "dear")

    for rows in _samples(about, about.trained, 100):
        assert np.mean(about.trained[rows] == "dear") == pytest.approx(share, abs=0.01)


def test_more_data_helps_what_is_still_learning_and_not_what_has_learnt() -> None:
    X = figures.table(2400)
    y = figures.price(X)
    near = figures.measured(figures.pipeline(KNeighborsRegressor(1)), y, X=X, train=800)
    line = figures.measured(figures.pipeline(LinearRegression()), y, X=X, train=800)
    said = []
    for given in (near, line):
        about = figures.of(given)
        found = plain(learning(about, Refits(about)))
        said.append(found["more_data_helps"])

    assert said == [True, False]


def test_of_a_few_rows_nobody_can_say_whether_more_data_help() -> None:
    about = figures.of(replace(figures.regression(rows=215), seed=1))
    found = plain(learning(about, Refits(about)))

    assert found["points"][0]["low"] is None
    assert found["more_data_helps"] is None


def test_there_is_no_curve_without_training_rows_or_without_time() -> None:
    for more, note in (
        ({"y_train": None}, "the training rows or their answers are not given"),
        ({"seconds": -1.0}, "there was time for 0 refits only"),
    ):
        about = figures.of(figures.regression(**more))
        assert learning(about, Refits(about)) is None
        assert [each for each in about.notes if note in each]


def test_a_curve_for_which_the_time_does_not_last_has_each_number_of_rows_first() -> None:
    about = figures.of(figures.regression(rows=640, train=400, seconds=59.0))
    refits = Refits(about)
    refits.seconds_a_row = 0.15  # 50 + 100 + 200 rows take 52.5 seconds; 50 more are begun

    found = plain(learning(about, Slow(refits)))
    assert [point["rows"] for point in found["points"]] == [50, 100, 200, 400]
    assert found["repeats"] == 1
    assert about.notes == ["learning curve: there was time for 4 refits only"]


class Slow(Refits):
    """Counts seconds by rows, not by the clock."""

    def __init__(self, refits: Refits) -> None:
        vars(self).update(vars(refits))

    def fit(self, rows: Array) -> Any:
        before, slow = self.left, self.seconds_a_row
        fitted = super().fit(rows)
        self.left = before - len(rows) * slow
        self.seconds_a_row = slow
        return fitted
