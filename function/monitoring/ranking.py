"""ROC AUC, from what is certain and from what is only likely."""

from __future__ import annotations

import numpy as np

from onnxlet.function.arrays import Array


def ranked(score: Array, positive: Array, negative: Array) -> float | None:
    """The chance that a positive row has a higher score than a negative one; ties are half.

    Args:
        score: of each row, float64.
        positive: 1 where the row is positive; or the probability of it.
        negative: the same of negative.

    Returns:
        None where one of both is missing. By Mann and Whitney's U, as in
        https://en.wikipedia.org/wiki/Receiver_operating_characteristic#Area_under_the_curve; a row
        that is likely to be both is not compared with itself, but with all rows of its score.
    """
    total = positive.sum() * negative.sum()
    if not total > 0:
        return None
    _, group = np.unique(score, return_inverse=True)
    ups, downs = np.bincount(group, positive), np.bincount(group, negative)
    below = np.cumsum(downs) - downs
    return float((ups * (below + downs / 2)).sum() / total)
