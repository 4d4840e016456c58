"""Numbers in bins with round edges: what a report shows instead of anybody's values."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.function.arrays import Array

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
USUAL = (1, 99)  # percentiles between which the bins are; what lies beyond is in the outer ones
BINS = 20  # of round edges, about
EQUAL_BINS, LEAST_IN_BIN = 10, 20  # at most so many of equally many rows, at least so many


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
