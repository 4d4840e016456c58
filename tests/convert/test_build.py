"""What a build takes, tries and records, and what it refuses before it tries anything."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.about import positive_member
from onnxlet.convert.build import build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.parity.comparison import TOLERANCE
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.estimators import one_threaded
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import OnnxletError, WrongUse
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model
from tests.conftest import quiet
from tests.convert.helpers import built

INF = float("inf")
X = np.random.default_rng(2).normal(size=(40, 3))
Y = X @ [1.0, 2.0, 3.0]
LINEAR = LinearRegression().fit(X, Y)
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
OF_FRAME = LinearRegression().fit(FRAME, Y)
TREE = DecisionTreeRegressor(max_depth=3, random_state=0)

# What is given

REFUSED: dict[str, tuple[Source, str]] = {
    "a number for the estimator": (Source(42, X), "expected a fitted estimator, got 42"),
    "None for the estimator": (Source(None, X), "expected a fitted estimator, got None"),
    "an unfitted regressor": (Source(LinearRegression(), X), "NotFittedError"),
    "a column too few": (Source(LINEAR, X[:, :2]), "does not answer X_test"),
    "no rows": (Source(LINEAR, X[:0]), "X_test has no rows"),
    "no X_test": (Source(LINEAR, None), "X_test: expected a DataFrame"),
    "y_test of another length": (Source(LINEAR, X, Y[:10]), "y_test: expected 40 values"),
    "X_train an array": (Source(OF_FRAME, FRAME, Y, X), "X_train has other columns"),
    "X_train without a column": (
        Source(OF_FRAME, FRAME, Y, FRAME[["a", "b"]]),
        "X_train has other columns than X_test: it lacks 'c'",
    ),
    "X_train that fit has written to": (
        Source(OF_FRAME, FRAME, Y, FRAME.assign(per=1.0)),
        "X_train has other columns than X_test: it has 'per' besides",
    ),
}


@pytest.mark.parametrize(("source", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_in_words(
    source: Source, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(OnnxletError) as refused:
        built(source, tmp_path)

    assert reason in refused.value.message
    assert refused.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("what", ["the estimator", "X_test"])
def test_what_can_not_be_copied_is_refused(what: str, tmp_path: Path) -> None:
    model, rows = LinearRegression().fit(X, Y), X
    if what == "X_test":
        rows = np.array([[threading.Lock()]], dtype=object)
    else:
        model.lock = threading.Lock()

    with pytest.raises(Refusal) as refused:
        built(Source(model, rows), tmp_path)

    reason = "TypeError: cannot pickle '_thread.lock' object"
    assert refused.value.message == f"{what} can't be copied: {reason}"
    assert "locks, open files, connections" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_rows_of_training_are_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"^X_train: expected a DataFrame"):
        built(Source(LINEAR, X, Y, X[:, :, np.newaxis]), tmp_path)


@pytest.mark.parametrize("y_test", [np.where(Y > 0, Y, np.nan), ["a"] * 40], ids=["gaps", "text"])
def test_answers_that_cannot_be_scored_are_left_out(y_test: object, tmp_path: Path) -> None:
    told: list[str] = []
    assert build(Source(LINEAR, X, y_test), "m", tmp_path, told.append).manifest["metrics"] is None
    assert "note: y_test is not what the model could answer, or has gaps: it is not scored" in told


def test_labels_that_are_none_of_its_classes_are_not_scored(tmp_path: Path) -> None:
    words = np.where(Y > 0, "high", "low")
    estimator, told = LogisticRegression().fit(X, words), list[str]()
    made = build(Source(estimator, X, np.char.upper(words)), "m", tmp_path, told.append)

    assert made.manifest["metrics"] is None
    assert "note: y_test is not what the model could answer, or has gaps: it is not scored" in told
    assert "conformal" not in made.manifest


def test_training_rows_of_another_type_are_described_as_they_are(tmp_path: Path) -> None:
    manifest = built(Source(OF_FRAME, FRAME, Y, FRAME.assign(a="text")), tmp_path).manifest

    assert manifest["statistics"]["columns"]["a"]["frequent"] == [["text", 40]]
    assert manifest["signature"]["inputs"][0]["type"] == "float64"


def test_sums_are_made_by_one_thread_in_a_copy() -> None:
    model = make_pipeline(StandardScaler(), RandomForestRegressor(2, n_jobs=3)).fit(X, Y)

    copy = one_threaded(model)
    assert (copy.steps[1][1].n_jobs, model.steps[1][1].n_jobs) == (1, 3)


# The recipes that are tried


def test_trees_on_raw_columns_are_typed_in_float32(tmp_path: Path) -> None:
    parity = built(Source(TREE.fit(X, Y), X), tmp_path).manifest["parity"]

    assert parity["recipe"] == "float32 matrix"
    assert parity["recipes_that_failed"] == []


def test_float32_is_not_tried_where_scikit_learn_answers_larger_numbers(tmp_path: Path) -> None:
    told: list[str] = []

    parity = build(Source(OF_FRAME, FRAME), "m", tmp_path, told.append).manifest["parity"]

    assert parity["recipe"] == "float64 matrix"
    assert [failed["recipe"] for failed in parity["recipes_that_failed"]] == [
        "float32 matrix",
        "float32 columns",
    ]
    for failed in parity["recipes_that_failed"]:
        assert failed["reason"] == (
            "scikit-learn answers numbers beyond 3.4e+38, the largest of float32, in 'a', 'b', 'c'"
        )
    assert [line for line in told if line.startswith("trying")] == ["trying float64 matrix"]


def test_what_float32_loses_leads_to_float64_and_the_reason_is_recorded(tmp_path: Path) -> None:
    """The tree's own thresholds lie between values that float32 scales to the other side."""
    model = make_pipeline(StandardScaler(), TREE).fit(X[:, :2] / 5, Y)

    parity = built(Source(model, X[:, :2] / 5, Y), tmp_path).manifest["parity"]

    assert parity["recipe"] == "float64 matrix"
    assert parity["differing_rows"] == 0
    assert parity["undecided_rows"] == 0
    assert parity["outputs"]["prediction"]["largest_relative"] <= TOLERANCE
    assert [failed["recipe"] for failed in parity["recipes_that_failed"]] == [
        "float32 matrix",
        "float32 columns",
    ]
    for failed in parity["recipes_that_failed"]:
        assert failed["reason"].startswith("prediction differs on ")
        assert "first on edge-case row " in failed["reason"]
        assert ": expected " in failed["reason"]


@pytest.mark.parametrize("seed", [0, 1])
def test_histogram_boosting_is_right_on_its_own_thresholds(seed: int, tmp_path: Path) -> None:
    normal = np.random.default_rng(seed).normal(size=(120, 3))
    model = HistGradientBoostingClassifier(max_iter=5, max_leaf_nodes=3, random_state=0)
    model.fit(normal, normal @ [1, 2, -1] > 0)

    served = load_model(built(Source(model, normal), tmp_path).directory)

    rows = []
    for trees in model._predictors:
        for node in trees[0].nodes[trees[0].nodes["is_leaf"] == 0]:
            for row in normal[::6].tolist():
                row[node["feature_idx"]] = float(np.nextafter(node["num_threshold"], INF))
                rows.append(row)
    got = served.run(validate_rows(rows, served.signature))
    assert np.abs(got["probabilities"] - model.predict_proba(np.array(rows))).max() <= TOLERANCE


def test_every_held_out_row_counts_even_where_float32_cannot_hold_it(tmp_path: Path) -> None:
    far = X.copy()
    far[7, 0] = 1e50
    model = LogisticRegression().fit(X, Y > 0)

    parity = built(Source(model, far), tmp_path).manifest["parity"]
    assert parity["held_out_rows"] == len(far)
    assert parity["unanswered_rows"] == 0


def test_a_decision_function_of_two_classes_is_one_number_a_row(tmp_path: Path) -> None:
    manifest = built(Source(RidgeClassifier().fit(X, Y > 0), X), tmp_path).manifest
    score = manifest["signature"]["outputs"][1]
    assert (score["name"], score["shape"]) == ("score", [-1])


def test_values_that_no_request_can_carry_alike_are_refused(tmp_path: Path) -> None:
    """One that the pipeline distinguishes from NaN, which a request's null is not."""
    X = pd.DataFrame({"a": pd.Series(["x", None, np.nan] * 10, dtype=object)})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, np.arange(30) % 3)

    with pytest.raises(Refusal, match="answers differently once X_test holds plain values"):
        built(Source(model, X), tmp_path)


def test_answers_that_are_drawn_by_chance_are_refused(tmp_path: Path) -> None:
    noise = FunctionTransformer(lambda X: X + np.random.default_rng().normal(size=np.shape(X)))
    model = make_pipeline(noise, LinearRegression()).fit(X, Y)

    with pytest.raises(Refusal, match="answers X_test differently each time that it is asked"):
        built(Source(model, X), tmp_path)


def with_its_double(frame: pd.DataFrame) -> pd.DataFrame:
    frame["double"] = frame["a"] * 2
    return frame


def test_a_step_that_writes_to_what_it_is_given_leaves_the_test_set_alone(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(with_its_double), LinearRegression())
    model.fit(FRAME.copy(), Y)
    X_test = FRAME.copy()

    first = build(Source(model, X_test), "m", tmp_path, quiet)
    again = build(Source(model, X_test), "m", tmp_path, quiet)

    assert list(X_test) == ["a", "b", "c"]
    assert (first.version, again.version) == (1, 1)


def test_a_series_of_texts_is_one_for_the_first_step_too(tmp_path: Path) -> None:
    texts = pd.Series(["good film", None, "bad plot", "good end"] * 5, dtype=object)
    model = make_pipeline(
        FunctionTransformer(lambda series: series.fillna("")), CountVectorizer(), RidgeClassifier()
    ).fit(texts, [1, 0, 0, 1] * 5)

    loaded = load_model(build(Source(model, texts), "m", tmp_path, quiet).directory)

    got = loaded.run(validate_rows([["good"], [None], ["bad"]], loaded.signature))
    assert got["prediction"].tolist() == model.predict(pd.Series(["good", None, "bad"])).tolist()


@pytest.mark.parametrize(
    ("labels", "said", "recorded"),
    [
        (("ja", "nein"), None, "ja"),  # the second goes without saying, and ja is the first
        (("ja", "nein"), "nein", "nein"),
        (("no", "yes"), None, None),
        (("no", "yes"), "NO", "no"),
        (("A", "B"), None, None),
        ((0, 1), "0", 0),
        ((False, True), False, False),
    ],
)
def test_the_manifest_names_the_positive_label(
    labels: tuple[object, object], said: object, recorded: object, tmp_path: Path
) -> None:
    y = np.array(labels)[(X[:, 0] <= 0).astype(int)]
    source = Source(LogisticRegression().fit(X, y), X, y, positive=said)
    manifest = built(source, tmp_path).manifest
    assert manifest.get("positive") == recorded
    assert type(manifest.get("positive")) is type(recorded)


def test_a_positive_label_that_is_not_answered_is_refused(tmp_path: Path) -> None:
    y = np.where(X[:, 0] > 0, "ja", "nein")
    model = LogisticRegression().fit(X, y)
    with pytest.raises(WrongUse, match="--positive: the estimator has no label 'oui'"):
        built(Source(model, X, positive="oui"), tmp_path)
    with pytest.raises(WrongUse, match="expected a target of two labels, got the estimator with"):
        built(Source(LINEAR, X, positive="oui"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("made", "threshold"),
    [
        (FixedThresholdClassifier(LogisticRegression(), threshold=0.25), (1, 0.25)),
        (FixedThresholdClassifier(LogisticRegression(), threshold=0.7, pos_label=0), (0, 0.7)),
        (FixedThresholdClassifier(LogisticRegression()), None),
        (TunedThresholdClassifierCV(LogisticRegression(), scoring="f1"), "tuned"),
        (LogisticRegression(), None),
    ],
)
def test_a_threshold_of_its_own_is_in_the_manifest(made: Any, threshold: Any) -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(300, 1)), (random.random(300) < 0.2).astype(int)
    fitted = made.fit(X, y)
    member = positive_member(Source(fitted, X), task_of(fitted)).get("threshold")
    if threshold == "tuned":
        threshold = (1, fitted.best_threshold_)
    assert member == (threshold and dict(zip(("label", "share"), threshold, strict=True)))
    if member is not None:
        answered = fitted.predict_proba(X)[:, member["label"]] >= member["share"]
        assert (fitted.predict(X) == np.where(answered, member["label"], 1 - member["label"])).all()
