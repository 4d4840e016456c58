"""Imputers, for numbers and for text, with missing-value indicators.

x where it is not missing, else the column's statistic: `sklearn/impute/_base.py`. Upstream:
the Imputer operator has no float64 kernel in ONNX Runtime, skl2onnx has no text (sklearn-onnx
#980, #681) and ignores `add_indicator`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer

from convert.converters.graph import Answers, Converter, Graph, Table, Tensor, Unsupported
from function.signature import MISSING_TEXT


def simple(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Each column's statistic where its value is missing."""
    columns = [_number_or_text(graph, column) for column in graph.columns(table)]
    statistics = fitted.statistics_.tolist()
    missing = [is_missing(column, fitted.missing_values) for column in columns]
    filled = [
        _filled(column, absent, value, fitted.missing_values)
        for column, absent, value in zip(columns, missing, statistics, strict=True)
        if fitted.keep_empty_features or not _is_nan(value)
    ]
    indicated = fitted.indicator_.features_.tolist() if fitted.add_indicator else []
    flags = [missing[place].cast(graph.precision) for place in indicated]
    return {"transform": Table((*_joined(graph, filled), *_joined(graph, flags)))}


def indicator(graph: Graph, fitted: Any, table: Table) -> Answers:
    """MissingIndicator: which of its features are missing."""
    columns = [_number_or_text(graph, column) for column in graph.columns(table)]
    flags = [is_missing(columns[p], fitted.missing_values) for p in fitted.features_.tolist()]
    if not flags:
        raise Unsupported("it makes no column", "Leave the MissingIndicator out.")
    return {"transform": graph.concat(flags).cast(graph.precision)}


def _number_or_text(graph: Graph, column: Tensor) -> Tensor:
    return column if column.dtype == "string" else column.cast(graph.precision)


def is_missing(column: Tensor, value: Any) -> Tensor:
    """Where a column holds what an imputer takes for missing, as bool."""
    absent = value is None or _is_nan(value)
    if column.dtype == "string":
        return column.equals(MISSING_TEXT if absent else str(value))
    if absent or isinstance(value, str):
        return column.isnan()
    return column.equals(value)


def _filled(column: Tensor, absent: Tensor, value: Any, missing: Any) -> Tensor:
    """Text stays the column that it was, with what stands for what: vectorisers need that."""
    if column.dtype != "string":
        return absent.where(value, column)
    if not isinstance(value, str):
        raise Unsupported(f"it fills text with {value!r}", "Fill text with text.")
    text = MISSING_TEXT if missing is None or _is_nan(missing) else str(missing)
    pairs = (*column.replaced, (text, value))
    return replace(absent.where(value, column), column=column.column, replaced=pairs)


def _joined(graph: Graph, tensors: list[Tensor]) -> list[Tensor]:
    """Numbers in one tensor; text column by column."""
    if len({tensor.dtype for tensor in tensors}) == 1 and tensors[0].dtype != "string":
        return [graph.concat(tensors)]
    return tensors


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


CONVERTERS: dict[type, Converter] = {SimpleImputer: simple, MissingIndicator: indicator}
