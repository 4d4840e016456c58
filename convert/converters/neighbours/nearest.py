"""Nearest neighbours, within a number or a radius: answers by them, outliers, and themselves.

Source: `sklearn/neighbors/_base.py` (_get_weights), `_classification.py`, `_regression.py`,
`_lof.py`. Upstream: skl2onnx exports `weights="distance"` as uniform without an error (sklearn-onnx
#611), and breaks ties in another way. Equally near points are chosen as scikit-learn chooses them
with one thread; with several threads, its brute force leaves the choice open.

Neighbours themselves, by number and as the columns of a graph: `sklearn/neighbors/_base.py`
(kneighbors, kneighbors_graph, radius_neighbors_graph), `_graph.py`. A graph has a column for each
row of the fit. Upstream: skl2onnx has NearestNeighbors in float32 only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn import neighbors

from onnxlet.convert.converters.neighbours.search_trees import kept, order, turns
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import Ranking, dense, ranked
from onnxlet.convert.graph.loops import by_row, changed, either
from onnxlet.convert.graph.responses import by_output
from onnxlet.convert.graph.tensor import TensorGraph
from onnxlet.function.arrays import Array
from onnxlet.function.serving.options import MOST_NEAREST

MANY_POINTS = 1000  # points; with more of them, rows are compared one by one
FARTHEST = float(np.finfo(np.float64).max)
NO_NEIGHBOUR = "it raises where a row has no neighbour within its radius"


def neighbours(graph: Graph, fitted: Any, table: Table, count: int) -> tuple[Tensor, Tensor]:
    """The closest points: their distances, and their indices in the fit, (rows, count) each."""
    x = graph.matrix(table, "float64")
    if len(dense(fitted._fit_X)) <= MANY_POINTS:
        distances, indices = closest(fitted, x, count)
    else:
        distances, indices = by_row(lambda row: closest(fitted, row, count), x)
    return distances, indices


def closest(fitted: Any, x: Tensor, count: int) -> list[Tensor]:
    """The same for a few rows; of points as far as the last, those in scikit-learn's heap."""
    graph, tree, points = x.graph, fitted._tree, dense(fitted._fit_X)
    metric, options = fitted.effective_metric_, fitted.effective_metric_params_
    standing = np.arange(len(points)) if tree is None else order(tree)
    ranking = ranking_of(fitted, x, points[standing])
    if count == len(points):
        indices = ranking.rank.smallest(count)[1]
    else:
        least, more = ranking.rank.smallest(count + 1)
        first = more.take(range(count))
        tied = least.take([count]).equals(least.take([count - 1]))

        def choose(x: Tensor, rank: Tensor) -> Tensor:
            turn = graph.constant([standing], "float64")
            if tree is not None:
                turn = turns(x, tree, metric, options, replace(ranking, rank=rank))
            return kept(rank, turn, count, standing.tolist().index(0))

        indices = _chosen_again(x, ranking.rank, first, tied, choose)
    if metric == "cosine":
        # For a row of zeros all points are equally far: NumPy's partition always takes the same.
        nowhere = fitted.kneighbors(np.zeros((1, x.width)), count, return_distance=False)
        same = (x.sum_of_squares() > 0.0).cast("int64")
        others: Tensor = (1 - same) * nowhere
        indices = same * indices + others
    distances = graph.op("GatherElements", ranking.rank, indices, width=count, axis=1)
    distances = not_beyond(fitted, distances)
    return [ranking.distance(distances), gathered(graph, standing, indices, count)]


def ranking_of(fitted: Any, x: Tensor, points: Array) -> Ranking:
    """Points by their distance from each row, as an estimator measures it."""
    metric, options = fitted.effective_metric_, fitted.effective_metric_params_
    return ranked(x, points, metric, options, brute=fitted._tree is None)


def not_beyond(fitted: Any, rank: Tensor) -> Tensor:
    """Ranks as brute force has them, whose heap begins with the largest number, not infinity.

    It does not begin so for whole numbers, which are not searched by `_argkmin.pyx.tp`.
    """
    if fitted._tree is not None or fitted._fit_X.dtype.kind != "f":
        return rank
    return (rank <= FARTHEST).where(rank, FARTHEST)


def _chosen_again(
    x: Tensor, rank: Tensor, first: Tensor, tied: Tensor, choose: Callable[[Tensor, Tensor], Tensor]
) -> Tensor:
    """The first indices; for tied rows, those that `choose` returns, row by row."""
    graph = x.graph
    if graph.rowwise:
        return either(tied, lambda: choose(x, rank), lambda: first, first)

    def one_by_one(x: Tensor, rank: Tensor) -> Tensor:
        both = graph.concat([x, rank])
        widths = range(x.width), range(x.width, both.width)
        return by_row(lambda row: [choose(*(row.take(width) for width in widths))], both)[0]

    return changed(first, tied, [x, rank], one_by_one)


def gathered(graph: TensorGraph, values: Array, indices: Tensor, width: int) -> Tensor:
    """`values` of the points at the indices: values has an entry, or a row, for each point."""
    known = graph.constant(values, "int64" if values.dtype.kind in "iu" else "float64")
    return graph.op("Gather", known, indices, dtype=known.dtype, width=width, axis=0)


def _weighting(fitted: Any) -> bool:
    """Whether neighbours are weighted by their distance."""
    if fitted.weights not in ("uniform", "distance", None):
        raise Unsupported("its weights are a Python function", "Use uniform or distance.")
    return bool(fitted.weights == "distance")


def _summed(graph: Graph, fitted: Any, table: Table, targets: Array) -> tuple[Tensor, Tensor]:
    """The weighted sums of the points' targets over a row's neighbours, and of the weights."""
    count, width = fitted.n_neighbors, targets.shape[1]
    distances, indices = neighbours(graph, fitted, table, count)
    found = gathered(graph, targets, indices, width)
    if not _weighting(fitted):
        return over_neighbours(found), graph.constant([[float(count)]], "float64")
    weights = inverse_weights(distances)
    each = weights.reshape([0, 0, 1], 1)
    return over_neighbours(found * each), weights.sum()


def inverse_weights(distances: Tensor) -> Tensor:
    """`weights="distance"`: 1 / distance; points at distance 0, where there are any, share all."""
    inverse = 1.0 / distances
    same = inverse.equals(np.inf).cast("float64")
    return (same.max() > 0.0).where(same, inverse)


def over_neighbours(x: Tensor) -> Tensor:
    """The sum over the middle dimension: (rows, neighbours, width) to (rows, width)."""
    return x.graph.op("ReduceSum", x, x.graph.constant([1], "int64"), keepdims=0)


def _columns(values: Array) -> Array:
    return values.reshape(-1, 1) if values.ndim == 1 else values


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """KNeighborsRegressor: the mean of the neighbours' targets."""
    targets = _columns(np.asarray(fitted._y)).astype(np.float64)
    total, weight = _summed(graph, fitted, table, targets)
    return {"predict": (total / weight).cast(graph.precision)}


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """KNeighborsClassifier: the neighbours vote."""
    targets, widths = _indicators(fitted)
    total, _ = _summed(graph, fitted, table, targets)
    return _chosen(graph, total, widths)


def _indicators(fitted: Any) -> tuple[Array, list[int]]:
    """A column for each class of each output, and how many classes these have."""
    codes = _columns(np.asarray(fitted._y))
    classes = fitted.classes_ if fitted.outputs_2d_ else [fitted.classes_]
    widths = [len(known) for known in classes]
    blocks = [np.eye(width)[codes[:, output]] for output, width in enumerate(widths)]
    return np.hstack(blocks), widths


def _chosen(graph: Graph, total: Tensor, widths: list[int]) -> Outputs:
    """The class with the most votes, and all shares, output by output."""
    votes = by_output(total, widths)
    shares = [each / each.sum() for each in votes]
    return {
        "class_index": graph.concat([each.argmax() for each in votes]),
        "predict_proba": graph.concat(shares).cast(graph.precision),
    }


def _within(graph: Graph, fitted: Any, table: Table, targets: Array) -> tuple[Tensor, Tensor]:
    """The weighted sums of the targets within the radius, and the sum of the weights."""
    columns = np.column_stack([targets.astype(np.float64), np.ones(len(targets))])
    weighting = _weighting(fitted)

    def make(x: Tensor) -> list[Tensor]:
        ranking = ranking_of(fitted, x, dense(fitted._fit_X))
        near = ranking.rank <= ranking.of(float(fitted.radius))
        if not weighting:
            return [near.cast("float64") @ columns]
        same = (near & ranking.rank.equals(0.0)).cast("float64")
        inverse = near.where(1.0 / ranking.distance(ranking.rank), 0.0)
        return [(same.max() > 0.0).where(same, inverse) @ columns]

    [total] = by_row(make, graph.matrix(table, "float64"))
    return total.take(range(targets.shape[1])), total.take([targets.shape[1]])


def radius_regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RadiusNeighborsRegressor: NaN (of the targets' dtype) where there is no neighbour."""
    targets = _columns(np.asarray(fitted._y))
    total, weight = _within(graph, fitted, table, targets)
    none = weight.equals(0.0)
    with np.errstate(invalid="ignore"):
        empty = np.full_like(targets[:1], np.nan).astype(np.float64)
    mean = none.where(empty, total / none.where(1.0, weight))
    return {"predict": mean.cast(graph.precision)}


def radius_classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RadiusNeighborsClassifier: rows without neighbours get the label of outliers."""
    if fitted.outlier_label_ is None:
        raise Unsupported(NO_NEIGHBOUR, "Give it an outlier_label.")
    targets, widths = _indicators(fitted)
    total, weight = _within(graph, fitted, table, targets)
    total = weight.equals(0.0).where(np.hstack(_outliers(fitted)), total)
    return _chosen(graph, total, widths)


def _outliers(fitted: Any) -> list[Array]:
    """For each output, the indicator of the outliers' class."""
    classes = fitted.classes_ if fitted.outputs_2d_ else [fitted.classes_]
    made = []
    for known, label in zip(classes, fitted.outlier_label_, strict=True):
        indicator = (known == label).reshape(1, -1).astype(np.float64)
        if not indicator.any():
            raise Unsupported(
                f"its outlier_label {label!r:.40} is no class of the training",
                "Use a class, or 'most_frequent'.",
            )
        made.append(indicator)
    return made


def local_outlier_factor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LocalOutlierFactor: the row's density compared with its neighbours' densities."""
    if not fitted.novelty:
        raise Unsupported("it predicts for new rows only with novelty=True", "Fit it with that.")
    count = fitted.n_neighbors_
    distances, indices = neighbours(graph, fitted, table, count)
    reach = np.ascontiguousarray(fitted._distances_fit_X_[:, count - 1])
    reached = distances.maximum(gathered(graph, reach, indices, count))
    density = 1.0 / (reached.sum() / float(count) + 1e-10)
    ratios = gathered(graph, fitted._lrd, indices, count) / density
    score = -(ratios.sum() / float(count)) - float(fitted.offset_)
    side = (score < 0.0).where(graph.constant([[-1]], "int64"), 1)
    return {"decision_function": score.cast(graph.precision), "predict": side}


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
    neighbors.KNeighborsClassifier: classifier,
    neighbors.KNeighborsRegressor: regressor,
    neighbors.LocalOutlierFactor: local_outlier_factor,
    neighbors.RadiusNeighborsClassifier: radius_classifier,
    neighbors.RadiusNeighborsRegressor: radius_regressor,
    neighbors.KNeighborsTransformer: nearest_columns,
    neighbors.NearestNeighbors: nearest,
    neighbors.RadiusNeighborsTransformer: columns_within,
}
