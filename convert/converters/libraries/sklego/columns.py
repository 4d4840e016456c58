"""scikit-lego's transformers of columns: selectors by type, caps, bases.

Sources: `sklego/preprocessing/`. OutlierRemover and RandomAdder change only the rows that they were
fitted on. The `transform` of those without a converter is followed, as one of the user's own is
(`onnxlet.convert.converters.tracing`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklego import preprocessing
from sklego.preprocessing.repeatingbasis import _RepeatingBasisFunction

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, labelled
from onnxlet.convert.graph.tree_ensemble import Pieces, evaluated
from onnxlet.function.arrays import Array


def named(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TypeSelector: columns by name, in a DataFrame."""
    names = getattr(fitted, "feature_names_", None) or fitted.columns_
    return {"transform": replace(table[list(names)], frame=True)}


def same(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The rows as they are."""
    return {"transform": replace(table, frame=bool(table.labels))}


def capped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ColumnCapper: between two quantiles; missing values stay missing."""
    low, high = (np.reshape(bound, (1, -1)) for bound in fitted.quantiles_)
    x = graph.matrix(table)
    if fitted.discard_infs:
        x = x.unary("Abs").equals(np.inf).where(np.nan, x)
    x = (x > high).where(graph.constant(high, x.dtype), x)
    return {"transform": (x < low).where(graph.constant(low, x.dtype), x)}


def interpolated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """IntervalEncoder: `np.interp` between quantiles, constant beyond them."""
    pieces = [_lines(*one) for one in zip(fitted.quantiles_, fitted.heights_, strict=True)]
    return {"transform": evaluated(graph, graph.matrix(table), pieces)}


def _lines(knots: Array, heights: Array) -> Pieces:
    """A line from each knot to the next, of equal knots from the last."""
    last = np.flatnonzero(np.append(np.diff(knots) > 0, True))
    steps = np.append(np.diff(knots)[last[:-1]], 1.0)
    slopes = np.append(np.diff(heights)[last[:-1]], 0.0) / steps
    origins = np.concatenate([knots[:1], knots[last]])
    starts = np.concatenate([heights[:1], heights[last]])
    coefficients = np.stack([starts, np.append(0.0, slopes)])[:, :, np.newaxis]
    return Pieces(knots[last], origins, coefficients)


def repeating(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RepeatingBasisFunction: a ColumnTransformer inside."""
    return {"transform": labelled(graph.transform(fitted.pipeline_, table), ())}


def bases(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """How near a column is to each point of a circle."""
    low, high = fitted.input_range
    x = (graph.matrix(table) - low) / (high - low)
    distance = (x - fitted.bases_.reshape(1, -1)).unary("Abs")
    nearest = distance.minimum(1.0 - distance) / fitted.width_
    return {"transform": (-(nearest * nearest)).unary("Exp")}


CONVERTERS: Converters = {
    preprocessing.ColumnCapper: exact(capped),
    preprocessing.IntervalEncoder: interpolated,
    preprocessing.OutlierRemover: same,
    preprocessing.PandasTypeSelector: exact(named),
    preprocessing.RandomAdder: exact(same),
    preprocessing.RepeatingBasisFunction: repeating,
    preprocessing.TypeSelector: exact(named),
    _RepeatingBasisFunction: bases,
}
