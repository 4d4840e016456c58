"""Scikit-learn's own answers: which task an estimator has, and what it says."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector, is_regressor

from convert.errors import Refusal
from convert.inputs import Data
from function.signature import Array

Answers = dict[str, Array]


@dataclass(frozen=True)
class Task:
    """What an estimator is asked for.

    Attributes:
        name: classification, regression, clustering, outlier or transformation.
        methods: by output name, the estimator's method that answers it.
        classes: of a classifier, else None.
    """

    name: str
    methods: dict[str, str]
    classes: list[Any] | None = None

    def answers(self, estimator: Any, X: Data) -> Answers:
        """Ask the estimator; arrays with one entry per row.

        Raises:
            Exception: whatever scikit-learn raises for these rows.
        """
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return {name: _dense(getattr(estimator, m)(X)) for name, m in self.methods.items()}


PREDICTING: tuple[tuple[str, Callable[[Any], bool], tuple[tuple[str, str], ...]], ...] = (
    ("regression", is_regressor, (("prediction", "predict"),)),
    ("clustering", is_clusterer, (("prediction", "predict"),)),
    ("outlier", is_outlier_detector, (("prediction", "predict"), ("score", "decision_function"))),
)


def task_of(estimator: Any) -> Task:
    """The task of a fitted estimator.

    Raises:
        Refusal: it has no predict and no transform, or is of a kind that is not served.
    """
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise Refusal(
            f"expected a fitted estimator, got {estimator!r:.100}",
            "Return the estimator itself, after fit.",
        )
    if is_classifier(estimator):
        return _classification(estimator)
    for name, fits, methods in PREDICTING:
        if fits(estimator) and hasattr(estimator, "predict"):
            return Task(name, dict(methods))
    if hasattr(estimator, "transform"):
        return Task("transformation", {"prediction": "transform"})
    raise Refusal(
        f"{type(estimator).__name__} has neither predict nor transform for new rows",
        "Give a fitted classifier, regressor, clusterer, outlier detector or transformer.",
    )


def _classification(estimator: Any) -> Task:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise Refusal(f"{type(estimator).__name__} is not fitted: it has no classes_", "Fit it.")
    if isinstance(classes, list):
        raise Refusal(
            f"{type(estimator).__name__} answers several outputs at once, which is not served yet",
            "Build one model for each output.",
        )
    methods = {"prediction": "predict"}
    if hasattr(estimator, "predict_proba"):
        methods["probabilities"] = "predict_proba"
    elif hasattr(estimator, "decision_function"):
        methods["score"] = "decision_function"
    return Task("classification", methods, np.asarray(classes).tolist())


def _dense(answer: Any) -> Array:
    return np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)


def tied(task: Task, answers: Answers, tolerance: float) -> Array:
    """Rows whose label could be either: the two highest scores lie within the tolerance.

    Returns:
        A bool array of shape (rows,).
    """
    rows = len(answers["prediction"])
    scores = answers.get("probabilities", answers.get("score"))
    if scores is None or task.name == "transformation":
        return np.zeros(rows, dtype=bool)
    if answers["prediction"].ndim == 2 and scores.ndim == 2:  # several labels, each yes or no
        return np.asarray((np.abs(scores - 0.5) <= tolerance).any(axis=1))
    if scores.ndim == 1:
        return np.asarray(np.abs(scores) <= tolerance)
    if scores.shape[1] < 2:
        return np.zeros(rows, dtype=bool)
    highest = np.sort(scores, axis=1)[:, -2:]
    scale = np.maximum(1.0, np.abs(highest[:, 1]))
    return np.asarray(highest[:, 1] - highest[:, 0] <= tolerance * scale)
