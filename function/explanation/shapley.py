"""Shapley values of a value function: exact for a few players, sampled for many.

What a coalition is worth is the model's mean answer where the coalition's columns hold the
instance's cells, and all others those of a background row: S. Lundberg, S.-I. Lee, "A unified
approach to interpreting model predictions", 2017, with interventional expectations (D. Janzing et
al., "Feature relevance quantification in explainable AI", 2020). The value itself: L. Shapley, "A
value for n-person games", 1953.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import comb, inf
from typing import NamedTuple, Protocol

from onnxlet.function.arrays import Array
from onnxlet.function.numpy_later import np

EXACT_PLAYERS = 8  # at most: 2**8 coalitions are fewer runs than sampling needs
ROUNDS_AT_ONCE = 4  # between two looks at the time
MOST_NUMBERS = 2_000_000  # in the arrays of the rounds that are computed together
Span = tuple[int, int]


class ValueFunction(Protocol):
    """Instances against the same background rows."""

    players: int  # how many there are
    spans: Sequence[Span]  # ranges of players whose sums are wanted, too; the end is exclusive
    at_once: int  # coalitions to ask for together
    start: Array  # the answers to the background rows, float64 of shape (slots, outputs)
    end: Array  # those to the instances, of shape (instances, outputs)

    def pairs(self, masks: Array) -> tuple[Array, Array]:
        """What coalitions and the rest of the players are worth, on each background row.

        Who is in the coalition: bool of shape (coalitions, slots or 1, players). Returns the values
        of the coalitions and of their complements, float64, both of shape (instances, coalitions,
        slots, outputs); of 1 the slots may be only those whose background rows differ.
        """

    def check(self, values: Array) -> None:
        """Refuse instances with values that are not finite; the first dimension is instances."""


class Budget(NamedTuple):
    """What all that one request asks for may cost."""

    evaluations: float = inf  # rows that may be answered, which decides alike on every machine
    in_time: Callable[[], bool] = lambda: True  # whether there is time left: the last resort


class Shares(NamedTuple):
    """Estimates of the Shapley values of the players and spans."""

    values: Array  # float64 of shape (instances, players and spans, outputs)
    errors: Array  # their standard errors, of the same shape
    permutations: int  # that were walked for each instance
    cut_short: bool  # there was no time for as many as were meant to be


def cost(functions: Sequence[ValueFunction]) -> int:
    """The rows that are answered for exact values."""
    return sum(len(f.end) * len(f.start) * (2**f.players - 2) for f in functions)


def exact(functions: Sequence[ValueFunction], budget: Budget) -> list[Array] | None:
    """The values by their definition, for each function of shape (instances, players, outputs).

    Each has at most EXACT_PLAYERS. Returns None where they take longer than the budget has time.
    """
    values = []
    for function in functions:
        worth = np.zeros((len(function.end), 2**function.players, function.end.shape[1]))
        worth[:, 0] = function.start.mean(axis=0)
        worth[:, -1] = function.end
        half = 2 ** (function.players - 1)  # the other coalitions are complements of these
        for first in range(1, half, function.at_once):
            if not budget.in_time():
                return None
            some = np.arange(first, min(first + function.at_once, half))
            masks = (some[:, None, None] >> np.arange(function.players) & 1).astype(bool)
            inside, outside = function.pairs(masks)
            worth[:, some] = mean(inside)
            worth[:, -1 - some] = mean(outside)
        gained = np.matmul(_weights(function.players), worth)
        function.check(gained)
        values.append(with_sums(gained, function.spans))
    return values


@cache
def _weights(n: int) -> Array:
    """The weight of each coalition's worth in each player's value, of shape (n, 2**n)."""
    coalitions = np.arange(2**n)
    inside = (coalitions[None] >> np.arange(n)[:, None] & 1).astype(bool)
    size = inside.sum(axis=0)
    gain = np.array([0.0] + [1 / (n * comb(n - 1, s - 1)) for s in range(1, n + 1)])
    loss = np.array([1 / (n * comb(n - 1, s)) for s in range(n)] + [0.0])
    weights: Array = np.where(inside, gain[size], -loss[size])
    return weights


def sampled(
    functions: Sequence[ValueFunction], permutations: int, seed: int, budget: Budget
) -> list[Shares]:
    """Estimates: players join in a random order, and the same reversed, on each background row.

    J. Castro et al., "Polynomial calculation of the Shapley value based on sampling", 2009; the
    reversed orders (antithetic sampling): R. Mitchell et al., "Sampling permutations for Shapley
    value estimation", 2022. Each background row has orders of its own, so that the sum of the
    values is exact, and the background adds nothing to their errors.

    The functions have as many background rows each. The permutations are for each instance, rounded
    up to one pair on each background row; the budget is for more than that pair.
    """
    tallies = [Tally(function.spans) for function in functions]
    # The same orders, whatever else is explained with it.
    randoms = [np.random.default_rng(seed) for _ in functions]
    slots = len(functions[0].start)
    each = sum(2 * len(f.end) * slots * max(f.players - 1, 1) for f in functions)
    rounds = int(max(1, min(-(-permutations // (2 * slots)), budget.evaluations // each)))
    done = 0
    while done < rounds and (not done or budget.in_time()):
        # The time is looked at after the same rounds, whatever the machine's speed.
        end = (done // ROUNDS_AT_ONCE + 1) * ROUNDS_AT_ONCE if done else 1
        some = min(rounds, end) - done
        for function, random, tally in zip(functions, randoms, tallies, strict=True):
            most = max(1, MOST_NUMBERS // (len(function.end) * slots * function.players))
            for first in range(0, some, most):
                tally.add(_rounds(function, random, min(most, some - first)))
        done += some
    for function, tally in zip(functions, tallies, strict=True):
        function.check(tally.means())
    return [
        Shares(tally.means(), tally.errors(), 2 * slots * done, done < rounds) for tally in tallies
    ]


def _rounds(function: ValueFunction, random: np.random.Generator, rounds: int) -> Array:
    """Each player's mean over a pair of orders.

    Of shape (instances, rounds, players and spans, slots, outputs).
    """
    n, slots = function.players, len(function.start)
    ranks = random.random((rounds, slots, n)).argsort(axis=2)
    small = ranks.astype(np.uint8 if n < 256 else np.int32)
    apart = np.empty((len(function.end), rounds, n + 1, slots, function.end.shape[1]))
    apart[:, :, 0] = (function.start[None] - function.end[:, None])[:, None]
    apart[:, :, n] = -apart[:, :, 0]
    number, size = np.divmod(np.arange(rounds * (n - 1)), max(n - 1, 1))
    joined = size.astype(small.dtype)[:, None, None]
    for first in range(0, len(size), function.at_once):
        some = slice(first, first + function.at_once)
        inside, outside = function.pairs(small[number[some]] <= joined[some])
        apart[:, number[some], size[some] + 1] = inside - outside
    steps = np.subtract(apart[:, :, 1:], apart[:, :, :-1])
    steps *= 0.5
    positions = ranks.transpose(0, 2, 1) * slots + np.arange(slots)
    positions += np.arange(0, rounds * n * slots, n * slots)[:, None, None]
    gains: Array = steps.reshape(len(function.end), rounds * n * slots, -1).take(positions, axis=1)
    return gains


class Tally:
    """Independent estimates, one of each round, on each background row.

    Of spans of players the sum is wanted, too. Sums are of the differences from the first one, so
    that little is lost to rounding.
    """

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._rounds = 0
        self._first: Array
        self._apart: Array
        self._squares: Array

    def add(self, estimates: Array) -> None:
        """Count rounds, of shape (instances, rounds, players, slots, outputs)."""
        estimates = with_sums(estimates, self._spans, axis=2)
        if not self._rounds:
            self._first = estimates[:, 0]
            self._apart = np.zeros_like(self._first)
            self._squares = np.zeros_like(self._first[:, :, 0])
            estimates = estimates[:, 1:]
            self._rounds = 1
        apart = estimates - self._first[:, None]
        self._apart += apart.sum(axis=1)
        self._squares += mean(np.multiply(apart, apart, out=apart)).sum(axis=1)
        self._rounds += estimates.shape[1]

    def means(self) -> Array:
        """The estimates, of shape (instances, players and spans, outputs)."""
        return mean(self._first) + mean(self._apart) / self._rounds

    def errors(self) -> Array:
        """Their standard errors.

        After one round the spread between background rows has to stand for that between orders:
        it is larger. Afterwards each background row is a stratum of its own.
        """
        slots, rounds = self._first.shape[2], self._rounds
        if rounds == 1:
            spread: Array = self._first.std(axis=2, ddof=1 if slots > 1 else 0)
            return np.asarray(spread / np.sqrt(slots))
        within = (self._squares - mean(self._apart**2) / rounds) / (rounds - 1)
        return np.asarray(np.sqrt(np.maximum(within, 0) / rounds / slots))


def mean(values: Array) -> Array:
    """The mean over the slots, the last dimension but one."""
    slots: int = values.shape[values.ndim - 2]
    means: Array = np.matmul(np.full(slots, 1 / slots), values)  # ten times as fast as .mean
    return means


def with_sums(values: Array, spans: Sequence[Span], axis: int = 1) -> Array:
    """The players' values along an axis, followed by the sums over spans of players."""
    if not spans:
        return values
    sums = [
        values.take(range(first, last), axis=axis).sum(axis=axis, keepdims=True)
        for first, last in spans
    ]
    together: Array = np.concatenate([values, *sums], axis=axis)
    return together
