"""skrub's joins that are look-ups: rows of a table that fit has left, found by their keys.

Sources: `skrub/_agg_joiner.py`, `_multi_agg_joiner.py`, `_interpolation_joiner.py`,
`_join_utils.py` (`left_join`). A key that the other table lacks gives missing values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from skrub import AggJoiner, AggTarget, InterpolationJoiner, MultiAggJoiner

from onnxlet.convert.converters.libraries.skrub.columns import checked
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import index_among
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported, framed
from onnxlet.function.arrays import MISSING_TEXT


def aggregated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """AggJoiner: the columns, and the aggregates of the other table's rows with the same key."""
    return _joined(graph, fitted, table, fitted.aggregated_aux_table_, fitted._aux_key)


def aggregated_target(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """AggTarget: the columns, and the aggregates of the target for the same key."""
    return _joined(graph, fitted, table, fitted.aggregated_y_, fitted._main_key)


def _joined(
    graph: Graph, fitted: Any, table: Table, right: pd.DataFrame, keys: Sequence[str]
) -> Outputs:
    [*given] = checked(graph, fitted._main_check_input, table).values()
    left: Any = given[0]
    rows = _rows(graph, left[list(fitted._main_key)], [right[key] for key in keys])
    columns = [right[name] for name in right.columns if name not in keys]
    tensors = [*left.tensors, *(_values(graph, rows, column) for column in columns)]
    return {"transform": framed(Table(tuple(tensors)), fitted.all_outputs_)}


def _rows(graph: Graph, given: Table, keys: Sequence[pd.Series[Any]]) -> Tensor:
    """The index of the row that has the keys; one past the last where there is none."""
    code = np.zeros(len(keys[0]), dtype=np.int64)
    made: list[Tensor] = []
    for position, key in enumerate(keys):
        known = sorted(set(key.tolist()))
        numbers = {value: number for number, value in enumerate(known)}
        code = code * (len(known) + 1) + np.array([numbers[value] for value in key.tolist()])
        found = index_among(graph, graph.select(given, [position]), known)
        made = [made[0] * (len(known) + 1) + found] if made else [found]
    return index_among(graph, Table(tuple(made)), code.tolist())


def _values(graph: Graph, rows: Tensor, column: pd.Series[Any]) -> Tensor:
    """The column's value in each row, a missing one past the last."""
    cells = column.tolist()
    if any(isinstance(cell, list | tuple | np.ndarray) for cell in cells):
        raise Unsupported(
            f"'{column.name}' has several modes for one key", "Leave operations='mode' out."
        )
    if any(isinstance(cell, str) for cell in cells):
        texts = [cell if isinstance(cell, str) else MISSING_TEXT for cell in cells]
        _check_spaces(str(column.name), texts)
        return rows.look_up(np.array([*texts, MISSING_TEXT]), "string")
    if column.dtype.kind not in "biuf":
        raise Unsupported(f"'{column.name}' has values of type {column.dtype}")
    return rows.look_up(np.array([*map(float, cells), np.nan]), graph.precision)


def _check_spaces(name: str, texts: Iterable[Any]) -> None:
    """Refuse text of spaces only: skrub's cleaners call it missing, however long it is."""
    if any(isinstance(text, str) and text.isspace() for text in texts):
        raise Unsupported(
            f"{name} has text of spaces only", "Strip it, or make it missing, before fit."
        )


def several(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MultiAggJoiner: one join after another."""
    for joiner in fitted.agg_joiners_:
        table = graph.transform(joiner, table)
    return {"transform": table}


def interpolated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """InterpolationJoiner: the columns, and what estimators predict of them."""
    keys = framed(table[list(fitted._main_key)], fitted._aux_key)
    features = graph.transform(fitted.vectorizer_, keys)
    tensors, names = list(table.tensors), list(table.labels)
    for assigned in fitted.estimators_:
        predicted = graph.call(assigned["estimator"], features, "predict")
        _check_spaces(str(assigned["columns"]), getattr(assigned["estimator"], "classes_", ()))
        tensors.append(predicted)
        names += [f"{column}{fitted.suffix}" for column in assigned["columns"]]
    if len(set(names)) < len(names):
        raise Unsupported("it makes columns of names that there are", "Give it a suffix.")
    return {"transform": framed(Table(tuple(tensors)), names)}


CONVERTERS: Converters = {
    AggJoiner: exact(aggregated),
    AggTarget: exact(aggregated_target),
    InterpolationJoiner: interpolated,
    MultiAggJoiner: exact(several),
}
