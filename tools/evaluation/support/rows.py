"""The rows that conversions are compared on: as they come, and exactly on thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from onnxlet.function.arrays import Array
from tools.evaluation.support.samples import Sample

ROWS = 2000
ON_THRESHOLDS = 500
JITTER = 0.01  # relative; of every other row
Random = np.random.Generator


def rows_of(sample: Sample) -> Any:
    """ROWS rows like the other ones of a sample, and, of numbers, ON_THRESHOLDS more."""
    random = np.random.default_rng(0)
    others = sample.others
    if isinstance(others, list):
        return _texts(random, others) if isinstance(others[0], str) else others
    if others.ndim > 2:
        return others
    if isinstance(others, pd.DataFrame):
        return _frame(random, sample)
    made = others[random.integers(0, len(others), ROWS)]
    if made.dtype.kind != "f":
        return made
    return np.vstack([_jittered(random, made), _on_thresholds(random, sample.X, others)])


def _jittered(random: Random, rows: Array) -> Array:
    """Every other row moved a little, and to where it stays positive, negative or zero."""
    moved = rows * (1 + JITTER * random.uniform(-1, 1, rows.shape))
    moved[::2] = rows[::2]
    return moved.astype(rows.dtype)


def _on_thresholds(random: Random, X: Array, others: Array) -> Array:
    """Each with one value halfway between two neighbouring ones, where trees part rows.

    The halfway point is computed in float64; of every other row it is rounded to float32.
    """
    made = others[random.integers(0, len(others), ON_THRESHOLDS)]
    for index, row in enumerate(made):
        column = random.integers(0, X.shape[1])
        known = np.unique(X[~np.isnan(X[:, column]), column].astype(np.float64))
        if len(known) > 1:
            low = int(random.integers(0, len(known) - 1))
            middle = known[low] / 2 + known[low + 1] / 2
            row[column] = np.float32(middle) if index % 2 else middle
    return made


def _frame(random: Random, sample: Sample) -> pd.DataFrame:
    """Numbers as in arrays; text as it comes, of every other row each column's from another."""
    numbers = sample.X.select_dtypes("float").columns
    picks = random.integers(0, len(sample.others), ROWS + ON_THRESHOLDS)
    made: pd.DataFrame = sample.others.iloc[picks].reset_index(drop=True)
    for label in made.columns.difference(numbers):
        drawn = random.integers(0, len(sample.others), len(made))
        drawn[::2] = picks[::2]
        made[label] = sample.others[label].to_numpy()[drawn]
    if len(numbers):
        cells = made[numbers].to_numpy(copy=True)
        trained, others = (part[numbers].to_numpy() for part in (sample.X, sample.others))
        cells[:ROWS] = _jittered(random, cells[:ROWS])
        cells[ROWS:] = _on_thresholds(random, trained, others)
        made[numbers] = cells
    return made


def _texts(random: Random, texts: list[str]) -> list[str]:
    """As they are, and of every other one the words shuffled among two."""
    made = [texts[index] for index in random.integers(0, len(texts), ROWS)]
    for index in range(0, ROWS, 2):
        words = f"{made[index]} {made[index + 1]}".split()
        made[index] = " ".join(random.choice(words, len(words) // 2).tolist())
    return made
