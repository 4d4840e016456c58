"""Tables that are histories are noticed, and split by time; others are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.train.preparing import Options, Prepared, inspect_table, prepare

ROWS = 300
DRAWN = np.random.default_rng(0)
DAYS = pd.date_range("2023-01-01", periods=ROWS)
NOISE = DRAWN.normal(size=ROWS)


def prepared(frame: pd.DataFrame, **options: Any) -> Prepared:
    given = Options(**options)
    return prepare(inspect_table(frame, "y", given, lambda line: None), given, lambda line: None)


def of(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({**columns, "size": NOISE, "y": NOISE + np.arange(ROWS) / 50})


HISTORIES = {
    "days": of(day=DAYS.strftime("%Y-%m-%d")),
    "moments": of(at=DAYS),
    "the latest first": of(day=DAYS.strftime("%d.%m.%Y"))[::-1].reset_index(drop=True),
    "several in a day": of(day=DAYS[np.arange(ROWS) // 5 * 5].strftime("%Y-%m-%d")),
    "a few out of order": of(day=DAYS[np.r_[1, 0, 2:ROWS]].strftime("%Y-%m-%d")),
    "a trend that its dates give away": of(day=DAYS.strftime("%Y-%m-%d")).assign(
        y=NOISE / 50 + np.arange(ROWS) / 10
    ),
    "an identifier": of(order_id=np.arange(5000, 5000 + ROWS)),
}


@pytest.mark.parametrize("kind", HISTORIES)
def test_a_history_is_split_by_time(kind: str) -> None:
    frame = HISTORIES[kind]
    found = prepared(frame)
    later, earlier = (frame["y"][part].mean() for part in (found.splits.test, found.splits.train))
    assert later > earlier + 1
    latest = np.max(found.splits.train) < np.min(found.splits.test)
    assert latest or np.min(found.splits.train) > np.max(found.splits.test) or kind == "a few out"
    for fitted, valid in found.splits.folds:
        assert np.max(fitted) < np.min(valid)
    assert sum("--split random" in note for note in found.table.notes) == 1


@pytest.mark.parametrize("kind", HISTORIES)
def test_it_is_split_at_random_where_that_is_wished(kind: str) -> None:
    found = prepared(HISTORIES[kind], split="random")
    assert np.max(found.splits.train) > np.min(found.splits.test)
    assert np.min(found.splits.train) < np.max(found.splits.test)
    assert not [note for note in found.table.notes if "--split" in note]


OTHERS = {
    "dates in no order": of(day=DRAWN.permutation(DAYS.strftime("%Y-%m-%d"))),
    "a few dates": of(day=np.repeat(DAYS[:6].strftime("%Y-%m-%d"), ROWS // 6)),
    "an identifier, and no trend": of(order_id=np.arange(ROWS)).assign(y=DRAWN.normal(size=ROWS)),
    "no order": of(),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_tables_are_not(kind: str) -> None:
    found = prepared(OTHERS[kind])
    assert np.max(found.splits.train) > np.min(found.splits.test)
    assert not [note for note in found.table.notes if "--split" in note]


def test_classes_with_a_trend_have_one() -> None:
    frame = of(order_id=np.arange(ROWS)).assign(y=np.where(np.arange(ROWS) < 140, "no", "yes"))
    frame.loc[::7, "y"] = "yes"
    frame.loc[3::9, "y"] = "no"
    assert [note for note in prepared(frame).table.notes if "'order_id' counts up" in note]
