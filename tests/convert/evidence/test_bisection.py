"""Bisection of many intervals at once."""

from __future__ import annotations

import numpy as np
import pytest

from onnxlet.convert.evidence.rows import HALVINGS, bisected

RISES = np.array([0.1, 2.5, -3.0])


@pytest.mark.parametrize("at_once", [0, 9, 21])
@pytest.mark.parametrize("way", [1, -1], ids=["upwards", "downwards"])
def test_it_ends_at_neighbours_on_both_sides_of_each_change(way: int, at_once: int) -> None:
    start, rises = np.full(3, -10.0 * way), way * RISES
    low, high = bisected(start, -start, np.asarray, lambda some: way * some < rises, at_once)
    np.testing.assert_array_equal(high, np.nextafter(low, way * np.inf))
    assert (way * low < rises).all()
    assert (way * high >= rises).all()


def test_it_ends_where_nothing_changes_and_where_zero_is_never_reached() -> None:
    asked: list[float] = []

    def never_above(middle: np.ndarray) -> np.ndarray:
        asked.append(float(middle[0]))
        return np.array([False])

    low, high = bisected(np.array([0.0]), np.array([1.0]), np.asarray, never_above)
    assert (low[0], high[0], len(asked)) == (0.0, 2.0**-HALVINGS, HALVINGS)


@pytest.mark.parametrize("answered", [7, 1], ids=["all", "the middles only"])
def test_what_is_asked_ahead_is_asked_in_fewer_calls_and_changes_nothing(answered: int) -> None:
    """Where only the middles are answered, each halving is a call, as without."""
    start, calls = np.full(3, -10.0), list[tuple[int, ...]]()

    def at(some: np.ndarray) -> np.ndarray:
        calls.append(some.shape)
        return some[:answered]

    found = bisected(start, -start, at, lambda middle: middle < RISES, 27)
    assert set(calls) == {(7, 3)}
    ahead = len(calls)
    calls.clear()
    assert np.array_equal(found, bisected(start, -start, at, lambda middle: middle < RISES))
    assert ahead == (len(calls) if answered == 1 else -(-len(calls) // 3))
