"""Counting by arrays, against counting each cell by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.directory.reference_statistics import read
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import MISSING_TEXT
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.gathered import Gathered
from onnxlet.function.monitoring.layout import Layout
from tests import estimators
from tests.function.monitoring.models import asked, built, customers, reviews, some

NAMES = ("shop", "iris", "reviews", *estimators.every_task())


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    made = {"shop": estimators.shop(), "iris": estimators.iris(), "reviews": reviews()}
    return {**made, **estimators.every_task()}


@pytest.fixture(scope="module", params=NAMES)
def answered(
    request: pytest.FixtureRequest,
    sources: Mapping[str, Source],
    tmp_path_factory: pytest.TempPathFactory,
) -> Prediction:
    """Golden rows of a model, some of them twice and with gaps in them."""
    model = built(sources[request.param], tmp_path_factory.mktemp("models"))
    held_out = sources[request.param].X_test
    columns = [column.name for column in model.signature.columns]
    if hasattr(held_out, "columns"):
        rows = held_out[columns].astype(object).to_numpy().tolist()
    else:
        rows = np.asarray(held_out).reshape(len(held_out), -1).tolist()
    return asked(model, read(model, rows))


def naive(model: Model, prediction: Prediction) -> list[list[int]]:
    """The counts of each feature, the last one of missing values, cell by cell."""
    found = []
    for entry in model.manifest["reference"]["features"]:
        size = len(entry["counts"])
        counts = [0] * (size + 1)
        for cell in _cells(model, prediction, entry):
            counts[_bin(entry, cell, size)] += 1
        found.append(counts)
    return found


def _bin(entry: Mapping[str, Any], cell: Any, size: int) -> int:
    if cell is None or cell == MISSING_TEXT or cell != cell:
        return size
    if "categories" in entry:
        known = entry["categories"]
        return known.index(cell) if cell in known else size - 1
    if entry["measure"] == "length":
        cell = len(cell)
    return sum(cell > edge for edge in entry["edges"])


def _cells(model: Model, prediction: Prediction, entry: Mapping[str, Any]) -> Any:
    if "output" in entry:
        array = prediction.outputs[entry["output"]]
        if entry["measure"] == "confidence":
            return [max(row) for row in array.tolist()]
        return array.reshape(len(array), -1)[:, entry.get("index", 0)].tolist()
    for number, block in enumerate(model.signature.blocks):
        for position, column in enumerate(block.columns):
            if column.name == entry["column"]:
                cells = prediction.table.arrays[number][:, position].tolist()
                if entry["measure"] == "unknown_tokens":
                    return [_unknown(text) for text in cells]
                return cells
    raise AssertionError(entry)


def _unknown(text: str) -> float:
    words = text.split()
    return sum(word == "zyx" for word in words) / len(words) if words else math.nan


def test_each_cell_is_counted_where_it_belongs(answered: Prediction) -> None:
    layout = Layout(answered.model.manifest, answered.model.signature)

    counts = layout.count(Gathered(answered))

    split = [counts[feature.bins].tolist() for feature in layout.features]
    assert split == naive(answered.model, answered)
    assert [sum(each) for each in split] == [answered.rows] * len(split)


def test_rows_count_the_same_one_by_one(answered: Prediction) -> None:
    layout = Layout(answered.model.manifest, answered.model.signature)
    whole = layout.count(Gathered(answered))

    one_by_one = [
        layout.count(Gathered(some(answered, np.array([row])))) for row in range(answered.rows)
    ]

    assert np.sum(one_by_one, axis=0).tolist() == whole.tolist()


def test_steps_of_probabilities_count_by_what_is_answered(tmp_path: Path) -> None:
    source = estimators.iris()
    X, y = np.vstack([source.X_test] * 2), np.concatenate([source.y_test] * 2)
    model = built(Source(source.estimator, X, y), tmp_path)
    prediction = asked(model, read(model, X.tolist()))
    layout = Layout(model.manifest, model.signature)

    counts = layout.count(Gathered(prediction))

    labels = prediction.outputs["prediction"].tolist()
    for number, (entry, spans) in enumerate(
        zip(model.manifest["estimate"]["classes"], layout.expected, strict=True)
    ):
        naive = [[0] * len(entry["calibrated"]) for _ in range(2)]
        for row, label in zip(prediction.outputs["probabilities"].tolist(), labels, strict=True):
            step = sum(row[number] > edge for edge in entry["edges"])
            naive[int(label == model.manifest["classes"][number])][step] += 1
        assert [counts[bins].tolist() for bins in spans] == naive


def test_numbers_beyond_any_edge_and_gaps(tmp_path: Path) -> None:
    X, y = customers()
    from sklearn.ensemble import HistGradientBoostingRegressor

    numbers = X[["age", "income"]]
    model = HistGradientBoostingRegressor(max_iter=3).fit(numbers, y == "leaves")
    served = built(Source(model, numbers[:500], None, numbers), tmp_path)
    layout = Layout(served.manifest, served.signature)
    rows: list[list[Any]] = [[-1e300, None], [1e300, 0.0], [45.0, float("nan")]]
    prediction = asked(served, read(served, rows))

    counts = layout.count(Gathered(prediction))

    by_column = {
        feature.entry.get("column"): counts[feature.bins].tolist() for feature in layout.features
    }
    assert (by_column["age"][0], by_column["age"][-2], by_column["age"][-1]) == (1, 1, 0)
    assert (by_column["income"][0], by_column["income"][-1]) == (1, 2)
