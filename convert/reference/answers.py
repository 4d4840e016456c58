"""scikit-learn's own answers: which task an estimator has, and which methods it is asked for."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor
from sklearn.decomposition import NMF, MiniBatchNMF
from sklearn.pipeline import Pipeline

from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.estimators import asked_once, is_sampler, parts_of
from onnxlet.convert.reference.inputs import Data
from onnxlet.convert.reference.nearest import MARGIN, NEAREST, equally_near
from onnxlet.function.arrays import Array
from onnxlet.function.errors import WrongUse

Answers = dict[str, Array]
SEVERAL_ROWS = "some step makes several rows of one"


@dataclass(frozen=True)
class Task:
    """What an estimator is asked for."""

    # classification, regression, clustering, outlier, transformation, neighbours, recommendation or
    # summary.
    name: str
    # By output name, the estimator's method that answers it; `std` stands for `predict` with
    # `return_std`, `distances` for those of `kneighbors`, `scores` for those of `recommend`. Behind
    # a colon is how many nearest are asked for, where that is not the estimator's own number.
    methods: dict[str, str]
    classes: list[Any] | None = None  # of a classifier; a list for each output of several
    # Each row is asked by itself: a step inside answers several rows together, and ends its steps
    # for all of them at once.
    one_by_one: bool = False
    # The method that answers how near the nearest and the next one are, in their order: where two
    # are equally near, either may come first. It is no output.
    margin: str | None = None

    def at(self, k: int) -> Task:
        """The same with another number of nearest."""
        methods = {name: f"{method}:{k}" for name, method in self.methods.items()}
        return replace(self, methods=methods, margin=f"{self.margin}:{k}")

    @property
    def several(self) -> bool:
        """A classifier with several outputs, each with classes of its own."""
        return self.classes is not None and any(isinstance(c, list) for c in self.classes)

    def answers(self, estimator: Any, X: Data) -> Answers:
        """Ask the estimator; arrays with one entry per row, by output name, and MARGIN.

        Raises what scikit-learn raises for these rows, and ValueError where it answers fewer of
        them.
        """
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            ask = _asked_one_by_one if self.one_by_one else _asked
            with asked_once(estimator, X):
                made = {name: ask(estimator, m, X) for name, m in self.methods.items()}
            if self.margin is not None:
                made[MARGIN] = ask(estimator, self.margin, X)
        if self.name == "classification" and not self.several and "prediction" in made:
            made["prediction"] = flat(made["prediction"])
        answered = len(next(iter(made.values())))
        given = X.shape[0] if hasattr(X, "shape") else len(X)
        if answered > given:
            raise ValueError(f"it answers {given} rows by {answered}: {SEVERAL_ROWS}")
        if answered != given:
            raise ValueError(f"it answers {answered} of {given} rows: some step removes the others")
        return made


TRANSFORMATION = Task("transformation", {"prediction": "transform"})  # of what steps make
OF_ANSWERS = ("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer")
GROUPING = ("predict_proba", "labels_", "cluster_centers_")  # mixtures have the first
PREDICT = (("prediction", "predict"),)
PREDICTING: tuple[tuple[str, Callable[[Any], bool], tuple[tuple[str, str], ...]], ...] = (
    ("regression", is_regressor, PREDICT),
    ("clustering", is_clusterer, PREDICT),
    ("outlier", is_outlier_detector, (("prediction", "predict"), ("score", "decision_function"))),
    ("clustering", lambda each: any(hasattr(last_of(each), n) for n in GROUPING), PREDICT),
    ("regression", lambda _: True, PREDICT),  # rankers, which score each row
)
# Answered row by row, by what has neither predict nor transform, or by the last step of a Pipeline.
OTHER_METHODS = {
    "kneighbors": Task(
        "neighbours", {"prediction": "kneighbors", "distances": "distances"}, margin="margin"
    ),
    "recommend": Task(
        "recommendation", {"prediction": "recommend", "score": "scores"}, margin="lead"
    ),
    "score_samples": Task("transformation", {"prediction": "score_samples"}),
    "mahalanobis": Task("transformation", {"prediction": "mahalanobis"}),
}


# What predict answers, sentences, is made of the positions behind the graph.
SUMMARY = Task(
    "summary", {"prediction": "positions", "positions": "positions", "score": "sentence_scores"}
)


def task_of(estimator: Any, answers: Any = None) -> Task:
    """The task of a fitted estimator, and whether its rows have to be asked one by one.

    `answers` is what answers for it, where it is not itself: perhaps by fewer methods.

    Raises Refusal where it has no predict and no transform, or is of a kind that is not served.
    """
    task = _task_of(estimator, answers or estimator)
    one_by_one = any(isinstance(p, NMF | MiniBatchNMF) and p.tol > 0 for p in parts_of(estimator))
    return replace(task, one_by_one=one_by_one)


def _task_of(estimator: Any, answers: Any) -> Task:
    """The task, without whether rows are asked one by one."""
    may_be_asked = any(hasattr(estimator, name) for name in ("get_params", "predict", "fit"))
    if isinstance(estimator, type) or not may_be_asked:
        raise Refusal(
            f"expected a fitted estimator, got {_shown(estimator)}",
            "Give, or save, the estimator itself, after fit.",
        )
    if hasattr(type(estimator), "__skrub_to_Xy_pipeline__"):
        raise Refusal(
            f"skrub's {type(estimator).__name__} answers an environment of variables, not rows",
            "Build the estimator inside that does: learner.find_fitted_estimator(NAME), or a "
            "Pipeline of several.",
        )
    if hasattr(estimator, "sentence_scores"):
        return SUMMARY
    if _is(is_classifier, estimator):
        return _classification(estimator, answers)
    for name, fits, methods in PREDICTING:
        if _is(fits, estimator) and hasattr(estimator, "predict"):
            return Task(name, {**dict(methods), **_more(estimator, name)})
    if type(estimator).__name__ in OF_ANSWERS:
        raise Refusal(
            f"{type(estimator).__name__} encodes the answers of a training set, not rows",
            "For columns use OrdinalEncoder or OneHotEncoder; a classifier's labels are served "
            "as they are.",
        )
    if hasattr(estimator, "transform"):
        return TRANSFORMATION
    for method, task in OTHER_METHODS.items():
        if hasattr(last_of(estimator), method):
            return task
    if is_sampler(estimator):
        raise Refusal(
            f"{type(estimator).__name__} changes the rows of a fit, and answers none",
            "Give a fitted pipeline in which an estimator follows it: new rows pass it unchanged.",
        )
    raise Refusal(
        f"{type(estimator).__name__} has neither predict nor transform for new rows",
        "Give a fitted classifier, regressor, clusterer, outlier detector or transformer.",
    )


def last_of(estimator: Any) -> Any:
    """The last step of a Pipeline, and of one inside it; any other estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def _is(kind: Callable[[Any], bool], estimator: Any) -> bool:
    """Whether it is of a kind; other packages' classes need not have scikit-learn's tags."""
    declared = getattr(estimator, "_estimator_type", None)  # scikit-lego's, beside its tags
    try:
        if kind(estimator):
            return True
    except Exception:  # of whatever stands for its tags
        kinds, name = ("classifier", "regressor"), type(estimator).__name__.lower()
        declared = declared or next((each for each in kinds if name.endswith(each)), "")
    return kind.__name__ == f"is_{declared}"


def leaving_out(task: Task, names: Sequence[str]) -> Task:
    """The task without some of its outputs.

    Raises WrongUse where it has no such output, or it is the prediction itself.
    """
    others = [name for name in task.methods if name != "prediction"]
    if wrong := [name for name in names if name not in others]:
        raise WrongUse(
            f"without: the model has no '{wrong[0]}' that it could do without",
            f"It could do without {', '.join(others)}." if others else "It has one output only.",
        )
    methods = {name: how for name, how in task.methods.items() if name not in names}
    return replace(task, methods=methods)


def _shown(value: Any) -> str:
    """How a value begins, on one line, and its type."""
    shown = re.sub(r" at 0x[0-9a-f]+", "", " ".join(repr(value).split()))
    return f"{shown[:100]} (of type {type(value).__name__})"


def _more(estimator: Any, task: str) -> dict[str, str]:
    """A standard deviation, or the probabilities of a mixture's parts."""
    last = last_of(estimator)
    if task == "regression" and "return_std" in signature(last.predict).parameters:
        return {"std": "std"}
    if task == "clustering" and hasattr(estimator, "predict_proba"):
        return {"probabilities": "predict_proba"}
    return {}


def _classification(estimator: Any, answers: Any) -> Task:
    classes = _classes(estimator)
    if classes is None and isinstance(getattr(estimator, "estimators_", None), list):
        classes = [part.classes_ for part in estimator.estimators_]  # after partial_fit
    if classes is None:
        raise _without_classes(last_of(estimator))
    methods = {"prediction": "predict"}
    if hasattr(answers, "predict_proba"):
        methods["probabilities"] = "predict_proba"
    elif hasattr(answers, "decision_function"):
        methods["score"] = "decision_function"
    if isinstance(classes, list):
        return Task("classification", methods, [np.asarray(known).tolist() for known in classes])
    return Task("classification", methods, np.asarray(classes).tolist())


def _without_classes(estimator: Any) -> Refusal:
    """Some classifiers keep no classes_ though they are fitted, such as ngboost's."""
    name, kept = type(estimator).__name__, getattr(estimator, "__dict__", {})
    of_sklearn = type(estimator).__module__.startswith("sklearn.")
    learned = {key for key in kept if key[0] != "_"} - set(signature(type(estimator)).parameters)
    if of_sklearn or not learned:
        return Refusal(f"{name} is not fitted: it has no classes_", "Fit it.")
    why = f"{name} has no converter: it has no classes_, by which one could name its answers"
    return Refusal(why, "In a class of your own set it in fit, as scikit-learn's do.")


def _classes(estimator: Any) -> Any:
    """Its own, or those of the estimator that it keeps; None where it has none."""
    kept = vars(estimator).values() if hasattr(estimator, "__dict__") else ()
    holders = (each for each in (estimator, *kept) if not isinstance(each, type))
    found = (getattr(each, "classes_", None) for each in holders)
    return next((classes for classes in found if classes is not None), None)


def _asked_one_by_one(estimator: Any, method: str, X: Data) -> Array:
    """Each row's answer by itself; scikit-learn's to none is that to no row."""
    rows = X.iloc if hasattr(X, "iloc") else X
    count = X.shape[0] if hasattr(X, "shape") else len(X)  # sparse matrices have no length
    parts = [_asked(estimator, method, rows[row : row + 1]) for row in range(count)]
    return np.concatenate(parts) if parts else _asked(estimator, method, X)


def _asked(estimator: Any, method: str, X: Data) -> Array:
    if method == "std":
        return np.asarray(estimator.predict(X, return_std=True)[1])
    name, _, count = method.partition(":")
    while isinstance(estimator, Pipeline) and not hasattr(estimator, name):
        X = estimator[:-1].transform(X) if len(estimator.steps) > 1 else X
        estimator = estimator.steps[-1][1]
    if name in NEAREST:
        return NEAREST[name](estimator, X, int(count) if count else None)
    answer = getattr(estimator, name)(X)
    array = _texts(np.hstack(answer) if isinstance(answer, list) else dense(answer))
    return _with_rows(array, method) if np.shape(X)[:1] == (1,) else array


def _texts(array: Array) -> Array:
    """Text with None for what is missing, whatever the estimator says for that."""
    if array.dtype != object:
        return array
    gaps = pd.isna(array)
    if not gaps.any() or not all(isinstance(cell, str) for cell in array[~gaps]):
        return array
    texts = array.copy()
    texts[gaps] = None
    return texts


def flat(values: Any) -> Array:
    """Labels or numbers of one output in one dimension, without pandas' types.

    scikit-learn's own classifiers answer so; CatBoost's have a list of one in each row.
    """
    array = np.asarray(values)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _with_rows(array: Array, method: str) -> Array:
    """With a dimension for the row, which SparsePCA and scikit-lego's groups lose."""
    if array.ndim == 0:
        return array.reshape(1)
    lost = array.ndim == 1 and (method == "transform" or len(array) > 1)
    return array.reshape(1, -1) if lost else array


def dense(answer: Any) -> Array:
    """An array, whatever form scikit-learn answers in."""
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def tied(task: Task, answers: Answers, tolerance: float) -> Array:
    """Rows whose label could be either, bool (rows,): the highest scores are within the tolerance.

    Of neighbours, rows that have two as far as each other, the next one included: chance chooses
    their order, and which of them are among the nearest.
    """
    rows = len(answers["prediction"])
    if MARGIN in answers:
        return np.asarray(equally_near(answers[MARGIN], tolerance).any(axis=1))
    scores = answers.get("probabilities", answers.get("score"))
    if scores is None or task.name == "transformation":
        return np.zeros(rows, dtype=bool)
    if task.several:
        ends = np.cumsum([len(known) for known in task.classes or []])[:-1]
        parts = np.split(scores, ends, axis=1)
        return np.asarray(np.any([_are_tied(part, tolerance) for part in parts], axis=0))
    if answers["prediction"].ndim == 2 and scores.ndim == 2:  # several labels, each yes or no
        middle = 0.5 if "probabilities" in answers else 0.0
        return np.asarray((np.abs(scores - middle) <= tolerance).any(axis=1))
    return _are_tied(scores, tolerance)


def _are_tied(scores: Array, tolerance: float) -> Array:
    """Where one output's highest scores lie within the tolerance of each other."""
    if scores.ndim == 1:
        return np.asarray(np.abs(scores) <= tolerance)
    if scores.shape[1] < 2:
        return np.zeros(len(scores), dtype=bool)
    highest = np.sort(scores, axis=1)[:, -2:]
    scale = np.maximum(1.0, np.abs(highest[:, 1]))
    return np.asarray(highest[:, 1] - highest[:, 0] <= tolerance * scale)
