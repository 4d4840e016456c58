"""scikit-lego's transformers of columns: selectors, caps, look-ups, projections, bases.

Sources: `sklego/preprocessing/`, `sklego/feature_selection/mrmr.py`. OutlierRemover and RandomAdder
change only the rows that they were fitted on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklego import feature_selection, preprocessing
from sklego.preprocessing.repeatingbasis import _RepeatingBasisFunction

from onnxlet.convert.converters.preprocessing.selection import selector
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import Meaning, as_categories, is_missing, look_up
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Unsupported, labelled
from onnxlet.convert.graph.tree_ensemble import Pieces, evaluated
from onnxlet.function.arrays import Array


def named(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ColumnSelector, ColumnDropper and TypeSelector: columns by name, in a DataFrame."""
    names = getattr(fitted, "feature_names_", None) or fitted.columns_
    return {"transform": replace(table[list(names)], frame=True)}


def same(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The rows as they are."""
    return {"transform": replace(table, frame=bool(table.labels))}


def checked(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """IdentityTransformer: an array, if it checks its columns."""
    return {"transform": labelled(table, ())} if fitted.check_X else same(graph, fitted, table)


def capped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ColumnCapper: between two quantiles; missing values stay missing."""
    low, high = (np.reshape(bound, (1, -1)) for bound in fitted.quantiles_)
    x = graph.matrix(table)
    if fitted.discard_infs:
        x = x.unary("Abs").equals(np.inf).where(np.nan, x)
    x = (x > high).where(graph.constant(high, x.dtype), x)
    return {"transform": (x < low).where(graph.constant(low, x.dtype), x)}


def mapped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DictMapper: whole numbers, by the dictionary's keys."""
    keys = list(fitted.mapper)
    if any(is_missing(key) for key in keys):
        raise Unsupported("its dictionary has a missing key", "Leave it out: it is never found.")
    values = np.array([int(value) for value in fitted.mapper.values()]).reshape(-1, 1)
    meaning = Meaning(as_categories(keys), values, np.array([int(fitted.default)]))
    return {"transform": look_up(graph, table, [meaning] * table.width, graph.precision)}


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


def embedded(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LinearEmbedder: each column times its coefficient."""
    return {"transform": graph.matrix(table) * fitted.coef_}


def rising(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MonotonicSplineTransformer: sums of a column's splines, from the last to the first."""
    made = []
    for column, spline in fitted.spline_transformer_.items():
        bases = graph.call(spline, labelled(graph.select(table, [column]), ()), "transform")
        turned = bases.take(range(bases.width - 1, -1, -1))
        made.append(graph.op("CumSum", turned, graph.constant(np.array(1), "int64")))
    return {"transform": Table(tuple(made))}


def orthogonal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OrthogonalTransformer: the columns times the inverse of R."""
    made = graph.matrix(table) @ fitted.inv_R_
    return {"transform": made / np.reshape(fitted.normalization_vector_, (1, -1))}


def filtered(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """InformationFilter: the other columns, without what they share with the sensitive ones."""
    x = graph.matrix(table)
    kept = np.delete(np.arange(table.width), fitted.col_ids_).tolist()
    fair = x @ fitted.projection_[:, kept]
    return {"transform": fair * fitted.alpha + x.take(kept) * (1 - fitted.alpha)}


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
    feature_selection.MaximumRelevanceMinimumRedundancy: selector,
    preprocessing.ColumnCapper: exact(capped),
    preprocessing.ColumnDropper: exact(named),
    preprocessing.ColumnSelector: exact(named),
    preprocessing.DictMapper: exact(mapped),
    preprocessing.IdentityTransformer: exact(checked),
    preprocessing.InformationFilter: filtered,
    preprocessing.IntervalEncoder: interpolated,
    preprocessing.LinearEmbedder: embedded,
    preprocessing.MonotonicSplineTransformer: rising,
    preprocessing.OrthogonalTransformer: orthogonal,
    preprocessing.OutlierRemover: same,
    preprocessing.PandasTypeSelector: exact(named),
    preprocessing.RandomAdder: exact(same),
    preprocessing.RepeatingBasisFunction: repeating,
    preprocessing.TypeSelector: exact(named),
    _RepeatingBasisFunction: bases,
}
