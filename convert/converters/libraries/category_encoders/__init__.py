"""category_encoders: look-ups of categories, digests of texts, and texts cut into items.

Sources: `category_encoders/`. Whatever they compute in `fit`, their `transform` looks up each value
of a column, and passes the other columns on. So the encoder itself is asked about every category
that it knows, about one that it doesn't, and about a missing one. Noise (`sigma`, `randomized`) is
in training only. Two are no look-ups: HashingEncoder takes digests of texts, MultiHotEncoder cuts
texts into items; the function does that before the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import category_encoders as encoders
from category_encoders import wrapper

from onnxlet.convert.converters.libraries.category_encoders.value_tables import (
    columns_of,
    value_tables,
)
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import Meaning, look_up, refuse_unseen
from onnxlet.convert.graph.converter import (
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    framed,
    labelled,
)
from onnxlet.convert.graph.responses import one_hot, total
from onnxlet.convert.reference.estimators import parts_of


def encoder(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each encoded column looked up, the others as they are, in the encoder's order.

    Unsupported: it joins columns, or is given others than it was fitted on.
    """
    _check_settings(fitted)
    names, encoded = columns_of(fitted)
    _check_given(table, names)
    found = value_tables(fitted, names, encoded)
    tensors, starts = _looked_up(graph, table, found.meanings)
    if getattr(fitted, "handle_unknown", None) == "error":
        known = [meaning.categories for meaning in found.meanings.values()]
        refuse_unseen(graph, graph.select(table, list(found.meanings)), known)
    offset = sum(tensor.width for tensor in tensors)
    order = []
    for source in found.sources:
        if source in starts:
            order.append(starts[source])
            starts[source] += 1
        else:
            order.append(offset + source)
    made = graph.select(Table((*tensors, *table.tensors)), order)
    return {"transform": _named(fitted, made, found.names)}


def _looked_up(
    graph: Graph, table: Table, meanings: dict[int, Meaning]
) -> tuple[list[Tensor], dict[int, int]]:
    """The columns of all tables, those of one width in one tensor; where each column's begin."""
    tensors, offset = [], 0
    starts: dict[int, int] = {}
    for width in sorted({len(meaning.unseen) for meaning in meanings.values()} - {0}):
        columns = [column for column, one in meanings.items() if len(one.unseen) == width]
        given = graph.select(table, columns)
        tensors.append(look_up(graph, given, [meanings[c] for c in columns], graph.precision))
        starts |= {column: offset + n * width for n, column in enumerate(columns)}
        offset += width * len(columns)
    return tensors, starts


def nested(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """NestedCVWrapper: the encoder that it fitted on all rows."""
    return {"transform": graph.transform(fitted.feature_encoder, table)}


def hashing(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """HashingEncoder: how many of the columns have each remainder; then the other columns."""
    names, encoded = columns_of(fitted)
    _check_given(table, names)
    given = graph.columns(graph.select(table, encoded))
    if any(column.dtype != "string" for column in given):
        raise Unsupported("it takes digests of numbers", "Turn them into text before it is fitted.")
    if fitted.min_group_lumping_:
        raise Unsupported("it joins categories (min_group_size)", "Leave min_group_size out.")
    step = {"step": "digest_remainder", "method": fitted.hash_method, "size": fitted.n_components}
    remainders = [graph.front_end(column, step, "int64") for column in given]
    counts = total([one_hot(column, fitted.n_components) for column in remainders])
    others = [column for column in range(len(names)) if column not in encoded]
    made = Table((counts.cast(graph.precision), *graph.select(table, others).tensors))
    every = [f"col_{number}" for number in range(fitted.n_components)]
    every += [names[column] for column in others]
    return {"transform": _kept(graph, fitted, made, every)}


def items(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MultiHotEncoder: 1 for each item that a text has."""
    names, _ = columns_of(fitted)
    _check_given(table, names)
    specs = {names.index(one["col"]): one for one in fitted.mapping}
    tensors, every = [], []
    for position, column in enumerate(graph.columns(table)):
        spec = specs.get(position)
        if spec is None:
            tensors.append(column)
            every.append(names[position])
        elif column.dtype == "string":
            tensors.append(_items(graph, fitted, spec, column))
            every += spec["columns"]
        else:
            raise Unsupported("it cuts numbers", "Turn them into text before it is fitted.")
    return {"transform": _kept(graph, fitted, Table(tuple(tensors)), every)}


def _items(graph: Graph, fitted: Any, spec: dict[str, Any], column: Tensor) -> Tensor:
    width = len(spec["columns"])
    missing = [None if fitted.handle_missing == "return_nan" else 0.0] * width
    for position in (spec["nan_value_pos"], spec["missing_pos"]):
        if position is not None:
            missing[position] = 1.0
    step = {
        "step": "multi_hot",
        "delimiter": fitted.delimiter,
        "positions": spec["item_pos"],
        "missing": missing,
        "unknown": "nan" if fitted.handle_unknown == "return_nan" else spec["unknown_pos"],
    }
    return graph.front_end(column, step, graph.precision, width)


def _kept(graph: Graph, fitted: Any, made: Table, names: Sequence[Any]) -> Table:
    """The columns that are not dropped as the same in all training rows."""
    dropped = fitted.invariant_cols if fitted.drop_invariant else []
    kept = [position for position, name in enumerate(names) if name not in dropped]
    return _named(fitted, graph.select(made, kept), [names[position] for position in kept])


def _check_settings(fitted: Any) -> None:
    """Refuse what is no look-up of single values."""
    for part in parts_of(fitted):
        if getattr(part, "composite_cols", None):
            raise Unsupported(
                "it encodes columns jointly (composite_cols)",
                "Join the columns to one before the model, and encode that.",
            )
        if isinstance(part, encoders.OrdinalEncoder) and callable(part.handle_unknown):
            raise Unsupported(
                "a function of its own encodes unknown values (handle_unknown)",
                "Use handle_unknown='value', or a number.",
            )


def _check_given(table: Table, names: Sequence[Any]) -> None:
    """Refuse other columns than those of the fit: the encoder itself would pass them on."""
    # Columns of an array have numbers for names, and any others will do.
    named = bool(table.labels) and all(isinstance(name, str) for name in names)
    if table.width != len(names) or (named and list(table.labels) != list(names)):
        raise Unsupported(
            f"it was fitted on the columns {names[:20]}, and is given {list(table.labels)[:20]}",
            "Give it the columns of the fit in their order, by a ColumnTransformer.",
        )


def _named(fitted: Any, made: Table, names: Sequence[Any]) -> Table:
    """With the names of the DataFrame, where it returns one."""
    if not getattr(fitted, "return_df", True):
        return labelled(made, ())
    return framed(made, names)


LOOK_UPS = (
    "BackwardDifferenceEncoder", "BaseNEncoder", "BinaryEncoder", "CatBoostEncoder", "CountEncoder",
    "CountTargetEncoder", "GLMMEncoder", "GrayEncoder", "HelmertEncoder", "JamesSteinEncoder",
    "LeaveOneOutEncoder", "MEstimateEncoder", "OneHotEncoder", "OrdinalEncoder",
    "PolynomialEncoder", "QuantileEncoder", "RankHotEncoder", "SumEncoder", "SummaryEncoder",
    "TargetEncoder", "WOEEncoder",
)  # fmt: skip

CONVERTERS: Converters = {
    **{getattr(encoders, name): exact(encoder) for name in LOOK_UPS if hasattr(encoders, name)},
    encoders.HashingEncoder: exact(hashing),
    encoders.MultiHotEncoder: exact(items),
    wrapper.NestedCVWrapper: exact(nested),
    wrapper.PolynomialWrapper: exact(encoder),
}
