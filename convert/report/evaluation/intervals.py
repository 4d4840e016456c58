"""Intervals of 95 %: resampled rows for any score, Wilson's for shares."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.stats import binomtest

from onnxlet.function.arrays import Array

DRAWS = 400  # resamples
FEW = 20  # rows: below these a resample says little, and no interval is given
WEIGHTS_AT_ONCE = 2**21
OUTER = (2.5, 97.5)  # percentiles


def generator(seed: int, part: str) -> np.random.Generator:
    """Random numbers of one part of the findings: the others don't change them."""
    return np.random.default_rng([seed, zlib.crc32(part.encode())])


def resamples(
    seed: int, rows: int, draws: int = DRAWS, groups: Array | None = None
) -> Iterator[Array]:
    """How often each row is drawn, of shape (some draws, rows), float64; a few draws at a time.

    Each draw takes as many rows, or groups, as there are, with replacement (Efron's bootstrap).
    The same seed gives the same draws, so that scores on them are paired. Of groups, which are
    numbered from 0, int64 (rows,), whole ones are drawn, since rows of one are alike (Field and
    Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical Society B 69, 2007).
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

    A resample on which it is undefined is NaN. Rows count that say something of their own: where
    they are in groups, these.
    """
    known = drawn[np.isfinite(drawn)]
    if rows < FEW or len(known) < len(drawn) / 2 or not np.isfinite(value):
        return {"value": value, "low": None, "high": None}
    low, high = np.percentile(known, OUTER)
    return {"value": value, "low": low, "high": high}


def wilson(hits: float, rows: int) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) of no rows."""
    if rows <= 0:
        return 0.0, 1.0
    found = binomtest(round(hits), rows).proportion_ci(method="wilson")
    return float(found.low), float(found.high)
