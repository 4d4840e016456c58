"""Shapley values of a game: exactly for a few players, by sampled permutations for many.

What a coalition is worth is the model's mean answer where the coalition's columns hold the
instance's cells, and all others those of a background row: S. Lundberg, S.-I. Lee, "A unified
approach to interpreting model predictions", 2017, with interventional expectations (D. Janzing et
al., "Feature relevance quantification in explainable AI", 2020). The value itself: L. Shapley, "A
value for n-person games", 1953.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb
from typing import NamedTuple, Protocol

import numpy as np

from function.explanation.budget import Budget
from function.signature import Array

EXACT_PLAYERS = 8
Span = tuple[int, int]


class Game(Protocol):
    """Instances against the same background rows.

    Attributes:
        players: how many there are.
        spans: first and last, exclusive, of players whose sum is wanted, too.
        at_once: coalitions that are worth asking for together.
        start: the answers to the background rows, float64 of shape (slots, outputs).
        end: those to the instances, of shape (instances, outputs).
    """

    players: int
    spans: Sequence[Span]
    at_once: int
    start: Array
    end: Array

    def pairs(self, masks: Array) -> tuple[Array, Array]:
        """What coalitions and the rest of the players are worth, on each background row.

        Args:
            masks: who is in the coalition, bool of shape (coalitions, slots or 1, players).

        Returns:
            The values of the coalitions and of their complements, float64, both of shape
            (instances, coalitions, slots, outputs).
        """


class Shares(NamedTuple):
    """Estimates of what the players and spans get.

    Attributes:
        values: float64 of shape (instances, players and spans, outputs).
        errors: their standard errors, of the same shape.
        permutations: that were walked for each instance.
    """

    values: Array
    errors: Array
    permutations: int


def exact(games: Sequence[Game], budget: Budget) -> list[Array] | None:
    """The values by their definition, for each game of shape (instances, players, outputs).

    Args:
        games: of at most EXACT_PLAYERS each.
        budget: of time.

    Returns:
        None where they would take longer than that.
    """
    values = []
    work = [len(game.end) * len(game.start) * (2 ** (game.players - 1) - 1) for game in games]
    done = 0
    budget.begin()
    for game in games:
        worth = np.zeros((len(game.end), 2**game.players, game.end.shape[1]))
        worth[:, 0] = game.start.mean(axis=0)
        worth[:, -1] = game.end
        half = 2 ** (game.players - 1)  # the other coalitions are complements of these
        for first in range(1, half, game.at_once):
            some = np.arange(first, min(first + game.at_once, half))
            masks = (some[:, None, None] >> np.arange(game.players) & 1).astype(bool)
            inside, outside = game.pairs(masks)
            worth[:, some] = inside.mean(axis=2)
            worth[:, -1 - some] = outside.mean(axis=2)
            done += len(game.end) * len(game.start) * len(some)
            if not budget.allows(sum(work) / done):
                return None
        gained = np.einsum("pc,ico->ipo", _weights(game.players), worth)
        values.append(with_sums(gained, game.spans))
    return values


def _weights(n: int) -> Array:
    """What each coalition's worth counts in each player's value, of shape (n, 2**n)."""
    coalitions = np.arange(2**n)
    inside = (coalitions[None] >> np.arange(n)[:, None] & 1).astype(bool)
    size = inside.sum(axis=0)
    gain = np.array([0.0] + [1 / (n * comb(n - 1, s - 1)) for s in range(1, n + 1)])
    loss = np.array([1 / (n * comb(n - 1, s)) for s in range(n)] + [0.0])
    return np.where(inside, gain[size], -loss[size])


def sampled(games: Sequence[Game], permutations: int, seed: int, budget: Budget) -> list[Shares]:
    """Estimates: players join in a random order, and the same reversed, on each background row.

    J. Castro et al., "Polynomial calculation of the Shapley value based on sampling", 2009; the
    reversed orders (antithetic sampling): R. Mitchell et al., "Sampling permutations for Shapley
    value estimation", 2022. Each background row has orders of its own, so that the sum of the
    values is exact, and the background adds nothing to their errors.

    Args:
        games: with as many background rows each.
        permutations: for each instance, rounded up to one pair on each background row.
        seed: of the orders.
        budget: of time, for more than that pair.
    """
    tallies = [Tally() for _ in games]
    randoms = [np.random.default_rng(seed) for _ in games]  # whatever else is asked for with it
    slots = len(games[0].start)
    rounds = -(-permutations // (2 * slots))
    budget.begin()
    for done in range(rounds):
        if done and not budget.allows((done + 1) / done):
            break
        for game, random, tally in zip(games, randoms, tallies, strict=True):
            tally.add(with_sums(_one_round(game, random), game.spans))
    return [Shares(tally.means(), tally.errors(), 2 * slots * tally.rounds) for tally in tallies]


def _one_round(game: Game, random: np.random.Generator) -> Array:
    """Each player's mean over a pair of orders, of shape (instances, players, slots, outputs)."""
    n, slots = game.players, len(game.start)
    ranks = np.argsort(random.random((slots, n)), axis=1)
    small = ranks.astype(np.uint8 if n < 256 else np.int32)
    apart = np.empty((len(game.end), n + 1, slots, game.end.shape[1]))
    apart[:, 0] = game.start[None] - game.end[:, None]
    apart[:, n] = -apart[:, 0]
    for first in range(1, n, game.at_once):
        last = min(first + game.at_once, n)
        sizes = np.arange(first, last, dtype=small.dtype)
        inside, outside = game.pairs(small[None] < sizes[:, None, None])
        np.subtract(inside, outside, out=apart[:, first:last])
    steps = np.diff(apart, axis=1)
    steps *= 0.5
    return steps[:, ranks.T, np.arange(slots)]


class Tally:
    """Independent estimates, one of each round, on each background row.

    What is added up is how far they are from the first: little is lost to rounding.
    """

    def __init__(self) -> None:
        self.rounds = 0
        self._first = self._apart = self._squares = np.zeros(0)

    def add(self, estimates: Array) -> None:
        """Count a round, of shape (instances, players, slots, outputs)."""
        if not self.rounds:
            self._first = estimates
            self._apart = np.zeros_like(estimates)
            self._squares = np.zeros_like(estimates[:, :, 0])
        else:
            apart = estimates - self._first
            self._apart += apart
            self._squares += np.einsum("ipso,ipso->ipo", apart, apart)
        self.rounds += 1

    def means(self) -> Array:
        """The estimates, of shape (instances, players, outputs)."""
        means: Array = self._first.mean(axis=2) + self._apart.mean(axis=2) / self.rounds
        return means

    def errors(self) -> Array:
        """Their standard errors.

        After one round the spread between background rows has to stand for that between orders:
        it is larger. Afterwards each background row is a stratum of its own.
        """
        slots, rounds = self._first.shape[2], self.rounds
        if rounds == 1:
            spread: Array = self._first.std(axis=2, ddof=1 if slots > 1 else 0)
            return spread / np.sqrt(slots)
        sums = np.einsum("ipso,ipso->ipo", self._apart, self._apart)
        within = (self._squares - sums / rounds) / (rounds - 1)
        return np.sqrt(np.maximum(within, 0) / rounds) / slots


def with_sums(values: Array, spans: Sequence[Span]) -> Array:
    """The players' values, and behind them those of spans of players."""
    if not spans:
        return values
    sums = [values[:, first:last].sum(axis=1, keepdims=True) for first, last in spans]
    return np.concatenate([values, *sums], axis=1)
