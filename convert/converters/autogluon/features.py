"""AutoGluonFeatures: each kind of features in as few nodes as it takes.

Symbols and words are counted by the front end, and put into bins by the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.autogluon.features import (
    BETWEEN,
    NANOSECONDS,
    AutoGluonFeatures,
    Entry,
    codes_of,
    how_measured,
    plain_part,
)
from onnxlet.convert.converters.extraction.text import joined_counts
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph import dates
from onnxlet.convert.graph.categories import Meaning, as_categories, look_up
from onnxlet.convert.graph.converter import DATE, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.inputs.dates import PARTS

Named = Sequence[tuple[str, Entry]]
Made = Iterator[tuple[Tensor, list[str]]]  # columns side by side, and their names
# The largest number that fits int64: a signature's whole numbers are whole floats where they have
# gaps.
BELOW = {"float64": 2.0**63 - 2.0**10, "float32": 2.0**63 - 2.0**39}
NO_SPACES = {"step": "replace_literal", "old": " ", "new": ""}


def autogluon_features(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """All features, in AutoGluon's order."""
    made: list[Tensor] = []
    for kinds, write in WRITERS.items():
        some = [pair for pair in fitted.entries_.items() if pair[1]["is"] in kinds]
        found = write(graph, fitted, table, some) if some else ()
        made += [replace(tensor, labels=tuple(names), types=()) for tensor, names in found]
    return {"transform": Table(tuple(made))[fitted.features_out_]}


def _by(entries: Named, key: Callable[[Entry], Any]) -> dict[Any, Named]:
    """The entries by what they have in common, in the order of the first."""
    found: dict[Any, list[tuple[str, Entry]]] = {}
    for name, entry in entries:
        found.setdefault(key(entry), []).append((name, entry))
    return dict(found)


def _names(entries: Named) -> list[str]:
    return [name for name, _ in entries]


def _numbers(graph: Graph, fitted: Any, table: Table, entries: Named) -> Made:
    for dtype, some in _by(entries, itemgetter("dtype")).items():
        made = graph.matrix(table[[entry["column"] for _, entry in some]])
        if dtype != "float64":  # float16 is not known to be fitted
            made = made.cast("float32").cast(graph.precision)
        yield made, _names(some)


def _wholes(graph: Graph, fitted: Any, table: Table, entries: Named) -> Made:
    for dtype, some in _by(entries, itemgetter("dtype")).items():
        chosen = table[[entry["column"] for _, entry in some]]
        made = graph.concat(
            [_whole(tensor) for tensor in graph.select(chosen, range(len(some))).tensors]
        )
        yield _within(graph, made, np.dtype(dtype)), _names(some)


def _whole(numbers: Tensor) -> Tensor:
    if numbers.dtype == "int64":
        return numbers
    if not numbers.dtype.startswith("float"):
        raise Unsupported("it is given text where AutoGluon was fitted on whole numbers")
    within = numbers.isnan().where(0.0, numbers).clip(-(2.0**63), BELOW[numbers.dtype])
    return within.cast("int64")


def _within(graph: Graph, numbers: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """As a dtype of fewer bits holds them: numbers that are too large begin anew."""
    if dtype.itemsize == 8:
        return numbers
    least, size = int(np.iinfo(dtype).min), 2 ** (8 * dtype.itemsize)
    return _modulo(graph, numbers - least, size) + least


def _modulo(graph: Graph, numbers: Tensor, size: int) -> Tensor:
    return graph.op("Mod", numbers, graph.constant(size, "int64"), dimensions=numbers.dimensions)


def _codes(graph: Graph, fitted: Any, table: Table, entries: Named) -> Made:
    chosen = table[[entry["column"] for _, entry in entries]]
    yield (
        look_up(graph, chosen, [_meaning(e) for _, e in entries], graph.precision),
        _names(entries),
    )


def _meaning(entry: Entry) -> Meaning:
    codes, unseen = ({entry["true"]: 1.0}, 0.0) if entry["is"] == "flag" else codes_of(entry)
    values = np.array(list(codes.values())).reshape(-1, 1)
    return Meaning(as_categories(list(codes)), values, np.array([unseen]))


def _dates(graph: Graph, fitted: Any, table: Table, entries: Named) -> Made:
    for column, some in _by(entries, itemgetter("column")).items():
        date = table[[column]].tensors[0]
        if date.dtype != DATE:
            date = dates.from_text(date, dates.form_of(date))
        names = [entry["part"] for _, entry in some]
        parts = ["microseconds" if name == NANOSECONDS else name for name in names]
        if unknown := {dates.ALIASES.get(name, name) for name in parts} - PARTS.keys():
            raise Unsupported(f"parts of dates that are not known: {sorted(unknown)}")
        fill = pd.Timestamp(some[0][1]["fill"])
        fills = [
            fill.value if name == NANOSECONDS else int(getattr(fill, plain_part(name)))
            for name in names
        ]
        found = dates.parts(dates.in_utc(date), parts, "float64")
        gaps, whole = found.isnan(), found.isnan().where(0.0, found).cast("int64")
        units = np.array([1000 if name == NANOSECONDS else 1 for name in names])
        yield gaps.where(np.array(fills), whole * units), _names(some)


def _measures(graph: Graph, fitted: Any, table: Table, entries: Named) -> Made:
    groups = _by(entries, lambda e: (e["column"], how_measured(e)[2], e["bins"] is None))
    for (column, is_ratio, is_plain), some in groups.items():
        text = _text(table, column)
        pairs = [_counted(graph, text, entry) for _, entry in some]
        values = graph.concat([counts for counts, _ in pairs])
        if is_ratio:
            lengths = graph.concat([length for _, length in pairs])
            values = (values / lengths.maximum(1.0)).cast("float32").cast("float64")
        made = values if is_plain else _binned(graph, values, [entry["bins"] for _, entry in some])
        yield made, _names(some)


def _text(table: Table, column: str) -> Tensor:
    """A column of text, in which a gap is ''."""
    text = table[[column]].tensors[0]
    if text.dtype != "string":
        raise Unsupported(f"column '{column}': it is given no text where AutoGluon was")
    return replace(text, replaced=((MISSING_TEXT, ""),))


def _counted(graph: Graph, text: Tensor, entry: Entry) -> tuple[Tensor, Tensor]:
    """A count of each text, and the length of what it is of: both in float64."""
    pattern, without_spaces, _ = how_measured(entry)
    given = graph.front_end(text, NO_SPACES) if without_spaces else text
    length = graph.front_end(given, {"step": "length"}, "float64")
    if pattern is None:
        return length, length
    return graph.front_end(given, {"step": "pattern_count", "pattern": pattern}, "float64"), length


def _binned(graph: Graph, values: Tensor, bins: Sequence[Sequence[float]]) -> Tensor:
    """How many edges lie below each value: int64, of the values' shape."""
    edges = np.full((1, len(bins), max(map(len, bins))), np.inf)
    for index, some in enumerate(bins):
        edges[0, index, : len(some)] = some
    above = graph.op(
        "Greater", values.reshape([0, len(bins), 1], 1), graph.constant(edges, "float64"),
        dtype="bool", width=edges.shape[2], dimensions=3,
    )  # fmt: skip
    return graph.op(
        "ReduceSum", above.cast("int64"), graph.constant([2], "int64"), width=len(bins),
        dimensions=2, keepdims=0,
    )  # fmt: skip


def _counts(graph: Graph, fitted: Any, table: Table, entries: Named) -> Made:
    for number, some in _by(entries, itemgetter("vectorizer")).items():
        columns = fitted.description["vectorizers"][number]["columns"]
        vectorizer, wraps = fitted.vectorizers_[number], fitted.wraps_[number]
        texts = [str(_text(table, column).column) for column in columns]
        indices, counts = joined_counts(graph, vectorizer, texts, BETWEEN)
        counts = _modulo(graph, counts, wraps) if wraps else counts
        terms = len(vectorizer.vocabulary_)
        spread = graph.spread(indices, counts, terms)
        some_terms = [(name, e["index"]) for name, e in some if e["index"] < terms]
        if some_terms:
            names = [name for name, _ in some_terms]
            yield spread.take([index for _, index in some_terms]), names
        if len(some_terms) < len(some):
            total = (~counts.equals(0)).cast("int64").sum()
            yield total, [name for name, e in some if e["index"] == terms]


Write = Callable[[Graph, Any, Table, Named], Made]
WRITERS: Mapping[tuple[str, ...], Write] = {
    ("number",): _numbers,
    ("whole",): _wholes,
    ("flag", "category"): _codes,
    ("date",): _dates,
    ("measure",): _measures,
    ("count",): _counts,
}


CONVERTERS: Converters = {AutoGluonFeatures: exact(autogluon_features)}
