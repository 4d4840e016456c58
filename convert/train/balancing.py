"""Weights of rows, where a metric counts every class alike and the rows don't."""

from __future__ import annotations

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from onnxlet.convert.metrics.metrics import Array, Metric


def balanced_weights(y: Array, task: str, metric: Metric, weights: Array | None) -> Array | None:
    """Weights (n,) that a candidate is fitted with: those given, balanced where the metric gains.

    Of two classes the threshold does as much and leaves the probabilities what they are. Of many
    there is none, and a metric that is the mean over classes is worse where the rare ones are
    seldom the most probable.

    Args:
        y: labels or values (n,).
        task: "binary", "multiclass" or "regression".
        metric: that is optimised.
        weights: of the rows (n,), as they were given, or None.
    """
    if task != "multiclass" or metric.at is None:
        return weights
    balanced = np.asarray(compute_sample_weight("balanced", y), np.float64)
    return balanced if weights is None else balanced * weights
