"""Of very many rows a random sample is counted, and how many came is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from onnxlet.function.monitoring import sample
from onnxlet.function.monitoring.sample import BURST, RATE, Sample

SURE = 1e-6  # a test fails by chance once in a million runs


class Clock:
    """Stands for the time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sample, "time", clock)
    return clock


def chosen(rows: int, size: int, own: Sample) -> list[int]:
    """Positions of the chosen ones among so many rows, which come so many at once."""
    found: list[int] = []
    for start in range(0, rows, size):
        some = own.of(size)
        found += [start + at for at in (range(size) if some is None else some)]
    return found


def test_all_are_looked_at_where_they_are_few(clock: Clock) -> None:
    own = Sample()
    for _ in range(50):
        assert own.of(RATE) is None
        clock.now += 1


def exhausted(clock: Clock, size: int, a_second: int) -> Sample:
    """One whose allowance is used up, by so many rows a second."""
    own = Sample()
    for _ in range(BURST // RATE + 3):
        chosen(a_second, size, own)
        clock.now += 1
    return own


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_each_row_has_the_same_chance(clock: Clock, size: int) -> None:
    rows = 40 * RATE // size * size
    own = exhausted(clock, size, rows)
    found = list[int]()
    seconds = 10
    for second in range(seconds):
        found += [second * rows + at for at in chosen(rows, size, own)]
        clock.now += 1

    assert abs(len(found) - seconds * RATE) < 5 * (seconds * RATE) ** 0.5
    every = np.array(found)
    assert chisquare(np.bincount(every * 20 // (seconds * rows), minlength=20)).pvalue > SURE
    assert chisquare(np.bincount(every % 8, minlength=8)).pvalue > SURE  # nor by where they stand
    gaps = np.array([after - before for before, after in pairwise(found)])
    smooth = gaps - np.random.default_rng(0).uniform(size=len(gaps))
    assert kstest(smooth, "expon", (0, rows / RATE)).pvalue > SURE


def test_a_burst_is_looked_at_whole_until_the_allowance_is_used_up(clock: Clock) -> None:
    own = Sample()
    assert own.of(BURST) is None
    found = own.of(100 * RATE)
    assert found is not None
    assert len(found) < 2 * RATE
    clock.now += 2  # a second without any
    assert own.of(RATE // 2) is None
    clock.now += BURST / RATE + 1
    assert own.of(BURST) is None


def test_after_a_rest_it_goes_by_the_rate_so_far(clock: Clock) -> None:
    own = exhausted(clock, 100, 40 * RATE)
    clock.now += 3
    found = 0
    for _ in range(200):  # 100 rows a millisecond, for a fifth of a second
        found += len(chosen(100, 100, own))
        clock.now += 0.001
    allowance = 3 * RATE
    assert allowance <= found < allowance + RATE / 2


def test_two_samples_differ(clock: Clock) -> None:
    first, second = (chosen(10 * BURST, 100, Sample())[BURST:] for _ in range(2))
    assert first != second
