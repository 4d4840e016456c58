"""MatchVariables and MatchCategories: the columns and categories of the fit, and no others.

Sources: `feature_engine/preprocessing/match_columns.py`, `match_categories.py`.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from feature_engine import preprocessing as library

from onnxlet.convert.converters.libraries.feature_engine.columns import (
    added,
    given,
    names,
    replaced,
)
from onnxlet.convert.converters.libraries.feature_engine.encoding import is_one_of
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import elementary
from onnxlet.convert.graph.converter import (
    DATE,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    labelled,
)
from onnxlet.function.arrays import MISSING_TEXT


def categories(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MatchCategories: values that are no categories become missing, or raise."""
    table = given(fitted, table)
    for name, known in fitted.category_dict_.items():
        column = table[[str(name)]]
        found = is_one_of(graph, column, known.tolist())
        if fitted.missing_values == "raise":
            graph.refuse_rows(~found)
        table = replaced(table, [str(name)], _where(graph, found, column))
    return {"transform": table}


def _where(graph: Graph, found: Tensor, column: Table) -> Tensor:
    """The column where its value was found, else missing."""
    [tensor] = column.tensors
    if tensor.dtype == "string":
        return found.where(tensor, graph.constant([[MISSING_TEXT]], "string"))
    return found.where(graph.matrix(column), math.nan)


def variables(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MatchVariables: the columns of the fit; absent ones hold one value."""
    wanted = names(fitted.feature_names_in_)
    table = labelled(table, names(table.labels))
    if fitted.missing_values == "raise":
        _refuse_missing(graph, table, wanted)
    for name in wanted:
        if name not in table.labels:
            table = added(table, [name], _everywhere(graph, table, fitted.fill_value))
    table = table[wanted]
    if fitted.match_dtypes:
        for name, dtype in fitted.dtype_dict_.items():
            made = _as(graph, table[[str(name)]], dtype)
            table = replaced(table, [str(name)], made)
    return {"transform": table}


def _refuse_missing(graph: Graph, table: Table, wanted: list[str]) -> None:
    for tensor in table[[name for name in wanted if name in table.labels]].tensors:
        if tensor.dtype == "string":
            graph.refuse_rows(tensor.equals(MISSING_TEXT))
        elif tensor.dtype != "int64":
            graph.refuse_rows(tensor.isnan())


def _everywhere(graph: Graph, table: Table, value: Any) -> Tensor:
    """A column that holds one value."""
    is_text = isinstance(value, str)
    constant = graph.constant([[value]], "string" if is_text else graph.precision)
    [first] = graph.columns(table)[:1]
    shape = graph.op("Shape", first, dtype="int64", width=1)
    return graph.op("Expand", constant, shape, width=1, dimensions=2)


def _as(graph: Graph, column: Table, dtype: Any) -> Tensor:
    """A column in the dtype that it had in `fit`."""
    [tensor] = column.tensors
    is_text = tensor.dtype == "string"
    if isinstance(dtype, pd.CategoricalDtype):
        return _where(graph, is_one_of(graph, column, dtype.categories.tolist()), column)
    kind = getattr(dtype, "kind", "O")
    if tensor.dtype == DATE and kind == "M":
        return tensor
    if is_text != (kind == "O"):
        raise Unsupported(
            f"it makes {dtype} of the column '{column.labels[0]}', which comes as "
            f"{'text' if is_text else 'numbers'}",
            "Give X_test the columns' types of the fit.",
        )
    if is_text or kind == "f":
        return tensor
    if kind == "b":
        return (~graph.matrix(column).equals(0.0)).cast(graph.precision)
    graph.refuse_rows(tensor.isnan()) if tensor.dtype != "int64" else None
    return tensor if tensor.dtype == "int64" else elementary.truncated(tensor)


CONVERTERS: Converters = {
    library.MatchCategories: exact(categories),
    library.MatchVariables: exact(variables),
}
