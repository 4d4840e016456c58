"""Candidates of plain scikit-learn and LightGBM, a fit for them, and tables that they learn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.metrics.metrics import Array
from onnxlet.convert.train.splits import Splits, split
from onnxlet.convert.train.trials import (
    Candidate,
    FitResult,
    Fitted,
    Job,
    Parameters,
    TrainingData,
    evaluate,
)


class Data(NamedTuple):
    """A table with its targets, split."""

    X: pd.DataFrame
    y: Array
    task: str
    splits: Splits

    @property
    def trained(self) -> tuple[pd.DataFrame, Array]:
        """The rows that are not of the test set."""
        rows = self.splits.train
        return self.X.iloc[rows].reset_index(drop=True), self.y[rows]


def binary(rows: int = 400, seed: int = 0) -> Data:
    """Two classes by a sum of columns, with noise; the labels are texts."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.normal(size=(rows, 4)), columns=list("abcd"))
    noisy = X["a"] + X["b"] * X["c"] + random.normal(0, 0.7, rows)
    y = np.where(noisy > 0.3, "yes", "no").astype(object)
    return Data(X, y, "binary", split(y, "binary", None, None, seed))


def regression(rows: int = 400, seed: int = 0) -> Data:
    """A sum of columns, with noise."""
    random = np.random.default_rng(seed)
    X = pd.DataFrame(random.normal(size=(rows, 4)), columns=list("abcd"))
    y = (2 * X["a"] - X["b"] + random.normal(0, 0.5, rows)).to_numpy()
    return Data(X, y, "regression", split(y, "regression", None, None, seed))


def fit(
    candidate: Candidate,
    X: Any,
    y: Array,
    task: str,
    *,
    seed: int,
    rounds: int | None = None,
    valid: tuple[Any, Array] | None = None,
    weights: Array | None = None,
    threads: int = 2,
) -> Fitted:
    """As `fitting.fit`, for the candidates below."""
    pipeline = candidate.make(candidate.parameters, seed)
    if candidate.rounds is None:
        given = {} if weights is None else {f"{pipeline.steps[-1][0]}__sample_weight": weights}
        return Fitted(pipeline.fit(X, y, **given), None)
    from lightgbm import early_stopping

    callbacks = [early_stopping(5, verbose=False)] if valid else []
    learner = pipeline[-1].set_params(n_jobs=threads)
    learner.fit(X, y, eval_set=[valid] if valid else None, callbacks=callbacks)
    return Fitted(pipeline, learner.best_iteration_ or learner.n_estimators)


class Here:
    """Workers that fit in this process, one job after the other: no process has to begin."""

    def __init__(self, table: TrainingData, count: int) -> None:
        self._table, self.count = table, count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def outcomes(
        self, jobs: Iterator[Job], until: float | None, tick: Callable[[], object]
    ) -> Iterator[tuple[Job, FitResult]]:
        for job in jobs:
            yield job, evaluate(self._table, job)


def constant(task: str = "binary") -> Candidate:
    made = DummyRegressor if task == "regression" else DummyClassifier
    return Candidate("constant", "constant", {}, lambda parameters, seed: make_pipeline(made()))


def linear(task: str = "binary", name: str = "linear") -> Candidate:
    def make(parameters: Parameters, seed: int) -> Any:
        learner = Ridge(alpha=1.0) if task == "regression" else LogisticRegression(C=1.0)
        return make_pipeline(StandardScaler(), learner)

    return Candidate(name, "linear", {}, make)


def tree(depth: int = 3, name: str = "tree") -> Candidate:
    def make(parameters: Parameters, seed: int) -> Any:
        return make_pipeline(DecisionTreeClassifier(random_state=seed, **parameters))

    def space(trial: Any) -> dict[str, Any]:
        return {
            "max_depth": trial.suggest_int("max_depth", 1, 8),
            "min_samples_leaf": trial.suggest_int("min_samples_leaf", 1, 40, log=True),
        }

    return Candidate(name, "tree", {"max_depth": depth}, make, space=space)


def boosting() -> Candidate:
    def make(parameters: Parameters, seed: int) -> Any:
        from lightgbm import LGBMClassifier

        return make_pipeline(LGBMClassifier(random_state=seed, verbose=-1, **parameters))

    def space(trial: Any) -> dict[str, Any]:
        return {
            "num_leaves": trial.suggest_int("num_leaves", 2, 8),
            "learning_rate": trial.suggest_float("learning_rate", 0.1, 0.4, log=True),
        }

    parameters = {"n_estimators": 60, "learning_rate": 0.2, "num_leaves": 4}
    return Candidate("boosting", "boosting", parameters, make, "n_estimators", space)


def doing(name: str, action: Callable[[], object]) -> Candidate:
    """A candidate that does something of its own when it is fitted, then learns nothing."""

    def make(parameters: Parameters, seed: int) -> Any:
        return make_pipeline(Doing(action))

    return Candidate(name, name, {}, make)


class Doing(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # no stubs
    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        self.action()
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Array:
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def fail() -> None:
    raise ValueError("it fails on purpose")


def sleep() -> None:
    time.sleep(300)


def die() -> None:
    os._exit(3)
