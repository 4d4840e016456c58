"""Bisection of many intervals at once."""

from __future__ import annotations

import numpy as np
import pytest

from onnxlet.convert.evidence.rows import HALVINGS, bisected

RISES = np.array([0.1, 2.5, -3.0])


@pytest.mark.parametrize("way", [1, -1], ids=["upwards", "downwards"])
def test_it_ends_at_neighbours_on_both_sides_of_each_change(way: int) -> None:
    start, rises = np.full(3, -10.0 * way), way * RISES
    low, high = bisected(start, -start, lambda middle: way * middle < rises)
    np.testing.assert_array_equal(high, np.nextafter(low, way * np.inf))
    assert (way * low < rises).all()
    assert (way * high >= rises).all()


def test_it_ends_where_nothing_changes_and_where_zero_is_never_reached() -> None:
    asked: list[float] = []

    def never_above(middle: np.ndarray) -> np.ndarray:
        asked.append(float(middle[0]))
        return np.array([False])

    low, high = bisected(np.array([0.0]), np.array([1.0]), never_above)
    assert (low[0], high[0], len(asked)) == (0.0, 2.0**-HALVINGS, HALVINGS)
