"""Calibrated probabilities, and isotonic regression.

Sources: `sklearn/calibration.py`, `sklearn/isotonic.py`. Upstream: skl2onnx's isotonic
calibration is off by up to 0.06 (sklearn-onnx #200, #1151), it has no temperature scaling and no
IsotonicRegression.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from sklearn.calibration import CalibratedClassifierCV
from sklearn.isotonic import IsotonicRegression

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import even_if_none, every_row, response, total, two_sided

SCIPY = tuple(int(part) for part in scipy.__version__.split(".")[:2])
EPSILON = 1e-12  # of `_convert_to_logits`


def calibrated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean over the pairs of a classifier and its calibrators."""
    pairs = fitted.calibrated_classifiers_
    mean = total([_calibrated(graph, pair, table) for pair in pairs]) / float(len(pairs))
    return {"predict_proba": mean, "class_index": mean.argmax()}


def _calibrated(graph: Graph, pair: Any, table: Table) -> Tensor:
    """`_CalibratedClassifier.predict_proba`."""
    score, method = response(graph, pair.estimator, table, ["decision_function", "predict_proba"])
    if pair.method == "temperature":
        return _tempered(pair.calibrators[0], score, method)
    classes = np.asarray(pair.classes).tolist()
    known = [classes.index(label) for label in np.asarray(pair.estimator.classes_).tolist()]
    columns = [score.take([index]) for index in range(score.width)]
    made = {
        index: _one(graph, calibrator, column)
        for index, calibrator, column in zip(known, pair.calibrators, columns, strict=False)
    }
    # Rounding may take a probability just above 1: scikit-learn cuts it, too.
    if len(classes) == 2:
        return two_sided(made[0]).minimum(1.0)
    nothing = every_row(graph, Table((score,)), 0.0)
    share = graph.concat([made.get(index, nothing) for index in range(len(classes))])
    return even_if_none(share).minimum(1.0)


def _one(graph: Graph, calibrator: Any, column: Tensor) -> Tensor:
    """One class's probability, before all are scaled to add up to 1."""
    if isinstance(calibrator, IsotonicRegression):
        return interpolated(graph, calibrator, column)
    return (-(column * float(calibrator.a_) + float(calibrator.b_))).sigmoid()


def _tempered(calibrator: Any, score: Tensor, method: str) -> Tensor:
    """Softmax of logits times a factor: of decisions, or the logarithms of probabilities."""
    graph = score.graph
    if score.width == 1 and method == "predict_proba":
        score = two_sided(score)
    if score.width == 1:
        logits = graph.concat([-score, score])
    elif method == "predict_proba":
        logits = (score + EPSILON).unary("Log")
    else:
        logits = score
    return (logits * float(calibrator.beta_)).softmax()


def isotonic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """IsotonicRegression: `predict` and `transform` are the same."""
    made = interpolated(graph, fitted, graph.matrix(table))
    return {"predict": made, "transform": made}


def interpolated(graph: Graph, fitted: Any, column: Tensor) -> Tensor:
    """Between knots, as `np.interp` computes it: `slope * (x - x_left) + y_left`.

    In float64, unless the knots were fitted in float32: then scipy's `interp1d` computes in
    float32 by its own code, which since scipy 1.18 weighs both ends (de Boor).
    """
    if column.width != 1:
        raise Unsupported("IsotonicRegression takes one column")
    knots, heights = np.asarray(fitted.X_thresholds_), np.asarray(fitted.y_thresholds_)
    dtype = "float32" if knots.dtype == np.float32 else "float64"
    if len(heights) == 1:
        return every_row(graph, Table((column,)), heights)
    x = column.cast(dtype)
    if fitted.out_of_bounds == "clip":
        x = x.clip(fitted.X_min_, fitted.X_max_)
    slopes = np.diff(heights) / np.diff(knots)
    edges = knots.reshape(1, -1)
    if dtype == "float32":  # interp1d's own code searches from the left
        left = ((x > edges).cast("int64").sum() - 1).clip(0, len(slopes) - 1)
    else:
        left = ((x >= edges).cast("int64").sum() - 1).clip(0, len(slopes))
    start, low = left.look_up(knots, dtype), left.look_up(heights, dtype)
    if dtype == "float32" and SCIPY >= (1, 18):
        end, high = ((left + 1).look_up(values, dtype) for values in (knots, heights))
        gap = end - start
        inside = (x - start) / gap * high + (end - x) / gap * low
    else:
        inside = left.look_up([*slopes.tolist(), 0.0], dtype) * (x - start) + low
    outside = (x < float(knots[0])) | (x > float(knots[-1]))
    return outside.where(float("nan"), inside).cast(graph.precision)


CONVERTERS: Converters = {
    CalibratedClassifierCV: calibrated,
    IsotonicRegression: isotonic,
}
