"""Columns of pandas' categoricals, as rows of a request fill them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd


def with_unseen(dtype: pd.CategoricalDtype, cells: Sequence[Any]) -> pd.Categorical:
    """A categorical in which unseen values become categories; pandas would make gaps of them."""
    known = dtype.categories
    of_text = known.dtype.kind not in "biuf"
    unseen = {c for c in cells if c is not None and c not in known}
    more = [value for value in sorted(unseen, key=str) if of_text == isinstance(value, str)]
    every = known.append(pd.Index(more, dtype=known.dtype if of_text else None)) if more else known
    # Not of the cells: None among whole numbers would make floats of these.
    codes = {value: code for code, value in enumerate(every.tolist())}
    made = [codes.get(cell, -1) for cell in cells]
    return pd.Categorical.from_codes(made, categories=every, ordered=dtype.ordered)
