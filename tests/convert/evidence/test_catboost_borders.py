"""Rows on CatBoost's borders, and what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.evidence.fitted_values import at_borders
from onnxlet.function.inputs.columns import Column

catboost = pytest.importorskip("catboost")

random = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "word": random.choice(["a", "b", "c"], 200).astype(object),
        "size": random.normal(size=200),
        "whole": random.integers(0, 9, 200),
    }
)
Y = (X["word"] == "a") + X["size"] + X["whole"] / 3
COLUMNS = [Column("word", "string"), Column("size", "float64", True), Column("whole", "int64")]
ROWS: list[Any] = X.head(20).to_numpy(dtype=object).tolist()


@pytest.mark.parametrize("frame", [True, False])
def test_both_sides_of_borders(frame: bool) -> None:
    model = catboost.CatBoostRegressor(iterations=20, verbose=0, allow_writing_files=False)
    model.fit(X if frame else X.to_numpy(dtype=object), Y, cat_features=[0])
    columns = COLUMNS
    if not frame:
        columns = [Column(f"x{n}", one.type, one.nullable) for n, one in enumerate(COLUMNS)]
    rows = at_borders(columns, ROWS, model)
    border = float(model.get_borders()[1][0])
    sizes = {row[1] for row in rows}
    assert {border, float(np.nextafter(np.float32(border), np.float32(9))), None} <= sizes
    assert {type(row[2]) for row in rows} == {int}
    mixed = [row for row in rows if row[1] not in [known[1] for known in ROWS]]
    assert any(row[0] != known[0] for row in mixed for known in ROWS if known[2] == row[2])


def test_not_fitted_and_other_columns() -> None:
    model = catboost.CatBoostRegressor(iterations=2, verbose=0, allow_writing_files=False)
    assert at_borders(COLUMNS, ROWS, model) == []
    model.fit(X, Y, cat_features=[0])
    assert at_borders(COLUMNS[:2], [row[:2] for row in ROWS], model) == []
