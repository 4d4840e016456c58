"""Encoders, which know the categories of the fit; and what matches columns and categories to it.

Sources: `feature_engine/encoding/base_encoder.py` (`_encode`: a look-up, then what stands for
unseen and missing values), `one_hot.py`, `rare_label.py`.

Rare numbers that become the text 'Rare' make a column of numbers and text: it is text here, with
each number as `as_text` writes it.

MatchVariables and MatchCategories: `feature_engine/preprocessing/match_columns.py`,
`match_categories.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from feature_engine import encoding as library
from feature_engine import preprocessing

from onnxlet.convert.converters.libraries.feature_engine import (
    added,
    as_text,
    chosen_of,
    columns_of_fit,
    exchanged,
    names,
    replaced,
    without,
)
from onnxlet.convert.converters.preprocessing.encoding import hot
from onnxlet.convert.converters.preprocessing.imputation import filled_text
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import elementary
from onnxlet.convert.graph.categories import (
    Meaning,
    as_categories,
    identities,
    index_among,
    is_missing,
    look_up,
)
from onnxlet.convert.graph.converter import (
    DATE,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    labelled,
)
from onnxlet.function.arrays import MISSING_TEXT, Array


def mapped(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each category's number; another for unseen and missing values, NaN, or an error."""
    table = columns_of_fit(fitted, table)
    chosen = names(fitted.encoder_dict_)
    unseen = float(fitted._unseen) if fitted.unseen == "encode" else math.nan
    columns = table[chosen]
    pairs = zip(graph.columns(columns), fitted.encoder_dict_.values(), strict=True)
    meanings = [_meaning(tensor, numbers, unseen) for tensor, numbers in pairs]
    made = look_up(graph, columns, meanings, graph.precision)
    if fitted.unseen == "raise":
        graph.refuse_rows(made.isnan())
    return {"transform": replaced(table, chosen, made)}


def _meaning(tensor: Tensor, numbers: Mapping[Any, float], unseen: float) -> Meaning:
    values = np.array([float(value) for value in numbers.values()]).reshape(-1, 1)
    values[np.isnan(values)] = unseen  # of a categorical's category that no training row has
    return Meaning(categories(tensor, list(numbers)), values, np.array([unseen]))


def categories(tensor: Tensor, known: Sequence[Any]) -> Array:
    """Categories as the column holds them."""
    return as_categories(list(map(as_text, known)) if tensor.dtype == "string" else known)


def one_hot(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The other columns, and one for each category."""
    table, chosen = chosen_of(fitted, table)
    columns = table[chosen]
    known = [
        categories(tensor, fitted.encoder_dict_[name])
        for tensor, name in zip(graph.columns(columns), fitted.variables_, strict=True)
    ]
    made, codes, _ = identities(graph, columns, known)
    pairs = [(index, code) for index, found in enumerate(codes) for code in found]
    new = [f"{n}_{one}" for n in fitted.variables_ for one in fitted.encoder_dict_[n]]
    if not pairs:
        return {"transform": without(table, chosen)}
    spread = hot(graph, made, pairs).cast(graph.precision)
    return {"transform": exchanged(table, chosen, new, spread)}


def rare(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """RareLabelEncoder: frequent categories as they are, one value for all others."""
    table = columns_of_fit(fitted, table)
    for name in fitted.variables_:
        known = list(fitted.encoder_dict_[name])
        if fitted.missing_values == "ignore":
            known.append(math.nan)
        column = table[[str(name)]]
        made = _grouped(graph, column, known, fitted.replace_with)
        table = replaced(table, [str(name)], made)
    return {"transform": table}


def _grouped(graph: Graph, column: Table, known: Sequence[Any], other: Any) -> Tensor:
    [tensor] = column.tensors
    if tensor.dtype != "string" and isinstance(other, str):
        texts = [MISSING_TEXT if is_missing(one) else as_text(one) for one in known]
        return _index(graph, column, known).look_up([*texts, other])
    is_known = is_one_of(graph, column, known)
    if tensor.dtype != "string":
        return is_known.where(graph.matrix(column), float(other))
    return is_known.where(tensor, graph.constant([[as_text(other)]], "string"))


def is_one_of(graph: Graph, column: Table, known: Sequence[Any]) -> Tensor:
    """Where a column has one of the values, NaN for a missing one: bool."""
    return _index(graph, column, known) < len(known)


def _index(graph: Graph, column: Table, known: Sequence[Any]) -> Tensor:
    return index_among(graph, column, categories(column.tensors[0], known).tolist())


def similar(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """StringSimilarityEncoder: how alike each text is to those that it knows, of the front end."""
    table, chosen = chosen_of(fitted, table)
    made, new = [], []
    for name in fitted.variables_:
        column, known = table[str(name)], fitted.encoder_dict_[name]
        if column.dtype != "string":
            raise Unsupported(
                f"it compares numbers as text: '{name}'", "Turn the column into text before fit."
            )
        if fitted.missing_values == "impute":
            [column] = filled_text(column, [column], [""], None)
        step = {"step": "letter_similarity", "texts": list(known)}
        made.append(graph.front_end(column, step, graph.precision, len(known)))
        new += [f"{name}_{text or 'nan'}" for text in known]
    return {"transform": exchanged(table, chosen, new, graph.concat(made))}


def matched_categories(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MatchCategories: values that are no categories become missing, or raise."""
    table = columns_of_fit(fitted, table)
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


def matched_variables(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MatchVariables: the columns of the fit; absent ones hold one value."""
    wanted = names(fitted.feature_names_in_)
    table = labelled(table, names(table.labels))
    there = [name for name in wanted if name in table.labels]
    for tensor in table[there].tensors if fitted.missing_values == "raise" else ():
        if tensor.dtype == "string":
            graph.refuse_rows(tensor.equals(MISSING_TEXT))
        elif tensor.dtype != "int64":
            graph.refuse_rows(tensor.isnan())
    for name in wanted:
        if name not in table.labels:
            table = added(table, [name], _everywhere(graph, table, fitted.fill_value))
    table = table[wanted]
    if fitted.match_dtypes:
        for name, dtype in fitted.dtype_dict_.items():
            made = _as(graph, table[[str(name)]], dtype)
            table = replaced(table, [str(name)], made)
    return {"transform": table}


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
    library.CountFrequencyEncoder: exact(mapped),
    library.DecisionTreeEncoder: exact(mapped),
    library.MeanEncoder: exact(mapped),
    library.OneHotEncoder: exact(one_hot),
    library.OrdinalEncoder: exact(mapped),
    library.RareLabelEncoder: exact(rare),
    library.StringSimilarityEncoder: exact(similar),
    library.WoEEncoder: exact(mapped),
    preprocessing.MatchCategories: exact(matched_categories),
    preprocessing.MatchVariables: exact(matched_variables),
}
