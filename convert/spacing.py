"""Some of many things: evenly spaced, and the same ones each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Thing = TypeVar("Thing")


def spaced_indices(count: int, most: int) -> list[int]:
    """At most so many indices of `count` things, in order, the first and the last among them."""
    picks: list[int] = np.linspace(0, count - 1, min(most, count)).astype(int).tolist()
    return picks


def evenly_spaced(things: Sequence[Thing], most: int) -> list[Thing]:
    """At most so many of the things, in order, the first and the last among them."""
    return [things[index] for index in spaced_indices(len(things), most)]


def every_nth(things: Sequence[Thing], most: int) -> Sequence[Thing]:
    """At most so many of the things, in order, equally far from each other; from the first on."""
    return things[:: len(things) // most + 1]
