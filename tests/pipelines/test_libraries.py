"""Pipelines with other people's libraries: each served as it answers."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.pipelines.libraries import LIBRARIES
from tests.pipelines.test_zoo import assert_served

for package in ("catboost", "category_encoders", "feature_engine", "imblearn", "interpret",
                "lightgbm", "mapie", "quantile_forest", "sklego", "skrub", "xgboost"):  # fmt: skip
    pytest.importorskip(package)


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_pipeline_of_a_tutorial(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, about themselves
        assert_served(*LIBRARIES[name](), tmp_path)


def test_there_are_fifty() -> None:
    assert len(LIBRARIES) >= 50
