"""Imputers: values instead of missing ones.

Sources: `feature_engine/imputation/base_imputer.py` (`fillna` with a value for each column),
`categorical.py`, `drop_missing_data.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from feature_engine import imputation as library

from onnxlet.convert.converters.libraries.feature_engine import (
    as_text,
    chosen_of,
    columns_of_fit,
)
from onnxlet.convert.converters.preprocessing.imputation import filled_numbers, filled_text, flags
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, refusing


def filled(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each column's value where it is missing."""
    table = columns_of_fit(fitted, table)
    values = {str(name): value for name, value in fitted.imputer_dict_.items()}
    made: list[Tensor] = []
    for tensor in graph.select(table, range(table.width)).tensors:
        if tensor.dtype == "string":
            made += [_filled_text(one, values) for one in graph.columns(Table((tensor,)))]
        elif tensor.dtype == "int64" or not values.keys() & set(tensor.labels):
            made.append(tensor)  # whole numbers are never missing
        else:
            each = [values.get(name, math.nan) for name in tensor.labels]
            made.append(replace(filled_numbers(tensor, each, None), labels=tensor.labels))
    return {"transform": Table(tuple(made), frame=True)}


def _filled_text(column: Tensor, values: Mapping[str, Any]) -> Tensor:
    [name] = column.labels
    if name not in values:
        return column
    [made] = filled_text(column, [column], [as_text(values[name])], None)
    return replace(made, labels=(name,))


def complete(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """DropMissingData: the columns; a row that it drops has no answer."""
    table, variables = chosen_of(fitted, table)
    chosen = [table.labels.index(name) for name in variables]
    for gaps in flags(graph, table, chosen, None):
        there = len(chosen) - gaps.sum()
        graph.refuse_rows(there < len(chosen) * float(fitted.threshold or 1.0))
    return {"transform": table}


CONVERTERS: Converters = {
    library.CategoricalImputer: exact(filled),
    library.DropMissingData: complete,
    library.RandomSampleImputer: refusing(
        "it fills gaps with values drawn at random, which depend on the rows beside a row, or on "
        "a generator that ONNX has not",
        "Use an imputer that learns a value in fit: MeanMedianImputer, CategoricalImputer.",
    ),
}
