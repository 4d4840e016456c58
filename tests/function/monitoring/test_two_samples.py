"""Statistics of two samples against SciPy, by hand, and by how often they are wrong and right."""

from __future__ import annotations

import time
from math import comb, inf, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from onnxlet.function.arrays import Array
from onnxlet.function.monitoring.two_samples import (
    chi_square,
    chi_square_quantile,
    chi_square_threshold,
    kolmogorov_quantile,
    ks,
    ks_threshold,
    merged,
    psi,
    psi_threshold,
    share_threshold,
)

CHANCES = [0.5, 0.25, 0.1, 0.05, 0.01, 1e-3, 1e-5, 1e-7, 1e-9]
SIZES = [(n, m) for n in (300, 5000) for m in (200, 2000, 10_000)]
DRAWS = 2000
MORE_DRAWS = 10_000  # where the index has few bins of five rows, and its rate is 0.018
SHARES = {
    "equal": np.full(10, 0.1),
    "steep": 0.5 ** np.arange(1, 11) / (1 - 0.5**10),
    "rare": np.array([0.5, 0.3, *[0.025] * 8]),
    "one large": np.array([0.91, *[0.01] * 9]),
}
tables = st.integers(1, 15).flatmap(
    lambda bins: st.tuples(*[st.lists(st.integers(0, 40), min_size=bins, max_size=bins)] * 2)
)


def counts(*values: int) -> Array:
    return np.array(values, np.int64)


def lists(pair: tuple[Array, Array]) -> list[list[int]]:
    return [one.tolist() for one in pair]


# Bins


def test_bins_that_are_large_enough_stay_as_they_are() -> None:
    reference, new = counts(50, 5, 45), counts(40, 5, 55)
    for ordered in (True, False):
        kept = merged(reference, new, ordered=ordered)
        assert kept[0] is reference
        assert kept[1] is new


MERGED = {
    # 100 and 50 rows: a bin of 15 rows has 10 and 5 expected ones
    "neighbours until five are expected in both": (
        *(counts(8, 2, 1, 0, 60, 10, 10, 9), counts(4, 1, 0, 0, 30, 5, 4, 6), True),
        [[11, 60, 20, 9], [5, 30, 9, 6]],
    ),
    "what is too small at the beginning, with the next one": (
        *(counts(2, 20, 20), counts(3, 20, 20), True),
        [[22, 20], [23, 20]],
    ),
    "what is too small at the end, with the last group": (
        *(counts(0, 20, 20, 3), counts(0, 20, 20, 3), True),
        [[20, 23], [20, 23]],
    ),
    "the smallest categories together": (
        *(counts(1, 40, 2, 50, 3, 4), counts(0, 41, 2, 50, 4, 3), False),
        [[10, 40, 50], [9, 41, 50]],
    ),
}


@pytest.mark.parametrize("which", MERGED)
def test_what_is_merged(which: str) -> None:
    reference, new, ordered, expected = MERGED[which]
    assert lists(merged(reference, new, ordered=ordered)) == expected


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize(
    ("reference", "new", "expected"),
    [
        (counts(0, 0, 0), counts(0, 0, 0), [[0], [0]]),
        (counts(0, 0, 0), counts(7, 8, 9), [[0], [24]]),
        (counts(7, 8, 9), counts(0, 0, 0), [[24], [0]]),
        (counts(100, 100), counts(2, 2), [[200], [4]]),
        (counts(3), counts(1), [[3], [1]]),
        (counts(10**12, 1, 10**12), counts(10**12, 0, 10**12), None),
    ],
)
def test_few_rows_or_many_make_one_bin_or_few(
    reference: Array, new: Array, expected: list[list[int]] | None, ordered: bool
) -> None:
    found = lists(merged(reference, new, ordered=ordered))
    if expected is None:
        assert sorted(found[0]) == [10**12, 10**12 + 1]
        assert found[1] == [10**12, 10**12]
    else:
        assert found == expected


@given(tables, st.booleans())
def test_merging_keeps_rows_makes_bins_large_and_is_done_once(
    table: tuple[list[int], list[int]], ordered: bool
) -> None:
    before = np.array(table)
    after = np.array(merged(before[0], before[1], ordered=ordered))

    assert after.sum(axis=1).tolist() == before.sum(axis=1).tolist()
    if after.shape[1] > 1:
        assert stats.contingency.expected_freq(after).min() >= 5 - 1e-9
    if ordered:
        assert set(after.cumsum(axis=1)[0]) <= set(before.cumsum(axis=1)[0])
    again = merged(after[0], after[1], ordered=ordered)
    assert lists(again) == after.tolist()


@given(tables, st.integers(0, 2**32))
def test_what_is_merged_is_seen_in_the_sums_only(
    table: tuple[list[int], list[int]], seed: int
) -> None:
    reference, new = (np.array(one) for one in table)
    n, m = reference.sum(), new.sum()
    sums = np.repeat(np.arange(len(new)), reference + new)
    np.random.default_rng(seed).shuffle(sums)
    other = [np.bincount(part, minlength=len(new)) for part in (sums[:n], sums[n : n + m])]
    for ordered in (True, False):
        one = np.add(*merged(reference, new, ordered=ordered))
        assert one.tolist() == np.add(*merged(*other, ordered=ordered)).tolist()


# The population stability index


def test_the_index_is_its_definition() -> None:
    reference, new = counts(50, 30, 20), counts(20, 20, 10)
    expected = (0.5 - 0.4) * log(0.5 / 0.4) + (0.3 - 0.4) * log(0.3 / 0.4)
    assert psi(reference, new) == pytest.approx(expected, rel=1e-12)
    assert psi(new, reference) == pytest.approx(expected, rel=1e-12)


@given(tables)
def test_the_index_is_both_relative_entropies(table: tuple[list[int], list[int]]) -> None:
    reference, new = (np.array(one) + 1 for one in table)
    both = stats.entropy(reference, new) + stats.entropy(new, reference)
    assert psi(reference, new) == pytest.approx(both, rel=1e-9, abs=1e-12)


def test_a_bin_that_is_empty_in_one_has_half_a_row() -> None:
    assert psi(counts(10, 0, 0), counts(19, 1, 0)) == pytest.approx(
        (1 - 0.95) * log(1 / 0.95) + (0.05 - 0.05) * log(1), rel=1e-12
    )
    assert psi(counts(10, 0), counts(0, 10)) == pytest.approx(2 * 0.95 * log(20), rel=1e-12)


def test_the_threshold_of_the_index_is_that_of_yurdakul_where_there_are_many_rows() -> None:
    reference, new = counts(*[10**6] * 10), counts(*[10**5] * 10)
    expected = (1 / 10**7 + 1 / 10**6) * stats.chi2.isf(0.01, 9)
    assert psi_threshold(reference, new, 0.01) == pytest.approx(expected, rel=1e-4)


def test_the_threshold_of_the_index_has_the_second_term_of_its_mean() -> None:
    reference, new = counts(30, 70), counts(20, 30)
    second = (1 / 100**2 + 1 / 50**2) * (1 / (2 * 50 / 150) + 1 / (2 * 100 / 150))
    expected = (1 / 100 + 1 / 50 + second) * stats.chi2.isf(0.01, 1)
    assert psi_threshold(reference, new, 0.01) == pytest.approx(expected, rel=1e-9)


# Pearson's chi-square


@given(tables)
def test_chi_square_is_that_of_scipy(table: tuple[list[int], list[int]]) -> None:
    both = np.array(table)
    full = both[:, both.sum(axis=0) > 0]
    if not both.sum(axis=1).all():
        assert chi_square(both[0], both[1]) == 0
    else:
        expected = stats.chi2_contingency(full, correction=False).statistic
        assert chi_square(both[0], both[1]) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_chi_square_of_a_table_by_hand() -> None:
    assert chi_square(counts(10, 20), counts(20, 10)) == pytest.approx(20 / 3, rel=1e-12)


def test_the_threshold_of_chi_square_has_one_degree_of_freedom_less_than_bins() -> None:
    assert chi_square_threshold(2, 0.05) == pytest.approx(3.841458820694124, rel=1e-12)
    assert chi_square_threshold(1, 0.05) == inf


# Kolmogorov and Smirnov


@given(tables)
@settings(max_examples=50)
def test_ks_is_that_of_scipy_on_the_numbers_of_the_bins(
    table: tuple[list[int], list[int]],
) -> None:
    reference, new = (np.array(one) for one in table)
    if not reference.sum() or not new.sum():
        assert ks(reference, new) == 0
        return
    rows = [np.repeat(np.arange(len(one)), one) for one in (reference, new)]
    with np.errstate(divide="ignore"):  # in its probability of very few rows
        expected = stats.ks_2samp(*rows, method="asymp").statistic
    assert ks(reference, new) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_ks_sees_the_order_of_bins() -> None:
    assert ks(counts(5, 5, 0, 0), counts(0, 5, 5, 0)) == pytest.approx(0.5, rel=1e-12)
    assert ks(counts(5, 0, 5, 0), counts(0, 0, 5, 5)) == pytest.approx(0.5, rel=1e-12)
    assert ks(counts(5, 5, 5, 5), counts(5, 6, 4, 5)) == pytest.approx(0.05, rel=1e-12)


@pytest.mark.parametrize("chance", CHANCES)
def test_the_threshold_of_ks_is_that_of_kolmogorovs_distribution(chance: float) -> None:
    quantile = stats.kstwobign.isf(chance)
    assert kolmogorov_quantile(chance) == pytest.approx(quantile, rel=1e-9)
    assert ks_threshold(300, 200, chance) == pytest.approx(
        quantile * sqrt(1 / 300 + 1 / 200), rel=1e-9
    )


# Quantiles


@pytest.mark.parametrize("chance", CHANCES)
def test_quantiles_of_chi_square_are_those_of_scipy(chance: float) -> None:
    found = [chi_square_quantile(chance, df) for df in range(1, 301)]
    np.testing.assert_allclose(found, stats.chi2.isf(chance, range(1, 301)), rtol=1e-11)


@pytest.mark.parametrize("df", [1000, 20_001])
@pytest.mark.parametrize("chance", [0.5, 0.01, 1e-30])
def test_quantiles_of_many_degrees_of_freedom(df: int, chance: float) -> None:
    expected = stats.chi2.isf(chance, df)
    assert chi_square_quantile(chance, df) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("chance", [0.0, -0.1, 0.51, 1.0, float("nan")])
def test_chances_that_are_none_or_too_large_are_refused(chance: float) -> None:
    message = f"expected a chance above 0 and at most 0.5, got {chance}"
    with pytest.raises(ValueError, match=message):
        chi_square_quantile(chance, 3)
    with pytest.raises(ValueError, match=message):
        kolmogorov_quantile(chance)
    with pytest.raises(ValueError, match=message):
        share_threshold(3, 10, 10, chance)


# Shares


def by_fisher(k: int, n: int, m: int, chance: float) -> tuple[int, int]:
    """The least and the most count of which both one-sided tests of SciPy are above half."""
    x = np.arange(m + 1)
    half = chance / 2 * (1 + 1e-9)  # of few rows, probabilities may be just that
    fewer = stats.hypergeom.cdf(x, n + m, k + x, m) > half
    more = stats.hypergeom.sf(x - 1, n + m, k + x, m) > half
    inside = np.flatnonzero(fewer & more)
    assert len(inside) == inside[-1] - inside[0] + 1
    return int(inside[0]), int(inside[-1])


@pytest.mark.parametrize("n", [1, 2, 9, 30])
@pytest.mark.parametrize("m", [1, 3, 12, 40])
@pytest.mark.parametrize("chance", [0.5, 0.1, 0.01, 1e-6])
def test_thresholds_of_all_small_shares_are_those_of_the_hypergeometric(
    n: int, m: int, chance: float
) -> None:
    for k in range(n + 1):
        assert share_threshold(k, n, m, chance) == by_fisher(k, n, m, chance), k


@pytest.mark.long
@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("m", [200, 1999])
@pytest.mark.parametrize("chance", [0.01, 5e-5, 1e-9])
def test_thresholds_of_larger_shares_are_those_of_the_hypergeometric(
    n: int, m: int, chance: float
) -> None:
    for k in (0, 1, 2, n // 100, n // 7, n // 2, n - 20, n - 1, n):
        assert share_threshold(k, n, m, chance) == by_fisher(k, n, m, chance), k


@pytest.mark.parametrize("k", [0, 4, 150, 290])
def test_thresholds_are_where_fishers_exact_test_says(k: int) -> None:
    low, high = share_threshold(k, 300, 200, 0.02)

    def chance_of(count: int, side: str) -> float:
        table = [[count, 200 - count], [k, 300 - k]]
        return float(stats.fisher_exact(table, alternative=side).pvalue)

    assert chance_of(high, "greater") > 0.01
    assert high == 200 or chance_of(high + 1, "greater") <= 0.01
    assert chance_of(low, "less") > 0.01
    assert low == 0 or chance_of(low - 1, "less") <= 0.01


def test_where_nothing_was_missing_the_threshold_is_by_hand() -> None:
    # All of k rows are among 10 of 20: comb(20 - k, 10) / comb(20, 10), 0.005 between 6 and 7
    assert [comb(20 - k, 10) / comb(20, 10) <= 0.005 for k in (6, 7)] == [False, True]
    assert share_threshold(0, 10, 10, 0.01) == (0, 6)
    assert share_threshold(10, 10, 10, 0.01) == (4, 10)


@pytest.mark.parametrize(
    ("k", "n", "m"),
    [
        (5_000_000, 10**7, 10**7),
        (100_000, 10**7, 10**7),
        (0, 10**7, 10**7),
        (3, 10, 10**7),
        (10**6, 10**7, 1000),
        (9, 10**7, 10**6),
    ],
)
def test_thresholds_of_millions_of_rows(k: int, n: int, m: int) -> None:
    low, high = share_threshold(k, n, m, 0.01)
    # Another form of the test: counts are beta-binomial, given the reference
    more, fewer = stats.betabinom(m, k + 1, n - k), stats.betabinom(m, n - k + 1, k or 1)
    near = np.arange(high, high + 2)
    if m > 50 * n:  # then as good as beta
        assert high / m == pytest.approx(stats.beta.isf(0.005, k + 1, n - k), rel=1e-5)
        assert low / m == pytest.approx(stats.beta.ppf(0.005, k, n - k + 1), rel=1e-4)
        return
    assert _above(more, near) == [True, False]
    if k:
        assert _above(fewer, m - np.array([low, low - 1])) == [True, False]
    else:
        assert low == 0


def _above(variable: object, starts: Array) -> list[bool]:
    """Whether a variable is at least each start with a probability above 0.005."""
    rows = [start + np.arange(20_000) for start in starts.tolist()]
    return [float(variable.pmf(row).sum()) > 0.005 for row in rows]  # type: ignore[attr-defined]


# No rows, one bin, the same rows, very many


@pytest.mark.parametrize(
    ("reference", "new"),
    [
        (counts(0, 0), counts(0, 0)),
        (counts(0, 0), counts(3, 4)),
        (counts(3, 4), counts(0, 0)),
        (counts(9), counts(7)),
    ],
)
def test_without_rows_or_with_one_bin_nothing_differs(reference: Array, new: Array) -> None:
    assert [f(reference, new) for f in (psi, chi_square, ks)] == [0, 0, 0]
    assert psi_threshold(reference, new, 0.01) == inf


def test_thresholds_without_rows_are_never_exceeded() -> None:
    assert ks_threshold(0, 10, 0.01) == ks_threshold(10, 0, 0.01) == inf
    assert share_threshold(0, 0, 10, 0.01) == (0, 10)
    assert share_threshold(3, 10, 0, 0.01) == (0, 0)
    assert share_threshold(0, 0, 0, 0.01) == (0, 0)


@pytest.mark.parametrize("times", [1, 7, 10**13])
def test_the_same_shares_differ_by_nothing(times: int) -> None:
    reference = counts(10, 0, 30, 5)
    new = reference * times
    found = [f(reference, new) for f in (psi, chi_square, ks)]
    assert found == pytest.approx([0, 0, 0], abs=1e-12)


def test_very_large_counts_are_counted_as_they_are() -> None:
    small, large = (counts(10, 20), counts(20, 10)), (counts(10**17, 2 * 10**17),) * 2
    large = (large[0], large[1][::-1])
    assert psi(*large) == pytest.approx(psi(*small), rel=1e-12)
    assert ks(*large) == pytest.approx(ks(*small), rel=1e-12)
    assert chi_square(*large) == pytest.approx(chi_square(*small) * 10**16, rel=1e-12)


# How often they are wrong, and right


def alarms(reference: Array, new: Array, *, ordered: bool, chance: float) -> list[bool]:
    """Of the index, chi-square, and Kolmogorov and Smirnov."""
    n, m = int(reference.sum()), int(new.sum())
    fewer = merged(reference, new, ordered=ordered)
    return [
        psi(*fewer) > psi_threshold(*fewer, chance),
        chi_square(*fewer) > chi_square_threshold(len(fewer[0]), chance),
        ks(reference, new) > ks_threshold(n, m, chance),
    ]


def both_alarms(reference: Array, new: Array, *, chance: float) -> list[list[bool]]:
    """Of the same counts in an order, and in none: the same where nothing has to be merged."""
    ordered = alarms(reference, new, ordered=True, chance=chance)
    if merged(reference, new, ordered=True)[0] is merged(reference, new, ordered=False)[0]:
        return [ordered, ordered]
    return [ordered, alarms(reference, new, ordered=False, chance=chance)]


@pytest.mark.long
@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("name", SHARES)
def test_bins_of_one_distribution_raise_few_false_alarms(n: int, m: int, name: str) -> None:
    random = np.random.default_rng(7)
    draws = MORE_DRAWS if name == "one large" else DRAWS
    pairs = [random.multinomial(size, SHARES[name], draws) for size in (n, m)]
    raised = [both_alarms(*pair, chance=0.01) for pair in zip(*pairs, strict=True)]

    for rates in np.mean(raised, axis=0):  # of bins in an order, and of categories
        assert np.max(rates) <= 0.02, rates
        assert np.min(rates[:2]) >= 0.003, rates  # no looser than need be


@pytest.mark.long
@pytest.mark.parametrize(("n", "m"), SIZES)
def test_edges_at_the_references_own_quantiles_raise_few_false_alarms(n: int, m: int) -> None:
    random = np.random.default_rng(8)
    raised = []
    for _ in range(DRAWS):
        first = random.random(n)
        edges = np.quantile(first, np.arange(1, 10) / 10)
        reference = np.bincount(np.searchsorted(edges, first), minlength=10)
        new = random.multinomial(m, np.diff(edges, prepend=0, append=1))  # of as uniform numbers
        raised.append(alarms(reference, new, ordered=True, chance=0.01))
    assert np.max(np.mean(raised, axis=0)) <= 0.02


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.5, 0.99])
def test_shares_of_one_distribution_raise_few_false_alarms(n: int, m: int, share: float) -> None:
    random = np.random.default_rng(9)
    found, new = random.binomial(n, share, DRAWS), random.binomial(m, share, DRAWS)
    limits = np.array([share_threshold(int(k), n, m, 0.01) for k in found])
    assert np.mean((new < limits[:, 0]) | (new > limits[:, 1])) <= 0.01 + 0.005


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_a_distribution_that_moved_is_found(n: int, m: int) -> None:
    random = np.random.default_rng(10)
    edges = stats.norm.ppf(np.arange(1, 10) / 10)
    both = [
        [np.bincount(np.searchsorted(edges, random.normal(mean, 1, size)), minlength=10)
         for _ in range(200)]
        for size, mean in ((n, 0), (m, 0.5))
    ]  # fmt: skip
    raised = [alarms(*pair, ordered=True, chance=0.01) for pair in zip(*both, strict=True)]
    assert np.min(np.mean(raised, axis=0)) >= 0.95


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_a_share_that_grew_is_found(n: int, m: int) -> None:
    random = np.random.default_rng(11)
    found, new = random.binomial(n, 0.02, 200), random.binomial(m, 0.15, 200)
    most = np.array([share_threshold(int(k), n, m, 0.01)[1] for k in found])
    assert np.mean(new > most) >= 0.95


# Time


def test_two_hundred_columns_take_milliseconds() -> None:
    random = np.random.default_rng(12)
    pairs = [random.multinomial([3000, 1500], random.dirichlet(np.ones(13))) for _ in range(200)]
    took = []
    for _ in range(5):
        for cached in (chi_square_quantile, kolmogorov_quantile, share_threshold):
            cached.cache_clear()
        began = time.perf_counter()
        for k, pair in enumerate(pairs):
            alarms(*pair, ordered=k % 2 == 0, chance=5e-5)
            share_threshold(k, 3000, 1500, 5e-5)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.1  # about 0.02 where nothing else runs


@pytest.mark.parametrize("k", [0, 1000, 5_000_000, 10**7 - 3])
def test_a_share_of_millions_of_rows_takes_no_longer(k: int) -> None:
    took = []
    for _ in range(5):
        share_threshold.cache_clear()
        began = time.perf_counter()
        share_threshold(k, 10**7, 10**7, 5e-5)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.005  # at most 0.0006 where nothing else runs
