"""Intervals: bootstrap and Wilson's, beside what theory says of them."""

from __future__ import annotations

import numpy as np
import pytest

from onnxlet.convert.report.evaluation.statistics import (
    DRAWS,
    generator,
    interval,
    resamples,
    wilson,
)


@pytest.mark.parametrize(("hits", "rows"), [(0, 12), (3, 10), (57, 60), (40, 40), (500, 1000)])
def test_wilson_ends_where_the_share_is_just_two_standard_errors_off(hits: int, rows: int) -> None:
    for end in wilson(hits, rows):
        if end not in (0.0, 1.0):
            off = abs(hits / rows - end) / np.sqrt(end * (1 - end) / rows)
            assert off == pytest.approx(1.959964, abs=1e-5)


def test_wilson_of_no_fault_is_not_sure_and_of_no_row_says_nothing() -> None:
    assert wilson(10, 10)[0] == pytest.approx(10 / (10 + 1.959964**2))
    assert wilson(0, 10)[1] == pytest.approx(1 - 10 / (10 + 1.959964**2))
    assert (wilson(10, 10)[1], wilson(0, 10)[0]) == (1.0, 0.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_resamples_take_as_many_rows_as_there_are_and_repeat_by_seed() -> None:
    drawn = np.concatenate(list(resamples(3, 50)))

    assert drawn.shape == (DRAWS, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(50), abs=0.25)
    assert drawn.var() == pytest.approx(1 - 1 / 50, abs=0.05)  # as binomial counts have it
    assert (drawn == np.concatenate(list(resamples(3, 50)))).all()
    assert (drawn != np.concatenate(list(resamples(4, 50)))).any()


def test_many_rows_are_drawn_in_parts_and_as_the_same_draws() -> None:
    parts = list(resamples(0, 100_000, 45))

    assert len(parts) > 1
    assert sum(map(len, parts)) == 45
    random = generator(0, "resamples")
    one_by_one = [
        np.bincount(random.integers(0, 100_000, 100_000), minlength=100_000) for _ in range(45)
    ]
    assert (np.concatenate(parts) == one_by_one).all()


def test_an_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(0).normal(3, 2, 400)
    drawn = np.concatenate(list(resamples(0, 400))) @ values / 400
    found = interval(values.mean(), drawn, 400)

    error = values.std() / 20
    assert found["value"] == values.mean()
    assert found["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert found["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)
    ordered = np.sort(drawn)  # 400: 2.5 % of 399 steps are 9.975 of them
    assert found["low"] == pytest.approx(ordered[9] + 0.975 * (ordered[10] - ordered[9]))
    assert found["high"] == pytest.approx(ordered[389] + 0.025 * (ordered[390] - ordered[389]))


def test_few_rows_and_undefined_draws_have_no_interval() -> None:
    none = {"low": None, "high": None}

    assert interval(0.5, np.linspace(0, 1, 400), 19) == {"value": 0.5, **none}
    undefined = np.where(np.arange(400) < 201, np.nan, 0.5)
    assert interval(0.5, undefined, 100) == {"value": 0.5, **none}
    assert interval(0.5, np.where(np.arange(400) < 199, np.nan, 0.5), 100)["low"] == 0.5
