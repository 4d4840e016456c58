"""Discriminant analysis, linear and quadratic. Source: `sklearn/discriminant_analysis.py`.

Upstream: skl2onnx takes the softmax of plus and minus the decision where there are two classes,
which squares the odds: probabilities are off by up to 0.15 (sklearn-onnx #1116).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import discriminant_analysis

from onnxlet.convert.converters.linear.models import of_two
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor


def linear(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LinearDiscriminantAnalysis; it has a `transform` too, unless solved by least squares."""
    x = graph.matrix(table, "float64")
    weights, shift = np.asarray(fitted.coef_).T, np.asarray(fitted.intercept_)
    if len(fitted.classes_) == 2:
        outputs = of_two(x @ -weights - shift)
    else:
        score = x @ weights + shift
        outputs = {
            "class_index": score.argmax(),
            "predict_proba": score.softmax(),
            "decision_function": score,
        }
    if fitted.solver != "lsqr":
        outputs["transform"] = _projected(fitted, x)
    return _in_precision(graph, outputs)


def _projected(fitted: Any, x: Tensor) -> Tensor:
    if fitted.solver == "svd":
        x = x - np.asarray(fitted.xbar_)
    return x @ np.asarray(fitted.scalings_)[:, : fitted._max_components]


def quadratic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """QuadraticDiscriminantAnalysis: the log posterior of a Gaussian for each class."""
    x = graph.matrix(table, "float64")
    distances, volumes = [], []
    for mean, rotation, scaling in zip(
        fitted.means_, fitted.rotations_, fitted.scalings_, strict=True
    ):
        distances.append(((x - mean) @ (rotation * scaling**-0.5)).sum_of_squares())
        volumes.append(np.log(scaling).sum())
    score = (graph.concat(distances) + np.array(volumes)) * -0.5 + np.log(fitted.priors_)
    decision = score.take([1]) - score.take([0]) if score.width == 2 else score
    return _in_precision(
        graph,
        {
            "class_index": score.argmax(),
            "predict_proba": score.softmax(),
            "decision_function": decision,
        },
    )


def _in_precision(graph: Graph, outputs: dict[str, Tensor]) -> Outputs:
    return {
        name: answer if answer.dtype == "int64" else answer.cast(graph.precision)
        for name, answer in outputs.items()
    }


CONVERTERS: dict[type, Converter] = {
    discriminant_analysis.LinearDiscriminantAnalysis: linear,
    discriminant_analysis.QuadraticDiscriminantAnalysis: quadratic,
}
