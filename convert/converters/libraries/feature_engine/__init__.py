"""Converters of feature-engine's estimators, and what all share: columns of a frame by name.

Columns are those that an estimator is given, replaced, added and dropped. Source:
`feature_engine/dataframe_checks.py` (`check_X`), and `X[self.feature_names_in_]` in each
`transform`. Names are text here: a frame may also call its columns by number.

Each takes a frame and returns a frame: later steps choose columns by name. All raise where a frame
has another number of columns than in `fit`; many raise for a missing or infinite number, or for a
value that a function is not defined for. The build finds that by asking them, and where such a
value is only made inside the model, the graph marks its row (`Graph.refuse_rows`).

Here are the pipeline, whose steps may remove rows in `fit`, and features of other rows, which are
refused. Sources: `feature_engine/pipeline/pipeline.py`, `feature_engine/timeseries/forecasting/`.
The `transform` of those without a converter is followed, as one of the user's own is
(`onnxlet.convert.converters.tracing`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
from feature_engine.pipeline import Pipeline
from feature_engine.timeseries import forecasting

from onnxlet.convert.converters.composition.pipelines import pipeline
from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.categories import is_missing
from onnxlet.convert.graph.converter import (
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    framed,
    refusing,
)


def names(variables: Iterable[Any]) -> list[str]:
    """Column names as text."""
    return [str(variable) for variable in variables]


def as_text(value: Any) -> Any:
    """How a column of text and numbers holds a number, such as one with rare values grouped."""
    is_number = isinstance(value, int | float | np.number | np.bool_)
    return f"\0{float(value)!r}" if is_number and not is_missing(value) else value


def columns_of_fit(fitted: Any, table: Table) -> Table:
    """The columns that the estimator was fitted on, named, in its order.

    Unsupported: they are not those that it is given.
    """
    wanted = names(fitted.feature_names_in_)
    found = names(table.labels) or [f"x{position}" for position in range(table.width)]
    if sorted(found) != sorted(wanted):
        raise Unsupported(
            f"it was fitted on other columns than it is given: {wanted[:5]} and {found[:5]}",
            "Give X_test the columns of the fit.",
        )
    table = framed(table, found)
    return table if found == wanted else table[wanted]


def chosen_of(fitted: Any, table: Table) -> tuple[Table, list[str]]:
    """The columns of the fit, and the names of its variables."""
    return columns_of_fit(fitted, table), names(fitted.variables_)


def variables_of(graph: Graph, fitted: Any, table: Table) -> tuple[Table, list[str], Tensor]:
    """The columns of the fit, the names of its variables, and these in one tensor."""
    table, chosen = chosen_of(fitted, table)
    return table, chosen, graph.matrix(table[chosen])


def finished(fitted: Any, table: Table, originals: Sequence[str]) -> Outputs:
    """The table, without the columns that features were made of where these are to be dropped."""
    return {"transform": without(table, originals) if fitted.drop_original else table}


def replaced(table: Table, chosen: Sequence[str], made: Tensor) -> Table:
    """The table with the columns of one tensor instead of those of these names."""
    at = {name: position for position, name in enumerate(chosen)}
    made = replace(made, labels=tuple(chosen), types=())
    tensors: list[Tensor] = []
    for is_new, group in groupby(table.labels, at.__contains__):
        run = list(group)
        tensors += [made.take([at[name] for name in run])] if is_new else table[run].tensors
    return Table(tuple(tensors), frame=True)


def added(table: Table, new: Sequence[str], made: Tensor) -> Table:
    """The table and the columns of one tensor; those of a name that it has are replaced."""
    known = [name for name in new if name in table.labels]
    if known:
        table = replaced(table, known, made.take([new.index(name) for name in known]))
    fresh = [position for position, name in enumerate(new) if name not in known]
    if not fresh:
        return table
    last = replace(made.take(fresh), labels=tuple(new[position] for position in fresh), types=())
    return Table((*table.tensors, last), frame=True)


def exchanged(table: Table, dropped: Sequence[str], new: Sequence[str], made: Tensor) -> Table:
    """The table without some columns, and behind the others those of one tensor."""
    others = [name for name in table.labels if name not in set(dropped)]
    return added(table[others] if others else Table((), frame=True), new, made)


def without(table: Table, dropped: Iterable[str]) -> Table:
    """The table without these columns; Unsupported where none is left."""
    gone = set(dropped)
    left = [name for name in table.labels if name not in gone]
    if not left:
        raise Unsupported("it keeps no column", "Have it keep one at least.")
    return table[left]


def refuse_missing_and_infinite(graph: Graph, x: Tensor) -> None:
    """Mark rows with a number that is missing or infinite (`_check_contains_inf`)."""
    graph.refuse_rows(x.isnan())
    graph.refuse_rows(x.unary("Abs").equals(float("inf")))


FEATURES = (
    forecasting.ExpandingWindowFeatures,
    forecasting.LagFeatures,
    forecasting.WindowFeatures,
)
OF_OTHER_ROWS = refusing(
    "its values come from the rows before a row, which a request need not hold",
    "Make these columns before the pipeline, and send them with the row.",
)


CONVERTERS: Converters = {
    **dict.fromkeys(FEATURES, OF_OTHER_ROWS),
    Pipeline: exact(pipeline),
}
