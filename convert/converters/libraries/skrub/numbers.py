"""SquashingScaler: robust scaling, then a soft bound.

Source: `skrub/_squashing_scaler.py`. It computes in the dtype of its columns: squares of numbers
beyond 1e19 overflow in float32, and the answer there is 0 where float64 gives the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skrub import SquashingScaler

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor
from onnxlet.function.arrays import Array


def squashed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Centred and scaled columns, x / sqrt(1 + (x / bound)²), infinities at the bound."""
    bound = float(fitted.max_absolute_value)
    shift, scale, product, dtype = _scales(fitted)
    x = graph.matrix(table, dtype)
    scaled = _scaled(x, shift, scale, product)
    if fitted.zero_cols_.any():  # constant in training: 0 wherever there is a number
        zero = graph.constant(fitted.zero_cols_.reshape(1, -1), "bool")
        finite = ~(x.isnan() | graph.op("IsInf", x, dtype="bool"))
        scaled = (zero & finite).where(0.0, scaled)
    ratio = scaled / bound
    soft = scaled / (ratio * ratio + 1.0).unary("Sqrt")
    soft = x.equals(np.inf).where(bound, soft)
    return {"transform": x.equals(-np.inf).where(-bound, soft).cast(graph.precision)}


def _scales(fitted: Any) -> tuple[Array, Array, Array, str]:
    """For each column what is subtracted, what divides, what multiplies; and the fit's dtype."""
    width = len(fitted.zero_cols_)
    shift, scale, product = np.zeros(width), np.ones(width), np.ones(width)
    dtype = "float64"
    if fitted.robust_scaler_ is not None:
        shift[fitted.robust_cols_] = fitted.robust_scaler_.center_
        scale[fitted.robust_cols_] = fitted.robust_scaler_.scale_
        dtype = fitted.robust_scaler_.center_.dtype.name
    if fitted.minmax_scaler_ is not None:
        shift[fitted.minmax_cols_] = fitted.minmax_scaler_.median_
        product[fitted.minmax_cols_] = fitted.minmax_scaler_.scale_
        dtype = fitted.minmax_scaler_.median_.dtype.name
    return shift, scale, product, dtype


def _scaled(x: Tensor, shift: Array, scale: Array, product: Array) -> Tensor:
    x = (x - shift.reshape(1, -1)) / scale.reshape(1, -1)
    return x if (product == 1).all() else x * product.reshape(1, -1)


CONVERTERS: dict[type, Converter] = {SquashingScaler: squashed}
