"""Pipelines that once converted, ran, and answered differently from scikit-learn."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import InvalidRows
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import Model, load_model
from tests.convert.helpers import built, largest_difference, objects, prove

NAN = float("nan")
RANDOM = np.random.default_rng(0)


def served(source: Source, folder: Path) -> Model:
    return load_model(built(source, folder).directory)


def ask(model: Model, rows: list[Any]) -> Any:
    return {
        name: array.tolist()
        for name, array in model.run(validate_rows(rows, model.signature)).items()
    }


def assert_alike(estimator: Any, X: Any, tried: Any, folder: Path) -> None:
    """What is built predicts rows, which may be others than it is built on, as scikit-learn."""
    got = ask(served(Source(estimator, X), folder), np.asarray(tried, dtype=object).tolist())
    np.testing.assert_allclose(got["prediction"], estimator.predict(tried), rtol=1e-6)


def test_an_unseen_id_is_not_taken_for_a_known_neighbour(tmp_path: Path) -> None:
    X = pd.DataFrame({"id": RANDOM.choice([123456789, 987654321, 55555555], 200)})
    X["a"] = RANDOM.normal(size=200)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["id"]), remainder="passthrough"
    )
    estimator = make_pipeline(columns, LinearRegression()).fit(X, X["id"] % 7 + X["a"])
    tried = pd.DataFrame({"id": [123456789, 123456790, 987654323], "a": 0.5})

    assert_alike(estimator, X, tried, tmp_path)


def test_a_flag_that_the_encoder_forbids_is_refused(tmp_path: Path) -> None:
    X = pd.DataFrame({"n": RANDOM.normal(size=50), "b": True})
    columns = make_column_transformer((OneHotEncoder(), ["b"]), remainder="passthrough")
    estimator = make_pipeline(columns, Ridge()).fit(X, X["n"])

    model = served(Source(estimator, X), tmp_path)

    assert len(ask(model, [[0.5, True]])["prediction"]) == 1
    with pytest.raises(InvalidRows, match="false is not one of the known categories"):
        ask(model, [[0.5, False]])


@pytest.mark.parametrize("value", [1e308, -1e308, 1.7e308])
def test_what_overflows_inside_is_refused_as_scikit_learn_does(
    tmp_path: Path, value: float
) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    estimator = make_pipeline(StandardScaler(), SGDClassifier(random_state=0)).fit(X, y)
    row = X[0].copy()
    row[5] = value
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="value too large"):
        estimator.predict([row])

    model = served(Source(estimator, X[::5]), tmp_path)

    with pytest.raises(InvalidRows, match="does not fit"):
        ask(model, [row.tolist()])


def test_two_outputs_near_the_end_of_float32_stay_finite(tmp_path: Path) -> None:
    X = RANDOM.normal(size=(60, 2))
    estimator = LinearRegression().fit(X, X @ [[1.01, -1.01], [2.0, 1.0]])

    assert_alike(estimator, X, [[3.4e38, 2.0]], tmp_path)


def test_text_and_whole_numbers_in_one_encoder(tmp_path: Path) -> None:
    X = pd.DataFrame({"k": RANDOM.choice(["a", "b"], 90), "n": RANDOM.integers(0, 4, 90)})
    estimator = make_pipeline(OneHotEncoder(), Ridge()).fit(X, X["n"] + (X["k"] == "a"))

    assert_alike(estimator, X, X, tmp_path)


@pytest.mark.parametrize("classes", [2, 3])
def test_decision_scores_of_support_vectors(tmp_path: Path, classes: int) -> None:
    X, y = load_iris(return_X_y=True)
    X, y = X[y < classes], y[y < classes]
    estimator = make_pipeline(StandardScaler(), LinearSVC(random_state=0)).fit(X, y)

    model = served(Source(estimator, X), tmp_path)

    answers = ask(model, X.tolist())
    assert answers["prediction"] == estimator.predict(X).tolist()
    np.testing.assert_allclose(answers["score"], estimator.decision_function(X), rtol=1e-4)


def test_a_binary_support_vector_machine_keeps_its_sign(tmp_path: Path) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    estimator = make_pipeline(StandardScaler(), SVC()).fit(X, y)

    model = served(Source(estimator, X[::4]), tmp_path)

    scores = ask(model, X[::4].tolist())["score"]
    assert np.sign(scores).tolist() == np.sign(estimator.decision_function(X[::4])).tolist()


def test_text_labels_that_differ_in_float32_are_reported_and_float64_is_taken(
    tmp_path: Path,
) -> None:
    X, y = load_iris(return_X_y=True)
    X = X[:, [0, 1, 3]]  # whose scales let scikit-learn refuse what float32 can't hold
    labels = np.array(["a", "b", "c"], dtype=object)[y]
    estimator = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    estimator.fit(X, labels)

    parity = built(Source(estimator, X), tmp_path).manifest["parity"]

    reasons = [failed["reason"] for failed in parity["recipes_that_failed"]]
    assert reasons
    for reason in reasons:
        assert reason.startswith("prediction differs on ")
        assert re.search(r": expected [abc], got [abc] at x\d=", reason)
    assert parity["recipe"] == "float64 matrix"
    assert (parity["differing_rows"], parity["undecided_rows"]) == (0, 0)


# Gaps


def test_gaps_that_are_empty_texts(tmp_path: Path) -> None:
    texts = ["x", "y", "", "nan", "None", "x"] * 8
    X = pd.DataFrame({"a": texts, "b": ["m", "", "m", "", "ü", "n"] * 8})
    estimator = make_pipeline(
        SimpleImputer(missing_values="", strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
        Ridge(),
    ).fit(X, np.arange(48) % 7)

    tried = [["", "m"], ["x", ""], ["nan", "None"], [" ", "new"]]
    assert_alike(estimator, X, pd.DataFrame(tried, columns=["a", "b"]), tmp_path)


def test_a_missing_text_is_not_the_text_nan(tmp_path: Path) -> None:
    X = pd.DataFrame({"a": objects(["x", NAN, "nan", "x", "y"] * 18), "b": ["", "n", "n"] * 30})
    y = X["a"].isna().to_numpy()  # what tells them apart is what is learnt
    estimator = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X, y)

    manifest = built(Source(estimator, X, y), tmp_path).manifest

    assert manifest["metrics"]["accuracy"]["model"] == 1.0
    assert [entry["nullable"] for entry in manifest["signature"]["inputs"]] == [True, False]
    assert ask(load_model(tmp_path / "m" / "1"), [[None, ""], ["nan", ""]])["prediction"] == [
        True,
        False,
    ]


@pytest.mark.parametrize("options", [{}, {"handle_unknown": "ignore", "min_frequency": 25}])
@pytest.mark.parametrize("form", ["frame", "array"])
def test_none_as_a_category(form: str, options: dict[str, Any]) -> None:
    frame = pd.DataFrame({"a": objects(["x", None, "None", "x", "y"] * 18)})
    X: Any = frame if form == "frame" else frame.to_numpy()
    encoder = OneHotEncoder(**options).fit(X)
    proof = prove(Source(encoder, X), "float32", "columns", edges=True)

    assert encoder.categories_[0].tolist() == ["None", "x", "y", None]
    assert largest_difference(proof.compare()) == 0


def test_missing_indicators_of_texts() -> None:
    X = pd.DataFrame({"a": objects(["x", "y", NAN, "nan"] * 9), "b": objects(["m", NAN, "n"] * 12)})
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True)
    estimator = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"))
    proof = prove(Source(estimator.fit(X), X), "float64", "columns", edges=True)

    assert all(column.nullable for column in proof.columns)
    assert largest_difference(proof.compare()) == 0


def test_numbers_that_stand_for_gaps_are_no_gaps_of_the_signature() -> None:
    X = pd.DataFrame(RANDOM.integers(-2, 4, (60, 3)), columns=list("abc"))
    imputer = SimpleImputer(missing_values=-1, add_indicator=True).fit(X)
    for precision in ("float32", "float64"):
        proof = prove(Source(imputer, X), precision, edges=True)
        assert not any(column.nullable for column in proof.columns)
        assert proof.compare().passed


# Whole numbers


def test_whole_numbers_next_to_each_other_beyond_float32(tmp_path: Path) -> None:
    days = RANDOM.choice([1, 2, 3, 7, 2**24, 2**24 + 1], 90)
    X = pd.DataFrame({"id": days})
    estimator = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, days % 5)

    parity = built(Source(estimator, X), tmp_path).manifest["parity"]

    assert parity["recipe"] == "float32 columns"  # where whole numbers stay whole
    (failed,) = parity["recipes_that_failed"]
    assert failed["recipe"] == "float32 matrix"
    assert "differs on" in failed["reason"]


def test_whole_numbers_with_gaps_in_a_forest() -> None:
    X = pd.DataFrame({"n": RANDOM.integers(0, 2**40, 90), "m": RANDOM.integers(0, 9, 90)})
    train = X.astype(float).where(RANDOM.random((90, 2)) > 0.2)
    estimator = RandomForestRegressor(3, random_state=0).fit(train, X["m"] * 1.0)
    proof = prove(Source(estimator, X), "float64", edges=True)

    assert [column.nullable for column in proof.columns] == [True, True]
    assert largest_difference(proof.compare()) <= 1e-12


# All of it


def test_a_forest_behind_an_imputer_and_an_encoder(tmp_path: Path) -> None:
    numbers = RANDOM.normal(size=(120, 3))
    X = pd.DataFrame(np.where(RANDOM.random((120, 3)) < 0.25, NAN, numbers), columns=list("abc"))
    X["t"] = RANDOM.choice(["u", "v"], 120)
    columns = make_column_transformer(
        (SimpleImputer(add_indicator=True), ["a", "b"]),
        (OneHotEncoder(drop="if_binary"), ["t"]),
        ("passthrough", ["c"]),
    )
    estimator = make_pipeline(columns, RandomForestClassifier(6, random_state=0))
    estimator.fit(X, np.array(["niedrig", "mittel", "höher"])[np.digitize(numbers[:, 0], [-1, 1])])

    parity = built(Source(estimator, X), tmp_path).manifest["parity"]

    assert (parity["differing_rows"], parity["undecided_rows"]) == (0, 0)
    assert parity["outputs"]["probabilities"]["largest_absolute"] <= 1e-6
