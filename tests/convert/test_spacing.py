"""Some of many things, evenly spaced."""

from __future__ import annotations

from itertools import pairwise

import pytest

from onnxlet.convert.spacing import evenly_spaced, every_nth, spaced_indices


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [
        (0, 4, []),
        (1, 4, [0]),
        (3, 4, [0, 1, 2]),
        (9, 3, [0, 4, 8]),
        (10, 4, [0, 3, 6, 9]),
        (5, 1, [0]),
    ],
)
def test_the_first_and_the_last_are_among_them(count: int, most: int, expected: list[int]) -> None:
    assert spaced_indices(count, most) == expected


@pytest.mark.parametrize("most", [2, 7, 100, 400])
def test_none_comes_twice_and_gaps_are_alike(most: int) -> None:
    for count in range(2, 1000):
        found = spaced_indices(count, most)
        gaps = {after - before for before, after in pairwise(found)}
        assert len(found) == min(count, most)
        assert found[-1] == count - 1
        assert max(gaps) - min(gaps) <= 1
        assert min(gaps) >= 1


def test_things_keep_their_order() -> None:
    assert evenly_spaced("abcdefghi", 3) == ["a", "e", "i"]


@pytest.mark.parametrize(
    ("most", "expected"), [(100, "abcdefg"), (7, "aceg"), (3, "adg"), (2, "ae")]
)
def test_every_nth_begins_with_the_first(most: int, expected: str) -> None:
    assert every_nth("abcdefg", most) == expected
