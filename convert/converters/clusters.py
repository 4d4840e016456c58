"""Clusters: the nearest centre, or pooled columns. Source: `sklearn/cluster/`.

Places are compared as scikit-learn compares them, ||c||² - 2 x·c, which leaves ties of its own
far from the origin. Upstream: skl2onnx takes the square roots first, in float32; and it has
KMeans alone of these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import cluster

from onnxlet.convert.graph.distances import doubles, expanded, point_norms
from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Tensor, Unsupported
from onnxlet.function.arrays import Array


def _nearer(x: Tensor, centres: Array) -> Tensor:
    """The rank of each centre that KMeans compares: `_k_means_lloyd.pyx`."""
    return (x @ centres.T) * -2.0 + point_norms(centres)


def k_means(graph: Graph, fitted: Any, table: Table) -> Answers:
    """KMeans and MiniBatchKMeans; their `transform` are the distances."""
    x, centres = doubles(graph, table), _doubled(fitted.cluster_centers_)
    return {
        "predict": _nearer(x, centres).argmin(),
        "transform": expanded(x, centres).unary("Sqrt").cast(graph.precision),
    }


def bisecting(graph: Graph, fitted: Any, table: Table) -> Answers:
    """BisectingKMeans: down its tree, each time to the nearer of two centres."""
    x = doubles(graph, table)
    distances = expanded(x, _doubled(fitted.cluster_centers_)).unary("Sqrt")
    mean = getattr(fitted, "_X_mean", 0.0)

    def place(node: Any) -> Tensor:
        if node.left is None:
            return graph.constant([[int(node.label)]], "int64")
        centres = _doubled(np.vstack([node.left.center, node.right.center]) + mean)
        left, right = (_nearer(x, centres).take([side]) for side in (0, 1))
        return (left <= right).where(place(node.left), place(node.right))

    root = fitted._bisecting_tree
    return {
        "predict": distances.argmin() if root.left is None else place(root),
        "transform": distances.cast(graph.precision),
    }


def nearest_centre(graph: Graph, fitted: Any, table: Table) -> Answers:
    """MeanShift and AffinityPropagation."""
    if not hasattr(fitted, "cluster_centers_"):
        raise Unsupported("it predicts nothing from precomputed affinities")
    centres = _doubled(fitted.cluster_centers_)
    if not len(centres):
        raise Unsupported("it found no cluster", "Fit it with other settings.")
    return {"predict": expanded(doubles(graph, table), centres).argmin()}


def birch(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The cluster of the nearest subcluster; `transform` are the distances to these."""
    ranks = expanded(doubles(graph, table), _doubled(fitted.subcluster_centers_))
    return {
        "predict": ranks.argmin().look_up(fitted.subcluster_labels_),
        "transform": ranks.unary("Sqrt").cast(graph.precision),
    }


def agglomeration(graph: Graph, fitted: Any, table: Table) -> Answers:
    """FeatureAgglomeration: the columns of each cluster pooled."""
    x, labels = doubles(graph, table), np.asarray(fitted.labels_)
    groups = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    pooled = [_pooled(x.take(group), fitted.pooling_func) for group in groups]
    return {"transform": graph.concat(pooled).cast(graph.precision)}


def _pooled(x: Tensor, function: Any) -> Tensor:
    if function is np.mean:
        return x.sum() / float(x.width)
    if function is np.median:
        return _median(x)
    pools = {np.sum: x.sum, np.max: x.max, np.amax: x.max, np.min: x.min, np.amin: x.min}
    if function not in pools:
        raise Unsupported(
            f"its pooling_func {getattr(function, '__name__', function)!s:.40} has no conversion",
            "Use np.mean, np.median, np.sum, np.max or np.min.",
        )
    return pools[function]()


def _median(x: Tensor) -> Tensor:
    """The middle column of each row in order, or the mean of the two."""
    width = x.width
    ordered, _ = x.graph.ops(
        "TopK",
        [x, x.graph.constant([width], "int64")],
        [(x.dtype, width), ("int64", width)],
        axis=1,
        largest=0,
    )
    low, high = ordered.take([(width - 1) // 2]), ordered.take([width // 2])
    return (low + high) / 2.0


def _doubled(array: Any) -> Array:
    return np.asarray(array, dtype=np.float64)


CONVERTERS: dict[type, Converter] = {
    cluster.AffinityPropagation: nearest_centre,
    cluster.Birch: birch,
    cluster.BisectingKMeans: bisecting,
    cluster.FeatureAgglomeration: agglomeration,
    cluster.KMeans: k_means,
    cluster.MeanShift: nearest_centre,
    cluster.MiniBatchKMeans: k_means,
}
