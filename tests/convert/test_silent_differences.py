"""Pipelines that once converted, ran, and answered otherwise than scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LinearRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from convert.build import build
from convert.source import Source
from function.errors import InvalidRows
from function.model import Model, load_model
from function.table import read_table
from tests.conftest import quiet

RANDOM = np.random.default_rng(0)


def served(source: Source, folder: Path) -> Model:
    return load_model(build(source, "m", folder, quiet).directory)


def ask(model: Model, rows: list[Any]) -> Any:
    return {
        name: array.tolist() for name, array in model.run(read_table(rows, model.signature)).items()
    }


def test_an_unseen_id_is_not_taken_for_a_known_neighbour(tmp_path: Path) -> None:
    X = pd.DataFrame({"id": RANDOM.choice([123456789, 987654321, 55555555], 200)})
    X["a"] = RANDOM.normal(size=200)
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["id"]), remainder="passthrough"
    )
    estimator = make_pipeline(columns, LinearRegression()).fit(X, X["id"] % 7 + X["a"])
    tried = pd.DataFrame({"id": [123456789, 123456790, 987654323], "a": 0.5})

    model = served(Source(estimator, X), tmp_path)

    got = ask(model, tried.to_numpy(dtype=object).tolist())["prediction"]
    assert got == pytest.approx(estimator.predict(tried), rel=1e-5)


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
    row = [3.4e38, 2.0]

    model = served(Source(estimator, X), tmp_path)

    got = ask(model, [row])["prediction"]
    assert got == [pytest.approx(expected, rel=1e-5) for expected in estimator.predict([row])]


def test_text_and_whole_numbers_in_one_encoder(tmp_path: Path) -> None:
    X = pd.DataFrame({"k": RANDOM.choice(["a", "b"], 90), "n": RANDOM.integers(0, 4, 90)})
    estimator = make_pipeline(OneHotEncoder(), Ridge()).fit(X, X["n"] + (X["k"] == "a"))

    model = served(Source(estimator, X), tmp_path)

    got = ask(model, X.to_numpy(dtype=object).tolist())["prediction"]
    assert got == pytest.approx(estimator.predict(X), rel=1e-5)


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


def test_text_labels_that_differ_in_float32_are_told_and_float64_is_taken(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    labels = np.array(["a", "b", "c"], dtype=object)[y]
    estimator = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    estimator.fit(X, labels)

    manifest = build(Source(estimator, X), "m", tmp_path, quiet).manifest

    reasons = [failed["reason"] for failed in manifest["parity"]["recipes_that_failed"]]
    assert reasons
    assert "expected" in reasons[0]
    assert manifest["parity"]["recipe"].startswith("float64")
