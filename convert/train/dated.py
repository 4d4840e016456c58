"""Whether rows stand in the order of time, so that a random split would learn from their future."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from onnxlet.convert.train.kinds.date import DATE, goes_on
from onnxlet.convert.train.kinds.number import NUMBER
from onnxlet.convert.train.kinds.profile import TableColumn
from onnxlet.convert.train.kinds.registry import IDENTIFIER
from onnxlet.convert.train.splits import times_of
from onnxlet.function.arrays import Array

TREND = 0.3  # Spearman's correlation of the target with the rows' order
BY_CHANCE = 1e-6  # how often a target without a trend may seem to have one
RANDOM = "--split random draws them at random instead"


class Dated(NamedTuple):
    """By what rows are in order."""

    times: Array  # float64, one for each row, NaN where it has none
    why: str  # in a sentence


def dated(frame: pd.DataFrame, columns: Sequence[TableColumn], y: Array, task: str) -> Dated | None:
    """The time of each row, where the table is one of a history; None where nothing says so.

    It is one where a column of dates goes on from row to row, or where an identifier does and the
    target with it.
    """
    for column in columns:
        if column.kind == DATE.name:
            times = times_of(frame[column.name], column)
            if goes_on(times):
                return Dated(
                    times,
                    f"rows are in the order of '{column.name}': the latest are the test set, and "
                    f"folds go forward in time. {RANDOM}",
                )
    trend = _trend(y, task)
    for column in columns:
        counted = column.kind == IDENTIFIER.name and pd.api.types.is_numeric_dtype(
            frame[column.name]
        )
        if counted and abs(trend) >= TREND:
            times = NUMBER.in_order(frame[column.name], None)
            if goes_on(times):
                return Dated(
                    times,
                    f"'{column.name}' counts up, and the target with it (Spearman's correlation "
                    f"{trend:.2f}): the last rows are the test set, and folds go forward. {RANDOM}",
                )
    return None


def _trend(y: Array, task: str) -> float:
    """How the target goes with the order of the rows, -1 to 1; 0 where that may be chance."""
    values: Any = y if task == "regression" else pd.factorize(y, sort=True)[0]
    if task == "multiclass" or len(np.unique(values)) < 2:
        return 0.0
    found = spearmanr(np.arange(len(values)), values)
    return float(found.statistic) if found.pvalue < BY_CHANCE else 0.0
