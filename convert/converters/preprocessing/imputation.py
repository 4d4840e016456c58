"""Imputers of a statistic, of the nearest rows, by a chain of regressors; missing-value indicators.

SimpleImputer: x where it is not missing, else the column's statistic: `sklearn/impute/_base.py`.
Upstream: the Imputer operator has no float64 kernel in ONNX Runtime, skl2onnx has no text
(sklearn-onnx #980, #681) and ignores `add_indicator`.

KNNImputer and IterativeImputer fill a column from the others: `sklearn/impute/_knn.py`, with
`nan_euclidean_distances` of `sklearn/metrics/pairwise.py`; `sklearn/impute/_iterative.py`.
Upstream: skl2onnx's KNNImputer knows only uniform weights (sklearn-onnx #1081); it has no
IterativeImputer (#1105).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.impute._iterative import IterativeImputer

from onnxlet.convert.converters.neighbours.nearest import gathered, inverse_weights, over_neighbours
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import is_missing as is_absent
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.loops import changed, either
from onnxlet.function.arrays import MISSING_TEXT, Array

NONE = "string?None"  # text in which None stands for a gap


def simple(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each column's statistic where its value is missing."""
    # Whole numbers have no gap, and keep their 64 bits where nothing makes floats of them.
    floats = fitted.strategy not in ("most_frequent", "constant") or fitted.add_indicator
    whole = all(tensor.dtype == "int64" for tensor in table.tensors)
    if whole and not floats and is_absent(fitted.missing_values):
        return {"transform": table}
    statistics = _statistics(fitted)
    dropped = [not fitted.keep_empty_features and _is_nan(value) for value in statistics]
    if all(dropped):
        raise Unsupported("it drops every column", "Set keep_empty_features=True.")
    filled: list[Tensor] = []
    for indices, given in _runs(graph, table):
        kept = [index for index in indices if not dropped[index]]
        run = given.take([index - indices[0] for index in kept])
        values = [statistics[index] for index in kept]
        if not kept:
            continue
        if given.dtype == "string":
            origins = graph.columns(graph.select(table, kept))
            filled += filled_text(run, origins, values, fitted.missing_values)
        else:
            filled.append(filled_numbers(run, values, fitted.missing_values))
    return {"transform": Table((*filled, *added_flags(graph, fitted, table)))}


def indicator(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MissingIndicator: which of its features are missing."""
    made = flags(graph, table, fitted.features_.tolist(), fitted.missing_values)
    if not made:
        raise Unsupported("it makes no column", "Leave the MissingIndicator out.")
    return {"transform": made[0]}


def added_flags(graph: Graph, fitted: Any, table: Table) -> list[Tensor]:
    """The indicators that an imputer adds to its columns; none where it adds none."""
    indicated = fitted.indicator_.features_.tolist() if fitted.add_indicator else []
    return flags(graph, table, indicated, fitted.missing_values)


def flags(graph: Graph, table: Table, indices: Sequence[int], missing: Any) -> list[Tensor]:
    """Indicators, 1 where these columns are missing, in one tensor; no tensor for no columns."""
    if not indices:
        return []
    found = []
    for _, run in _runs(graph, graph.select(table, indices)):
        absent = is_missing(run, missing)
        found.append(~run.equals(run) if absent is None else absent)
    return [graph.concat(found).cast(graph.precision)]


def is_missing(run: Tensor, value: Any) -> Tensor | None:
    """Where columns have the imputer's missing value, as bool; None if they can't have it.

    None is no NaN: in a column of text that has it for its gaps scikit-learn leaves them.
    """
    if run.dtype == "string":
        if is_absent(value):
            found, theirs = run.equals(MISSING_TEXT), [kind != NONE for kind in run.types]
            if all(theirs) or not _is_nan(value):
                return found
            return found & run.graph.constant([theirs], "bool")
        return run.equals(value) if isinstance(value, str) else None
    if is_absent(value):
        return run.isnan()
    return None if isinstance(value, str) else run.equals(value)


def _runs(graph: Graph, table: Table) -> Iterator[tuple[list[int], Tensor]]:
    """Adjacent columns of one kind, text or numbers: their indices, and one tensor of them."""
    texts = [tensor.dtype == "string" for tensor in table.tensors for _ in range(tensor.width)]
    for is_text, members in groupby(range(table.width), key=texts.__getitem__):
        indices = list(members)
        run = graph.select(table, indices)
        types = [kind for t in run.tensors for kind in t.types or ("",) * t.width]
        made = graph.matrix(run, "string" if is_text else None)
        yield indices, replace(made, types=tuple(types)) if is_text else made


def _statistics(fitted: Any) -> list[Any]:
    """The value that fills each column, NaN for those that are dropped."""
    values = fitted.statistics_.tolist()
    dtype = np.dtype(
        getattr(fitted, "_fill_dtype", fitted.statistics_.dtype)
    )  # scikit-learn 1.6 has no _fill_dtype
    if dtype.kind == "O":
        return list(values)
    return [float(v) if _is_nan(v) else float(dtype.type(v)) for v in values]


def filled_numbers(run: Tensor, values: Sequence[Any], missing: Any) -> Tensor:
    """Columns with each one's value, which is a number, where it is missing; NaN leaves it so."""
    texts = [value for value in values if isinstance(value, str)]
    if texts:
        raise Unsupported(
            f"it fills numbers with the text {texts[0]!r}", "Impute text and numbers apart."
        )
    row = np.array([[np.nan if value is None else float(value) for value in values]])
    if is_absent(missing):
        # ONNX Runtime's Where is slow; the sum of all values shows quickly whether any is NaN.
        total = run.graph.op("ReduceSum", run, keepdims=0)
        return either(total.isnan(), lambda: run.isnan().where(row, run), lambda: run, run)
    absent = is_missing(run, missing)
    return run if absent is None else absent.where(row, run)


def filled_text(
    run: Tensor, origins: Sequence[Tensor], values: Sequence[Any], missing: Any
) -> list[Tensor]:
    """Filled text, which stays the signature's column: the function fills it before counting."""
    absent = is_missing(run, missing)
    if absent is None:
        return list(origins)
    for value in values:
        if not isinstance(value, str):
            raise Unsupported(
                f"it fills text with {value!r}", "Fill text with text, and drop empty columns."
            )
    filled = absent.where(run.graph.constant([list(values)], "string"), run)
    text = MISSING_TEXT if is_absent(missing) else str(missing)
    return [
        replace(
            filled.take([index]),
            column=origin.column,
            steps=origin.steps,
            replaced=(*origin.replaced, (text, value)),
        )
        if not (_is_nan(missing) and origin.types == (NONE,))
        else origin
        for index, (origin, value) in enumerate(zip(origins, values, strict=True))
    ]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


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

    fill = partial(_filled_by_nearest, graph, fitted, x, missing, valid)
    some = graph.op("ReduceMax", missing.cast("int64"), keepdims=0) > 0
    filled = either(some, fill, lambda: given, given)
    if fitted.keep_empty_features and len(valid) < x.width:
        empty = np.flatnonzero(~fitted._valid_mask).tolist()
        zeros = missing.take(empty).cast(x.dtype) * 0.0
        order = np.argsort([*valid, *empty]).tolist()
        filled = graph.concat([filled, zeros]).take(order)
    return _with_flags(graph, fitted, table, filled)


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


CONVERTERS: Converters = {
    SimpleImputer: exact(simple),
    MissingIndicator: exact(indicator),
    KNNImputer: nearest,
    IterativeImputer: iterative,
}
