"""CategoryCounts counts as pandas does, and its graph as CategoryCounts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.estimators.category_counts import CategoryCounts
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, objects, served

RANDOM = np.random.default_rng(3)
CITIES = objects([["Rome", "Oslo", None, "Bonn"][n] for n in RANDOM.zipf(2.0, 200) % 4])
FRAMES = {
    "text with gaps": pd.DataFrame({"city": CITIES, "kind": CITIES.fillna("x").str[:1]}),
    "numbers": pd.DataFrame({"code": RANDOM.integers(0, 9, 200)}),
    "numbers with gaps": pd.DataFrame({"code": RANDOM.choice([1.0, 2.5, np.nan], 200)}),
    "both": pd.DataFrame({"city": CITIES, "code": RANDOM.choice([1.0, 2.5, np.nan], 200)}),
    "booleans": pd.DataFrame({"flag": RANDOM.random(200) < 0.3, "other": CITIES == "Rome"}),
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_counts_are_those_of_pandas(frame: pd.DataFrame) -> None:
    expected = np.column_stack(
        [frame.groupby(n, dropna=False)[n].transform("size") for n in map(str, frame)]
    )
    np.testing.assert_array_equal(CategoryCounts().fit_transform(frame), expected)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_it_is_built_and_served_with_gaps_and_what_was_never_seen(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    model = CategoryCounts().fit(frame[:150])
    result = built(Source(model, frame[150:]), tmp_path)
    text = [column["type"] == "string" for column in result.manifest["signature"]["inputs"]]

    unseen = ["never seen" if is_text else 0 for is_text in text]
    rows: list[list[Any]] = [
        ["Rome" if is_text else 1 for is_text in text],
        unseen,
        [None] * len(text),
    ]
    if "flag" in frame:
        rows = [[True, False], [False, False], [None, None]]
    answer = served(tmp_path).post("/predict", json={"instances": rows}).get_json()

    counts = [
        (frame[:150][name].isna() if cell is None else frame[:150][name] == cell).sum()
        for row in rows for name, cell in zip(map(str, frame), row, strict=True)
    ]  # fmt: skip
    assert np.ravel(answer["prediction"]).tolist() == counts


def test_names_are_the_columns_own() -> None:
    made = CategoryCounts().fit(FRAMES["both"])
    assert made.get_feature_names_out().tolist() == ["city", "code"]
