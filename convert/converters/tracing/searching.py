"""Search among sorted constants: np.digitize, np.searchsorted, np.interp."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic
from onnxlet.convert.converters.tracing.array_shapes import array_of
from onnxlet.convert.converters.tracing.columns_base import elementwise
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.traced import Traced, implements
from onnxlet.convert.graph.converter import Tensor
from onnxlet.convert.graph.piecewise import intervals


@implements("digitize")
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """`np.digitize`: the number of each value's bin; NaN comes after the last."""
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or np.any(np.diff(edges) < 0):
        refuse("np.digitize with bins that do not ascend has no conversion")
    return array_of(elementwise(lambda t: searched(t, edges, "left" if right else "right"), x))


@implements("searchsorted")
def _searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    if isinstance(a, Traced) or sorter is not None:
        refuse("it searches among the rows")
    return digitize(v, a, right=side == "left")


def searched(x: Tensor, edges: Any, side: str) -> Tensor:
    """`np.searchsorted(edges, x, side)`."""
    (number,) = arithmetic.floats(x)
    wide = number.cast("float64")
    # `intervals` counts edges <= x; to count edges < x (left), each edge moves up by one float.
    moved = np.nextafter(edges[edges < np.inf], np.inf) if side == "left" else edges
    known = np.unique(moved)
    counts = [int(np.searchsorted(moved, edge, side="right")) for edge in known]
    found = intervals(arithmetic.graph_of(x), wide, [known] * x.width).cast("int64")
    table = x.graph.constant([0, *counts], "int64")
    made = x.graph.op("Gather", table, found, width=x.width, axis=0)
    return wide.isnan().where(len(edges), made)


@implements("interp")
def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    if period is not None or any(isinstance(one, Traced) for one in (xp, fp)):
        refuse("np.interp with a period, or points that are columns, has no conversion")
    positions, values = np.asarray(xp, dtype=np.float64), np.asarray(fp, dtype=np.float64)
    ends = (values[0] if left is None else left, values[-1] if right is None else right)
    return elementwise(lambda t: _interpolated(t, positions, values, ends), array_of(x))


def _interpolated(x: Tensor, positions: Any, values: Any, ends: tuple[float, float]) -> Tensor:
    (number,) = arithmetic.floats(x)
    if len(positions) == 1:
        refuse("np.interp with one point has no conversion")
    slopes = np.diff(values) / np.diff(positions)
    piece = (searched(x, positions, "right") - 1).maximum(0).minimum(len(positions) - 2)

    def taken(entries: Any) -> Tensor:
        constant = x.graph.constant(entries, number.dtype)
        return x.graph.op("Gather", constant, piece, dtype=number.dtype, width=x.width, axis=0)

    made = taken(slopes) * (number - taken(positions[:-1])) + taken(values[:-1])
    made = number.equals(float(positions[-1])).where(float(values[-1]), made)
    outside = (number > float(positions[-1])).where(float(ends[1]), made)
    return (number < float(positions[0])).where(float(ends[0]), outside)
