"""Whether two samples of counts are of one distribution: statistics, and when they are too large.

The reference is a sample, too, as rows of a training table are. So every threshold is of both
sizes, n rows of the reference and m new ones: what is exceeded with probability `chance` where
both samples are of one distribution. Thresholds of binned counts are asymptotic; `merged` makes
bins that are large enough for them. `share_threshold` is exact.

Where a sample has no rows, or only one bin is left, nothing can differ: statistics are 0 and
thresholds infinite.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from math import ceil, erfc, exp, inf, lgamma, log, sqrt
from statistics import NormalDist

import numpy as np

from onnxlet.function.arrays import Array

# How often all tests of one report together alarm by chance; those on truths as often again.
CHANCE = 0.0003
EXPECTED = 5  # rows of each bin in each sample, at least
VANISHING = 1e-17  # of a sum: less than rounding
ROUNDING = 1e-9  # relative, of probabilities: those that are equal count as equal
ROUNDS = 100  # of Newton's method, at most; about five are needed


# Bins


def merged(reference: Array, counts: Array, *, ordered: bool) -> tuple[Array, Array]:
    """Merge bins until each has an expected count of at least five in both samples.

    The rule is Cochran's: W. Cochran, "Some methods for strengthening the common chi-square tests",
    1954. What is merged depends on the sums of both samples only, and these say nothing about
    whether the samples differ. So it makes no false alarms.

    Both counts are int64 of shape (bins,). Where bins are ordered, as of numbers, neighbours are
    merged. Else the smallest ones are, and those returned are in order of size. Returns both, int64
    of shape (fewer bins,): one bin where a sample has less than five rows. They are as they came
    where no bin is too small; so merging twice is merging once.
    """
    n, m = int(reference.sum()), int(counts.sum())
    both = reference + counts
    enough = EXPECTED * (n + m) / min(n, m) if min(n, m) else inf
    if both.min() >= enough:
        return reference, counts
    if not ordered:
        order = np.argsort(both, kind="stable")
        reference, counts, both = reference[order], counts[order], both[order]
    starts = _starts(both.tolist(), enough)
    return np.add.reduceat(reference, starts), np.add.reduceat(counts, starts)


def _starts(sizes: list[int], enough: float) -> list[int]:
    """Where groups of neighbours begin, each of which has enough if all of them together have."""
    starts = [0]
    size = 0  # of the last group
    for index, more in enumerate(sizes):
        if size >= enough:
            starts.append(index)
            size = more
        elif more >= enough and len(starts) > 1:
            starts[-1] = index  # what is too small before a large one goes to the group before
            size = more
        else:
            size += more
    return starts[:-1] if size < enough and len(starts) > 1 else starts


# Statistics of bins


def psi(reference: Array, counts: Array) -> float:
    """The population stability index: the sum of (p - q) ln(p / q) over the shares p and q.

    A bin that is empty in one sample counts as half a row there, so that the sum is finite; those
    that are empty in both are left out. `merged` has made the counts, of shape (bins,), where the
    result is held against `psi_threshold`.
    """
    n, m = int(reference.sum()), int(counts.sum())
    if n == 0 or m == 0:
        return 0.0
    some = reference + counts > 0
    p = np.maximum(reference[some], 0.5) / n
    q = np.maximum(counts[some], 0.5) / m
    return float(((p - q) * np.log(p / q)).sum())


def psi_threshold(reference: Array, counts: Array, chance: float) -> float:
    """What `psi` exceeds by chance only: (1 / n + 1 / m) times a quantile of chi-square.

    B. Yurdakul, "Statistical properties of population stability index", 2018. It has nothing in
    common with the rule of thumb of 0.1 and 0.25, which knows no sizes.

    That is the first term of a series. In bins of about five rows the index is 5 to 10 percent more
    on average, and would exceed it up to five times as often as it should, at a chance of 0.01. So
    the second term of the mean is added, the sum of (1 / n² + 1 / m²) / (2 share) over the bins, as
    by M. Bartlett, "Properties of sufficiency and statistical tests", 1937; then it is less than
    twice as often. The term follows from the series of the logarithm, and the third and fourth
    moments of counts.

    The counts are as `merged` returns them; the chance is above 0 and at most 0.5.
    """
    n, m = int(reference.sum()), int(counts.sum())
    bins = len(reference)
    if n == 0 or m == 0 or bins == 1:
        return inf
    second = float((1 / (reference + counts)).sum()) * (n + m) * (1 / n**2 + 1 / m**2) / 2
    return (1 / n + 1 / m + second / (bins - 1)) * chi_square_threshold(bins, chance)


def chi_square(reference: Array, counts: Array) -> float:
    """Pearson's statistic of homogeneity of the table of both counts; empty columns are left out.

    `merged` has made the counts, of shape (bins,), where the result is held against
    `chi_square_threshold`.
    """
    n, m = int(reference.sum()), int(counts.sum())
    if n == 0 or m == 0:
        return 0.0
    gaps = reference / n - counts / m
    return n * m * float((gaps * gaps / np.maximum(reference + counts, 1)).sum())


def chi_square_threshold(bins: int, chance: float) -> float:
    """What `chi_square` of so many bins exceeds by chance only."""
    return chi_square_quantile(chance, bins - 1) if bins > 1 else inf


def ks(reference: Array, counts: Array) -> float:
    """The statistic of Kolmogorov and Smirnov: the largest distance of the cumulative shares.

    The counts, of shape (bins,), are in the order of their values.
    """
    n, m = int(reference.sum()), int(counts.sum())
    if n == 0 or m == 0:
        return 0.0
    return float(np.abs(reference.cumsum() / n - counts.cumsum() / m).max())


def ks_threshold(n: int, m: int, chance: float) -> float:
    """What `ks` of n and m rows exceeds by chance only, at most.

    N. Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948. It is
    of continuous values. Between the edges of bins distances are not seen, so that on bins there
    are fewer false alarms than `chance`, and less power: the fewer the bins, the more so.
    """
    if n == 0 or m == 0:
        return inf
    return kolmogorov_quantile(chance) * sqrt((n + m) / (n * m))


# Quantiles


@lru_cache(maxsize=4096)
def chi_square_quantile(chance: float, df: int) -> float:
    """What a chi-square variable exceeds with probability `chance`, above 0 and at most 0.5.

    From the start of E. Wilson and M. Hilferty, "The distribution of chi-square", 1931. Of at least
    1 degree of freedom. Raises ValueError for no such chance.
    """
    _check(chance)
    start = df * (1 - 2 / (9 * df) - NormalDist().inv_cdf(chance) * sqrt(2 / (9 * df))) ** 3
    return 2 * _quantile(start / 2, chance, partial(_gamma_tail, df))


def _quantile(x: float, chance: float, tail: Callable[[float], tuple[float, float]]) -> float:
    """What is exceeded with probability `chance`, from a start.

    Newton's method on the logarithm of the probability, which `tail` gives with the density.
    """
    for _ in range(ROUNDS):
        above, density = tail(x)
        step = log(above / chance) * above / density
        x += step
        if abs(step) <= 1e-14 * x:
            break
    return x


def _gamma_tail(df: int, y: float) -> tuple[float, float]:
    """The probability that half a chi-square variable exceeds y, and its density there.

    This is the regularised incomplete gamma function Q(df / 2, y), as the finite sum which it is
    where df is whole: M. Abramowitz, I. Stegun, "Handbook of mathematical functions", 26.4.4 and
    26.4.5. Its first term is the density, and all of them are positive.
    """
    power = df / 2 - 1
    density = term = exp(power * log(y) - y - lgamma(df / 2))
    total = 0.0
    while power > -0.5 and term > VANISHING * total:
        total += term
        term *= power / y
        power -= 1
    return total + (erfc(sqrt(y)) if df % 2 else 0.0), density


@lru_cache(maxsize=256)
def kolmogorov_quantile(chance: float) -> float:
    """What Kolmogorov's distribution exceeds with probability `chance`, above 0 and at most 0.5.

    That probability is 2 (e**-2x² - e**-8x² + e**-18x² - ...). Raises ValueError for no such
    chance.
    """
    _check(chance)
    signs_and_squares = [((-1) ** (k - 1), k * k) for k in range(1, 10)]

    def tail(x: float) -> tuple[float, float]:
        terms = [(2 * sign * exp(-2 * k2 * x * x), k2) for sign, k2 in signs_and_squares]
        return sum(term for term, _ in terms), sum(4 * k2 * x * term for term, k2 in terms)

    return _quantile(sqrt(-log(chance / 2) / 2), chance, tail)  # from that of the first term only


def _check(chance: float) -> None:
    if not 0 < chance <= 0.5:
        raise ValueError(f"expected a chance above 0 and at most 0.5, got {chance}")


# Shares


@lru_cache(maxsize=4096)
def share_threshold(reference_k: int, n: int, m: int, chance: float) -> tuple[int, int]:
    """How many of m new rows may be of a kind of which the reference has k of its n rows.

    By R. Fisher's exact test, "Statistical methods for research workers", 1934, two-sided: each
    side has half of the chance (above 0 and at most 0.5), so that false alarms are at most as
    frequent as that. Rows of a kind are such as those where a value is missing. Returns the least
    and the most: the share differs where the count is below or above them. They are 0 and m where n
    or m is 0. Raises ValueError for no such chance.
    """
    _check(chance)
    if n == 0 or m == 0:
        return 0, m
    most = _most(reference_k, n, m, chance / 2)
    return m - _most(n - reference_k, n, m, chance / 2), most


def _most(k: int, n: int, m: int, chance: float) -> int:
    """The most of m rows that are, or are exceeded, with more than that probability, given k of n.

    Newton's method on the logarithm of the probability, which is concave, over whole numbers.
    """
    if k == n:
        return m
    count = _guess(k, n, m, chance)
    below, above = m * k // n, m + 1  # the first has a probability of about a half, or more
    while above - below > 1:
        count = min(max(count, below + 1), above - 1)
        p, fall = _tail(k, n, m, count)
        below, above = (count, above) if p > chance * (1 + ROUNDING) else (below, count)
        count = ceil(count + log(p / chance) * p / fall) if fall else (below + above) // 2
    return below


def _guess(k: int, n: int, m: int, chance: float) -> int:
    """About what `_most` returns, from mean, variance and skewness.

    The probability of `_tail` is that of a beta-binomial variable, whose mean this begins with;
    E. Cornish, R. Fisher, "Moments and cumulants in the specification of distributions", 1938.
    """
    share = (k + 1) / (n + 1)
    deviation = sqrt(m * share * (1 - share) * (n + 1 + m) / (n + 2))
    skewness = 2 * (1 - 2 * share) / sqrt((n + 1) * share * (1 - share))
    z = -NormalDist().inv_cdf(chance)
    return ceil(m * share + deviation * (z + skewness * (z * z - 1) / 6))


def _tail(k: int, n: int, m: int, count: int) -> tuple[float, float]:
    """The probability that at least `count` of k + count rows are among the m, at random.

    And by how much less it is for one row more: the additional row is then among the n where these
    had exactly k.
    """
    total = n + m
    exactly = exp(_log_choose(m, count) + _log_choose(n, k) - _log_choose(total, k + count))
    fall = exactly * (n - k) / (total - k - count)
    return exactly * _sum(k, n, m, count), fall


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _sum(k: int, n: int, m: int, count: int) -> float:
    """The sum of the probabilities of `count` rows and more, in units of the first one."""
    last = total = 1.0
    first, terms = 0, 32
    end = min(k, m - count)
    while first < end and last > VANISHING * total:
        j = np.arange(first, min(first + terms, end), dtype=np.float64)
        ratios = (m - count - j) * (k - j) / ((count + 1 + j) * (n - k + 1 + j))
        products = last * np.cumprod(ratios)
        total += float(products.sum())
        last = float(products[-1])
        first, terms = first + terms, terms * 4
    return total
