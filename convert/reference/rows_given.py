"""Which rows of a test set an estimator raises for, where it answers the others."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.reference.bisection import which_are_answered
from onnxlet.convert.reference.inputs import Data
from onnxlet.convert.reference.reference import Reference

LOOKED_AT = 1000  # rows
# What scikit-learn says, and what to do about it.
HINTS = (
    (re.compile("images can't be read"), "Mend these images"),
    (re.compile(r"contains NaN|missing value", re.I), "Fill gaps in the pipeline (SimpleImputer)"),
    (re.compile(r"unknown categor", re.I), "Have the encoder take them (handle_unknown='ignore')"),
    (re.compile(r"infinity", re.I), "Bound such numbers in the pipeline (np.clip)"),
    (re.compile("removes the others"), "Fill or cap in the pipeline what it removes"),
    (re.compile(""), "Have the pipeline take them"),
)


def unanswered_rows(X: Data, reference: Reference, error: Exception) -> tuple[str, str]:
    """The first such row, how many there are, and what to do.

    Args:
        X: the test set, a DataFrame or an array of shape (rows, columns).
        reference: the estimator.
        error: that it raised for all of them.

    Returns:
        Two empty texts where it is not for single rows that it raises.
    """
    table = X.iloc if isinstance(X, pd.DataFrame) else X
    if not isinstance(X, pd.DataFrame | np.ndarray) or len(X) < 2:
        return "", ""
    groups = [[[position]] for position in range(min(len(X), LOOKED_AT))]
    found = which_are_answered(
        groups, lambda rows: reference.takes(table[[position for [position] in rows]])
    )
    if all(found) or not any(found):
        return "", ""
    wrong = [position for position, answered in enumerate(found) if not answered]
    more = f", as {len(wrong) - 1} more of {len(found)}" if len(wrong) > 1 else ""
    gaps = _gaps(X, wrong[0])
    missing = f", where {gaps} is missing" if gaps else ""
    hint = next(hint for pattern, hint in HINTS if pattern.search(str(error)))
    return (
        f"row {wrong[0]} (counted from 0){missing}, is not answered{more}",
        f"{hint}, or leave such rows out of X_test.",
    )


def _gaps(X: Any, row: int) -> str:
    """The columns that the row lacks."""
    if not isinstance(X, pd.DataFrame):
        return ""
    missing = X.iloc[row].isna()
    return ", ".join(f"'{name}'" for name in X.columns[missing.to_numpy()][:5])
