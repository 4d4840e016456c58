"""scikit-lego's estimators around others.

Sources: `sklego/meta/`, `sklego/pipeline.py`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from sklego import meta
from sklego.pipeline import DebugPipeline

from onnxlet.convert.converters.composition.pipelines import pipeline
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import (
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    labelled,
)
from onnxlet.convert.graph.responses import every_row, one_hot, predicted


def balanced(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ConfusionBalancer: probabilities, partly by what they were mistaken for."""
    shares = graph.call(fitted.estimator_, labelled(table, ()), "predict_proba")
    made = shares * (1 - fitted.alpha) + (shares * fitted.alpha) @ fitted.cfm_
    return {"class_index": made.argmax(), "predict_proba": made}


def inner(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DecayEstimator: the estimator inside, which weighs rows only while it is fitted."""
    return graph.convert(fitted.estimator_, table)


def answered(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """EstimatorTransformer: what a method answers, as columns."""
    made = graph.call(fitted.estimator_, table, fitted.predict_func)
    if made.width > 1 and not fitted.multi_output_:
        raise Unsupported(
            f"it puts the {made.width} columns of {fitted.predict_func} below each other",
            "Use a method that answers one number.",
        )
    return {"transform": labelled(Table((made,)), ())}


def ordinal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OrdinalClassifier: differences of the probabilities of being at most so high."""
    table = labelled(table, ())
    below = [
        graph.call(part, table, "predict_proba").take([1]) for part in fitted.estimators_.values()
    ]
    ends = [every_row(graph, Table((below[0],)), value) for value in (0.0, 1.0)]
    bounds = [ends[0], *below, ends[1]]
    steps = [high - low for low, high in pairwise(bounds)]
    made = graph.concat(steps)
    return {"class_index": made.argmax(), "predict_proba": made}


def outliers(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OutlierClassifier: 1 for outliers, with Platt's sigmoid of the detector's score."""
    table = labelled(table, ())
    side = graph.call(fitted.estimator_, table, "predict").cast("int64")
    score = graph.call(fitted.estimator_, table, "decision_function")
    sigmoid = fitted._predict_proba_sigmoid
    share = (-(score * float(sigmoid.a_) + float(sigmoid.b_))).sigmoid()
    return {
        "class_index": side.equals(-1).cast("int64"),
        "predict_proba": graph.concat([1.0 - share, share]),
    }


def unexplained(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RegressionOutlierDetector: a column that is far from what the others predict for it."""
    x = graph.matrix(table)
    # A column by name is among the others, too: scikit-lego looks for the name among positions.
    others = [position for position in range(table.width) if position != fitted.column]
    truth = x.take([int(fitted.idx_)])
    given = labelled(graph.select(table, others), ())
    off = truth - predicted(graph, fitted.estimator_, given)
    score = off / truth if fitted.method == "relative" else off
    scale = float(fitted.sd_) if fitted.method == "sd" else 1.0
    outside = (score < -fitted.lower * scale) | (score > fitted.upper * scale)
    side = outside.where(graph.constant([[-1]], "int64"), 1)
    return {"decision_function": score - fitted.offset_, "predict": side}


def subjective(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SubjectiveClassifier: probabilities by what was believed of the classes before."""
    shares = graph.call(fitted.estimator_, labelled(table, ()), "predict_proba")
    if fitted.evidence == "predict_proba":
        weights = np.array([[fitted.prior[known] for known in fitted.classes_]])
        made = _normalised(shares * weights)
    else:
        chosen = one_hot(shares.argmax(), shares.width).cast(shares.dtype)
        made = chosen @ fitted.posterior_matrix_.T
        if fitted.evidence == "both":
            made = _normalised(made * shares)
    return {"class_index": made.argmax(), "predict_proba": made}


def _normalised(x: Tensor) -> Tensor:
    """Divided by the sum of absolute values, where that is not zero."""
    norms = x.unary("Abs").sum()
    return x / norms.equals(0.0).where(1.0, norms)


def thresholded(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Thresholder: the second class where its probability is above the threshold."""
    shares = graph.call(fitted.estimator_, table, "predict_proba")
    above = shares.take([1]) > fitted.threshold
    return {"class_index": above.cast("int64"), "predict_proba": shares}


def zero_inflated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ZeroInflatedRegressor: the regressor's answer where the classifier says there is one."""
    table = labelled(table, ())
    some = graph.call(fitted.classifier_, table, "predict")
    if some.dtype == "string":
        raise Unsupported("its classifier's labels are text", "Give it one with 0 and 1.")
    nothing = some.cast(graph.precision).equals(0.0)
    return {"predict": nothing.where(0.0, predicted(graph, fitted.regressor_, table))}


CONVERTERS: Converters = {
    DebugPipeline: exact(pipeline),
    meta.ConfusionBalancer: balanced,
    meta.DecayEstimator: inner,
    meta.EstimatorTransformer: exact(answered),
    meta.OrdinalClassifier: ordinal,
    meta.OutlierClassifier: outliers,
    meta.RegressionOutlierDetector: unexplained,
    meta.SubjectiveClassifier: subjective,
    meta.Thresholder: exact(thresholded),
    meta.ZeroInflatedRegressor: exact(zero_inflated),
}
