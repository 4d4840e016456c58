"""Embeddings of new rows by their neighbours, and labels that spread to them.

Source: `sklearn/manifold/_isomap.py`, `_locally_linear.py` (barycenter_weights),
`sklearn/semi_supervised/_label_propagation.py`. Upstream: skl2onnx has no converter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import manifold, semi_supervised

from onnxlet.convert.converters.kernels.features import projected
from onnxlet.convert.converters.neighbours.nearest import (
    closest,
    gathered,
    neighbours,
    over_neighbours,
)
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.kernels import pairwise
from onnxlet.convert.graph.loops import by_row
from onnxlet.function.arrays import Array


def isomap(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Isomap: the shortest paths through neighbours to all points, as a kernel."""
    if fitted.n_neighbors is None:
        raise Unsupported("its neighbours are those within a radius", "Use n_neighbors.")
    count = int(fitted.n_neighbors)
    between: Array = np.asarray(fitted.dist_matrix_, dtype=np.float64)

    def make(x: Tensor) -> list[Tensor]:
        distances, indices = closest(fitted.nbrs_, x, count)
        ways = gathered(graph, between, indices, len(between)) + distances.reshape([1, -1, 1], 1)
        axis = graph.constant([1], "int64")
        return [graph.op("ReduceMin", ways, axis, width=len(between), keepdims=0)]

    [ways] = by_row(make, graph.matrix(table, "float64"))
    made = projected(ways * ways * -0.5, fitted.kernel_pca_)
    return {"transform": made.cast(graph.precision)}


def locally_linear(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LocallyLinearEmbedding: the neighbours' embeddings, by the weights that make up the row."""
    count = int(fitted.n_neighbors)
    points: Array = np.asarray(fitted.nbrs_._fit_X, dtype=np.float64)
    embedding: Array = np.asarray(fitted.embedding_, dtype=np.float64)

    def make(x: Tensor) -> list[Tensor]:
        _, indices = closest(fitted.nbrs_, x, count)
        flat = indices.reshape([-1], count)
        steps = gathered(graph, points, flat, points.shape[1]) - x
        gram = graph.op("MatMul", steps, graph.op("Transpose", steps, width=count), width=count)
        trace = steps.sum_of_squares().reshape([1, -1], count).sum()
        ridge = (trace > 0.0).where(trace * fitted.reg, fitted.reg)
        weights = _solved(gram + ridge * np.eye(count))
        placed = gathered(graph, embedding, flat, embedding.shape[1])
        return [weights.reshape([1, -1], count) @ placed]

    [made] = by_row(make, graph.matrix(table, "float64"))
    return {"transform": made.cast(graph.precision)}


def _solved(gram: Tensor) -> Tensor:
    """The solution of `gram @ w = 1`, scaled to a sum of 1, by Gauss-Jordan elimination.

    Without pivots: gram is positive definite.
    """
    graph, count = gram.graph, gram.width
    work = graph.concat([gram, graph.constant(np.ones((count, 1)), "float64")])
    for index in range(count):
        row = graph.op("Gather", work, graph.constant([index], "int64"), axis=0)
        row = row / row.take([index])
        work = work - (work.take([index]) - np.eye(count)[:, [index]]) * row
    solution = work.take([count]).reshape([1, -1], count)
    return solution / solution.sum()


def propagated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LabelPropagation and LabelSpreading: the labels of near points, by their weights."""
    labels: Array = np.asarray(fitted.label_distributions_, dtype=np.float64)
    if fitted.kernel == "knn":
        _, indices = neighbours(graph, fitted.nn_fit, table, fitted.n_neighbors)
        total = over_neighbours(gathered(graph, labels, indices, labels.shape[1]))
    elif fitted.kernel == "rbf":
        options = {"gamma": fitted.gamma}
        total = pairwise(graph.matrix(table, "float64"), fitted.X_, "rbf", options) @ labels
    else:
        raise Unsupported("its kernel is a Python function", "Use rbf or knn.")
    shares = total / total.sum()
    return {"class_index": shares.argmax(), "predict_proba": shares.cast(graph.precision)}


CONVERTERS: Converters = {
    manifold.Isomap: isomap,
    manifold.LocallyLinearEmbedding: locally_linear,
    semi_supervised.LabelPropagation: propagated,
    semi_supervised.LabelSpreading: propagated,
}
