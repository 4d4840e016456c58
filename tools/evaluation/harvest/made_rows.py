"""Rows in and around the range of those that a model was fitted on, which no build has seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from onnxlet.function.arrays import Array

ROWS = 800
SEED = 20_260
BEYOND = 0.25  # of a column's range, to either side
TOGETHER = 2  # every so manieth row is another row with its numbers moved a little
MOVED = 0.02  # relative


def made_rows(X: Any) -> Any:
    """ROWS rows of the form of X: a DataFrame, an array of numbers or objects, or texts."""
    random = np.random.default_rng(SEED)
    if isinstance(X, pd.DataFrame):
        return _frame(X, random)
    if np.ndim(X) == 1 and any(isinstance(value, str) for value in X):
        texts = pd.Series(_texts(list(X), random), name=getattr(X, "name", None), dtype=object)
        return texts if isinstance(X, pd.Series) else texts.tolist()
    array = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    picked = array[random.integers(0, len(array), ROWS)]
    if array.dtype.kind not in "fiu":
        return picked
    if array.ndim == 1:
        return _numbers(array, picked, random).astype(array.dtype)
    made = [_numbers(array[:, c], picked[:, c], random) for c in range(array.shape[1])]
    return np.column_stack(made).astype(array.dtype)


def _frame(X: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    picked = X.iloc[random.integers(0, len(X), ROWS)].reset_index(drop=True)
    if not X.columns.is_unique:
        return picked
    made = {name: _column(X[name], picked[name], random) for name in X}
    return pd.DataFrame(made)


def _column(column: pd.Series[Any], picked: pd.Series[Any], random: np.random.Generator) -> Any:
    """Numbers around the range; other values as they come, each column's from other rows."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "fiu":
        made = _numbers(column.to_numpy(), picked.to_numpy(), random)
        return pd.Series(made.astype(column.dtype))
    mixed = column.iloc[random.integers(0, len(column), ROWS)].reset_index(drop=True)
    return picked.where(np.arange(ROWS) % TOGETHER == 0, mixed)


def _numbers(known: Array, picked: Array, random: np.random.Generator) -> Array:
    finite = known[np.isfinite(known)].astype(np.float64)
    if not finite.size or (known.dtype.kind in "iu" and np.abs(finite).max() > 2**53):  # ids
        return picked
    low, high = float(np.min(finite)), float(np.max(finite))
    reach = BEYOND * (high - low)
    wide = random.uniform(low - reach, high + reach, ROWS)
    near = picked * (1 + MOVED * random.uniform(-1, 1, ROWS))
    made = np.where(np.arange(ROWS) % TOGETHER == 0, near, wide)
    if np.array_equal(finite, np.round(finite)):  # counts and codes stay whole
        made = np.round(np.clip(made, low, high))
    some = ~np.isfinite(known.astype(np.float64))
    gaps = random.random(ROWS) < some.mean()
    return np.where(gaps, picked, made) if gaps.any() else made


def _texts(known: list[Any], random: np.random.Generator) -> list[Any]:
    """Texts of the words of several others, in another order, and the texts themselves."""
    made = []
    for number in range(ROWS):
        some = [known[i] for i in random.integers(0, len(known), 2)]
        if number % 4 and all(isinstance(text, str) for text in some):
            words = " ".join(text[:2000] for text in some).split(" ")
            made.append(" ".join(random.permutation(words)[: max(1, len(words) // 2)].tolist()))
        else:
            made.append(some[0])
    return made
