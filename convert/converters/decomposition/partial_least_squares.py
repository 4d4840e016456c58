"""Partial least squares and canonical correlation: `sklearn/cross_decomposition/_pls.py`.

Upstream: skl2onnx converts only PLSRegression's predictions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import cross_decomposition

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table


def partial_least_squares(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PLSRegression, PLSCanonical and CCA: predictions, and the scores of x."""
    x = graph.matrix(table, "float64") - np.asarray(fitted._x_mean)
    predicted = x @ np.asarray(fitted.coef_).T + np.asarray(fitted.intercept_)
    scores = (x / np.asarray(fitted._x_std)) @ fitted.x_rotations_
    return {
        "predict": predicted.cast(graph.precision),
        "transform": scores.cast(graph.precision),
    }


def singular_values(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PLSSVD: the scores of x."""
    x = (graph.matrix(table, "float64") - np.asarray(fitted._x_mean)) / np.asarray(fitted._x_std)
    return {"transform": (x @ fitted.x_weights_).cast(graph.precision)}


CONVERTERS: dict[type, Converter] = {
    cross_decomposition.CCA: partial_least_squares,
    cross_decomposition.PLSCanonical: partial_least_squares,
    cross_decomposition.PLSRegression: partial_least_squares,
    cross_decomposition.PLSSVD: singular_values,
}
