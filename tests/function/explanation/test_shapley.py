"""Shapley values of functions that are plain functions, against their definition and its axioms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxlet.function.arrays import Array
from onnxlet.function.explanation.shapley import EXACT_PLAYERS, Budget, cost, exact, sampled
from tests.function.explanation.value_functions import ArrayValueFunction, by_definition

ENDLESS = Budget()
random = np.random.default_rng(5)


def tangled(rows: Array) -> Array:
    """Two outputs in which three neighbours interact, and all of them."""
    neighbours = np.roll(rows, 1, axis=1) * (1 + np.roll(rows, 2, axis=1))
    first = np.tanh(rows * neighbours).sum(axis=1) + np.where(rows[:, 0] > 0.3, rows[:, -1], 0)
    return np.stack([first, np.exp(-np.abs(rows).sum(axis=1))], axis=1)


def of_six(background: int, instances: int) -> ArrayValueFunction:
    """Six players, so many background rows, and so many instances."""
    rows = random.normal(size=(background, 6)), random.normal(size=(instances, 6))
    return ArrayValueFunction(tangled, *rows, at_once=50)


def line(rows: Array) -> Array:
    return (rows @ np.arange(1.0, rows.shape[1] + 1))[:, None]


def values_of(function: ArrayValueFunction) -> Array:
    before = function.checked
    found = exact([function], ENDLESS)
    assert found is not None
    assert function.checked == before + 1
    return found[0]


# Exact values


@pytest.mark.parametrize("players", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_exact_values_are_those_of_the_definition(players: int, at_once: int) -> None:
    background, instances = random.normal(size=(4, players)), random.normal(size=(3, players))
    values = values_of(ArrayValueFunction(tangled, background, instances, at_once=at_once))

    expected = [by_definition(tangled, background, instance) for instance in instances]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-13)


def test_a_line_is_shared_out_by_its_coefficients() -> None:
    background, instance = random.normal(size=(20, 8)), random.normal(size=(1, 8))
    values = values_of(ArrayValueFunction(line, background, instance))

    expected = np.arange(1.0, 9) * (instance[0] - background.mean(axis=0))
    np.testing.assert_allclose(values[0, :, 0], expected, rtol=1e-12)


def test_exact_values_cost_every_coalition_once() -> None:
    function = ArrayValueFunction(
        line, random.normal(size=(7, EXACT_PLAYERS)), random.normal(size=(2, 8))
    )
    values_of(function)
    assert function.evaluations == cost([function]) == 2 * 7 * (2**EXACT_PLAYERS - 2)


def test_sums_of_spans_stand_behind_the_players() -> None:
    function = ArrayValueFunction(
        tangled, np.zeros((2, 5)), np.ones((1, 5)), spans=[(1, 3), (3, 5)]
    )
    values = values_of(function)
    np.testing.assert_allclose(values[:, 5], values[:, 1:3].sum(axis=1))
    np.testing.assert_allclose(values[:, 6], values[:, 3:5].sum(axis=1))


# Axioms, exact and sampled

numbers = st.floats(-5, 5, allow_nan=False)
rows_of = st.integers(2, 5).flatmap(
    lambda n: st.lists(st.lists(numbers, min_size=n, max_size=n), min_size=3, max_size=5)
)


def both_ways(function: ArrayValueFunction) -> list[Array]:
    return [values_of(function), sampled([function], 20, 0, ENDLESS)[0].values]


@settings(max_examples=60, deadline=None)
@given(rows_of)
def test_values_add_up_to_the_answer_less_the_base_value(rows: list[list[float]]) -> None:
    function = ArrayValueFunction(tangled, rows[1:], rows[:1])
    for values in both_ways(function):
        np.testing.assert_allclose(
            values.sum(axis=1), function.end - function.start.mean(axis=0), rtol=0, atol=1e-12
        )


def test_who_changes_nothing_gets_nothing() -> None:
    function = ArrayValueFunction(
        lambda rows: tangled(rows[:, :3]), random.normal(size=(4, 5)), [[1.0] * 5]
    )
    for values in both_ways(function):
        np.testing.assert_allclose(values[:, 3:], 0, atol=1e-14)


def test_who_has_the_backgrounds_cells_gets_nothing() -> None:
    background = random.normal(size=(4, 5))
    background[:, 2] = 7.0
    for values in both_ways(ArrayValueFunction(tangled, background, [[1.0, 2.0, 7.0, -1.0, 0.5]])):
        np.testing.assert_allclose(values[:, 2], 0, atol=1e-14)


def test_equals_get_the_same() -> None:
    background = np.repeat(random.normal(size=(4, 1)), 4, axis=1)
    function = ArrayValueFunction(
        lambda rows: np.prod(rows, axis=1)[:, None], background, [[0.5] * 4]
    )
    values = values_of(function)
    np.testing.assert_allclose(values, values.mean(), rtol=1e-12)


# Sampling


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_samples_are_off_by_what_they_say(seed: int) -> None:
    function = of_six(10, 8)
    expected = values_of(function)
    [shares] = sampled([function], 400, seed, ENDLESS)

    assert shares.permutations == 400
    off = np.abs(shares.values - expected) / shares.errors
    assert np.max(off) < 5
    assert 0.4 < np.sqrt((off**2).mean()) < 1.6
    assert (shares.errors > 0).all()


def test_four_times_the_permutations_halve_the_errors() -> None:
    function = of_six(10, 4)
    few, many = (sampled([function], n, 0, ENDLESS)[0].errors for n in (400, 1600))
    assert np.median(many / few) == pytest.approx(0.5, abs=0.06)


def test_after_one_pair_the_spread_of_the_background_stands_for_that_of_the_orders() -> None:
    function = of_six(30, 4)
    [shares] = sampled([function], 2, 0, ENDLESS)
    off = np.abs(shares.values - values_of(function)) / shares.errors
    assert shares.permutations == 60
    assert np.max(off) < 4


def test_the_two_orders_of_a_pair_cancel_what_two_players_share() -> None:
    """With interactions of only two, an order and its reverse have them on both sides."""
    function = ArrayValueFunction(
        lambda rows: (rows[:, :-1] * rows[:, 1:]).sum(axis=1)[:, None],
        random.normal(size=(5, 12)),
        random.normal(size=(2, 12)),
        at_once=50,
    )
    [shares] = sampled([function], 20, 0, ENDLESS)
    [many] = sampled([function], 2000, 1, ENDLESS)
    np.testing.assert_allclose(shares.values, many.values, atol=1e-12)
    assert shares.errors.max() < 1e-12


@pytest.mark.parametrize("at_once", [1, 2, 7, 100])
def test_the_same_seed_gives_the_same_values_however_they_are_parted(at_once: int) -> None:
    background, instances = random.normal(size=(5, 9)), random.normal(size=(2, 9))

    def values(seed: int = 3, first: int = 0, at_once: int = 50) -> Array:
        function = ArrayValueFunction(tangled, background, instances[first:], at_once=at_once)
        return sampled([function], 80, seed, ENDLESS)[0].values

    np.testing.assert_array_equal(values(at_once=at_once), values())
    np.testing.assert_array_equal(values(first=1), values()[1:])
    assert not np.array_equal(values(seed=4), values())


def test_one_player_gets_all_of_it() -> None:
    function = ArrayValueFunction(line, [[1.0], [2.0]], [[5.0]])
    [shares] = sampled([function], 2, 0, ENDLESS)
    np.testing.assert_allclose(shares.values, [[[3.5]]])


def test_more_players_than_a_byte_counts() -> None:
    function = ArrayValueFunction(
        line, random.normal(size=(2, 300)), random.normal(size=(1, 300)), at_once=400
    )
    [shares] = sampled([function], 4, 0, ENDLESS)
    expected = np.arange(1.0, 301) * (function.instances[0] - function.background.mean(axis=0))
    np.testing.assert_allclose(shares.values[0, :, 0], expected, atol=1e-9)


# The budget


def nine(instances: int = 2) -> ArrayValueFunction:
    """Nine players: a round costs 80 evaluations of each instance."""
    return ArrayValueFunction(tangled, np.ones((5, 9)), np.arange(9.0 * instances).reshape(-1, 9))


class Late:
    """Says so many times that there is time left."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def __call__(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


def test_one_pair_is_made_however_little_there_is() -> None:
    for budget in (Budget(0), Budget(159), Budget(in_time=Late(0))):
        function = nine()
        [shares] = sampled([function], 1000, 0, budget)
        assert shares.permutations == 10
        assert shares.cut_short == (budget.evaluations > 1e9)
        np.testing.assert_allclose(
            shares.values.sum(axis=1), function.end - function.start.mean(axis=0), atol=1e-12
        )


@pytest.mark.parametrize(("evaluations", "rounds"), [(160, 1), (320, 2), (479, 2), (480, 3)])
def test_no_more_rows_are_answered_than_are_allowed(evaluations: int, rounds: int) -> None:
    function = nine()
    [shares] = sampled([function], 1000, 0, Budget(evaluations))
    assert (shares.permutations, shares.cut_short) == (10 * rounds, False)
    assert function.evaluations == 160 * rounds
    # ... the same as if they had been asked for.
    np.testing.assert_array_equal(
        shares.values, sampled([nine()], 10 * rounds, 0, ENDLESS)[0].values
    )


@pytest.mark.parametrize(("looks", "rounds"), [(0, 1), (1, 4), (2, 8), (3, 12), (25, 100)])
def test_what_ends_by_time_says_so(looks: int, rounds: int) -> None:
    [shares] = sampled([nine()], 1000, 0, Budget(in_time=Late(looks)))
    assert (shares.permutations, shares.cut_short) == (10 * rounds, rounds < 100)


def test_all_instances_get_as_many_permutations() -> None:
    functions = [
        ArrayValueFunction(tangled, np.zeros((5, n)), np.ones((1, n)), at_once=9) for n in (2, 9)
    ]
    shares = sampled(functions, 60, 0, ENDLESS)
    assert [each.permutations for each in shares] == [60, 60]


def test_exact_values_that_take_too_long_are_given_up() -> None:
    function = ArrayValueFunction(tangled, random.normal(size=(5, 8)), random.normal(size=(2, 8)))
    chunks = -(-127 // function.at_once)
    assert exact([function], Budget(in_time=Late(chunks - 1))) is None
    assert function.evaluations < cost([function])
    assert exact([function], Budget(in_time=Late(chunks))) is not None
