"""skrub's ways through a frame: column by column, part by part, selected, vectorised as a whole.

Sources: `skrub/_apply_to_each_col.py`, `_apply_to_sub_frame.py`, `_check_input.py`,
`_select_cols.py`, `_table_vectorizer.py`. What each column gets is settled by fit: a column that a
transformer has rejected then passes through, whatever it holds later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from typing import Any

from skrub import ApplyToCols, Cleaner, Drop, DropCols, DropSimilar, SelectCols, TableVectorizer
from skrub._apply_to_each_col import ApplyToEachCol
from skrub._apply_to_sub_frame import ApplyToSubFrame
from skrub._check_input import CheckInputDataFrame
from skrub._drop_uninformative import DropUninformative
from skrub._single_column_transformer import is_single_column_transformer
from skrub._table_vectorizer import PassThrough
from skrub._to_float import ToFloat

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import (
    Converter,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    framed,
)

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
    if type(transformer) is ToFloat and not fitted.keep_original and not _is_text(table, index):
        return NUMBERS
    return transformer


def _is_text(table: Table, index: int) -> bool:
    dtypes = [tensor.dtype for tensor in table.tensors for _ in range(tensor.width)]
    return dtypes[index] == "string"


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


def wrapped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """ApplyToCols: by column or by part, as its transformer wants it."""
    return graph.convert(fitted._wrapped_transformer, table)


def whole(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TableVectorizer and Cleaner: a pipeline of checks, cleaners and encoders."""
    return graph.convert(fitted._pipeline, table)


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


CONVERTERS: Converters = {
    ApplyToCols: exact(wrapped),
    ApplyToEachCol: exact(by_column),
    ApplyToSubFrame: exact(by_part),
    CheckInputDataFrame: exact(checked),
    Cleaner: exact(whole),
    DropCols: exact(keeping("kept_cols_")),
    DropSimilar: exact(keeping("_dropper.kept_cols_")),
    DropUninformative: exact(unchanged),
    PassThrough: exact(unchanged),
    SelectCols: exact(keeping("columns_")),
    TableVectorizer: exact(whole),
    Drop: exact(),
}
