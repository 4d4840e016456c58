"""Would more data help? Scores of refits on parts of the training rows, on the same test rows.

Refits last as long as the time does, for what else refits the estimator, too.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from onnxlet.convert.errors import shortened
from onnxlet.convert.metrics.resampled import ScoredAnswers
from onnxlet.convert.report.evaluation.evaluation import Evaluation, estimators_answers, some_rows
from onnxlet.convert.report.evaluation.scores import constant
from onnxlet.convert.report.evaluation.statistics import generator, interval
from onnxlet.convert.report.form.findings import Learning, LearningGain, LearningPoint
from onnxlet.function.arrays import Array

PARTS = (0.125, 0.25, 0.5)  # of the training rows
REPEATS = 3  # different rows of the same number
MOST_ROWS = 5_000  # test rows
FEWEST = 40  # rows that anything is fitted on
NOTICEABLE = 0.02  # of the model's distance from a constant: a smaller gain is none


class Refits:
    """Refits within a time."""

    def __init__(self, case: Evaluation) -> None:
        self._case = case
        self.left = case.measured.seconds
        self.seconds_a_row = 0.0  # of the refit on the most rows until now: small ones differ
        self._most = 0
        # Answers to training rows by models that have not seen them, once they are known.
        self.unseen: Array | None = None

    def fit(self, rows: Array) -> Any:
        """The estimator, fitted on some training rows; it raises what scikit-learn does."""
        measured, start = self._case.measured, time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refit = measured.fit or clone(measured.estimator).fit
            fitted = refit(some_rows(measured.X_train, rows), some_rows(measured.y_train, rows))
        took = time.perf_counter() - start
        self.left -= took
        if len(rows) > self._most:
            self._most, self.seconds_a_row = len(rows), took / len(rows)
        return fitted

    def lasts(self, rows: float) -> bool:
        """Whether the time that is left is enough to fit so many rows in all."""
        return rows * self.seconds_a_row <= self.left


def learning(case: Evaluation, refits: Refits) -> Learning | None:
    """The curve, and whether its last doubling is a gain; None where nothing can be refitted."""
    if case.measured.X_train is None or case.trained is None:
        case.notes.append("no learning curve: the training rows or their answers are not given")
        return None
    rows = case.sample(MOST_ROWS, "learning")
    try:
        found = _refitted(case, refits, rows, case.trained)
    except Exception as error:  # scikit-learn's, of a part that has too little in it
        why = f"{type(error).__name__}: {shortened(error)}"
        case.notes.append(f"no learning curve: a part of the training rows raises {why}")
        return None
    if not found:
        return None
    every = len(case.trained)
    return _curve(case, rows, {**found, every: [case.answered.at(rows)]})


def _refitted(
    case: Evaluation, refits: Refits, rows: Array, trained: Array
) -> dict[int, list[ScoredAnswers]]:
    """By number of training rows, the answers of each refit; each number once before any twice."""
    X = some_rows(case.measured.X_test, case.rows[rows])
    sizes = [size for share in PARTS if (size := int(share * len(trained))) >= FEWEST]
    samples = {size: _samples(case, trained, size) for size in sizes}
    found: dict[int, list[ScoredAnswers]] = {size: [] for size in sizes}
    for repeat in range(REPEATS):
        for size in sizes:
            # Half: refits cost something whatever their rows. The first is tried in any case.
            if not refits.lasts(size / 2):
                made = sum(map(len, found.values()))
                case.notes.append(f"learning curve: there was time for {made} refits only")
                return {size: answers for size, answers in found.items() if answers}
            fitted = refits.fit(samples[size][repeat])
            found[size].append(estimators_answers(fitted, X, case))
    return found


def _samples(case: Evaluation, trained: Array, size: int) -> list[Array]:
    """Different training rows of one number, with the classes' shares."""
    seed = int(generator(case.measured.seed, f"learning {size}").integers(2**31))
    stratified = case.task != "regression" and trained.ndim == 1
    if stratified:
        counts = np.unique(trained, return_counts=True)[1]
        stratified = bool(np.min(counts) > 1) and len(counts) <= min(size, len(trained) - size)
    split = StratifiedShuffleSplit if stratified else ShuffleSplit
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = split(REPEATS, train_size=size, random_state=seed).split(trained, trained)
        return [np.sort(chosen) for chosen, _ in parts]


def _curve(case: Evaluation, rows: Array, found: dict[int, list[ScoredAnswers]]) -> Learning:
    metric, truth = case.metric, case.truth.at(rows)
    weights = np.concatenate(list(case.resamples(rows)))
    independent = case.units_of(rows)
    values, drawn = {}, {}
    for size, repeats in found.items():
        values[size] = float(np.mean([metric.value(truth, each) for each in repeats]))
        drawn[size] = np.empty(len(weights))
        for repeat, each in enumerate(repeats):  # draws are of test rows and of training rows
            mine = slice(repeat, None, len(repeats))
            drawn[size][mine] = metric.drawn(truth, each, weights[mine])
    *_, before, last = found
    gain = interval(
        metric.gain(values[last], values[before]),
        metric.gain(drawn[last], drawn[before]),
        independent,
    )
    worst = metric.value(truth, constant(case, metric).at(rows))
    return Learning(
        metric=metric.name,
        title=metric.in_full[case.task],
        greater_is_better=metric.greater_is_better,
        repeats=min(len(repeats) for size, repeats in found.items() if size < last),
        points=[
            LearningPoint(rows=size, **interval(values[size], drawn[size], independent))
            for size in found
        ],
        gain=LearningGain(**gain, from_=before, to=last),
        more_data_helps=_helps(gain, abs(metric.gain(values[last], worst)), before, last),
    )


def _helps(gain: dict[str, Any], distance: float, before: int, last: int) -> bool | None:
    """Whether the last doubling is surely a gain worth having, surely none, or neither."""
    if gain["low"] is None or last < 1.9 * before:
        return None
    if gain["low"] > 0 and gain["value"] >= NOTICEABLE * distance:
        return True
    return False if gain["high"] < NOTICEABLE * distance else None
