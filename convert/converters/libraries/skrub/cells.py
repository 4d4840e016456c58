"""What skrub's cleaners do to the cells of one column: null texts, numbers, text, categories.

Sources: `skrub/_clean_null_strings.py`, `_to_float.py`, `_to_str.py`, `_to_categorical.py`,
`_clean_categories.py`. Text is cleaned and parsed by the function before the graph.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from skrub import ToCategorical, ToFloat
from skrub._clean_categories import CleanCategories
from skrub._clean_null_strings import CleanNullStrings
from skrub._to_str import ToStr

from onnxlet.convert.converters.libraries.skrub.columns import unchanged
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import index_among
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.function.arrays import MISSING_TEXT

TRUTH, WHOLE = (("bool",), ("bool?",)), (("int64",), ("int64?",))  # types of one column


def without_null_texts(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CleanNullStrings: empty text, spaces only, and names of nothing such as N/A, are missing."""
    [column] = graph.columns(table)
    if column.dtype != "string":
        return {"transform": column}
    nulls = sorted(set(fitted.null_strings_))
    if column.column is None:  # made by a step before it, which makes no text of spaces only
        is_null = index_among(graph, Table((column,)), nulls) < len(nulls)
        return {"transform": is_null.where(MISSING_TEXT, column)}
    return {"transform": graph.front_end(column, {"step": "without_null_texts", "nulls": nulls})}


def to_float(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ToFloat: float32; text is read as pandas reads it, and is missing where it is no number."""
    [column] = graph.columns(table)
    if column.dtype != "string":
        return {"transform": replace(column.cast("float32"), types=())}
    settings = {}
    if fitted._needs_str_replace:
        settings = {
            "decimal": fitted.decimal,
            "thousand": fitted._thousand,
            "parentheses": bool(fitted.parentheses),
        }
    made = graph.front_end(column, {"step": "parse_number", **settings}, "float64")
    return {"transform": made.cast("float32")}


def to_text(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ToStr, and CleanCategories of names: booleans become True and False; text stays."""
    [column] = graph.columns(table)
    return {"transform": text_of(graph, column)}


def text_of(graph: Graph, column: Tensor) -> Tensor:
    """A column as text.

    Raises:
        Unsupported: it has numbers, which ONNX writes in another way.
    """
    if column.dtype == "string":
        return column
    if column.types in WHOLE:
        made = graph.front_end(column, {"step": "whole_number_text"})
        return replace(made, column=None, steps=())  # steps may follow on text that comes in only
    if column.types not in TRUTH:
        raise Unsupported(
            "it turns numbers into text",
            "Fit it on text: X['column'] = X['column'].astype(str).",
        )
    words = [graph.constant([[word]], "string") for word in ("True", "False", MISSING_TEXT)]
    truth = column.equals(0.0).where(words[1], words[0])
    return column.isnan().where(words[2], truth)


CONVERTERS: Converters = {
    CleanCategories: exact(to_text),
    CleanNullStrings: exact(without_null_texts),
    ToCategorical: exact(unchanged),
    ToFloat: exact(to_float),
    ToStr: exact(to_text),
}
