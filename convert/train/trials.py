"""What a search tries, and what came of it: candidates, their fits on folds, their trials.

A fit is of one candidate on one fold, in a process that may be ended.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from onnxlet.convert.errors import shortened
from onnxlet.convert.metrics.metrics import Array

Parameters = Mapping[str, Any]
State = Literal["waiting", "done", "stopped", "failed"]
Rung = Literal["part", "fold"]
GROWTH = 1.0  # seconds of a fit grow as the rows to this power: a little more, less overhead


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


class FitResult(NamedTuple):
    """What a fit came to."""

    # For the fold's validation rows: values (n,) or probabilities (n, classes).
    answers: Array | None
    seconds: float  # that fitting and answering took
    rounds: int | None = None  # of boosting, where it has some
    size: int | None = None  # bytes of the pickled pipeline; None where it was not asked for
    why: str | None = None  # it failed; None where it did not
    overran: bool = False  # it was ended, as it took too long


def evaluate(data: TrainingData, job: Job) -> FitResult:
    """Fit a candidate on a fold; whatever it raises is recorded."""
    since = time.perf_counter()
    try:
        fitted, answers = _fitted(data, job)
    except MemoryError:
        return FitResult(None, time.perf_counter() - since, why="there was not enough memory")
    except Exception as error:  # noqa: BLE001, RUF100 - a learner may raise anything
        why = f"{type(error).__name__}: {shortened(error)}"
        return FitResult(None, time.perf_counter() - since, why=why)
    seconds = time.perf_counter() - since
    return FitResult(answers, seconds, fitted.rounds, _size(fitted) if job.fold == 0 else None)


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


@dataclass(eq=False)
class Trial:
    """A candidate that is tried."""

    number: int  # from 0, in the order in which they were thought of
    candidate: Candidate
    keep: bool = False  # it is never stopped, as others are compared with it
    # What a fit on a part of the first fold's rows came to, validated on a part of them.
    part: FitResult | None = None
    outcomes: dict[int, FitResult] = field(default_factory=dict)  # by fold
    seconds: float = 0.0  # that its fits took together
    state: State = "waiting"  # until it has ended
    why: str | None = None  # it was stopped or failed
    # The mean of the metric over the folds that it was validated on, once the search has ended.
    score: float | None = None
    error: float | None = None  # its standard error over folds; None where it was stopped early
    # Answers for the training rows (n,) or (n, classes) by pipelines that have not seen them, NaN
    # for rows that are in no fold; None where it was stopped early.
    out_of_fold: Array | None = None
    rounds: int | None = None  # of boosting, the mean over folds
    size: int | None = None  # bytes of the first fold's pickled pipeline

    def take(self, fold: int, rows: int | None, outcome: FitResult) -> None:
        """Record what a fit came to."""
        self.seconds += outcome.seconds
        if outcome.why is not None:
            if self.state == "waiting":
                self.end("stopped" if outcome.overran else "failed", outcome.why)
        elif rows is not None:
            self.part = outcome
        else:
            self.outcomes[fold] = outcome

    def end(self, state: State, why: str | None = None) -> None:
        """It goes on no further."""
        self.state, self.why = state, why

    def expected(self, share: float) -> float | None:
        """Seconds that a fit on a whole fold will take; None where nothing was fitted yet.

        The part has a share of a fold's rows.
        """
        if self.outcomes:
            return max(outcome.seconds for outcome in self.outcomes.values())
        return None if self.part is None else self.part.seconds / share**GROWTH

    def covers(self, folds: Sequence[int]) -> bool:
        """Whether it was fitted on all of these folds."""
        return all(fold in self.outcomes for fold in folds)

    def answers(self, folds: Sequence[int]) -> Array:
        """For the validation rows of folds that it was fitted on, one fold after the other."""
        # Each has some: what failed is not among the outcomes.
        return np.concatenate([np.asarray(self.outcomes[fold].answers) for fold in folds])

    def first(self, rung: Rung) -> Array | None:
        """For the first fold's validation rows, by what was fitted on its rows or on a part."""
        outcome = self.part if rung == "part" else self.outcomes.get(0)
        return None if outcome is None else outcome.answers

    def close(self) -> None:
        """Keep of its fits what is asked for when the search has ended."""
        rounds = [o.rounds for o in self.outcomes.values() if o.rounds is not None]
        self.rounds = max(1, round(float(np.mean(rounds)))) if rounds else None
        first = self.outcomes.get(0, self.part)
        self.size = None if first is None else first.size
        self.part, self.outcomes = None, {}


@dataclass(frozen=True)
class Searched:
    """What a search found."""

    trials: list[Trial]  # all, in order of their numbers
    weights: list[tuple[Trial, float]]  # those that were chosen; they sum to 1
    seconds: float  # that it took
    how_ended: str  # in a few words
    plainer: str = ""  # why a linear model was chosen instead of what scored best; "" where not


def out_of_fold(answers: Array, positions: NDArray[np.intp], rows: int) -> NDArray[np.float64]:
    """Answers for each training row, the mean where it is in several folds, NaN where in none.

    They are given for the validation rows of folds, (m,) or (m, classes), by these rows' positions.
    """
    total, count = np.zeros((rows, *answers.shape[1:])), np.zeros(rows)
    np.add.at(total, positions, answers)
    np.add.at(count, positions, 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count.reshape(-1, *[1] * (answers.ndim - 1)), np.float64)
