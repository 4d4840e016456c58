"""What is given where a table is due, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import Refusal
from onnxlet.function.arrays import Array


def no_table(X: Any, what: str) -> Refusal:
    """What is given where a table is due, and how to make one of it."""
    try:
        array = np.asarray(X)
    except ValueError:  # rows of several lengths
        array = np.empty(0)
    got, hint = described(X, array, what)
    return Refusal(
        f"{what}: expected a DataFrame, an array of shape (rows, columns), or a list of texts, "
        f"got {got}",
        hint,
    )


def described(X: Any, array: Array, what: str) -> tuple[str, str]:
    """What kind of thing was given that is no table, and how to make a table of it."""
    if isinstance(X, pd.Series):
        return f"a Series of shape {X.shape}", "One column is X[['NAME']], one row X.iloc[[0]]."
    if isinstance(X, list | tuple) and X and isinstance(X[0], dict):
        return f"a list of {len(X)} dictionaries", f"pandas.DataFrame({what}) makes a table of it."
    if isinstance(X, list | tuple) and len({len(row) for row in X if isinstance(row, list)}) > 1:
        return (
            f"a list of {len(X)} rows of several lengths",
            "A request's rows have as many values each. Items of a row can be keys, {item: 1, …}: "
            "DictVectorizer and FeatureHasher(input_type='dict') take dictionaries.",
        )
    hint = f"Give {what} the form that the estimator was fitted on."
    if array.ndim:
        return f"shape {array.shape}", hint
    simple = X is None or isinstance(X, str | int | float)
    return (repr(X)[:40] if simple else type(X).__name__), hint
