"""SquashingScaler: robust scaling, then a soft bound.

Source: `skrub/_squashing_scaler.py`. It computes in the dtype of its columns: squares of numbers
beyond 1e19 overflow in float32, and the answer there is 0 where float64 gives the bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from skrub import SquashingScaler

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor


def squashed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Centred and scaled columns, x / sqrt(1 + (x / bound)²), infinities at the bound."""
    bound = float(fitted.max_absolute_value)
    x = graph.matrix(table, _dtype(fitted))
    scaled = _scaled(graph, fitted, x)
    ratio = scaled / bound
    soft = scaled / (ratio * ratio + 1.0).unary("Sqrt")
    soft = x.equals(np.inf).where(bound, soft)
    return {"transform": x.equals(-np.inf).where(-bound, soft)}


def _dtype(fitted: Any) -> str:
    """That of the columns in fit; where all were constant, it makes no difference."""
    if fitted.robust_scaler_ is not None:
        return str(fitted.robust_scaler_.center_.dtype)
    return "float64" if fitted.minmax_scaler_ is None else str(fitted.minmax_scaler_.median_.dtype)


def _scaled(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """Each column minus its median, divided by a range between quantiles or times a factor.

    RobustScaler divides by float64, and rounds the quotients.
    """
    width = len(fitted.zero_cols_)
    shift, divisor, factor = np.zeros((1, width)), np.ones((1, width)), np.ones((1, width))
    if fitted.robust_scaler_ is not None:
        shift[:, fitted.robust_cols_] = fitted.robust_scaler_.center_
        divisor[:, fitted.robust_cols_] = fitted.robust_scaler_.scale_
    if fitted.minmax_scaler_ is not None:
        shift[:, fitted.minmax_cols_] = fitted.minmax_scaler_.median_
        factor[:, fitted.minmax_cols_] = fitted.minmax_scaler_.scale_
    made = x - shift
    if fitted.robust_scaler_ is not None:
        made = (made.cast("float64") / divisor).cast(x.dtype)
    if fitted.minmax_scaler_ is not None:
        made = made * factor
    if not fitted.zero_cols_.any():
        return made
    # Constant in training: 0 wherever there is a number.
    zero = graph.constant(fitted.zero_cols_.reshape(1, -1), "bool")
    return (zero & made.equals(made)).where(0.0, made)


CONVERTERS: dict[type, Converter] = {SquashingScaler: squashed}
