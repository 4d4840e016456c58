"""Distances from a centre by a covariance: `sklearn/covariance/_empirical_covariance.py`.

Outliers of an ellipse: `_elliptic_envelope.py`.

Upstream: skl2onnx has no converter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import covariance

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor


def elliptic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """EllipticEnvelope: the squared Mahalanobis distance against its limit."""
    squares = _squares(graph, fitted, table)
    score = -squares - float(fitted.offset_)
    side = (score >= 0.0).where(graph.constant([[1]], "int64"), -1)
    return {"decision_function": score.cast(graph.precision), "predict": side}


def distance(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The squared Mahalanobis distance of each row."""
    return {"mahalanobis": _squares(graph, fitted, table).cast(graph.precision)}


def _squares(graph: Graph, fitted: Any, table: Table) -> Tensor:
    step = graph.matrix(table, "float64") - np.asarray(fitted.location_)
    squares: Tensor = ((step @ fitted.get_precision()) * step).sum()
    return squares


ESTIMATORS = (
    covariance.EmpiricalCovariance, covariance.GraphicalLasso, covariance.GraphicalLassoCV,
    covariance.LedoitWolf, covariance.MinCovDet, covariance.OAS, covariance.ShrunkCovariance,
)  # fmt: skip
CONVERTERS: dict[type, Converter] = {
    **dict.fromkeys(ESTIMATORS, distance),
    covariance.EllipticEnvelope: elliptic,
}
