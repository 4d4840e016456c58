"""FLAML's AutoML answers as the outer object does, whichever learner has won."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("flaml")

from flaml import AutoML
from flaml.automl.model import RandomForestEstimator

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source, load_source
from tests.convert.exactness import assert_refused
from tests.convert.helpers import built, served
from tools.evaluation.support.libraries.flaml import BOTH, LEARNERS, STACKED, Searched

# Of what its transformer does with a category that is new.
pytestmark = pytest.mark.filterwarnings("ignore:Column 'town' contains values unseen")
ROWS = 240
KNOWN = ["Rome", "Oslo", "Ankara"]


def visits(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Numbers, whole ones too, with gaps; text and categories of numbers; dates, some missing."""
    random = np.random.default_rng(seed)
    age = random.normal(40, 15, rows).round(1)
    age[::17] = np.nan
    towns = random.choice(KNOWN, rows).astype(object)
    towns[::13] = None
    days = pd.Timestamp("2023-05-01") + pd.to_timedelta(random.integers(0, 9000, rows), "h")
    frame = pd.DataFrame(
        {
            "town": towns,
            "age": age,
            "rooms": random.integers(1, 6, rows),
            "grade": pd.Categorical(random.choice([1, 2, 3], rows)),
            "when": days,
        }
    )
    frame.loc[::19, "when"] = pd.NaT
    return frame


def price(X: pd.DataFrame) -> Any:
    month = X["when"].dt.month.fillna(6)
    towns = X["town"].map({"Rome": 9.0, "Oslo": 4.0}).fillna(1.0)
    return towns * X["rooms"] + X["age"].fillna(30) / 10 + month + X["grade"].astype(float)


X, LATER = visits(), visits(120, 1)
# With so much noise that no learner is far better than the others, which a stack leaves out.
PRICE = price(X) + np.random.default_rng(2).normal(0, 8, ROWS)
TARGETS: dict[str, Any] = {
    "regression": PRICE,
    "classification": pd.Series(np.where(PRICE.median() < PRICE, "dear", "cheap")),
}
THREE = pd.Series(np.array(["low", "mid", "high"])[np.digitize(PRICE, PRICE.quantile([0.3, 0.7]))])


def fitted(learners: list[str], task: str, rows: Any = X, y: Any = None, **options: Any) -> Any:
    target = TARGETS[task] if y is None else y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of searches that end early
        return Searched(task, learners, options).fit(rows, target)


def certificate(model: Any, rows: Any, folder: Path) -> Any:
    """The parity of a build, which no answer may differ in."""
    manifest = built(Source(model, rows), folder).manifest
    parity = manifest["parity"]
    assert (parity["differing_rows"], parity["unrefused_rows"]) == (0, 0)
    return parity


def asked(model: Any, rows: pd.DataFrame, folder: Path) -> None:
    """What is served to rows as JSON has them, by the outer object's answers."""
    texts = rows.assign(when=rows["when"].dt.strftime("%Y-%m-%dT%H:%M:%S"))
    instances = texts.astype(object).where(rows.notna(), None).to_dict("records")
    got = served(folder).post("/predict", json={"instances": instances}).get_json(force=True)
    expected = np.ravel(model.predict(rows))
    if "probabilities" in got:
        assert got["prediction"] == expected.tolist()
        np.testing.assert_allclose(got["probabilities"], model.predict_proba(rows), atol=1e-5)
    else:
        np.testing.assert_allclose(got["prediction"], expected, rtol=1e-5)


EACH = [(learner, task) for learner, tasks in LEARNERS.items() for task in tasks]


@pytest.mark.parametrize(("learner", "task"), EACH)
def test_each_learner_on_categories_dates_and_gaps(learner: str, task: str, tmp_path: Path) -> None:
    model = fitted([learner], task)
    certificate(model, LATER, tmp_path)
    unseen = LATER.head(40).assign(town="Paris")
    unseen.loc[::2, "age"] = np.nan
    asked(model, pd.concat([LATER, unseen], ignore_index=True), tmp_path)


def test_several_classes_by_the_best_of_all(tmp_path: Path) -> None:
    model = fitted(["lgbm", "rf", "xgboost", "lrl1"], "classification", y=THREE)
    certificate(model, LATER, tmp_path)
    asked(model, LATER, tmp_path)


@pytest.mark.parametrize("task", BOTH)
def test_a_stack_of_learners(task: str, tmp_path: Path) -> None:
    model = fitted(STACKED, task, ensemble={"passthrough": False, "n_jobs": 1})
    assert len(model.model.estimators_) > 1
    certificate(model, LATER, tmp_path)
    asked(model, LATER, tmp_path)


@pytest.mark.parametrize("task", BOTH)
def test_a_stack_that_is_given_the_columns_as_well(task: str, tmp_path: Path) -> None:
    numbers = ["age", "rooms", "when"]
    model = fitted(STACKED, task, rows=X[numbers], ensemble={"n_jobs": 1})
    assert model.model.passthrough
    certificate(model, LATER[numbers], tmp_path)


def test_a_stack_that_numbers_text_by_batches_is_refused(tmp_path: Path) -> None:
    last = RandomForestEstimator("classification", n_estimators=5)
    both = ["rf", "extra_tree"]
    model = fitted(both, "classification", ensemble={"final_estimator": last, "n_jobs": 1})
    assert model.model.passthrough
    with pytest.raises(Refusal, match="numbers text anew in each batch") as refused:
        built(Source(model, LATER), tmp_path)
    assert "'passthrough': False" in refused.value.hint


def test_an_array_goes_to_the_learner_as_it_is(tmp_path: Path) -> None:
    rows = X[["age", "rooms"]].fillna(30).to_numpy()
    for learner in ("lgbm", "kneighbor", "svc"):
        model = fitted([learner], "classification", rows=rows)
        certificate(model, rows[:100], tmp_path / learner)


def test_whole_numbers_as_names_of_columns(tmp_path: Path) -> None:
    rows, later = (each.drop(columns="when").set_axis([7, 3, 9, 5], axis=1) for each in (X, LATER))
    model = fitted(["rf"], "regression", rows=rows)
    assert model._transformer._drop
    certificate(model, later, tmp_path)


@pytest.mark.parametrize("learner", ["catboost", "extra_tree", "lgbm", "xgboost"])
def test_categories_that_come_as_plain_numbers(learner: str, tmp_path: Path) -> None:
    """Their gaps are none of the categories then, where those of a categorical are one."""
    model = fitted([learner], "regression", y=PRICE + 90 * X["grade"].astype(float))
    later = LATER.astype({"grade": "int64"})
    certificate(model, later, tmp_path)
    gaps = later.assign(grade=None) if learner != "catboost" else later  # which refuses them
    asked(model, gaps.astype({"grade": float}), tmp_path)


@pytest.mark.parametrize("held", [int, bool])
def test_text_that_comes_as_numbers_or_booleans_is_refused(held: type, tmp_path: Path) -> None:
    known = X.assign(town=X["rooms"].mod(2).astype(held).astype(str).astype(object))
    model = fitted(["lgbm"], "regression", known)
    later = LATER.assign(town=LATER["rooms"].mod(2).astype(held))
    with pytest.raises(Refusal, match="its column 'town' held text in the fit"):
        built(Source(model, later), tmp_path)


def test_a_pickle_is_built_on_a_table(tmp_path: Path) -> None:
    numbers = X[["town", "age", "rooms"]]
    model = fitted(["lgbm"], "classification", rows=numbers)
    (tmp_path / "automl.pkl").write_bytes(pickle.dumps(model))
    held_out = LATER[["town", "age", "rooms"]].assign(answer="dear")
    held_out.to_csv(tmp_path / "held_out.csv", index=False)

    source = load_source(str(tmp_path / "automl.pkl"), tmp_path / "held_out.csv", "answer")

    made = built(source, tmp_path)
    assert made.manifest["task"] == "classification"
    assert made.manifest["classes"] == ["cheap", "dear"]


def unpinned() -> Any:
    model = fitted(["lgbm"], "classification")
    del model._transformer._ordinal_encoder
    return model


def series() -> Any:
    rows = pd.DataFrame({"when": pd.date_range("2024-01-01", periods=60), "x": range(60)})
    model = AutoML()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(
            dataframe=rows.assign(y=np.arange(60.0)), label="y", task="ts_forecast", period=5,
            estimator_list=["lgbm"], max_iter=1, time_budget=60, verbose=0, mlflow_logging=False,
        )  # fmt: skip
    return model


@pytest.mark.parametrize(
    ("make", "rows", "reason"),
    [
        (unpinned, LATER, "numbers text anew in each batch"),
        (series, LATER[["when"]].assign(x=1), "forecasts a series"),
        (lambda: AutoML(task="regression"), LATER, "it has no model"),
        (
            lambda: fitted(["lgbm"], "regression"),
            LATER.assign(when="2024-01-01"),
            "its column 'when' held dates in the fit",
        ),
    ],
    ids=["older", "series", "not fitted", "no dates"],
)
def test_what_has_no_conversion_says_why(
    make: Callable[[], Any], rows: pd.DataFrame, reason: str
) -> None:
    assert_refused(make(), rows, reason, methods=["predict"])
