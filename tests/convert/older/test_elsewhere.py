"""An estimator in a process of its own: its methods, what it raises, its end and its next start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops import io

from onnxlet.convert.older import elsewhere
from onnxlet.convert.older.elsewhere import Elsewhere, Link, RaisedThere
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.estimators import in_float64
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.reference.reference import Reference
from tests.convert.older.steps import Own, Stateless

ROOT = Path(__file__).resolve().parents[3]
X = np.random.default_rng(0).normal(size=(60, 3))
Y = X @ [1.0, 2.0, -1.0]
There = Callable[[Any], Elsewhere]


@pytest.fixture
def there(tmp_path: Path) -> There:
    """An estimator in a process of this Python."""

    def made(estimator: Any) -> Elsewhere:
        path = tmp_path / "model.joblib"
        joblib.dump(estimator, path)
        link = Link(Path(sys.executable), path, [str(ROOT)])
        return Elsewhere(estimator, sklearn.__version__, link)

    return made


@pytest.mark.long
def test_methods_answer_as_they_do_here(there: There) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y > 0)
    asked = there(model)

    assert np.array_equal(asked.predict(X), model.predict(X))
    assert np.array_equal(asked.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(asked.first(1).transform(X), model[:1].transform(X))
    own = make_pipeline(Stateless(), LogisticRegression()).fit(X, Y > 0)
    assert np.array_equal(there(own).first(1).transform(X), own[0].transform(X))
    assert hasattr(asked, "decision_function")
    assert not hasattr(asked, "transform")
    assert not hasattr(there(Ridge().fit(X, Y)), "predict_proba")


@pytest.mark.long
def test_tuples_and_lists_of_answers(there: There) -> None:
    near = make_pipeline(StandardScaler(), NearestNeighbors().fit(X))
    near.steps[0][1].fit(X)
    distances, indices = there(near).kneighbors(X[:4], 2)
    expected = near[-1].kneighbors(near[0].transform(X[:4]), 2)
    several = MultiOutputClassifier(LogisticRegression()).fit(X, np.column_stack([Y > 0, Y > 1]))

    assert np.array_equal(distances, expected[0])
    assert np.array_equal(indices, expected[1])
    assert there(near).n_neighbors == 5
    for got, known in zip(there(several).predict_proba(X), several.predict_proba(X), strict=True):
        assert np.array_equal(got, known)


@pytest.mark.long
def test_sparse_answers_come_in_full_and_frames_go_as_they_are(there: There) -> None:
    frame = pd.DataFrame({"a": ["x", "y", "x"], "b": pd.Categorical(["p", "q", "q"])})
    encoder = OneHotEncoder().fit(frame)

    assert np.array_equal(there(encoder).transform(frame), encoder.transform(frame).toarray())


@pytest.mark.long
def test_what_it_raises_is_raised_here(there: There) -> None:
    model = make_pipeline(Own(), StandardScaler()).fit(X)
    with pytest.raises(ValueError, match="contains NaN"):
        there(Ridge().fit(X, Y)).predict(np.full((1, 3), np.nan))
    with pytest.raises(NotFittedError):
        there(LinearRegression()).predict(X)
    with pytest.raises(RaisedThere, match="OverflowError: it is -2"):
        there(model).transform(np.full((1, 3), -2.0))


@pytest.mark.long
def test_a_row_that_ends_the_process_is_not_answered_and_the_next_one_is(there: There) -> None:
    model = make_pipeline(Own(), StandardScaler()).fit(X)
    asked, crashing = there(model), X[:4].copy()
    crashing[2] = -1.0
    inputs, _ = read_inputs(X)
    reference = Reference(model, task_of(model), inputs, answered_by=asked)

    assert reference.answered(crashing.tolist()) == [True, True, False, True]
    with pytest.raises(RaisedThere, match="its process ended by exit code 7"):
        asked.transform(crashing)
    assert np.array_equal(asked.transform(X), model.transform(X))


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_in_float64_it_is_the_same_state_in_float64(there: There) -> None:
    narrow = X.astype(np.float32)
    model = MLPRegressor(hidden_layer_sizes=4, max_iter=50, random_state=0).fit(narrow, Y)
    inputs, _ = read_inputs(narrow)
    reference = Reference(model, task_of(model), inputs, answered_by=there(model))
    rows = narrow.tolist()
    wide = reference.in_float64()

    assert reference.precision == "float32"
    assert reference.answers(rows)["prediction"].dtype == np.float32
    got = wide.answers(rows)["prediction"]
    assert got.dtype == np.float64
    assert np.array_equal(got, in_float64(model).predict(narrow.astype(np.float64)))


@pytest.mark.long
def test_a_classifier_is_asked_only_for_what_it_has_there(there: There) -> None:
    model = LogisticRegression().fit(X, Y > 0)
    svc = there(sklearn.svm.LinearSVC().fit(X, Y > 0))

    assert task_of(model).methods["probabilities"] == "predict_proba"
    assert task_of(model, svc).methods == {"prediction": "predict", "score": "decision_function"}


def test_the_process_ends_with_the_last_reference_to_it(there: There) -> None:
    asked = there(LinearRegression().fit(X, Y))
    asked.predict(X)
    process = asked.link._process
    assert process is not None
    assert process.poll() is None
    del asked

    assert process.wait(10) == 0


def limited(model: Any, tmp_path: Path, *limits: int) -> Elsewhere:
    """An estimator of a .skops file that is not there any more, in so much memory and time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(elsewhere, "LIMITS", limits)
        trusted = [f"{Own.__module__}.Own"]
        content = io.dumps(model)
        link = Link(Path(sys.executable), tmp_path / "m.skops", [str(ROOT)], trusted, content)
    return Elsewhere(model, sklearn.__version__, link)


@pytest.mark.long
def test_the_process_of_a_skops_file_has_its_bytes_and_so_much_memory(tmp_path: Path) -> None:
    model = make_pipeline(Own(), StandardScaler()).fit(X)
    asked = limited(model, tmp_path, 2**32, 120, 120)

    assert np.array_equal(asked.transform(X), model.transform(X))
    with pytest.raises(RaisedThere, match="MemoryError"):
        asked.transform(np.full((1, 3), -4.0))
    assert np.array_equal(asked.transform(X), model.transform(X))


@pytest.mark.long
def test_the_process_of_a_skops_file_has_so_much_time(tmp_path: Path) -> None:
    model = make_pipeline(Own(), StandardScaler()).fit(X)
    asked = limited(model, tmp_path, 2**32, 120, 1)
    with pytest.raises(RaisedThere, match="ended by the end of its time"):
        asked.transform(np.full((1, 3), -3.0))

    assert np.array_equal(asked.transform(X), model.transform(X))
