"""SimpleImputer for numbers and for text, and missing-value indicators.

x where it is not missing, else the column's statistic: `sklearn/impute/_base.py`. Upstream:
the Imputer operator has no float64 kernel in ONNX Runtime, skl2onnx has no text (sklearn-onnx
#980, #681) and ignores `add_indicator`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import MissingIndicator, SimpleImputer

from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Tensor, Unsupported
from onnxlet.convert.graph.loops import either
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.signature import MISSING_TEXT


def simple(graph: Graph, fitted: Any, table: Table) -> Answers:
    """Each column's statistic where its value is missing."""
    statistics = _statistics(fitted)
    dropped = [not fitted.keep_empty_features and _is_nan(value) for value in statistics]
    if all(dropped):
        raise Unsupported("it drops every column", "Set keep_empty_features=True.")
    filled: list[Tensor] = []
    for places, given in _runs(graph, table):
        kept = [place for place in places if not dropped[place]]
        run = given.take([place - places[0] for place in kept])
        values = [statistics[place] for place in kept]
        if not kept:
            continue
        if given.dtype == "string":
            origins = graph.columns(graph.select(table, kept))
            filled += _filled_text(run, origins, values, fitted.missing_values)
        else:
            filled.append(_filled_numbers(run, values, fitted.missing_values))
    indicated = fitted.indicator_.features_.tolist() if fitted.add_indicator else []
    return {"transform": Table((*filled, *flags(graph, table, indicated, fitted.missing_values)))}


def indicator(graph: Graph, fitted: Any, table: Table) -> Answers:
    """MissingIndicator: which of its features are missing."""
    made = flags(graph, table, fitted.features_.tolist(), fitted.missing_values)
    if not made:
        raise Unsupported("it makes no column", "Leave the MissingIndicator out.")
    return {"transform": made[0]}


def flags(graph: Graph, table: Table, places: Sequence[int], missing: Any) -> list[Tensor]:
    """1 where these columns are missing, in one tensor; none for no places."""
    if not places:
        return []
    found = []
    for _, run in _runs(graph, graph.select(table, places)):
        absent = is_missing(run, missing)
        found.append(~run.equals(run) if absent is None else absent)
    return [graph.concat(found).cast(graph.precision)]


def is_missing(run: Tensor, value: Any) -> Tensor | None:
    """Where columns hold what an imputer takes for missing, as bool; None where they can't."""
    if run.dtype == "string":
        if is_absent(value):
            return run.equals(MISSING_TEXT)
        return run.equals(value) if isinstance(value, str) else None
    if is_absent(value):
        return run.isnan()
    return None if isinstance(value, str) else run.equals(value)


def is_absent(value: Any) -> bool:
    """NaN, None or pandas.NA, rather than a value that stands for a missing one."""
    return value is None or value is pd.NA or _is_nan(value)


def _runs(graph: Graph, table: Table) -> Iterator[tuple[list[int], Tensor]]:
    """Neighbours of one kind, text or numbers, in one tensor, with their places."""
    texts = [tensor.dtype == "string" for tensor in table.tensors for _ in range(tensor.width)]
    for is_text, members in groupby(range(table.width), key=texts.__getitem__):
        places = list(members)
        run = graph.select(table, places)
        yield places, graph.matrix(run, "string" if is_text else None)


def _statistics(fitted: Any) -> list[Any]:
    """What each column is filled with, NaN for those that are dropped."""
    values = fitted.statistics_.tolist()
    dtype = np.dtype(getattr(fitted, "_fill_dtype", fitted.statistics_.dtype))  # 1.6 has none
    if dtype.kind == "O":
        return list(values)
    return [float(v) if _is_nan(v) else float(dtype.type(v)) for v in values]


def _filled_numbers(run: Tensor, values: Sequence[Any], missing: Any) -> Tensor:
    texts = [value for value in values if isinstance(value, str)]
    if texts:
        raise Unsupported(
            f"it fills numbers with the text {texts[0]!r}", "Impute text and numbers apart."
        )
    if is_absent(missing):
        return _without_gaps(run, _row(values))
    absent = is_missing(run, missing)
    return run if absent is None else absent.where(_row(values), run)


def _without_gaps(run: Tensor, values: Array) -> Tensor:
    """ONNX Runtime's Where is slow, and the sum of all tells quickly whether something is NaN."""
    total = run.graph.op("ReduceSum", run, keepdims=0)
    return either(total.isnan(), lambda: run.isnan().where(values, run), lambda: run, run)


def _filled_text(
    run: Tensor, origins: Sequence[Tensor], values: Sequence[Any], missing: Any
) -> list[Tensor]:
    """Text stays the columns that it was, with what stands for what: vectorisers need that."""
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
            filled.take([place]), column=origin.column, replaced=(*origin.replaced, (text, value))
        )
        for place, (origin, value) in enumerate(zip(origins, values, strict=True))
    ]


def _row(values: Sequence[Any]) -> Array:
    return np.array([[np.nan if value is None else float(value) for value in values]])


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


CONVERTERS: dict[type, Converter] = {SimpleImputer: simple, MissingIndicator: indicator}
