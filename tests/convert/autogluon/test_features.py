"""AutoGluonFeatures and its graph, against what AutoGluon's own generators made of the same rows.

`keep_features.py` has fitted and asked them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet.convert.autogluon.features import AutoGluonFeatures
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import objects, prove

FOLDER = Path(__file__).with_name("features")
KINDS = sorted(file.stem for file in FOLDER.glob("*.json"))


def kept(kind: str) -> tuple[AutoGluonFeatures, pd.DataFrame, pd.DataFrame]:
    """The features, rows, and what AutoGluon has made of them."""
    found = json.loads((FOLDER / f"{kind}.json").read_text())
    features = AutoGluonFeatures(found["description"])
    columns = found["rows"].items()
    rows = pd.DataFrame({name: column(cells, found["dtypes"][name]) for name, cells in columns})
    made = {
        name: [np.nan if c is None else c for c in cells]
        for name, cells in found["features"].items()
    }
    return features, features.with_dates(rows), pd.DataFrame(made)


def column(cells: list[Any], dtype: Any) -> Any:
    return objects(cells) if dtype in ("object", "str") else pd.Series(cells).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_that_autogluon_made_in_its_order(kind: str) -> None:
    features, rows, made = kept(kind)
    got = features.transform(rows)
    assert list(got.columns) == list(made.columns) == features.features_out_
    for name in made:
        np.testing.assert_array_equal(got[name].to_numpy(), made[name].to_numpy(), err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_function_makes_the_same_features(kind: str) -> None:
    features, rows, made = kept(kind)
    proof = prove(Source(features, rows), layout="columns")
    [got] = proof.run().values()
    np.testing.assert_array_equal(got, made.to_numpy(dtype=np.float64))
