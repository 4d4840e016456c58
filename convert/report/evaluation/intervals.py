"""Intervals of 95 %: resampled rows for any score, Wilson's for shares."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array

DRAWS = 400  # resamples
FEW = 20  # rows: below these a resample says little, and no interval is given
WEIGHTS_AT_ONCE = 2**21
OUTER = (2.5, 97.5)  # percentiles
Z = 1.959963984540054  # the normal distribution's 97.5 % quantile


def generator(seed: int, part: str) -> np.random.Generator:
    """Random numbers of one part of the findings: the others don't change them."""
    return np.random.default_rng([seed, zlib.crc32(part.encode())])


def resamples(
    seed: int, rows: int, draws: int = DRAWS, groups: Array | None = None
) -> Iterator[Array]:
    """How often each row is drawn, of shape (some draws, rows), float64; a few draws at a time.

    Each draw takes as many rows, or groups, as there are, with replacement (Efron's bootstrap).
    The same seed gives the same draws, so that scores on them are paired.

    Args:
        seed: of the draws.
        rows: that are drawn from.
        draws: how many.
        groups: numbers of the rows' groups from 0, int64 (rows,): whole groups are drawn, since
            rows of one are alike (Field and Welsh, "Bootstrapping clustered data", Journal of the
            Royal Statistical Society B 69, 2007). None where each row is by itself.
    """
    random = generator(seed, "resamples")
    units = rows if groups is None else int(np.max(groups)) + 1
    at_once = max(1, WEIGHTS_AT_ONCE // max(1, rows))
    for start in range(0, draws, at_once):
        drawn = np.array(
            [
                np.bincount(random.integers(0, units, units), minlength=units)
                for _ in range(min(at_once, draws - start))
            ],
            dtype=np.float64,
        )
        yield drawn if groups is None else drawn[:, groups]


def interval(value: float, drawn: Array, rows: int) -> dict[str, Any]:
    """A value with the percentiles of its resamples; without them where rows are too few.

    Args:
        value: on the rows themselves.
        drawn: the same of each resample; NaN where it is undefined.
        rows: how many there are, or groups of them, that say something of their own.
    """
    known = drawn[np.isfinite(drawn)]
    if rows < FEW or len(known) < len(drawn) / 2 or not np.isfinite(value):
        return {"value": value, "low": None, "high": None}
    low, high = np.percentile(known, OUTER)
    return {"value": value, "low": low, "high": high}


def wilson(hits: float, rows: float) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) of no rows.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212.
    """
    if rows <= 0:
        return 0.0, 1.0
    share, spread = hits / rows, Z * Z / rows
    middle = (share + spread / 2) / (1 + spread)
    half = Z * np.sqrt(share * (1 - share) / rows + spread / rows / 4) / (1 + spread)
    low, high = float(middle - half), float(middle + half)
    return (low if hits > 0 else 0.0), (high if hits < rows else 1.0)  # there but for rounding
