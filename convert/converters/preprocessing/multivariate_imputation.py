"""Imputers that fill a column from the others: of the nearest rows, or by a chain of regressors.

Sources: `sklearn/impute/_knn.py`, with `nan_euclidean_distances` of `sklearn/metrics/pairwise.py`;
`sklearn/impute/_iterative.py`. Upstream: skl2onnx's KNNImputer knows only uniform weights
(sklearn-onnx #1081); it has no IterativeImputer (#1105).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from sklearn.impute import KNNImputer
from sklearn.impute._iterative import IterativeImputer

from onnxlet.convert.converters.neighbours.nearest import gathered, inverse_weights, over_neighbours
from onnxlet.convert.converters.preprocessing.imputation import added_flags, is_missing
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.loops import changed, either
from onnxlet.function.arrays import Array


def nearest(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """A missing value is the mean of the nearest training rows that have one.

    Of equally near rows NumPy's argpartition takes any; here it is the first.
    """
    if callable(fitted.weights):
        raise Unsupported("its weights are a function", "Use 'uniform' or 'distance'.")
    if fitted.metric != "nan_euclidean":
        raise Unsupported("its metric is a function", "Use 'nan_euclidean'.")
    x = graph.matrix(table, "float64")
    missing = _missing(x, fitted.missing_values)
    valid = np.flatnonzero(fitted._valid_mask).tolist()
    if not valid:
        raise Unsupported("every column was empty in training", "Leave the imputer out.")
    given = x.take(valid)

    def fill() -> Tensor:
        return _filled_by_nearest(graph, fitted, x, missing, valid)

    filled = either(_any(missing), fill, lambda: given, given)
    if fitted.keep_empty_features and len(valid) < x.width:
        empty = np.flatnonzero(~fitted._valid_mask).tolist()
        zeros = missing.take(empty).cast(x.dtype) * 0.0
        order = np.argsort([*valid, *empty]).tolist()
        filled = graph.concat([filled, zeros]).take(order)
    return _with_flags(graph, fitted, table, filled)


def _any(missing: Tensor) -> Tensor:
    found = missing.graph.op("ReduceMax", missing.cast("int64"), keepdims=0)
    return found > 0


def _distances(fitted: Any, x: Tensor, missing: Tensor) -> Tensor:
    """`nan_euclidean_distances` to the training rows; infinite where no column is shared.

    In scikit-learn's order, for the same rounding: x·x - 2 x·y + y·y, minus the squares of the
    columns that the other side lacks.
    """
    gaps = fitted._mask_fit_X.astype(float)
    points = np.where(fitted._mask_fit_X, 0.0, fitted._fit_X).astype(np.float64)
    zeroed = missing.where(0.0, x)
    lacking = missing.cast(x.dtype)
    squares = zeroed * zeroed
    product = zeroed @ points.T * -2.0
    total = (product + squares.sum() + (points * points).sum(axis=1)).maximum(0.0)
    total = total - squares @ gaps.T - lacking @ (points * points).T
    shared = (1.0 - lacking) @ (1.0 - gaps).T
    scaled = total.maximum(0.0) / shared.maximum(1.0) * float(x.width)
    made: Tensor = shared.equals(0.0).where(np.inf, scaled.unary("Sqrt"))
    return made


def _filled_by_nearest(
    graph: Graph, fitted: Any, x: Tensor, missing: Tensor, valid: list[int]
) -> Tensor:
    """The valid columns, filled; columns that the same training rows have share neighbours."""
    distances = _distances(fitted, x, missing)
    sharing: dict[bytes, list[int]] = {}
    for index in valid:
        sharing.setdefault(fitted._mask_fit_X[:, index].tobytes(), []).append(index)
    columns, order = [], []
    for indices in sharing.values():
        own, lacking = x.take(indices), missing.take(indices)
        donors = np.flatnonzero(~fitted._mask_fit_X[:, indices[0]]).tolist()
        values = np.ma.array(fitted._fit_X, mask=fitted._mask_fit_X)[:, indices]
        fill = partial(_filled_rows, graph, fitted, donors, values)
        some = lacking.cast("int64").max() > 0
        columns.append(changed(own, some, [distances, own, lacking], fill))
        order += indices
    return graph.concat(columns).take(np.argsort(order).tolist())


def _filled_rows(
    graph: Graph,
    fitted: Any,
    donors: list[int],
    values: Any,
    distances: Tensor,
    own: Tensor,
    lacking: Tensor,
) -> Tensor:
    """Some columns of the rows that lack one of them; `values` are the masked training rows."""
    plain = np.ma.getdata(values.mean(axis=0)).reshape(1, -1)
    near = _mean_of_nearest(graph, fitted, distances.take(donors), values.data[donors])
    return lacking.where(near.isnan().where(plain, near), own)


def _mean_of_nearest(graph: Graph, fitted: Any, distances: Tensor, values: Array) -> Tensor:
    """The weighted mean of `values`, of shape (donors, columns); NaN if no distance is known."""
    near, indices = distances.smallest(min(fitted.n_neighbors, len(values)))
    weights = (near < np.inf).cast("float64")
    if fitted.weights == "distance":
        weights = inverse_weights(near)
    given = gathered(graph, values, indices, values.shape[1])
    total = over_neighbours(given * weights.reshape([0, 0, 1], 1))
    return total / weights.sum()


def iterative(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """IterativeImputer: column after column is predicted from the others, in several rounds."""
    if fitted.sample_posterior:
        raise Unsupported("it draws from a posterior", "Fit it with sample_posterior=False.")
    x = graph.matrix(table)
    start = graph.call(fitted.initial_imputer_, table, "transform")
    missing = _missing(x, fitted.missing_values)
    empty = np.asarray(fitted._is_empty_feature)
    if not fitted.keep_empty_features:
        missing, empty = missing.take(np.flatnonzero(~empty).tolist()), empty[~empty]
    filled = start
    if fitted.n_iter_:
        filled = _predicted(graph, fitted, start, missing)
    if fitted.n_iter_ and not empty.any():
        # scikit-learn returns the initial filling of a single row without any value.
        nothing = graph.op("ReduceMin", missing.cast("int64"), dtype="int64", width=1, keepdims=1)
        filled = (nothing > 0).where(start, filled)
    return _with_flags(graph, fitted, table, filled)


def _predicted(graph: Graph, fitted: Any, start: Tensor, missing: Tensor) -> Tensor:
    columns = [start.take([index]) for index in range(start.width)]
    for index, others, estimator in fitted.imputation_sequence_:
        given = graph.concat([columns[int(other)] for other in others])
        gap, known = missing.take([int(index)]), len(graph.raising)
        ends = float(fitted._min_value[index]), float(fitted._max_value[index])
        predict = partial(_within_ends, graph, estimator, ends)
        if hasattr(estimator, "coef_") or graph.watches:
            columns[index] = gap.where(predict(given), columns[index])
            # The estimator gets only rows with a gap here, so it raises for no other row.
            graph.raising[known:] = [flag & gap for flag in graph.raising[known:]]
        else:  # for one that costs more than to pick the rows with a gap
            columns[index] = changed(columns[index], gap, [given], predict)
    return graph.concat(columns)


def _within_ends(graph: Graph, estimator: Any, ends: tuple[float, float], given: Tensor) -> Tensor:
    """A column as predicted from the others, no less and no more than its ends."""
    value = graph.call(estimator, Table((given,)), "predict").cast(graph.precision)
    low, high = (end if np.isfinite(end) else None for end in ends)
    return value.clip(low, high)


def _missing(x: Tensor, value: Any) -> Tensor:
    found = is_missing(x, value)
    if found is None:
        raise Unsupported(f"{value!r} is missing for it where it computes with numbers")
    return found


def _with_flags(graph: Graph, fitted: Any, table: Table, filled: Tensor) -> Outputs:
    made = added_flags(graph, fitted, table)
    return {"transform": graph.concat([filled.cast(graph.precision), *made])}


CONVERTERS: Converters = {KNNImputer: nearest, IterativeImputer: iterative}
