"""Outliers of an ellipse: `sklearn/covariance/_elliptic_envelope.py`.

Upstream: skl2onnx has no converter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import covariance

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table


def elliptic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """EllipticEnvelope: the squared Mahalanobis distance against its limit."""
    step = graph.matrix(table, "float64") - np.asarray(fitted.location_)
    squares = ((step @ fitted.get_precision()) * step).sum()
    score = -squares - float(fitted.offset_)
    side = (score >= 0.0).where(graph.constant([[1]], "int64"), -1)
    return {"decision_function": score.cast(graph.precision), "predict": side}


CONVERTERS: dict[type, Converter] = {covariance.EllipticEnvelope: elliptic}
