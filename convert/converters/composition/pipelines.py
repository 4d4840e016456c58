"""Pipelines, column transformers and unions: which step gets which columns; transformed targets.

Sources: `sklearn/pipeline.py`, `sklearn/compose/`. Upstream: skl2onnx rewrites the names of inputs,
loses columns by position where others are dropped, and has no TransformedTargetRegressor
(sklearn-onnx #390).

PatchExtractor stands in a pipeline only where the patches of one image come in one row again
(`sklearn/feature_extraction/image.py`). It makes several rows of one; a function
before it makes images of rows, and one after it makes rows of their patches. What the three do
together is to move numbers within each row.
"""

from __future__ import annotations

from collections import UserList
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.pipeline import FeatureUnion, Pipeline

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.converters.registry import inverse
from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import (
    FIX_IT,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    refusing,
)
from onnxlet.convert.reference.estimators import is_sampler
from onnxlet.function.arrays import Array


def pipeline(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each step transforms for the next; the last one answers. Samplers are of the fit only."""
    steps = [step for _, step in fitted.steps]
    at = 0
    while at < len(steps) - 1:
        step = steps[at]
        if are_patches(steps[at : at + 3]):
            table = Table((patches_in_rows(graph, steps[at : at + 3], table),))
            at += 3
            continue
        if step is not None and step != "passthrough" and not is_sampler(step):
            table = graph.transform(step, table)
            _check_width(graph, step, table, steps[at + 1])
        at += 1
    last = steps[at] if at < len(steps) else None
    if last is None or last == "passthrough":
        return {"transform": table}
    return graph.convert(last, table)


def _check_width(graph: Graph, step: Any, made: Table, following: Any) -> None:
    """Refuse a user's own converter that makes another width than the next step was fitted on."""
    expected = getattr(following, "n_features_in_", made.width)
    if expected != made.width and (lines := graph.lines_of_converter(step)):
        raise Unsupported(
            f"the converter of {type(step).__name__} makes {made.width} columns, and its transform "
            f"{expected}{lines}",
            FIX_IT,
        )


def union(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The columns of every part side by side, times its weight."""
    tensors: list[Tensor] = []
    for name, part in fitted.transformer_list:
        if not _is(part, "drop"):
            tensors += _made(graph, fitted, name, part, table)
    return {"transform": Table(tuple(tensors))}


def column_transformer(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The outputs of all parts, each of its own columns, side by side.

    As in scikit-learn, dropped columns may be absent: the target of a whole frame, for example.
    """
    tensors: list[Tensor] = []
    for name, part, columns in fitted.transformers_:
        if not _is(part, "drop") and (indices := _indices(fitted, table, columns)):
            given = _given(fitted, graph.select(table, indices), columns)
            tensors += _made(graph, fitted, name, part, given)
    return {"transform": Table(tuple(tensors))}


def _made(graph: Graph, fitted: Any, name: str, part: Any, given: Table) -> tuple[Tensor, ...]:
    """The output of a part, times its weight."""
    made = given if _is(part, "passthrough") else graph.transform(part, given)
    weight = (fitted.transformer_weights or {}).get(name)
    return made.tensors if weight is None else (graph.matrix(made) * weight,)


def _given(fitted: Any, table: Table, columns: Any) -> Table:
    """The part's input: a scalar selects a Series, or an array of one dimension."""
    if not isinstance(columns, str | int):
        return table
    named = hasattr(fitted, "feature_names_in_")
    tensors = table.tensors if named else tuple(replace(t, labels=()) for t in table.tensors)
    return Table(tensors, flat=True)


def _is(part: Any, word: str) -> bool:
    return isinstance(part, str) and part == word


def _indices(fitted: Any, table: Table, columns: Any) -> list[int]:
    """The indices in the table of the columns that a part was fitted on."""
    if isinstance(columns, UserList):  # scikit-learn 1.6 warns where the remainder's are read
        columns = columns.data
    names = getattr(fitted, "feature_names_in_", None)
    chosen = _positions(columns, names, fitted.n_features_in_)
    if names is None or not table.labels:
        return chosen
    at = {label: index for index, label in enumerate(table.labels)}
    lacking = [names[index] for index in chosen if names[index] not in at]
    if lacking:
        raise Unsupported(f"it is not given its columns {lacking[:5]}")
    return [at[names[index]] for index in chosen]


def _positions(columns: Any, names: Any, count: int) -> list[int]:
    """Any of scikit-learn's ways to select columns, as indices among those of the fit."""
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            at = {name: index for index, name in enumerate(names)}
            start = None if columns.start is None else at[columns.start]
            stop = None if columns.stop is None else at[columns.stop] + 1
            columns = slice(start, stop, columns.step)
        indices: list[int] = list(range(count))[columns]
        return indices
    if isinstance(columns, str | int | np.integer) and not isinstance(columns, bool):
        columns = [columns]
    listed = list(columns)
    if not listed:
        return []
    if all(isinstance(column, bool | np.bool_) for column in listed):
        return np.flatnonzero(listed).tolist()
    if all(isinstance(column, str) for column in listed):
        at = {name: index for index, name in enumerate(names)}
        return [at[name] for name in listed]
    return [range(count)[int(column)] for column in listed]


def transformed_target(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TransformedTargetRegressor: the regressor's prediction, transformed back."""
    predicted = graph.call(fitted.regressor_, table, "predict").cast(graph.precision)
    return {"predict": inverse(graph, fitted.transformer_, predicted)}


def inverse_steps(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """A Pipeline's: its steps undone from the last to the first."""
    for _, step in reversed(fitted.steps):
        if step is not None and step != "passthrough":
            x = inverse(graph, step, x)
    return x


HINT = (
    "Put it between two functions, all patches of an image side by side: "
    "FunctionTransformer(lambda X: X.reshape(-1, 28, 28)), PatchExtractor(patch_size=(7, 7)), "
    "FunctionTransformer(lambda P: P.reshape(-1, 22 * 22 * 7 * 7))."
)


def are_patches(steps: Sequence[Any]) -> bool:
    """Whether the second of three steps is a PatchExtractor."""
    return len(steps) == 3 and type(steps[1]) is PatchExtractor


def patches_in_rows(graph: Graph, steps: Sequence[Any], table: Table) -> Tensor:
    """What three steps, the second a PatchExtractor, make of rows by moving numbers in them."""
    whole = graph.matrix(table)
    one = np.arange(whole.width, dtype=np.float64)
    first = _applied(steps, one[np.newaxis])
    both = _applied(steps, np.stack([one, one + whole.width]))
    expected = np.concatenate([first, first + whole.width])
    if first.shape[0] != 1 or not np.array_equal(both, expected) or not np.isin(first, one).all():
        raise Unsupported(
            "PatchExtractor and the functions around it do more than to move numbers within each "
            "row: they draw patches at random, compute, or leave several rows",
            HINT,
        )
    return whole.take(first[0].astype(np.int64).tolist())


def _applied(steps: Sequence[Any], X: Array) -> Array:
    made: Any = X
    try:
        for step in steps:
            made = step.transform(made)
        array = np.asarray(made, dtype=np.float64)
    except Exception as error:  # of a function of the user's own
        reason = f"PatchExtractor: {type(error).__name__}: {shortened(error)}"
        raise Unsupported(reason, HINT) from error
    if array.ndim != 2:
        raise Unsupported(f"the step after PatchExtractor makes shape {array.shape}", HINT)
    return array


# By itself it makes a row of each patch, which is no answer to the row of a request.


CONVERTERS: Converters = {
    TransformedTargetRegressor: transformed_target,
    Pipeline: exact(pipeline, inverse=inverse_steps),
    FeatureUnion: exact(union),
    ColumnTransformer: exact(column_transformer),
    PatchExtractor: refusing("it makes several rows of one image", HINT),
}
