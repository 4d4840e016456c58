"""A candidate, and one fit of it on one fold, in a process that may be ended."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.convert.metrics.metrics import Array

Parameters = Mapping[str, Any]


class Fitted(NamedTuple):
    """A pipeline that has been fitted."""

    pipeline: Any  # answers `predict`, and `predict_proba` of a classifier
    rounds: int | None  # boosting rounds that it has; None where it has none


@dataclass(frozen=True)
class Candidate:
    """A pipeline that may be fitted."""

    name: str  # as people read it, such as "LightGBM, extra trees"
    family: str  # candidates of one family differ in parameters only
    parameters: Parameters  # plain numbers, texts and booleans
    make: Callable[[Parameters, int], Any]  # gives the unfitted pipeline for parameters and a seed
    # The last step's parameter that counts boosting rounds, such as `n_estimators`; None
    # where there is none.
    rounds: str | None = None
    # For a trial of Optuna's other parameters; None where there are none to try.
    space: Callable[[Any], dict[str, Any]] | None = None

    def with_parameters(self, parameters: Parameters) -> Candidate:
        """The same pipeline with other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})


Fit = Callable[..., Fitted]


class TrainingData(NamedTuple):
    """What every job of a search has in common."""

    X: pd.DataFrame  # the training rows
    y: Array  # their targets (n,)
    task: str  # "binary", "multiclass" or "regression"
    classes: Array | None  # labels in order; None in regression
    folds: list[tuple[Array, Array]]  # pairs of positions
    weights: Array | None  # of the rows (n,)
    fit: Fit  # as in `fitting.fit`
    seed: int  # of every fit
    threads: int  # that a fit may use


class Job(NamedTuple):
    """A fit to be done."""

    number: int  # of the trial
    candidate: Candidate
    fold: int
    rows: int | None = None  # how many of the fold's training rows; None for all of them
    limit: float | None = None  # seconds that it may take; None for as long as it takes


class Outcome(NamedTuple):
    """What a fit came to."""

    # For the fold's validation rows: values (n,) or probabilities (n, classes).
    answers: Array | None
    seconds: float  # that fitting and answering took
    rounds: int | None = None  # of boosting, where it has some
    size: int | None = None  # bytes of the pickled pipeline; None where it was not asked for
    why: str | None = None  # it failed; None where it did not
    overran: bool = False  # it was ended, as it took too long


def evaluate(data: TrainingData, job: Job) -> Outcome:
    """Fit a candidate on a fold; whatever it raises is recorded."""
    since = time.perf_counter()
    try:
        fitted, answers = _fitted(data, job)
    except MemoryError:
        return Outcome(None, time.perf_counter() - since, why="there was not enough memory")
    except Exception as error:  # noqa: BLE001, RUF100 - a learner may raise anything
        why = f"{type(error).__name__}: {shortened(error)}"
        return Outcome(None, time.perf_counter() - since, why=why)
    seconds = time.perf_counter() - since
    return Outcome(answers, seconds, fitted.rounds, _size(fitted) if job.fold == 0 else None)


def _size(fitted: Fitted) -> int | None:
    """Bytes of a pickled pipeline; None for one that can't be pickled."""
    try:
        return len(pickle.dumps(fitted.pipeline))
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def _fitted(data: TrainingData, job: Job) -> tuple[Fitted, Array]:
    train, valid = data.folds[job.fold]
    if job.rows is not None and job.rows < len(train):
        train, valid = part_of(train, job.rows, data), part_of(valid, job.rows, data)
    X_valid = data.X.iloc[valid]
    early = (X_valid, data.y[valid]) if job.candidate.rounds else None
    fitted = data.fit(
        job.candidate,
        data.X.iloc[train],
        data.y[train],
        data.task,
        seed=data.seed,
        valid=early,
        weights=None if data.weights is None else data.weights[train],
        threads=data.threads,
    )
    answers = answers_of(fitted.pipeline, X_valid, data.classes)
    if not np.isfinite(answers).all():
        raise ValueError("it answers with what is no number")
    return fitted, answers


def part_of(positions: Array, rows: int, data: TrainingData) -> Array:
    """About so many of a fold's positions, in order, with one of each of their classes."""
    drawn = np.random.default_rng(data.seed).permutation(len(positions))[:rows]
    if data.classes is not None:
        drawn = np.union1d(drawn, np.unique(data.y[positions], return_index=True)[1])
    return positions[np.sort(drawn)]


def answers_of(pipeline: Any, X: pd.DataFrame, classes: Array | None) -> Array:
    """Predictions of a regressor (n,), probabilities of a classifier (n, classes), in float64.

    A class that the pipeline was not fitted on has a probability of 0.
    """
    if classes is None:
        return np.asarray(pipeline.predict(X), np.float64).reshape(len(X))
    probabilities = np.zeros((len(X), len(classes)))
    known = np.searchsorted(classes, pipeline.classes_)
    probabilities[:, known] = pipeline.predict_proba(X)
    return probabilities
