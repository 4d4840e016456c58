"""The nearest centre, of clusters or of classes; pooled columns.

Source: `sklearn/cluster/`, `sklearn/neighbors/_nearest_centroid.py`.

Centres are compared as scikit-learn compares them, by ||c||² - 2 x·c, which makes some different
distances equal far from the origin. Upstream: skl2onnx takes the square roots first, in float32; of
these it has only KMeans.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import cluster, neighbors

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import dense, expanded, manhattan, point_norms
from onnxlet.function.arrays import Array


def _nearer(x: Tensor, centres: Array) -> Tensor:
    """The values that KMeans compares: `_k_means_lloyd.pyx`."""
    return (x @ centres.T) * -2.0 + point_norms(centres)


def k_means(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """KMeans and MiniBatchKMeans; `transform` returns the distances."""
    x, centres = graph.matrix(table, "float64"), dense(fitted.cluster_centers_)
    return {
        "predict": _nearer(x, centres).argmin(),
        "transform": expanded(x, centres).unary("Sqrt").cast(graph.precision),
    }


def bisecting(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """BisectingKMeans: down its tree, each time to the nearer of two centres."""
    x = graph.matrix(table, "float64")
    distances = expanded(x, dense(fitted.cluster_centers_)).unary("Sqrt")
    mean = getattr(fitted, "_X_mean", 0.0)

    def index(node: Any) -> Tensor:
        if node.left is None:
            return graph.constant([[int(node.label)]], "int64")
        centres = dense(np.vstack([node.left.center, node.right.center]) + mean)
        left, right = (_nearer(x, centres).take([side]) for side in (0, 1))
        return (left <= right).where(index(node.left), index(node.right))

    root = fitted._bisecting_tree
    return {
        "predict": distances.argmin() if root.left is None else index(root),
        "transform": distances.cast(graph.precision),
    }


def nearest_centre(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MeanShift and AffinityPropagation."""
    if not hasattr(fitted, "cluster_centers_"):
        raise Unsupported("it predicts nothing from precomputed affinities")
    centres = dense(fitted.cluster_centers_)
    if not len(centres):
        raise Unsupported("it found no cluster", "Fit it with other settings.")
    return {"predict": expanded(graph.matrix(table, "float64"), centres).argmin()}


def birch(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Birch: the cluster of the nearest subcluster; `transform` returns the distances to these."""
    ranks = expanded(graph.matrix(table, "float64"), dense(fitted.subcluster_centers_))
    return {
        "predict": ranks.argmin().look_up(fitted.subcluster_labels_),
        "transform": ranks.unary("Sqrt").cast(graph.precision),
    }


def agglomeration(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """FeatureAgglomeration: the columns of each cluster pooled."""
    x, labels = graph.matrix(table, "float64"), np.asarray(fitted.labels_)
    groups = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    pooled = [_pooled(x.take(group), fitted.pooling_func) for group in groups]
    return {"transform": graph.concat(pooled).cast(graph.precision)}


def _pooled(x: Tensor, function: Any) -> Tensor:
    if function is np.mean:
        return x.sum() / float(x.width)
    if function is np.median:  # the middle column of each row in order, or the mean of the two
        ordered, _ = x.smallest(x.width)
        low, high = ordered.take([(x.width - 1) // 2]), ordered.take([x.width // 2])
        return (low + high) / 2.0
    pools = {np.sum: x.sum, np.max: x.max, np.amax: x.max, np.min: x.min, np.amin: x.min}
    if function not in pools:
        raise Unsupported(
            f"its pooling_func {getattr(function, '__name__', function)!s:.40} has no conversion",
            "Use np.mean, np.median, np.sum, np.max or np.min.",
        )
    return pools[function]()


def nearest_centroid(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """NearestCentroid: the closest for equal priors, else the highest discriminant score."""
    x, centroids = graph.matrix(table, "float64"), np.asarray(fitted.centroids_, dtype=np.float64)
    priors = np.asarray(fitted.class_prior_)
    rank = expanded if fitted.metric == "euclidean" else manhattan
    scale = np.where(fitted.within_class_std_dev_ == 0, 1.0, fitted.within_class_std_dev_)
    score = rank(x / scale, centroids / scale)
    if fitted.metric != "euclidean":
        score = score * score
    score = -score + 2.0 * np.log(priors)
    even = np.isclose(priors, 1 / len(priors)).all()
    decision = score.take([1]) - score.take([0]) if len(priors) == 2 else score
    return {
        "class_index": rank(x, centroids).argmin() if even else score.argmax(),
        "decision_function": decision.cast(graph.precision),
        "predict_proba": score.softmax().cast(graph.precision),
    }


CONVERTERS: Converters = {
    cluster.AffinityPropagation: nearest_centre,
    cluster.Birch: birch,
    cluster.BisectingKMeans: bisecting,
    cluster.FeatureAgglomeration: agglomeration,
    cluster.KMeans: k_means,
    cluster.MeanShift: nearest_centre,
    cluster.MiniBatchKMeans: k_means,
    neighbors.NearestCentroid: nearest_centroid,
}
