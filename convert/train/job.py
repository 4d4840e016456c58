"""One fit on one fold, in a process that may be ended: what goes in, and what comes out."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.convert.metrics.metrics import Array
from onnxlet.convert.train.candidate import Candidate, Fitted

Fit = Callable[..., Fitted]


class Table(NamedTuple):
    """What every job of a search has in common.

    Attributes:
        X: the training rows.
        y: their targets (n,).
        task: "binary", "multiclass" or "regression".
        classes: labels in order; None in regression.
        folds: pairs of positions.
        weights: of the rows (n,), or None.
        fit: as in `fitting.fit`.
        seed: of every fit.
        threads: that a fit may use.
    """

    X: pd.DataFrame
    y: Array
    task: str
    classes: Array | None
    folds: list[tuple[Array, Array]]
    weights: Array | None
    fit: Fit
    seed: int
    threads: int


class Job(NamedTuple):
    """A fit to be done.

    Attributes:
        number: of the trial.
        candidate: what is fitted.
        fold: which.
        rows: how many of the fold's training rows; None for all of them.
        limit: seconds that it may take; None for as long as it takes.
    """

    number: int
    candidate: Candidate
    fold: int
    rows: int | None = None
    limit: float | None = None


class Packed(NamedTuple):
    """A job that is written already, by another process.

    Attributes:
        written: it, pickled.
        limit: as a job's.
    """

    written: bytes
    limit: float | None


class Outcome(NamedTuple):
    """What a fit came to.

    Attributes:
        answers: for the fold's validation rows: values (n,) or probabilities (n, classes).
        seconds: that fitting and answering took.
        rounds: boosting rounds, where it has some.
        size: bytes of the pickled pipeline; None where it was not asked for.
        why: it failed; None where it did not.
        overran: whether it was ended, as it took too long.
    """

    answers: Array | None
    seconds: float
    rounds: int | None = None
    size: int | None = None
    why: str | None = None
    overran: bool = False


class Fits(Protocol):
    """Where jobs are done: processes of this machine, or of others.

    Attributes:
        count: how many are done at a time.
    """

    @property
    def count(self) -> int: ...  # noqa: D102

    def outcomes(  # noqa: D102 - as `Workers` has it
        self,
        jobs: Iterator[Job],
        until: float | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[Job, Outcome]]: ...


def evaluate(table: Table, job: Job) -> Outcome:
    """Fit a candidate on a fold of a table; whatever it raises is recorded."""
    since = time.perf_counter()
    try:
        fitted, answers = _fitted(table, job)
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


def _fitted(table: Table, job: Job) -> tuple[Fitted, Array]:
    train, valid = table.folds[job.fold]
    if job.rows is not None and job.rows < len(train):
        train, valid = part_of(train, job.rows, table), part_of(valid, job.rows, table)
    X_valid = table.X.iloc[valid]
    early = (X_valid, table.y[valid]) if job.candidate.rounds else None
    fitted = table.fit(
        job.candidate,
        table.X.iloc[train],
        table.y[train],
        table.task,
        seed=table.seed,
        valid=early,
        weights=None if table.weights is None else table.weights[train],
        threads=table.threads,
    )
    answers = answers_of(fitted.pipeline, X_valid, table.classes)
    if not np.isfinite(answers).all():
        raise ValueError("it answers with what is no number")
    return fitted, answers


def part_of(positions: Array, rows: int, table: Table) -> Array:
    """Some of a fold's rows, in their order, with a row of each of their classes.

    Args:
        positions: of the rows.
        rows: how many, about.
        table: for the targets and the seed.
    """
    drawn = np.random.default_rng(table.seed).permutation(len(positions))[:rows]
    if table.classes is not None:
        drawn = np.union1d(drawn, np.unique(table.y[positions], return_index=True)[1])
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
