"""Which task an estimator has, what it is asked for, and how its answers come over HTTP."""

from __future__ import annotations

from copy import copy
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    GradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import (
    BayesianRidge,
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.errors import Refusal
from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.convert.reference.answers import Task, task_of, tied
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, prove, served

random = np.random.default_rng(3)
X = random.normal(size=(90, 3))
Y = X @ [2.0, -1.0, 0.5]
THREE = np.digitize(Y, [-1, 1])
NEW = random.normal(size=(12, 3))

# Tasks

PREDICT, SHARES, SCORE = "predict", "predict_proba", "decision_function"
TASKS: dict[str, tuple[Any, str, dict[str, str]]] = {
    "regressor": (LinearRegression(), "regression", {"prediction": PREDICT}),
    "regressor with a deviation": (
        BayesianRidge(),
        "regression",
        {"prediction": PREDICT, "std": "std"},
    ),
    "deviation at the end of a pipeline": (
        make_pipeline(StandardScaler(), GaussianProcessRegressor(optimizer=None)),
        "regression",
        {"prediction": PREDICT, "std": "std"},
    ),
    "classifier": (
        LogisticRegression(),
        "classification",
        {"prediction": PREDICT, "probabilities": SHARES},
    ),
    "search": (
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2),
        "classification",
        {"prediction": PREDICT, "probabilities": SHARES},
    ),
    "classifier without probabilities": (
        SVC(),
        "classification",
        {"prediction": PREDICT, "score": SCORE},
    ),
    "clusterer": (KMeans(2, n_init=1), "clustering", {"prediction": PREDICT}),
    "mixture": (
        GaussianMixture(2, random_state=0),
        "clustering",
        {"prediction": PREDICT, "probabilities": SHARES},
    ),
    "mixture at the end of a pipeline": (
        make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)),
        "clustering",
        {"prediction": PREDICT, "probabilities": SHARES},
    ),
    "outlier detector": (
        IsolationForest(n_estimators=5, random_state=0),
        "outlier",
        {"prediction": PREDICT, "score": SCORE},
    ),
    "transformer": (PCA(2), "transformation", {"prediction": "transform"}),
}


@pytest.mark.parametrize(("estimator", "name", "methods"), TASKS.values(), ids=TASKS)
def test_tasks(estimator: Any, name: str, methods: dict[str, str]) -> None:
    task = task_of(estimator.fit(X, THREE))

    assert (task.name, task.methods) == (name, methods)
    assert task.classes == ([0, 1, 2] if name == "classification" else None)
    answers = task.answers(estimator, NEW)
    assert answers.keys() == methods.keys()
    assert all(len(array) == len(NEW) for array in answers.values())


class WithoutClasses(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    """A classifier that forgets what a classifier has."""

    def fit(self, X: Any, y: Any) -> Any:
        self.share_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> Any:
        return np.zeros(len(X), dtype=int)


class Ranker(BaseEstimator):  # type: ignore[misc] # untyped there
    """Scores rows, as LightGBM's and XGBoost's rankers do, which have no tag of a kind."""

    def fit(self, X: Any, y: Any) -> Any:
        self.best_ = float(np.max(y))
        return self

    def predict(self, X: Any) -> Any:
        return np.asarray(X)[:, 0] * self.best_


class Groups(Ranker):
    """Tags of no kind, but a label for each row of the fit, as clusterers keep it."""

    labels_ = (0, 1)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (LinearRegression, "expected a fitted estimator, got <class"),
        ("model.pkl", "expected a fitted estimator, got 'model.pkl'"),
        (DBSCAN().fit(X), "DBSCAN has neither predict nor transform for new rows"),
        (WithoutClasses(), "WithoutClasses is not fitted: it has no classes_"),
        (GaussianNB(), "GaussianNB is not fitted: it has no classes_"),
        (make_pipeline(PCA(), GaussianNB()), "GaussianNB is not fitted: it has no classes_"),
        # which has attributes of its own before
        (GradientBoostingClassifier(), "GradientBoostingClassifier is not fitted"),
        (WithoutClasses().fit(X, THREE), "WithoutClasses has no converter: it has no classes_"),
        (
            make_pipeline(PCA(), WithoutClasses()).fit(X, THREE),
            "WithoutClasses has no converter: it has no classes_",
        ),
    ],
    ids=[
        "a class",
        "a path",
        "no new rows",
        "no classes",
        "not fitted",
        "pipeline not fitted",
        "boosting not fitted",
        "fitted without classes",
        "pipeline without classes",
    ],
)
def test_what_has_no_task(estimator: Any, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        task_of(estimator)
    assert refused.value.message.startswith(reason)
    assert refused.value.hint


@pytest.mark.parametrize(("kind", "task"), [(Ranker, "regression"), (Groups, "clustering")])
def test_what_has_no_tag_of_a_kind_is_known_by_what_it_keeps(kind: Any, task: str) -> None:
    fitted = kind().fit(X, THREE)
    assert task_of(fitted).name == task
    assert task_of(make_pipeline(StandardScaler(), fitted)).name == task


# Over HTTP


def answered(estimator: Any, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The native answer to NEW, and the manifest."""
    manifest = built(Source(estimator, X), folder).manifest
    got = served(folder).post("/predict", json={"instances": NEW.tolist()})
    assert got.status_code == 200, got.json
    return dict(got.json), manifest


LABELS: dict[str, Any] = {
    "texts": ["niedrig", "mittel", "höher"],
    "texts of digits": ["1", "01", "1.0"],
    "texts of words": ["True", "None", "nan"],
    "an empty text": ["", " ", "\n"],
    "whole numbers": [0, 1, 2],
    "large whole numbers": [-(2**60) - 1, 2**53 + 1, 2**62 + 1],
    "two whole numbers": [5, -5],
    "two texts": ["yes", "no"],
    "booleans": [False, True],
    "whole fractions": [1.0, 2.0, -3.0],
    "texts as objects": np.array(["a", "b", "c"], dtype=object),
    "texts of a fixed width": np.array(["a", "bb", "ccc"]),
    "small whole numbers": np.array([1, 2, 255], dtype=np.uint8),
    "short fractions": np.array([1.0, 2.0, 3.0], dtype=np.float32),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        pytest.param(
            RandomForestClassifier(3, max_depth=3, random_state=0), marks=pytest.mark.pipelines
        ),
    ],
    ids=["logistic", "forest"],
)
def test_labels_keep_their_type(model: Any, labels: Any, tmp_path: Path) -> None:
    array = np.array(labels)
    model.fit(X, array[THREE % len(array)])

    answer, manifest = answered(model, tmp_path)

    assert answer["prediction"] == model.predict(NEW).tolist()
    kinds = {type(label) for label in (*answer["prediction"], *answer["classes"])}
    assert kinds == {type(array.tolist()[0])}
    assert answer["classes"] == manifest["classes"] == model.classes_.tolist()
    np.testing.assert_allclose(answer["probabilities"], model.predict_proba(NEW), atol=TOLERANCE)


SPREAD = np.column_stack([Y, -3 * Y, Y**2])
FLAGS = np.column_stack([X[:, 0] > 0, X[:, 1] > 0.5]).astype(int)
ANSWERED: dict[str, tuple[Any, Any, str, dict[str, str]]] = {
    "several numbers": (RandomForestRegressor(3, random_state=0), SPREAD, "regression", {}),
    "flags": (RidgeClassifier(), FLAGS, "classification", {"score": SCORE}),
    "parts of a mixture": (
        GaussianMixture(3, random_state=0), None, "clustering", {"probabilities": SHARES}
    ),
    "outliers": (
        IsolationForest(n_estimators=10, random_state=0), None, "outlier", {"score": SCORE}
    ),
    "a transformer's columns": (
        make_pipeline(StandardScaler(), PCA(2)), None, "transformation", {}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("model", "y", "task", "others"), ANSWERED.values(), ids=ANSWERED)
def test_answers_of_every_task(
    model: Any, y: Any, task: str, others: dict[str, str], tmp_path: Path
) -> None:
    model.fit(X, y)

    answer, manifest = answered(model, tmp_path)

    assert manifest["task"] == task
    classes = {"classes"} if task == "classification" else set()
    assert answer.keys() == {"model", "version", "prediction", *others, *classes}
    methods = {"prediction": "transform" if task == "transformation" else PREDICT, **others}
    for name, method in methods.items():
        expected = getattr(model, method)(NEW)
        if expected.dtype.kind == "i":
            assert answer[name] == expected.tolist()
        np.testing.assert_allclose(answer[name], expected, rtol=1e-6, atol=1e-6)
    shape = list(np.shape(answer["prediction"]))[1:]
    assert manifest["signature"]["outputs"][0]["shape"] == [-1, *shape]


class Smaller(RandomForestClassifier):  # type: ignore[misc] # scikit-learn has no types
    """A forest whose labels are those of three of its trees."""

    def predict(self, X: Any) -> Any:
        """What a copy with these answers."""
        few = copy(self)
        few.estimators_, few.n_estimators = self.estimators_[:3], 3
        return self.classes_[few.predict_proba(X=X).argmax(axis=1)]


X_FOREST = np.random.default_rng(0).random((40, 3))
Y_FOREST = X_FOREST[:, 0] + X_FOREST[:, 1] ** 2 > 0.8


@pytest.mark.parametrize(("kind", "times"), [(RandomForestClassifier, 1), (Smaller, 2)])
def test_probabilities_that_scikit_learns_predict_asks_for_are_the_answer(
    kind: Any, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    forest = kind(20, random_state=0, max_features=1).fit(X_FOREST, Y_FOREST)
    probabilities, labels = forest.predict_proba(X_FOREST), forest.predict(X_FOREST)
    ask, asked = RandomForestClassifier.predict_proba, []

    @wraps(ask)
    def counting(*given: Any, **named: Any) -> Any:
        asked.append(given)
        return ask(*given, **named)

    monkeypatch.setattr(RandomForestClassifier, "predict_proba", counting)
    answers = task_of(forest).answers(forest, X_FOREST)

    assert len(asked) == times
    assert answers["probabilities"].tolist() == probabilities.tolist()
    assert answers["prediction"].tolist() == labels.tolist()
    assert "predict_proba" not in vars(forest)


def test_a_standard_deviation(tmp_path: Path) -> None:
    model = BayesianRidge().fit(X, Y)
    mean, deviation = model.predict(NEW, return_std=True)

    answer, manifest = answered(model, tmp_path)

    assert manifest["task"] == "regression"
    assert answer["prediction"] == pytest.approx(mean)
    assert answer["std"] == pytest.approx(deviation)
    assert "std" in manifest["parity"]["outputs"]


@pytest.mark.parametrize("kind", ["forest", "one each"])
def test_several_labels_with_classes_for_each_output(kind: str, tmp_path: Path) -> None:
    words = np.array(["low", "mid", "high"])[THREE]
    y = np.column_stack([words, np.where(X[:, 0] > 0, "yes", "no")])
    forest = RandomForestClassifier(3, max_depth=3, random_state=0)
    model = (forest if kind == "forest" else MultiOutputClassifier(LogisticRegression())).fit(X, y)

    answer, manifest = answered(model, tmp_path)

    assert answer["classes"] == [["high", "low", "mid"], ["no", "yes"]]
    assert answer["prediction"] == model.predict(NEW).tolist()
    for row, shares in enumerate(answer["probabilities"]):
        assert [len(part) for part in shares] == [3, 2]
        for output, part in enumerate(shares):
            expected = model.predict_proba(NEW)[output][row]
            assert part == pytest.approx(expected, abs=TOLERANCE)
    assert manifest["parity"]["differing_rows"] == 0


# Ties


def test_a_tie_is_forgiven_and_counted_and_nothing_else_is() -> None:
    flags = np.array([[0.0], [1.0]] * 30)
    labels = np.where(flags[:, 0] == 1, "yes", np.where(np.arange(60) % 4 == 0, "no", "yes"))
    model = DecisionTreeClassifier().fit(flags, labels)  # 0: half and half, 1: yes
    proof = prove(Source(model, flags), "float32")
    assert proof.compare().passed

    proto = onnx.load_from_string(proof.onnx)
    node = next(node for node in proto.graph.node if node.op_type == "ArgMax")
    node.attribute.append(onnx.helper.make_attribute("select_last_index", 1))
    other = proof.mutated(proto)
    assert other.run()["prediction"][0] == "yes"
    assert proof.run()["prediction"][0] == "no"

    comparison = other.compare()
    assert comparison.passed
    assert comparison.ties == 30
    assert comparison.tied.tolist() == [True, False] * 30
    expected = {**proof.expected, "prediction": np.array(["no"] * 60)}
    assert other.compare(expected).outputs["prediction"].wrong == list(range(1, 60, 2))


CLASSIFICATION = Task("classification", {}, ["a", "b", "c"])


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.5, 0.5], True),
        ([0.5 + 0.9e-5 / 2, 0.5 - 0.9e-5 / 2], True),
        ([0.5 + 1.1e-5 / 2, 0.5 - 1.1e-5 / 2], False),
        ([0.2, 0.4, 0.4], True),
        ([0.25, 0.25, 0.5], False),
        ([1.0], False),
    ],
)
def test_a_tie_is_two_highest_probabilities_within_the_tolerance(
    probabilities: list[float], expected: bool
) -> None:
    count = len(probabilities)
    answers = {
        "prediction": np.array(["a"]),
        "probabilities": np.array(probabilities).reshape(1, count),
    }
    assert tied(CLASSIFICATION, answers, TOLERANCE).tolist() == [expected]


@pytest.mark.parametrize(("score", "expected"), [(0.9e-5, True), (-0.9e-5, True), (1e-4, False)])
def test_a_binary_decision_is_tied_about_zero(score: float, expected: bool) -> None:
    answers = {"prediction": np.array(["a"]), "score": np.array([score])}
    for name in ("classification", "outlier"):
        assert tied(Task(name, {}), answers, TOLERANCE).tolist() == [expected]


def test_numbers_and_labels_without_scores_are_never_tied() -> None:
    answers = {"prediction": np.zeros(3)}
    for name in ("regression", "clustering", "transformation", "classification"):
        assert not tied(Task(name, {}), answers, TOLERANCE).any()


def test_several_labels_at_once_are_tied_about_one_half_not_among_each_other() -> None:
    answers = {
        "prediction": np.array([[1, 1], [0, 0], [1, 0]]),
        "probabilities": np.array([[0.999, 0.999], [0.5, 0.1], [0.9, 0.2]]),
    }
    task = Task("classification", {}, [0, 1])
    assert tied(task, answers, TOLERANCE).tolist() == [False, True, False]


def test_several_outputs_are_tied_where_one_of_them_is() -> None:
    answers = {
        "prediction": np.array([["a", "x"]] * 4),
        "probabilities": np.array(
            [[0.5, 0.5, 0.9, 0.1, 0.0], [0.9, 0.1, 0.4, 0.4, 0.2], [0.9, 0.1, 0.8, 0.1, 0.1],
             [0.5, 0.3, 0.5, 0.3, 0.2]]
        ),
    }  # fmt: skip
    task = Task("classification", {}, [["a", "b"], ["x", "y", "z"]])
    assert tied(task, answers, TOLERANCE).tolist() == [True, True, False, False]
