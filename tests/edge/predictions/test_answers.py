"""What is kept of the answers of models of each kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.sources.source import Source
from onnxlet.edge.predictions.answers import PART_ROWS, answers_of, row_of
from onnxlet.edge.predictions.performance import Performance
from onnxlet.function.messages import Prediction, PredictRequest
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.serving.predict import predict
from tests.kept_builds import kept_builds

X, Y = load_iris(return_X_y=True)
TWO = Y == 2
MANY = np.arange(150) % 30

Built = Callable[[Any], Model]


@pytest.fixture
def built(tmp_path: Path) -> Built:
    def one(estimator: Any) -> Model:
        return load_model(kept_builds({"m": Source(estimator, X)}, tmp_path) / "m" / "1")

    return one


def answered(model: Model, rows: Any = X) -> Prediction:
    return predict(model, PredictRequest(rows.tolist()), request_id="a")


def columns(prediction: Prediction) -> dict[str, Any]:
    [first, *_] = answers_of(prediction, 0)
    found: dict[str, Any] = json.loads(first.body)
    return found


@pytest.mark.parametrize(
    ("estimator", "y", "kept"),
    [
        (LogisticRegression(max_iter=500), Y, {"prediction", "probabilities"}),
        (LinearSVC(), TWO, {"prediction", "score"}),
        (LinearSVC(), Y, {"prediction"}),
        (SVC(decision_function_shape="ovo"), np.arange(150) % 4, {"prediction"}),
        (SVC(decision_function_shape="ovo"), Y, {"prediction"}),
        (DecisionTreeClassifier(max_depth=5), MANY, {"prediction", "confidence"}),
        (LinearRegression(), X[:, 0], {"prediction"}),
        (LinearRegression(), X[:, :2], {"prediction"}),
        (IsolationForest(n_estimators=5, random_state=0), None, {"prediction", "score"}),
    ],
    ids=[
        "probabilities",
        "score",
        "scores that are not calibrated",
        "votes",
        "as many votes as classes",
        "many classes",
        "number",
        "two numbers",
        "outliers",
    ],
)
def test_what_is_kept_can_be_counted(built: Built, estimator: Any, y: Any, kept: set[str]) -> None:
    model = built(estimator.fit(X, y))
    prediction = answered(model)
    form = columns(prediction)

    assert set(form) == kept
    realised = Performance(model.manifest)
    rows = [row for n in range(100) if (row := row_of(form, n))]
    realised.add(rows, [row["prediction"] for row in rows])
    report = realised.report()
    assert report is not None
    assert report["rows"] == 100
    assert report.get("accuracy", 1.0) == 1.0
    assert report.get("mean_absolute_error", 0.0) == 0.0


def test_scores_of_classes_are_kept_where_the_build_has_calibrated_them(tmp_path: Path) -> None:
    source = Source(LinearSVC().fit(X, Y), X, Y)
    model = load_model(kept_builds({"m": source}, tmp_path) / "m" / "1")

    assert model.manifest["estimate"]["of"] == "score"
    assert set(columns(answered(model))) == {"prediction", "score"}


@pytest.mark.parametrize(
    ("estimator", "y"),
    [
        (KMeans(3, n_init=1, random_state=0), None),
        (MultiOutputClassifier(DecisionTreeClassifier()), np.stack([Y, TWO], axis=1)),
    ],
    ids=["clusters", "several outputs"],
)
def test_nothing_where_no_truth_can_be_compared(built: Built, estimator: Any, y: Any) -> None:
    assert answers_of(answered(built(estimator.fit(X, y))), 0) == []


def test_probabilities_keep_their_bins(built: Built) -> None:
    """As JSON has a float32, most are no longer the number that was compared with the edges."""
    model = built(KNeighborsClassifier(10).fit(X, Y))
    prediction = answered(model)

    kept = np.array(columns(prediction)["probabilities"])
    exact = prediction.outputs["probabilities"][:PART_ROWS].astype(np.float64)
    assert (kept == exact).all()
    narrow = prediction._replace(
        outputs={k: v.astype(np.float32) if k != "prediction" else v
                 for k, v in prediction.outputs.items()}
    )  # fmt: skip
    kept = np.array(columns(narrow)["probabilities"])
    assert (kept == exact.astype(np.float32).astype(np.float64)).all()


def test_the_parts_of_a_large_prediction(built: Built) -> None:
    prediction = answered(built(LinearRegression().fit(X, Y)), np.tile(X, (3, 1)))
    parts = answers_of(prediction, 7)

    assert [part.first for part in parts] == [0, 100, 200, 300, 400]
    assert {part[:1] + part[2:5] + part[6:] for part in parts} == {("a", "m", 1, "numbers", 7)}
    joined = [value for part in parts for value in json.loads(part.body)["prediction"]]
    assert joined == prediction.outputs["prediction"].tolist()


def test_intervals_and_sets_by_row() -> None:
    form = {"prediction": [1.0, None], "interval": [[0.0, 2.0], None], "coverage": 0.9}

    assert row_of(form, 0) == {"prediction": 1.0, "interval": [0.0, 2.0], "coverage": 0.9}
    assert row_of(form, 1) is None
    assert row_of(form, 2) is None
    assert row_of({"prediction": [[1.0, None]]}, 0) is None
