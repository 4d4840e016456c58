"""Who sees which rows: nobody sees the future, a row's twin, or another row of its group."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.errors import Refusal
from onnxlet.convert.tables.places import LINE, Places
from onnxlet.convert.train.splits import MOST_TEST, Splits, duplicates_in, split, timeless


def labels(rows: int, share: float = 0.3, seed: int = 0) -> Any:
    return np.where(np.random.default_rng(seed).random(rows) < share, "yes", "no").astype(object)


def check(splits: Splits, rows: int) -> None:
    """What holds of every split: all positions are there, and none on both sides."""
    assert not set(splits.train) & set(splits.test)
    assert len(set(splits.train)) + len(set(splits.test)) == len(splits.train) + len(splits.test)
    assert max(np.max(splits.train), np.max(splits.test)) < rows
    for train, valid in splits.folds:
        assert len(train)
        assert len(valid)
        assert not set(train) & set(valid)
        assert max(np.max(train), np.max(valid)) < len(splits.train)


@pytest.mark.parametrize(
    ("rows", "test", "folds"),
    [(30, 10, 15), (100, 33, 15), (400, 80, 15), (1000, 200, 10), (5000, 1000, 5)],
)
def test_few_rows_have_more_of_a_test_set_and_repeated_folds(
    rows: int, test: int, folds: int
) -> None:
    splits = split(labels(rows), "binary", None, None, 0)
    check(splits, rows)
    assert len(splits.test) == pytest.approx(test, abs=3)
    assert len(splits.folds) == folds
    seen = np.concatenate([valid for _, valid in splits.folds])
    assert (np.bincount(seen) == folds / 5).all()
    assert f"{len(splits.test)} rows" in splits.how


def test_many_rows_keep_20_000_for_the_end() -> None:
    y = np.random.default_rng(0).normal(size=130_000)
    splits = split(y, "regression", None, None, 0)
    assert MOST_TEST - 1500 < len(splits.test) <= MOST_TEST
    assert len(splits.folds) == 3


def test_classes_and_tenths_of_a_number_are_everywhere_alike() -> None:
    y = labels(1500, 0.05)
    splits = split(y, "binary", None, None, 1)
    shares = [np.mean(y[splits.train][valid] == "yes") for _, valid in splits.folds]
    shares.append(np.mean(y[splits.test] == "yes"))
    assert np.ptp(shares) < 0.01
    values = np.random.default_rng(0).lognormal(0, 2, 1500)
    splits = split(values, "regression", None, None, 1)
    medians = [np.median(values[splits.train][valid]) for _, valid in splits.folds]
    assert np.ptp(medians) < 0.2


def test_the_seed_decides() -> None:
    y = labels(200)
    one, same, other = (split(y, "binary", None, None, seed) for seed in (3, 3, 4))
    assert np.array_equal(one.test, same.test)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(one.folds, same.folds, strict=True))
    assert not np.array_equal(one.test, other.test)


def test_a_class_of_one_row_is_always_learnt_from() -> None:
    y = labels(120)
    y[7], y[[20, 21]] = "once", "twice"
    splits = split(y, "multiclass", None, None, 0)
    check(splits, 120)
    assert 7 in splits.train
    at = int(np.flatnonzero(splits.train == 7)[0])
    assert all(at in train and at not in valid for train, valid in splits.folds)
    assert "twice" in y[splits.train]


def test_no_group_is_on_two_sides_and_rows_without_one_are_each_their_own() -> None:
    random = np.random.default_rng(0)
    groups = np.array([f"g{n}" for n in random.integers(0, 40, 600)], object)
    groups[:30] = None
    splits = split(labels(600), "binary", groups, None, 0)
    check(splits, 600)
    of = pd.Series(groups).where(pd.notna(groups), [f"row {n}" for n in range(600)]).to_numpy()
    assert not set(of[splits.train]) & set(of[splits.test])
    assert 0 < np.sum(splits.test < 30) < 30
    inside = of[splits.train]
    for train, valid in splits.folds:
        assert not set(inside[train]) & set(inside[valid])
    assert "grouped" in splits.how
    assert "each of 30 rows without a group is a group of its own" in splits.how


def test_thousands_of_groups_are_split_too() -> None:
    groups = np.repeat(np.arange(4000), 2)
    splits = split(labels(8000), "binary", groups, None, 0)
    check(splits, 8000)
    assert not set(groups[splits.train]) & set(groups[splits.test])
    assert len(splits.test) == pytest.approx(1600, rel=0.1)


def test_two_groups_are_too_few() -> None:
    with pytest.raises(Refusal, match="expected 3 groups or more"):
        split(labels(60), "binary", np.arange(60) % 2, None, 0)


def test_nothing_is_learnt_from_the_future() -> None:
    random = np.random.default_rng(0)
    days = random.integers(0, 300, 700).astype(float)
    splits = split(labels(700), "binary", None, days, 0)
    check(splits, 700)
    assert days[splits.train].max() < days[splits.test].min()
    inside = days[splits.train]
    ends = []
    for train, valid in splits.folds:
        assert inside[train].max() < inside[valid].min()
        ends.append(inside[valid].max())
    assert ends == sorted(ends, reverse=True)  # the latest fold is the first to be used
    assert len(splits.test) == pytest.approx(140, abs=15)
    assert "latest" in splits.how


def test_rows_without_a_time_are_left_out_and_counted() -> None:
    times = np.arange(100.0)
    times[[3, 50]] = np.nan
    splits = split(labels(100), "binary", None, times, 0)
    assert {3, 50} & {*splits.train, *splits.test} == set()
    assert len(splits.train) + len(splits.test) == 98
    assert "2 rows without a time are left out" in splits.how
    places = Places(np.arange(100) + 2, LINE, "a.csv")
    assert timeless(times, places) == ["2 rows without a time, left out: 'a.csv', lines 5, 52"]
    times[3] = 3.0
    assert "; 1 row without a time is left out" in split(labels(100), "binary", None, times, 0).how
    assert timeless(np.arange(9.0), places) == []


@pytest.mark.parametrize("times", [np.zeros(60), np.repeat([0.0, 1.0], 30)])
def test_one_time_or_two_are_too_few(times: Any) -> None:
    with pytest.raises(Refusal, match="--time: expected 3 different times"):
        split(labels(60), "binary", None, times, 0)


def test_equal_rows_are_on_one_side() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=300), "t": random.choice(["u", "v"], 300)})
    frame.loc[::7, "t"] = None
    twins = random.choice(300, 80, replace=False)
    frame = pd.concat([frame, frame.iloc[twins]], ignore_index=True)
    alike, _ = duplicates_in(frame, np.zeros(len(frame)))
    assert alike is not None
    assert len(np.unique(alike)) == 300
    assert (alike[twins] == alike[300:]).all()
    splits = split(labels(380), "binary", None, None, 0, alike)
    check(splits, 380)
    assert not set(alike[splits.train]) & set(alike[splits.test])
    inside = alike[splits.train]
    for train, valid in splits.folds:
        assert not set(inside[train]) & set(inside[valid])
    assert "80 rows that equal another are on its side" in splits.how


def test_equal_rows_join_their_groups() -> None:
    alike = np.arange(300)
    alike[0] = alike[150]  # rows 0 and 150 are equal, of groups 0 and 50
    groups = np.arange(300) // 3
    splits = split(labels(300), "binary", groups, None, 0, alike)
    of = dict.fromkeys(splits.test, "test") | dict.fromkeys(splits.train, "train")
    assert len({of[row] for row in (0, 1, 2, 150, 151, 152)}) == 1


def test_where_most_rows_have_an_equal_that_means_nothing() -> None:
    alike = np.arange(400) % 20
    splits = split(labels(400), "binary", None, None, 0, alike)
    assert set(alike[splits.train]) & set(alike[splits.test])
    assert "equal rows are not kept together" in splits.how
