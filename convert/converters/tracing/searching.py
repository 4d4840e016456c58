"""Where values lie among sorted constants: np.digitize, np.searchsorted, np.interp."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic
from onnxlet.convert.converters.tracing.columns_base import elementwise
from onnxlet.convert.converters.tracing.joining import array_of
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.traced import Traced, follows
from onnxlet.convert.graph.graph import Tensor
from onnxlet.convert.graph.piecewise import intervals


@follows("digitize")
def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """The number of each value's bin; NaN lies behind the last."""
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or np.any(np.diff(edges) < 0):
        refuse("np.digitize with bins that do not ascend is not followed")
    return array_of(elementwise(lambda t: searched(t, edges, "left" if right else "right"), x))


@follows("searchsorted")
def _searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    if isinstance(a, Traced) or sorter is not None:
        refuse("it searches among the rows")
    return digitize(v, a, right=side == "left")


def searched(x: Tensor, edges: Any, side: str) -> Tensor:
    """`np.searchsorted(edges, x, side)`."""
    (number,) = arithmetic.floats(x)
    wide = number.cast("float64")
    # With `left`, what lies on an edge is below it: the edge is moved past.
    moved = np.nextafter(edges[edges < np.inf], np.inf) if side == "left" else edges
    known = np.unique(moved)
    counts = [int(np.searchsorted(moved, edge, side="right")) for edge in known]
    found = intervals(arithmetic.graph_of(x), wide, [known] * x.width).cast("int64")
    table = x.graph.constant([0, *counts], "int64")
    made = x.graph.op("Gather", table, found, width=x.width, axis=0)
    return wide.isnan().where(len(edges), made)


@follows("interp")
def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    if period is not None or any(isinstance(one, Traced) for one in (xp, fp)):
        refuse("np.interp with a period, or points that are columns, is not followed")
    places, values = np.asarray(xp, dtype=np.float64), np.asarray(fp, dtype=np.float64)
    ends = (values[0] if left is None else left, values[-1] if right is None else right)
    return elementwise(lambda t: _interpolated(t, places, values, ends), array_of(x))


def _interpolated(x: Tensor, places: Any, values: Any, ends: tuple[float, float]) -> Tensor:
    (number,) = arithmetic.floats(x)
    if len(places) == 1:
        refuse("np.interp with one point is not followed")
    slopes = np.diff(values) / np.diff(places)
    piece = (searched(x, places, "right") - 1).maximum(0).minimum(len(places) - 2)

    def taken(entries: Any) -> Tensor:
        constant = x.graph.constant(entries, number.dtype)
        return x.graph.op("Gather", constant, piece, dtype=number.dtype, width=x.width, axis=0)

    made = taken(slopes) * (number - taken(places[:-1])) + taken(values[:-1])
    made = number.equals(float(places[-1])).where(float(values[-1]), made)
    outside = (number > float(places[-1])).where(float(ends[1]), made)
    return (number < float(places[0])).where(float(ends[0]), outside)
