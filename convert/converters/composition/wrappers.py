"""Estimators around one other: searches, thresholds, calibration; and isotonic regression.

Sources: `sklearn/model_selection/_search.py`, `_classification_threshold.py`,
`sklearn/frozen/_frozen.py`, `sklearn/semi_supervised/_self_training.py`. Upstream: skl2onnx has
only GridSearchCV, for one matrix of inputs, and ignores thresholds.

Calibration: `sklearn/calibration.py`, `sklearn/isotonic.py`. Upstream: skl2onnx's isotonic
calibration is off by up to 0.06 (sklearn-onnx #200, #1151), it has no temperature scaling and no
IsotonicRegression.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.model_selection._search_successive_halving import (
    HalvingGridSearchCV,
    HalvingRandomSearchCV,
)
from sklearn.semi_supervised import SelfTrainingClassifier

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import even_if_none, every_row, has, response, total, two_sided


def search(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The best estimator, fitted on all rows."""
    if not hasattr(fitted, "best_estimator_"):
        raise Unsupported(
            "it did not fit its best estimator (refit=False)", "Search with refit=True."
        )
    return delegated(graph, fitted.best_estimator_, table)


def delegated(graph: Graph, inner: Any, table: Table) -> Outputs:
    """The outputs of another estimator, its columns under the names that it gives them."""
    outputs = graph.convert(inner, table)
    if "transform" not in outputs:
        return outputs
    return {**outputs, "transform": graph.transform(inner, table)}


def delegating(name: str) -> Converter:
    """A converter of what answers as the estimator that it keeps under this name."""
    return lambda graph, fitted, table: delegated(graph, getattr(fitted, name), table)


def fixed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """FixedThresholdClassifier; `auto` is 0.5 for probabilities and 0 for decisions."""
    return _outputs(graph, fitted, table, fitted.threshold, fitted.pos_label)


def tuned(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TunedThresholdClassifierCV: the best threshold."""
    positive = fitted._curve_scorer._get_pos_label()
    return _outputs(graph, fitted, table, fitted.best_threshold_, positive)


def _outputs(graph: Graph, fitted: Any, table: Table, threshold: Any, positive: Any) -> Outputs:
    inner = getattr(fitted, "estimator_", fitted.estimator)
    score, method = response(graph, inner, table, fitted._get_response_method(), positive)
    if isinstance(threshold, str):
        threshold = 0.5 if method == "predict_proba" else 0.0
    reached = (score >= float(threshold)).cast("int64")
    classes = np.asarray(fitted.classes_)
    index = 1 if positive is None else int(np.flatnonzero(classes == positive)[0])
    outputs = {"class_index": reached if index else 1 - reached}
    for name in ("predict_proba", "decision_function"):
        if has(graph, inner, table, name):
            outputs[name] = graph.call(inner, table, name)
    return outputs


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
    GridSearchCV: exact(search),
    RandomizedSearchCV: exact(search),
    HalvingGridSearchCV: exact(search),
    HalvingRandomSearchCV: exact(search),
    FrozenEstimator: exact(delegating("estimator")),
    SelfTrainingClassifier: delegating("estimator_"),  # the one that it trained last,
    FixedThresholdClassifier: fixed,
    TunedThresholdClassifierCV: tuned,
    CalibratedClassifierCV: calibrated,
    IsotonicRegression: isotonic,
}
