"""Rows for iris that differ from those that it was built with, and rows that do not."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_iris

ROWS: list[list[float]] = np.repeat(load_iris(return_X_y=True)[0], 5, axis=0).tolist()  # 750


def calm() -> list[list[float]]:
    """Those of the table itself, five times each."""
    return ROWS


def drifted() -> list[list[float]]:
    """The same, with the first column in millimetres."""
    return [[10 * row[0], *row[1:]] for row in ROWS]
