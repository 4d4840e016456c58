"""Pipelines, column transformers and unions: who is given which columns.

Sources: `sklearn/pipeline.py`, `sklearn/compose/_column_transformer.py`. Upstream: skl2onnx
rewrites the names of inputs, and loses columns by position where others are dropped.
"""

from __future__ import annotations

from collections import UserList
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from onnxlet.convert.graph.graph import (
    MEND_IT,
    Answers,
    Converter,
    Graph,
    Table,
    Tensor,
    Unsupported,
)


def pipeline(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Each step transforms for the next; the last one answers."""
    *steps, (_, last) = fitted.steps
    for (_, step), (_, following) in zip(steps, fitted.steps[1:], strict=True):
        if step is not None and step != "passthrough":
            table = graph.transform(step, table)
            _check_width(graph, step, table, following)
    if last is None or last == "passthrough":
        return {"transform": table}
    return graph.answers(last, table)


def _check_width(graph: Graph, step: Any, made: Table, following: Any) -> None:
    """A converter of the user's own has to make what the next step was fitted on."""
    expected = getattr(following, "n_features_in_", made.width)
    if expected != made.width and (place := graph.written_in(step)):
        raise Unsupported(
            f"the converter of {type(step).__name__} makes {made.width} columns, and its transform "
            f"{expected}{place}",
            MEND_IT,
        )


def union(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The columns of every part side by side, times its weight."""
    tensors: list[Tensor] = []
    for name, part in fitted.transformer_list:
        if not _is(part, "drop"):
            tensors += _made(graph, fitted, name, part, table)
    return {"transform": Table(tuple(tensors))}


def column_transformer(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Each part is given its columns; what the parts make stands side by side.

    Columns that are dropped need not be there, as for scikit-learn: the target of a whole frame.
    """
    tensors: list[Tensor] = []
    for name, part, columns in fitted.transformers_:
        if not _is(part, "drop") and (places := _places(fitted, table, columns)):
            given = _given(fitted, graph.select(table, places), columns)
            tensors += _made(graph, fitted, name, part, given)
    return {"transform": Table(tuple(tensors))}


def _made(graph: Graph, fitted: Any, name: str, part: Any, given: Table) -> tuple[Tensor, ...]:
    """What a part makes of its columns, times its weight."""
    made = given if _is(part, "passthrough") else graph.transform(part, given)
    weight = (fitted.transformer_weights or {}).get(name)
    return made.tensors if weight is None else (graph.matrix(made) * weight,)


def _given(fitted: Any, table: Table, columns: Any) -> Table:
    """As the part is given it: a scalar asks for a Series, or an array of one dimension."""
    if not isinstance(columns, str | int):
        return table
    named = hasattr(fitted, "feature_names_in_")
    tensors = table.tensors if named else tuple(replace(t, labels=()) for t in table.tensors)
    return Table(tensors, flat=True)


def _is(part: Any, word: str) -> bool:
    return isinstance(part, str) and part == word


def _places(fitted: Any, table: Table, columns: Any) -> list[int]:
    """Positions in the table of the columns that a part was fitted on."""
    if isinstance(columns, UserList):  # scikit-learn 1.6 warns of the remainder's when asked
        columns = columns.data
    names = getattr(fitted, "feature_names_in_", None)
    chosen = _positions(columns, names, fitted.n_features_in_)
    if names is None or not table.labels:
        return chosen
    at = {label: place for place, label in enumerate(table.labels)}
    lacking = [names[place] for place in chosen if names[place] not in at]
    if lacking:
        raise Unsupported(f"it is not given its columns {lacking[:5]}")
    return [at[names[place]] for place in chosen]


def _positions(columns: Any, names: Any, count: int) -> list[int]:
    """Any of scikit-learn's ways to say columns, as positions among those of the fit."""
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            at = {name: place for place, name in enumerate(names)}
            start = None if columns.start is None else at[columns.start]
            stop = None if columns.stop is None else at[columns.stop] + 1
            columns = slice(start, stop, columns.step)
        places: list[int] = list(range(count))[columns]
        return places
    if isinstance(columns, str | int | np.integer) and not isinstance(columns, bool):
        columns = [columns]
    said = list(columns)
    if not said:
        return []
    if all(isinstance(column, bool | np.bool_) for column in said):
        return np.flatnonzero(said).tolist()
    if all(isinstance(column, str) for column in said):
        at = {name: place for place, name in enumerate(names)}
        return [at[name] for name in said]
    return [range(count)[int(column)] for column in said]


CONVERTERS: dict[type, Converter] = {
    Pipeline: pipeline,
    FeatureUnion: union,
    ColumnTransformer: column_transformer,
}
