"""Pipelines with other people's libraries: each served as it answers."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from tests.pipelines.test_zoo import assert_served

LIBRARIES = pytest.importorskip("tests.pipelines.libraries").LIBRARIES
BOOSTERS = ("catboost", "lightgbm", "xgboost")


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_pipeline_of_a_tutorial(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, about themselves
        estimator, X_test = LIBRARIES[name]()
        parity = assert_served(estimator, X_test, tmp_path)
    if name.startswith(BOOSTERS):
        assert (parity["differing_rows"], parity["undecided_rows"]) == (0, 0)
        assert parity["hard_rows"] > 2000


def test_there_are_fifty() -> None:
    assert len(LIBRARIES) >= 50
