"""Edge cases for trees: rows with values at and next to their thresholds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onnxlet.function.arrays import LARGEST_FLOAT32, Array

ODD = (0.0, -0.0, 1e-36, -1e-36, 1e6, -1e6, 1e12, -1e25, 3e38, -3e38)
BEYOND_FLOAT32 = (1e39, -1e300, np.inf, -np.inf)


def around(threshold: float) -> list[float]:
    """A threshold, its float32, and the neighbours of both in float64 and float32."""
    ends = (np.inf, -np.inf)
    with np.errstate(over="ignore"):
        narrow = np.float32(threshold)
        return [
            threshold,
            *(float(np.nextafter(threshold, end)) for end in ends),
            float(narrow),
            *(float(np.nextafter(narrow, np.float32(end))) for end in ends),
            *(float(np.nextafter(np.float64(narrow), end)) for end in ends),
        ]


def edge_cases(
    X: Array,
    thresholds: Iterable[tuple[int, float]],
    odd: Iterable[float] = ODD,
    missing: bool = False,
    bound: float = LARGEST_FLOAT32,
    most: int = 150,
) -> Array:
    """The rows, followed by rows with one value changed: near a threshold, odd, or missing.

    Args:
        X: of shape (rows, columns).
        thresholds: pairs of a column's index and a threshold.
        odd: values to try in every column.
        missing: whether to try NaN, too.
        bound: the largest magnitude of a value.
        most: how many thresholds to try at most.
    """
    found = sorted({(int(column), float(value)) for column, value in thresholds})
    indices = np.linspace(0, len(found) - 1, most if found else 0).astype(int).tolist()
    pairs = [(found[p][0], value) for p in indices for value in around(found[p][1])]
    values = [*odd, *([np.nan] if missing else [])]
    pairs += [(column, value) for column in range(X.shape[1]) for value in values]
    pairs = [(column, value) for column, value in pairs if not abs(value) > bound]
    rows = X[np.arange(len(pairs)) % len(X)].copy()
    for row, (column, value) in zip(rows, pairs, strict=True):
        row[column] = value
    gaps = np.full((2, X.shape[1]), np.nan) if missing else np.empty((0, X.shape[1]))
    return np.vstack([X, rows, gaps])
