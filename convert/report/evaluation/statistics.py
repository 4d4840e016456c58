"""Intervals of 95 %, bins with round edges, and the groups of a column.

Intervals are of resampled rows for any score, Wilson's for shares. Bins and groups are what a
report shows instead of anybody's values: groups are texts, with numbers cut at quartiles and tiny
ones lumped.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from onnxlet.convert.directory.reference_statistics import FREQUENT_AT_LEAST, LONGEST_CATEGORY
from onnxlet.function.arrays import Array

DRAWS = 400  # resamples
FEW = 20  # rows: below these a resample says little, and no interval is given
WEIGHTS_AT_ONCE = 2**21
OUTER = (2.5, 97.5)  # percentiles
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
USUAL = (1, 99)  # percentiles between which the bins are; what lies beyond is in the outer ones
BINS = 20  # of round edges, about
EQUAL_BINS, LEAST_IN_BIN = 10, 20  # at most so many of equally many rows, at least so many
MANY = 10  # different numbers: more are cut
OTHERS, MISSING = "others", "missing"


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


def round_step(width: float) -> float:
    """The least round number that is not below a width: 1, 2, 2.5, 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(s for s in STEPS if s * power >= width * (1 - 1e-9)) * power)


def edges(values: Array) -> Array:
    """Round edges of at most about BINS bins around the usual values; two at least."""
    low, high = np.percentile(values, USUAL)
    if not high > low:
        low, high = low - max(abs(low), 1.0) / 2, high + max(abs(high), 1.0) / 2
    step = round_step((high - low) / BINS)
    first, last = np.floor(low / step), np.ceil(high / step)
    return np.asarray(np.arange(first, last + 1) * step)


def histogram(values: Array, found: Array) -> tuple[list[int], list[int]]:
    """Counts by bin, what lies beyond in the outer bins; and how many lie below and above."""
    inside = np.clip(values, found[0], found[-1])
    counts = np.histogram(inside, found)[0]
    beyond = [int((values < found[0]).sum()), int((values > found[-1]).sum())]
    return counts.tolist(), beyond


def equal_bins(values: Array) -> Array:
    """The bin of each value, int64 from 0: so many values in each, equal ones together.

    Bins that ties have left with too few are one with the next.
    """
    bins = int(np.clip(len(values) // LEAST_IN_BIN, 1, EQUAL_BINS))
    inner = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    found = np.unique(np.searchsorted(inner, values, side="right"), return_inverse=True)[1]
    starts, waiting = [0], 0
    for number, count in enumerate(np.bincount(found).tolist()):
        waiting += count
        if waiting >= LEAST_IN_BIN:
            starts.append(number + 1)
            waiting = 0
    # The last start ends the last bin, and what waits behind it is in that one, too.
    return np.asarray(np.searchsorted(starts[1:-1], found, side="right"))


def rounded(values: Any, span: float) -> Any:
    """Numbers to about a two-hundredth of a span: close enough to read, nobody's own."""
    if not span > 0:
        return values
    digits = int(-np.floor(np.log10(span / 100)))
    return np.round(values, digits)


def grouped(test: Any, train: Any = None) -> tuple[Array, Array | None]:
    """The group of each test row and, where they are given, of each training row: texts as objects.

    Values of fewer than five test rows are "others".
    """
    parts = [pd.Series(np.asarray(v, dtype=object)) for v in (test, train) if v is not None]
    together = pd.concat(parts, ignore_index=True)
    numbers = pd.to_numeric(together, errors="coerce")
    are_numbers = bool((numbers.notna() | together.isna()).all())
    texts = _cut(numbers) if are_numbers and numbers.nunique() > MANY else _texts(together)
    counts = texts[: len(parts[0])].value_counts()
    kept = [
        g for g in counts.index if counts[g] >= FREQUENT_AT_LEAST and len(g) <= LONGEST_CATEGORY
    ]
    found = texts.where(texts.isin(kept), OTHERS).to_numpy(dtype=object)
    return found[: len(parts[0])], found[len(parts[0]) :] if train is not None else None


def _texts(values: pd.Series[Any]) -> pd.Series[Any]:
    texts = [MISSING if gap else _text(v) for v, gap in zip(values, values.isna(), strict=True)]
    return pd.Series(texts, dtype=object)


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def _cut(numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Quarters, named by their rounded ends: "18 to 27"."""
    known = numbers.dropna().to_numpy(dtype=float)
    inner = np.quantile(known, (0, 0.25, 0.5, 0.75, 1))
    inner = np.unique(rounded(inner, inner[-2] - inner[1]))
    names = _names(inner.tolist())
    place = np.searchsorted(inner[1:-1], numbers.to_numpy(dtype=float), side="right")
    texts = [MISSING if gap else names[p] for p, gap in zip(place, numbers.isna(), strict=True)]
    return pd.Series(texts, dtype=object)


def _names(edges: Sequence[float]) -> list[str]:
    """The outer ones are open: the least and the greatest value are one person's."""
    ends = [f"{edge:g}" for edge in edges]
    if len(ends) <= 3:
        return [f"below {ends[1]}", f"{ends[1]} and more"] if len(ends) == 3 else ["all"]
    middle = [f"{low} to {high}" for low, high in pairwise(ends[1:-1])]
    return [f"below {ends[1]}", *middle, f"{ends[-2]} and more"]
