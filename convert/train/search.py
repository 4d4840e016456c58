"""The candidates that answer best, within the seconds that there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.convert.metrics.metrics import Array, Metric
from onnxlet.convert.progress import Report
from onnxlet.convert.train import fitting
from onnxlet.convert.train.ensemble import choose, named, weighted
from onnxlet.convert.train.fits import cluster_fits, local_fits
from onnxlet.convert.train.race import (
    Budget,
    Race,
    SearchProgress,
    affordable_folds,
    in_reach,
    try_all,
)
from onnxlet.convert.train.splits import Folds
from onnxlet.convert.train.trials import (
    Candidate,
    Fit,
    Rung,
    Searched,
    TrainingData,
    Trial,
    out_of_fold,
)
from onnxlet.convert.train.tuning import tune
from onnxlet.convert.workers.cluster import SchedulerGone
from onnxlet.convert.workers.contract import cores as usable_cores

BASELINES = 2  # the first candidates: the constant and the linear model
LARGE = 80e6  # bytes of the parts of a table that all fits copy; beyond, fits have more threads
POOL = 16  # candidates that an ensemble is chosen from
PLAIN = ("linear", "trend")  # families of models that are served where none is clearly better
OF_A_FAMILY = 4  # of them, so that not all are one model's variants


def search(
    X: pd.DataFrame,  # the training rows, with an index from 0
    y: Array,  # their targets (n,)
    task: str,  # "binary", "multiclass" or "regression"
    folds: Folds,  # positions to fit on, and to validate on
    candidates: Sequence[Candidate],  # by expected worth, the constant and the linear model first
    metric: Metric,  # that is optimised
    *,
    seconds: float | None,  # that it may take; no limit where `trials` is given
    # How many candidates are tried: the same ones with the same result, however long it takes; None
    # for as many as there is time for.
    trials: int | None,
    seed: int,  # of everything that is drawn
    small: bool,  # choose the smallest of all that are within one standard error of the best
    report: Report,  # gets a line at a time
    weights: Array | None = None,  # of the rows (n,)
    fit: Fit | None = None,  # fits a candidate; without it is `fitting.fit`
    cores: int | None = None,  # that there are; without, those that this process may use
    scheduler: str | None = None,  # address of Dask's, on whose workers fits run instead of here
) -> Searched:
    """Search for the candidates that answer best. Ctrl-C ends it and keeps what was found.

    Raises:
        Refusal: no candidate could be fitted, or not by the scheduler's workers as here.
        WrongUse: the seconds are too few, or there is no such scheduler.
    """
    budget = Budget(None if trials is not None else seconds)
    classes = None if task == "regression" else np.unique(y)
    count, threads = _processes(X, cores or usable_cores())
    data = TrainingData(X, y, task, classes, folds, weights, fit or fitting.fit, seed, threads)
    progress = SearchProgress(report, metric, budget, trials)
    ended = "it tried as many as it was to" if trials is not None else "the time was up"
    with local_fits(data, count) if scheduler is None else cluster_fits(scheduler, data) as fits:
        import optuna  # noqa: F401 - takes a second, in which the workers begin, too

        race = Race(data, metric, budget, fits, progress, [], [0])
        try:
            _race(race, candidates[:trials], trials)
        except (KeyboardInterrupt, SchedulerGone) as error:
            if not any(trial.part or trial.outcomes for trial in race.trials):
                raise
            if isinstance(error, KeyboardInterrupt):
                ended = "Ctrl-C ended it"
                report("Ctrl-C: the search ends with the best that was found; again, and all ends")
            else:
                ended = "the scheduler went away"
                report(f"note: {error.message}: the search ends with the best that was found")
    return _searched(race, small, ended)


def _processes(X: pd.DataFrame, cores: int) -> tuple[int, int]:
    """How many fits there are at a time, and the threads of each.

    Folds in processes of one thread use the cores better than a fit's own threads do, but each
    fit copies a fold's rows: of large tables there are fewer at a time, with more threads.
    """
    size = int(X.memory_usage(deep=True).sum())
    count = int(min(cores, max(1, LARGE // max(size, 1))))
    return count, max(1, cores // count)


def _race(race: Race, candidates: Sequence[Candidate], trials: int | None) -> None:
    """First all a little, then the promising ones on all folds, then variants of the best."""
    untried = race.enter(candidates, keep=BASELINES)
    first = True
    while untried and not race.budget.over():
        before = len(untried)
        promising, untried = try_all(race, untried)
        if first:
            race.used, first = affordable_folds(race, promising), False
        if race.part is not None:
            race.run(promising, [0])
            promising = in_reach(race, promising, "fold")
        race.run(promising, race.used, done=True)
        race.close(promising)
        if len(untried) == before:
            break
    if any(trial.state == "done" for trial in race.trials):
        tune(race, trials)


def _searched(race: Race, small: bool, ended: str) -> Searched:
    """What was found, and what is chosen of it; Refusal where nothing was."""
    _end(race)
    scorer = race.scorer(race.used)
    done = [trial for trial in race.trials if trial.state == "done"]
    if not done:
        reasons = [f"{trial.candidate.name}: {trial.why}" for trial in race.trials]
        raise Refusal(
            "the search: expected a candidate that can be fitted, got none. " + "; ".join(reasons),
            "Give it more seconds, or look at what the reasons have in common.",
        )
    worth = {trial.number: scorer.worth(trial.answers(race.used)) for trial in done}
    if small:
        weights = [(_smallest(race, done, worth), 1.0)]
    else:
        pool = _pool(done, worth)
        answers = [trial.answers(race.used) for trial in pool]
        found = choose(answers, [worth[t.number] for t in pool], scorer, race.budget.ended)
        weights = [(pool[index], weight) for index, weight in found.items()]
    weights, why = (weights, "") if small else _plainer(race, done, worth, weights)
    for trial in race.trials:
        _close(race, trial)
    return Searched(race.trials, weights, race.budget.spent(), ended, why)


def _plainer(
    race: Race, done: Sequence[Trial], worth: dict[int, float], weights: list[tuple[Trial, float]]
) -> tuple[list[tuple[Trial, float]], str]:
    """The best linear model where what was chosen is not clearly better, and why; else that.

    What a search has picked among many looks better on its folds than it is.
    """
    linear = [trial for trial in done if trial.candidate.family in PLAIN]
    if not linear or (len(weights) == 1 and weights[0][0].candidate.family in PLAIN):
        return weights, ""
    best = max(linear, key=lambda trial: (worth[trial.number], -trial.number))
    scorer, one = race.scorer(race.used), best.answers(race.used)
    shares = dict(enumerate(weight for _, weight in weights))
    more = weighted([trial.answers(race.used) for trial, _ in weights], shares)
    if scorer.clearly_better(more, one):
        return weights, ""
    first, other = (scorer.sign * scorer.worth(answers) for answers in (more, one))
    by = scorer.difference(more, one)
    return [(best, 1.0)], (
        f"{best.candidate.name} is served, {race.metric.title} {other:.5g} over the folds: "
        f"{named(weights)} has {first:.5g}, which is not clearly better "
        f"(by {by.mean:.2g} ± {by.error:.2g})"
    )


def _end(race: Race) -> None:
    """End what is under way.

    Where nothing but the constant was done, one fold has to do, or a part of its rows.
    """
    race.close(race.trials)
    others = [r for r in race.trials[1:] if r.state != "failed"]
    whole = any(trial.covers([0]) for trial in others)
    if any(r.state == "done" for r in others) or not (whole or any(r.part for r in others)):
        return
    race.used = [0]
    if not whole:
        race.table = race.table._replace(folds=[race.part_of_fold()])
        for trial in race.trials:
            trial.outcomes = {} if trial.part is None else {0: trial.part}
    for trial in race.trials:
        if trial.state != "failed" and trial.covers(race.used):
            trial.end("waiting")
    race.close(race.trials)


def _close(race: Race, trial: Trial) -> None:
    """Score a trial by what it was fitted on, and let go of its fits."""
    if trial.state == "done":
        answers, scorer = trial.answers(race.used), race.scorer(race.used)
        trial.score, trial.error = scorer.sign * scorer.worth(answers), scorer.error(answers)
        positions = np.concatenate([race.table.folds[fold][1] for fold in race.used])
        trial.out_of_fold = out_of_fold(answers, positions, len(race.table.y))
    elif trial.state == "stopped":
        trial.score = _score_so_far(race, trial)
    trial.close()


def _score_so_far(race: Race, trial: Trial) -> float | None:
    """Of the first fold, or of a part of it, which is all that one that was stopped may have."""
    rungs: tuple[Rung, ...] = ("fold", "part")
    for rung in rungs:
        answers = trial.first(rung)
        if answers is not None:
            scorer = race.rung(rung)
            return scorer.sign * scorer.worth(answers)
    return None


def _pool(done: Sequence[Trial], worth: dict[int, float]) -> list[Trial]:
    """The best, not too many of one family, and the constant only where nothing is better."""
    pool: list[Trial] = []
    for trial in sorted(done, key=lambda r: (-worth[r.number], r.number)):
        if pool and worth[trial.number] <= worth.get(0, -np.inf):
            break
        same = sum(other.candidate.family == trial.candidate.family for other in pool)
        if same < OF_A_FAMILY and len(pool) < POOL:
            pool.append(trial)
    return pool


def _smallest(race: Race, done: Sequence[Trial], worth: dict[int, float]) -> Trial:
    """Of all within one standard error of the best."""
    best = max(done, key=lambda trial: worth[trial.number])
    error = np.nan_to_num(race.scorer(race.used).error(best.answers(race.used)))
    near = [trial for trial in done if worth[trial.number] >= worth[best.number] - error]
    return min(near, key=lambda trial: (trial.outcomes[0].size or 0, trial.number))
