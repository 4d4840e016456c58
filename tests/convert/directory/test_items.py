"""What items are called, and what a build says where they have no names."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.directory.items import items_of, labels_of
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.sources.source import Source

POINTS = np.random.default_rng(0).normal(size=(20, 2))
NAMES = [f"item {number}" for number in range(20)]
SAID = "note: neighbours are answered by their position in the rows of the fit"


@pytest.mark.parametrize(
    ("index", "labels"),
    [
        ([7, 3], [7, 3]),
        ([np.int32(7), np.int64(-3)], [7, -3]),
        (["a", "ß"], ["a", "ß"]),
        ([1, "b"], ["1", "b"]),
        ([0.5, 2.0], ["0.5", "2.0"]),
        ([True, False], ["True", "False"]),
        ([2**70, 1], [str(2**70), "1"]),
        ([datetime.date(2026, 1, 2)], ["2026-01-02"]),
        ([("a", 1), ("b", 2)], ["('a', 1)", "('b', 2)"]),
    ],
    ids=str,
)
def test_labels_keep_their_type_or_are_text(index: list[Any], labels: list[Any]) -> None:
    found = labels_of(index)
    assert found == labels
    assert set(map(type, found)) == {int if isinstance(labels[0], int) else str}


def named(X_train: Any, *steps: Any) -> tuple[Any, list[str]]:
    lines: list[str] = []
    model = make_pipeline(*steps, NearestNeighbors()).fit(POINTS)
    source = Source(model, POINTS, None, X_train)
    return items_of(task_of(model), source, ["a", "b"], lines.append), lines


def test_the_index_of_the_training_rows() -> None:
    frame = pd.DataFrame(POINTS, index=NAMES)
    assert named(frame) == (NAMES, [])
    assert named(frame, StandardScaler()) == (NAMES, [])
    assert named(pd.Series(range(20), index=NAMES)) == (NAMES, [])


def test_positions_where_there_is_none() -> None:
    assert named(None) == (None, [f"{SAID}: X_train would bring the labels of its index"])
    for X_train in (POINTS, pd.DataFrame(POINTS), POINTS.tolist()):
        assert named(X_train) == (None, [])


def test_other_rows_than_those_of_the_fit() -> None:
    fewer = pd.DataFrame(POINTS[:15], index=NAMES[:15])
    assert named(fewer) == (None, [f"{SAID}: X_train has 15 rows, and the fit had 20"])
