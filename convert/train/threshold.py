"""From which probability on the positive class is predicted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from onnxlet.convert.metrics.metrics import Array, Metric

USUAL = 0.5
STEPS = 101  # thresholds in the table


class Chosen(NamedTuple):
    """A threshold, and what others would have given.

    Attributes:
        threshold: rows of this probability or more are predicted positive.
        value: the metric's there; None for one that scores probabilities.
        table: the metric's value by threshold, from 0 to 1; empty where it depends on none.
    """

    threshold: float
    value: float | None
    table: list[tuple[float, float]]


def choose_threshold(
    y: Array, probabilities: Array, metric: Metric, classes: Array | None = None
) -> Chosen:
    """The threshold with the best score, on rows that the model was not fitted on.

    A metric of probabilities needs none, and for accuracy 0.5 is right for calibrated ones: what
    would be chosen instead fits the noise. Only where a metric is best elsewhere is one chosen.

    Args:
        y: labels (n,).
        probabilities: of the positive class (n,), or of both (n, 2).
        metric: of two classes.
        classes: both labels in order, the positive one last; those in `y` without.
    """
    positive = probabilities[:, 1] if probabilities.ndim == 2 else probabilities
    both = np.unique(y) if classes is None else classes
    if metric.needs == "probabilities" or len(both) != 2:
        return Chosen(USUAL, None, [])

    def value(threshold: float) -> float:
        return float(metric.score(y, both[(positive >= threshold).astype(int)], both))

    table = [(float(at), value(float(at))) for at in np.linspace(0, 1, STEPS)]
    threshold = best_threshold(y == both[1], positive, metric)
    return Chosen(threshold, value(threshold), table)


def best_threshold(truth: Array, probabilities: Array, metric: Metric) -> float:
    """The best threshold between two neighbouring probabilities; of equals, the nearest to 0.5.

    Args:
        truth: whether a row is positive (n,).
        probabilities: of the positive class (n,).
        metric: of two classes.
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
