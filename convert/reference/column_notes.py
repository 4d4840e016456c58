"""Columns that the estimator answers with and perhaps should not: a target, an index, an id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from onnxlet.convert.reference.diagnosis import fitted_names, given_names, listed, too_many_hint
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column

LEAST_ROWS = 20  # that speak for an id
LOOKED_AT = 1000  # rows
UNNAMED = re.compile(r"Unnamed: \d+")
ID_NAME = re.compile(
    r"(?i:(^|[\W_])(id|ids|uuid|guid|rowid|row_?(no|num|number)|index)$)|[a-z](Id|ID|UUID|GUID)$"
)
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{24,}")


def notes(source: Source, columns: Sequence[Column], rows: Sequence[Cells]) -> Iterator[str]:
    """What joins the signature and perhaps should not: one line each.

    A test set that is a frame is pandas' own here; held-out rows are in the columns' order.
    """
    fitted = fitted_names(source.estimator)
    named = fitted is not None and given_names(source.X_test) is not None
    more = [c.name for c in columns if named and c.name not in (fitted or ())]
    for position, column in enumerate(columns):
        if why := _looks_like_an_id(column, [row[position] for row in rows[:LOOKED_AT]]):
            more = [name for name in more if name != column.name]
            use = "the model uses it" if column.required else "the model does without it"
            yield f"note: column '{column.name}' {why}; it joins the signature, and {use}"
    if fitted is not None and not named:
        yield (
            f"note: the estimator was fitted on columns with names ({listed(fitted)}), and X_test "
            "has none: clients will have to call them x0, x1, … unless X_test is a DataFrame, too"
        )
    if more:
        yield (
            f"note: the estimator was not fitted on {listed(more)}, which the signature has as "
            f"optional. {too_many_hint(source, more)}"
        )


def _looks_like_an_id(column: Column, cells: Sequence[Any]) -> str:
    """Why a column looks like an identifier; '' where it does not."""
    if UNNAMED.fullmatch(column.name):
        return "is an index that pandas wrote (to_csv(index=False) leaves it out)"
    if column.image or len(cells) < LEAST_ROWS or None in cells or len(set(cells)) < len(cells):
        return ""
    if column.type == "int64" and all(after - before == 1 for before, after in pairwise(cells)):
        return "counts the rows, as an index or an id does"
    if column.type in ("int64", "string") and ID_NAME.search(column.name):
        return "looks like an id: another value in each row"
    if column.type == "string" and all(map(UUID.fullmatch, cells)):
        return "looks like an id: another UUID or digest in each row"
    return ""
