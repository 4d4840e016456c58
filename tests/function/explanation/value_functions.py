"""Games made of plain functions, and Shapley values by their definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array

Function = Callable[[Array], Array]  # (rows, columns) to (rows, outputs)


class ArrayValueFunction:
    """Rows of an array against background rows, mixed the plain way."""

    def __init__(
        self,
        function: Function,
        background: Any,
        instances: Any,
        spans: Sequence[tuple[int, int]] = (),
        at_once: int = 3,
    ) -> None:
        self.function = function
        self.background, self.instances = np.asarray(background), np.asarray(instances)
        self.players = self.background.shape[1]
        self.spans = spans
        self.at_once = at_once
        self.start, self.end = function(self.background), function(self.instances)
        self.evaluations = 0
        self.checked = 0

    def pairs(self, masks: Array) -> tuple[Array, Array]:
        return self._values(masks), self._values(~masks)

    def check(self, values: Array) -> None:
        assert len(values) == len(self.instances)
        self.checked += 1

    def _values(self, masks: Array) -> Array:
        shape = (len(masks), *self.background.shape)
        assert len(masks) <= self.at_once
        self.evaluations += shape[0] * shape[1] * len(self.instances)
        return np.stack(
            [
                self.function(
                    np.where(masks, instance, self.background).reshape(-1, self.players)
                ).reshape(len(masks), len(self.background), -1)
                for instance in self.instances
            ]
        )


def by_definition(function: Function, background: Any, instance: Any) -> Array:
    """Each player's gain, over all orders and background rows; of shape (players, outputs)."""
    background, instance = np.asarray(background), np.asarray(instance)
    players = background.shape[1]
    orders = list(permutations(range(players)))

    @cache
    def worth(coalition: frozenset[int]) -> Array:
        rows = background.copy()
        inside = sorted(coalition)
        rows[:, inside] = instance[inside]
        answers: Array = function(rows).mean(axis=0)
        return answers

    gains = np.zeros((players, function(background).shape[1]))
    for order in orders:
        for place, player in enumerate(order):
            before = frozenset(order[:place])
            gains[player] += (worth(before | {player}) - worth(before)) / len(orders)
    return gains
