"""skrub's ways through a frame, by column, by part, or as a whole; and what is done to cells.

Sources: `skrub/_apply_to_each_col.py`, `_apply_to_sub_frame.py`, `_check_input.py`,
`_select_cols.py`, `_table_vectorizer.py`, `_cat_encoder.py`. What each column gets is settled by
fit: a column that a transformer has rejected then passes through, whatever it holds later.

Cells: null texts, numbers, text, categories, soft bounds, `skrub/_clean_null_strings.py`,
`_to_float.py`, `_to_str.py`, `_to_categorical.py`, `_clean_categories.py`, `_squashing_scaler.py`.
Text is cleaned and parsed before the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from skrub import (
    ApplyToCols,
    CatEncoder,
    Cleaner,
    Drop,
    DropCols,
    DropSimilar,
    SelectCols,
    SquashingScaler,
    TableVectorizer,
    ToCategorical,
    ToFloat,
)
from skrub._apply_to_each_col import ApplyToEachCol
from skrub._apply_to_sub_frame import ApplyToSubFrame
from skrub._check_input import CheckInputDataFrame
from skrub._clean_categories import CleanCategories
from skrub._clean_null_strings import CleanNullStrings
from skrub._drop_uninformative import DropUninformative
from skrub._single_column_transformer import is_single_column_transformer
from skrub._table_vectorizer import PassThrough
from skrub._to_str import ToStr

from onnxlet.convert.converters.composition.wrappers import delegating
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import index_among
from onnxlet.convert.graph.converter import (
    Converter,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    framed,
    labelled,
)
from onnxlet.function.arrays import MISSING_TEXT

NUMBERS = "numbers"


def checked(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CheckInputDataFrame: the names become text; the columns have to be those of the fit."""
    if fitted.module_name_ != "pandas":
        raise Unsupported(
            f"it is fitted on a frame of {fitted.module_name_}, and takes no other",
            "Fit it on a frame of pandas: X.to_pandas().",
        )
    table = _as_in_fit(table, fitted.feature_names_in_)
    return {"transform": framed(table, fitted.feature_names_out_)}


def _as_in_fit(table: Table, names: Sequence[Any]) -> Table:
    """The columns in their order: those that the model does without come last in a graph."""
    wanted, given = list(map(str, names)), list(map(str, table.labels))
    if wanted == given or (len(wanted) == table.width and not set(wanted) & set(given)):
        return table  # of an array, which has names of its own
    return table[wanted]


def by_column(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each column by its own transformer; those without one pass through."""
    tensors: list[Tensor] = []
    table = _as_in_fit(table, fitted.all_inputs_)
    for kind, members in groupby(range(table.width), key=lambda at: _kind(fitted, table, at)):
        indices = list(members)
        if kind == NUMBERS:
            tensors += in_float32(graph, graph.select(table, indices))
        elif kind is None:
            tensors += graph.select(table, indices).tensors
        else:
            for index in indices:
                tensors += _transformed(graph, fitted, table, index)
    if not tensors:
        raise Unsupported("it keeps no column", "Give it a column that it can use.")
    return {"transform": framed(Table(tuple(tensors)), fitted.all_outputs_)}


def _kind(fitted: Any, table: Table, index: int) -> Any:
    """What neighbouring columns share if they can be written together; else their transformer."""
    transformer = fitted.transformers_.get(fitted.all_inputs_[index])
    if isinstance(transformer, PassThrough) and not fitted.keep_original:
        return None
    dtypes = [tensor.dtype for tensor in table.tensors for _ in range(tensor.width)]
    numbers = type(transformer) is ToFloat and dtypes[index] != "string"
    return NUMBERS if numbers and not fitted.keep_original else transformer


def in_float32(graph: Graph, table: Table) -> list[Tensor]:
    """Numbers rounded to float32, neighbours of one dtype in one tensor."""
    made = []
    for _, members in groupby(table.tensors, key=lambda tensor: tensor.dtype):
        joined = graph.concat(list(members))
        made.append(replace(joined.cast("float32"), types=(), labels=()))
    return made


def _transformed(graph: Graph, fitted: Any, table: Table, index: int) -> list[Tensor]:
    """What a column becomes, behind the column itself if the original is kept."""
    transformer = fitted.transformers_[fitted.all_inputs_[index]]
    column = graph.select(table, [index])
    kept = list(column.tensors) if fitted.keep_original else []
    if isinstance(transformer, Drop) or getattr(transformer, "drop_", False):
        return kept
    given = replace(column, flat=is_single_column_transformer(transformer))
    made = graph.transform(transformer, given).tensors
    return [*kept, *made]


def by_part(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Some columns together by one transformer; the others come first."""
    chosen = set(fitted._columns)
    names = fitted.all_inputs_
    table = _as_in_fit(table, names)
    passed = [at for at, name in enumerate(names) if fitted.keep_original or name not in chosen]
    tensors = list(graph.select(table, passed).tensors)
    if fitted.transformer_ is not None:
        given = graph.select(table, [names.index(name) for name in fitted._columns])
        tensors += graph.transform(fitted.transformer_, replace(given, frame=True)).tensors
    return {"transform": framed(Table(tuple(tensors)), fitted.all_outputs_)}


def keeping(names: str) -> Converter:
    """A converter of what keeps the columns that an attribute, perhaps of a part, names."""

    def convert(graph: Graph, fitted: Any, table: Table) -> Outputs:
        kept = list(attrgetter(names)(fitted))
        if not kept:
            raise Unsupported("it keeps no column", "Select one.")
        return {"transform": table[kept]}

    return convert


def unchanged(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Nothing is done to the column that gets this far."""
    return {"transform": table}


def one_hot_and_target(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """CatEncoder: one-hot columns, then means of the target."""
    bare = labelled(table, ())
    made = [
        graph.call(encoder, bare, "transform")
        for encoder in (fitted.one_hot_encoder_, fitted.target_encoder_)
    ]
    return {"transform": framed(Table(tuple(made)), fitted.all_outputs_)}


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
    """A column as text; Unsupported where it has numbers, which ONNX writes in another way."""
    if column.dtype == "string":
        return column
    if column.types in WHOLE:
        made = graph.front_end(column, {"step": "whole_number_text"})
        return replace(made, column=None, steps=())  # steps may follow on text that comes in only
    if column.types not in TRUTH:
        raise Unsupported(
            "it turns numbers into text", "Fit it on text: X['column'] = X['column'].astype(str)."
        )
    words = [graph.constant([[word]], "string") for word in ("True", "False", MISSING_TEXT)]
    truth = column.equals(0.0).where(words[1], words[0])
    return column.isnan().where(words[2], truth)


def squashed(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SquashingScaler: centred and scaled, x / sqrt(1 + (x / bound)²), infinities at the bound.

    It computes in the dtype of its columns: squares of numbers beyond 1e19 overflow in float32, and
    the answer there is 0 where float64 gives the bound.
    """
    bound = float(fitted.max_absolute_value)
    x = graph.matrix(table, _dtype(fitted))
    scaled = _scaled(graph, fitted, x)
    ratio = scaled / bound
    soft = scaled / (ratio * ratio + 1.0).unary("Sqrt")
    soft = x.equals(np.inf).where(bound, soft)
    return {"transform": x.equals(-np.inf).where(-bound, soft)}


def _dtype(fitted: Any) -> str:
    """That of the columns in fit; where all were constant, it makes no difference."""
    if fitted.robust_scaler_ is not None:
        return str(fitted.robust_scaler_.center_.dtype)
    return "float64" if fitted.minmax_scaler_ is None else str(fitted.minmax_scaler_.median_.dtype)


def _scaled(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """Each column minus its median, divided by a range between quantiles or times a factor.

    RobustScaler divides by float64, and rounds the quotients.
    """
    width = len(fitted.zero_cols_)
    shift, divisor, factor = np.zeros((1, width)), np.ones((1, width)), np.ones((1, width))
    if fitted.robust_scaler_ is not None:
        shift[:, fitted.robust_cols_] = fitted.robust_scaler_.center_
        divisor[:, fitted.robust_cols_] = fitted.robust_scaler_.scale_
    if fitted.minmax_scaler_ is not None:
        shift[:, fitted.minmax_cols_] = fitted.minmax_scaler_.median_
        factor[:, fitted.minmax_cols_] = fitted.minmax_scaler_.scale_
    made = x - shift
    if fitted.robust_scaler_ is not None:
        made = (made.cast("float64") / divisor).cast(x.dtype)
    if fitted.minmax_scaler_ is not None:
        made = made * factor
    if not fitted.zero_cols_.any():
        return made
    # Constant in training: 0 wherever there is a number.
    zero = graph.constant(fitted.zero_cols_.reshape(1, -1), "bool")
    return (zero & made.equals(made)).where(0.0, made)


WHOLE_FRAME = exact(delegating("_pipeline"))  # of checks, cleaners and encoders
CONVERTERS: Converters = {
    # By column or by part, as its transformer wants it.
    ApplyToCols: exact(delegating("_wrapped_transformer")),
    ApplyToEachCol: exact(by_column),
    ApplyToSubFrame: exact(by_part),
    CheckInputDataFrame: exact(checked),
    Cleaner: WHOLE_FRAME,
    DropCols: exact(keeping("kept_cols_")),
    DropSimilar: exact(keeping("_dropper.kept_cols_")),
    DropUninformative: exact(unchanged),
    PassThrough: exact(unchanged),
    SelectCols: exact(keeping("columns_")),
    TableVectorizer: WHOLE_FRAME,
    CatEncoder: exact(one_hot_and_target),
    Drop: exact(),
    CleanCategories: exact(to_text),
    CleanNullStrings: exact(without_null_texts),
    ToCategorical: exact(unchanged),
    ToFloat: exact(to_float),
    ToStr: exact(to_text),
    SquashingScaler: squashed,
}
