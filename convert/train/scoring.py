"""How good answers are, how sure that is, and whether some are better than others."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from onnxlet.convert.metrics.metrics import METRICS, Array, Metric
from onnxlet.convert.metrics.resampled import ScoredAnswers, Truth

USUAL = 0.5  # the threshold where a metric does not gain by another
SURE = 2.0  # standard errors, beyond which a difference is clear
PARTS = 5  # of the rows of a single fold, where it has to show by itself how sure its score is


class Difference(NamedTuple):
    """By how much one is better than another, on the same rows."""

    mean: float  # over parts; positive where the first is better
    error: float  # its standard error; NaN where there is but one part


class Scorer(NamedTuple):
    """Scores the answers for the validation rows of some folds, one fold after the other.

    What it compares is worth: the metric, negative where less is better.
    """

    metric: Metric
    # Of these rows (n,): values, or the positions of labels among the classes; of two classes 1 for
    # the positive one.
    truth: Array
    classes: Array  # positions of all labels; empty in regression
    folds: list[slice]  # which of these rows are of each fold
    repeats: float  # how often a row is in a fold

    @property
    def sign(self) -> int:
        """Of worth: 1 where more of the metric is better."""
        return 1 if self.metric.greater_is_better else -1

    def worth(self, answers: Array) -> float:
        """Mean over folds of values (n,) or probabilities (n, classes).

        Where no fold has a score it is that of all rows, or NaN.
        """
        found = self._each(self._scored(answers), [np.arange(f.start, f.stop) for f in self.folds])
        return float(np.nanmean(found)) if not np.isnan(found).all() else self.pooled(answers)

    def pooled(self, answers: Array) -> float:
        """Of all rows together: quicker, and nearly the same."""
        return float(self._each(self._scored(answers), [np.arange(len(self.truth))])[0])

    def error(self, answers: Array) -> float:
        """The standard error of the worth over folds, or over parts of the only one."""
        return self._mean(self._each(self._scored(answers), self._parts())).error

    def difference(self, first: Array, second: Array) -> Difference:
        """By how much the first answers are worth more: parts are paired, which noise they share
        cancels out."""  # noqa: D205, D209 - one sentence
        parts = self._parts()
        one, other = self._scored(first), self._scored(second)
        return self._mean(self._each(one, parts) - self._each(other, parts))

    def clearly_better(self, first: Array, second: Array) -> bool:
        """Whether the first answers are better by more than noise, which paired parts show.

        A few rows that are far off decide about squares of errors, and hide what is so of all
        others: numbers may be better by their absolute errors instead.
        """
        metrics = [self.metric, *([] if len(self.classes) else [METRICS["mae"]])]
        found = [self._replace(metric=metric).difference(first, second) for metric in metrics]
        return not all(each.mean <= SURE * each.error for each in found)

    def _parts(self) -> list[NDArray[np.intp]]:
        if len(self.folds) > 1:
            return [np.arange(fold.start, fold.stop) for fold in self.folds]
        order = np.argsort(self.truth, kind="stable")  # so that each part has of every class
        return [order[part::PARTS] for part in range(PARTS)]

    def _mean(self, values: NDArray[np.float64]) -> Difference:
        """Mean and standard error; a row's second time in a fold adds nothing independent."""
        known = values[~np.isnan(values)]
        if len(known) < 2:
            return Difference(float(known.mean()) if len(known) else float("nan"), float("nan"))
        error = known.std(ddof=1) / np.sqrt(max(1.0, len(known) / self.repeats))
        return Difference(float(known.mean()), float(error))

    def _each(self, answered: ScoredAnswers, parts: list[NDArray[np.intp]]) -> NDArray[np.float64]:
        """The worth of each part's rows; NaN where they have none."""
        truth = Truth(self.truth, self.classes.tolist())
        found = [self.metric.value(truth.at(part), answered.at(part)) for part in parts]
        return self.sign * np.array(found, np.float64)

    def _scored(self, answers: Array) -> ScoredAnswers:
        """Answers in the form of the metric: labels where it is of labels, else probabilities, too.

        Of two classes the positive one comes last.
        """
        if not len(self.classes):
            return ScoredAnswers(answers)
        if len(self.classes) == 2 and self.metric.positive == 0:
            answers = answers[:, ::-1]
        likeliest = np.asarray(answers.argmax(axis=1))
        if self.metric.needs == "probabilities":
            return ScoredAnswers(likeliest, answers, answers[:, -1])
        if len(self.classes) > 2:
            return ScoredAnswers(likeliest)
        threshold = USUAL
        if self.metric.at is not None:
            threshold = best_threshold(self.truth == 1, answers[:, 1], self.metric)
        return ScoredAnswers((answers[:, 1] >= threshold).astype(np.intp))


def scorer(
    metric: Metric, y: Array, classes: Array | None, folds: list[tuple[Array, Array]]
) -> Scorer:
    """The scorer of some folds' validation rows, which are the second of each pair of positions.

    `y` are the targets of all training rows (n,), `classes` labels in order, None in regression.
    """
    truth = y if classes is None else np.searchsorted(classes, y)
    if classes is not None and len(classes) == 2:
        truth = (truth == metric.positive).astype(np.intp)
    valid = [positions for _, positions in folds]
    ends = np.cumsum([len(positions) for positions in valid])
    together = np.concatenate(valid)
    return Scorer(
        metric,
        truth[together],
        np.arange(0 if classes is None else len(classes)),
        [slice(int(end) - len(rows), int(end)) for end, rows in zip(ends, valid, strict=True)],
        len(together) / len(np.unique(together)),
    )


def best_threshold(truth: Array, probabilities: Array, metric: Metric) -> float:
    """From which probability (n,) on to answer the positive class, for the best score.

    It lies between two neighbouring probabilities; of equals it is the nearest to 0.5. Only where a
    metric is best elsewhere is one chosen: for accuracy 0.5 is right for calibrated ones, and what
    would be chosen instead fits the noise.
    """
    rows = len(truth)
    positives = int(truth.sum())
    if metric.at is None or positives in (0, rows):
        return USUAL
    false, true, at = roc_curve(truth, probabilities, drop_intermediate=False)
    tp, fp = np.rint(true * positives), np.rint(false * (rows - positives))
    values = metric.at(tp, fp, positives - tp, rows - positives - fp)
    if not metric.greater_is_better:
        values = -values
    # Halfway to the next lower probability: nothing is known of what lies between.
    between = (np.minimum(at, 1.0) + np.append(at[1:], 0.0)) / 2
    best = np.flatnonzero(values >= np.max(values) - 1e-12)
    return float(between[best[np.argmin(np.abs(between[best] - USUAL))]])
