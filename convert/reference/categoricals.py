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
    if not more:
        return pd.Categorical(list(cells), dtype=dtype)
    every = known.append(pd.Index(more, dtype=known.dtype if of_text else None))
    return pd.Categorical(list(cells), categories=every, ordered=dtype.ordered)
