"""category_encoders: look-ups of categories, digests of texts, and texts cut into items.

Sources: `category_encoders/`. Whatever they compute in `fit`, their `transform` looks up each value
of a column, and passes the other columns on. So the encoder itself is asked about every category
that it knows, about one that it doesn't, and about a missing one: its answers are tables. Noise
(`sigma`, `randomized`) is in training only. Two are no look-ups: HashingEncoder takes digests of
texts, MultiHotEncoder cuts texts into items; the function does that before the graph.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import category_encoders as encoders
import numpy as np
import pandas as pd
from category_encoders import wrapper

from onnxlet.convert.converters.composition.wrappers import delegating
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import Meaning, is_missing, look_up, refuse_unseen
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
from onnxlet.function.arrays import Array

UNSEEN = "a category that no training row had"
# These have no ordinal codes: their mappings are by category.
BY_CATEGORY = (encoders.CatBoostEncoder, encoders.CountEncoder, encoders.LeaveOneOutEncoder)

Trial = tuple[int, Any]  # a column, and the value that is tried in it


@dataclass(frozen=True)
class ValueTables:
    """What an encoder makes of its columns."""

    names: list[Any]  # of the columns that it makes
    sources: list[int]  # for each of these, the column that it is made of
    meanings: dict[int, Meaning]  # by the column that is encoded; the others are passed on


def value_tables(fitted: Any, names: Sequence[Any], encoded: Sequence[int]) -> ValueTables:
    """Ask the encoder about every category, and about an unseen and a missing one."""
    flags = {column for column in encoded if pd.api.types.is_bool_dtype(_dtype(fitted, column))}
    known = {
        column: [False, True] if column in flags else _known(fitted, names[column])
        for column in encoded
    }
    unseen = {column: _unseen(values) for column, values in known.items()}
    trials = Trials(fitted, names, {c: [*known[c], unseen[c]][0] for c in encoded})
    seen = [(column, value) for column in encoded for value in known[column]]
    odd = [(column, value) for column in encoded for value in (unseen[column], np.nan)]
    for column in flags:
        trials.check_booleans(column)
    frame = trials.frame(seen, odd)
    passed = {names[column]: column for column in range(len(names)) if column not in known}
    made = [name for name in frame.columns if name not in passed]
    numbers = frame[made].to_numpy(dtype=np.float64)
    tried = np.array([column for column, _ in seen + odd])
    owners = [_owner(numbers[:, n], tried, encoded) for n in range(len(made))]
    meanings = {}
    for column in encoded:
        own = [n for n, owner in enumerate(owners) if owner == column]
        *rows, nothing, missing = numbers[tried == column][:, own]
        categories = np.array([*known[column], np.nan], dtype=object)
        meanings[column] = Meaning(categories, np.array([*rows, missing]), nothing)
    sources = passed | dict(zip(made, owners, strict=True))
    return ValueTables(list(frame.columns), [sources[name] for name in frame.columns], meanings)


def _owner(values: Array, tried: Array, encoded: Sequence[int]) -> int:
    """The one column that these values change with; the first where they never change.

    Unsupported: they depend on several columns.
    """
    own = {column: values[tried == column] for column in encoded}
    found = [c for c, v in own.items() if not np.array_equal(v, np.full(len(v), v[0]), True)]
    if len(found) > 1:
        raise Unsupported("it makes a column of several", "Encode each column by itself.")
    return found[0] if found else encoded[0]


@dataclass(frozen=True)
class Trials:
    """An encoder that is asked about values, one column at a time."""

    fitted: Any  # the encoder
    names: Sequence[Any]  # of all its columns
    # By the column that is encoded, the value that it has while others are tried.
    base: dict[int, Any]

    def frame(self, seen: Sequence[Trial], odd: Sequence[Trial]) -> pd.DataFrame:
        """A row for each trial; that of the first for an odd one that the encoder raises for.

        Requests with such values are refused, because the reference raises for them, too.
        """
        try:
            return self._made([*seen, *odd])
        except Exception:  # whatever an encoder raises for a value
            made = self._made(seen)
            return pd.concat([made, *(self._one(trial, made.iloc[[0]]) for trial in odd)])

    def check_booleans(self, column: int) -> None:
        """Refuse booleans that are answered differently in a column of objects, with a gap."""
        flags = [(column, False), (column, True)]
        try:
            beside = self._made([*flags, (column, np.nan)])[:2]
        except Exception:  # then none is ever missing
            return
        if not np.array_equal(self._made(flags).to_numpy(float), beside.to_numpy(float), True):
            raise Unsupported(
                f"it answers the booleans of column {self.names[column]!r} differently where one "
                "is missing",
                "Turn them into numbers or text before it is fitted.",
            )

    def _one(self, trial: Trial, default: pd.DataFrame) -> pd.DataFrame:
        try:
            return self._made([trial])
        except Exception:  # whatever an encoder raises for a value
            return default

    def _made(self, trials: Sequence[Trial]) -> pd.DataFrame:
        frame = pd.DataFrame(
            {name: self._series(column, trials) for column, name in enumerate(self.names)}
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forced = not isinstance(self.fitted, wrapper.PolynomialWrapper)
            settings = {"override_return_df": True} if forced else {}
            made: pd.DataFrame = self.fitted.transform(frame, **settings)
            return made

    def _series(self, column: int, trials: Sequence[Trial]) -> pd.Series[Any]:
        if column not in self.base:
            return pd.Series(np.zeros(len(trials)))
        cells = [value if tried == column else self.base[column] for tried, value in trials]
        dtype = _dtype(self.fitted, column)
        if not isinstance(dtype, pd.CategoricalDtype):
            flags = all(isinstance(cell, bool) for cell in cells)
            return pd.Series(cells, dtype=bool if flags else object)
        more = [v for v in dict.fromkeys(cells) if not is_missing(v) and v not in dtype.categories]
        every = [*dtype.categories, *more]
        return pd.Series(pd.Categorical(cells, categories=every, ordered=dtype.ordered))


def columns_of(fitted: Any, table: Table) -> tuple[list[Any], list[int]]:
    """The names that an encoder was fitted on, and the indices of the columns that it encodes.

    Unsupported: it is given others. The encoder itself would pass them on.
    """
    part = next(part for part in parts_of(fitted) if hasattr(part, "feature_names_in_"))
    names = list(part.feature_names_in_)
    # Columns of an array have numbers for names, and any others will do.
    named = bool(table.labels) and all(isinstance(name, str) for name in names)
    if table.width != len(names) or (named and list(table.labels) != names):
        raise Unsupported(
            f"it was fitted on the columns {names[:20]}, and is given {list(table.labels)[:20]}",
            "Give it the columns of the fit in their order, by a ColumnTransformer.",
        )
    return names, sorted(names.index(column) for column in part.cols)


def _dtype(fitted: Any, column: int) -> Any:
    found = [p.feature_dtypes_in_ for p in parts_of(fitted) if hasattr(p, "feature_dtypes_in_")]
    return found[0][column] if found else None


def _known(fitted: Any, name: Any) -> list[Any]:
    """The categories of a column that anything inside the encoder has seen."""
    found: list[Any] = []
    for part in parts_of(fitted):
        mapping = getattr(part, "mapping", None)
        if isinstance(part, encoders.OrdinalEncoder):
            maps = [one["mapping"] for one in mapping or [] if one["col"] == name]
            found += [value for one in maps for value in one.index.tolist()]
        elif isinstance(part, BY_CATEGORY) and mapping:
            found += mapping[name].index.tolist()
        for groups in ("min_group_lumping_", "_min_group_categories"):
            lumped = getattr(part, groups, {}).get(name, {})
            found += [*lumped, *lumped.values()]
    return [value for value in dict.fromkeys(found) if not is_missing(value)]


def _unseen(known: Sequence[Any]) -> Any:
    if not known or any(isinstance(value, str) for value in known):
        return UNSEEN
    return max(known) + 1


def encoder(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each encoded column looked up, the others as they are, in the encoder's order.

    Unsupported: it joins columns, or is given others than it was fitted on.
    """
    _check_settings(fitted)
    names, encoded = columns_of(fitted, table)
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


def hashing(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """HashingEncoder: how many of the columns have each remainder; then the other columns."""
    names, encoded = columns_of(fitted, table)
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
    names, _ = columns_of(fitted, table)
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
    wrapper.NestedCVWrapper: exact(delegating("feature_encoder")),  # fitted on all rows
    wrapper.PolynomialWrapper: exact(encoder),
}
