"""Columns of every kind that functions of the user's own are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import FunctionTransformer

from tests.convert.exactness import assert_exact

NAN = np.nan
RANDOM = np.random.default_rng(0)
ROWS = 60
ARRAY = np.column_stack(
    [
        RANDOM.normal(size=ROWS) * 10,
        np.concatenate([RANDOM.normal(size=50), np.zeros(10)]),
        np.abs(RANDOM.normal(size=ROWS)) * 100,
        RANDOM.integers(-5, 6, ROWS),
    ]
)
ARRAY[::7, 1] = NAN
ARRAY[3] = NAN
ARRAY[5:9, 0] = 1e12, -1e25, 0.0, 5.0
ARRAY[8, 2] = 0.0
FRAME = pd.DataFrame(ARRAY, columns=list("abcd")).assign(
    flag=RANDOM.random(ROWS) > 0.3,
    i=RANDOM.integers(-7, 8, ROWS),
    j=RANDOM.integers(0, 3, ROWS),
    other=RANDOM.random(ROWS) > 0.5,
)


def texts(*values: Any) -> pd.Series[Any]:
    return pd.Series(RANDOM.choice(np.array(values, dtype=object), ROWS), dtype=object)


TEXTS = FRAME[["a", "i"]].assign(
    t=texts("yes", "no", "maybe", "", "No", "nöt", None), u=texts("x", "y", "x.y", "a\nx")
)


def assert_traced(function: Any, X: Any, **options: Any) -> None:
    """A FunctionTransformer's answers are the same from its graph."""
    with np.errstate(all="ignore"):
        assert_exact(FunctionTransformer(function, kw_args=options).fit(X), X)
