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
from sklearn.impute import MissingIndicator, SimpleImputer

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import is_missing as is_absent
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.loops import either
from onnxlet.function.arrays import MISSING_TEXT, Array

NONE = "string?None"  # text in which None stands for a gap


def simple(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each column's statistic where its value is missing."""
    if _finds_no_gap(fitted, table):
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


def _finds_no_gap(fitted: Any, table: Table) -> bool:
    """Whole numbers have none, and keep their 64 bits where nothing makes floats of them."""
    floats = fitted.strategy not in ("most_frequent", "constant") or fitted.add_indicator
    whole = all(tensor.dtype == "int64" for tensor in table.tensors)
    return whole and not floats and is_absent(fitted.missing_values)


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
    if is_absent(missing):
        return _without_gaps(run, _row(values))
    absent = is_missing(run, missing)
    return run if absent is None else absent.where(_row(values), run)


def _without_gaps(run: Tensor, values: Array) -> Tensor:
    """Filled with values where NaN.

    ONNX Runtime's Where is slow; the sum of all values shows quickly whether any is NaN.
    """
    total = run.graph.op("ReduceSum", run, keepdims=0)
    return either(total.isnan(), lambda: run.isnan().where(values, run), lambda: run, run)


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


def _row(values: Sequence[Any]) -> Array:
    return np.array([[np.nan if value is None else float(value) for value in values]])


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


CONVERTERS: Converters = {SimpleImputer: exact(simple), MissingIndicator: exact(indicator)}
