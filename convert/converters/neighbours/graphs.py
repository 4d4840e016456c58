"""Neighbours themselves, by number and as the columns of a graph.

Source: `sklearn/neighbors/_base.py` (kneighbors, kneighbors_graph, radius_neighbors_graph),
`_graph.py`. A graph has a column for each row of the fit. Upstream: skl2onnx has NearestNeighbors
in float32 only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import neighbors

from onnxlet.convert.converters.neighbours.nearest import neighbours, not_beyond, ranking_of
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.distances import dense
from onnxlet.convert.graph.loops import by_row
from onnxlet.function.serving.options import MOST_NEAREST


def nearest(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """NearestNeighbors: the closest rows of the fit in their order, and the distances.

    Rows of the fit that are as far as each other come in the order of the fit, where
    scikit-learn's sorting leaves their order, and which of them are among the nearest, to chance.
    Equal ones are compared once, so that rounding can't tell them apart.
    """
    points = dense(fitted._fit_X)
    default = min(fitted.n_neighbors, len(points))
    size = graph.counted(default, min(len(points), max(MOST_NEAREST, default)))
    different, own = np.unique(points, axis=0, return_inverse=True)
    compared = different if len(different) < len(points) else points
    ranking = ranking_of(fitted, graph.matrix(table, "float64"), compared)
    rank = ranking.rank if compared is points else ranking.rank.take(own.ravel().tolist())
    ordered, indices = rank.smallest(default, size)
    ordered = not_beyond(fitted, ordered)
    return {"kneighbors": indices, "distances": ranking.distance(ordered).cast(graph.precision)}


def nearest_columns(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """KNeighborsTransformer: 1, or the distance, at the closest rows of the fit."""
    weighed = fitted.mode == "distance"
    count = fitted.n_neighbors + weighed  # the row itself is one, where it was fitted on
    distances, indices = neighbours(graph, fitted, table, count)
    values = distances if weighed else distances * 0.0 + 1.0
    made = graph.spread_each(indices, values, len(dense(fitted._fit_X)))
    return {"transform": made.cast(graph.precision)}


def columns_within(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RadiusNeighborsTransformer: 1, or the distance, at the rows of the fit within the radius."""

    def make(x: Tensor) -> list[Tensor]:
        ranking = ranking_of(fitted, x, dense(fitted._fit_X))
        near = ranking.rank <= ranking.of(float(fitted.radius))
        if fitted.mode == "distance":
            return [near.where(ranking.distance(ranking.rank), 0.0)]
        return [near.cast("float64")]

    [made] = by_row(make, graph.matrix(table, "float64"))
    return {"transform": made.cast(graph.precision)}


CONVERTERS: Converters = {
    neighbors.KNeighborsTransformer: nearest_columns,
    neighbors.NearestNeighbors: nearest,
    neighbors.RadiusNeighborsTransformer: columns_within,
}
