"""Pipelines with other people's libraries: each served as it answers, but for those named here."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from onnxlet.convert.errors import Refusal
from tests.pipelines.libraries import LIBRARIES
from tests.pipelines.test_zoo import assert_served

for package in ("catboost", "category_encoders", "feature_engine", "imblearn", "interpret",
                "lightgbm", "mapie", "quantile_forest", "sklego", "skrub", "xgboost"):  # fmt: skip
    pytest.importorskip(package)

# What is refused, and for which reason.
REFUSED: dict[str, str] = {
    # It compares dtypes, and pandas' own dtype of text is no form of a request's cells.
    "sklego_types_and_a_seasonal_basis": "Column dtypes were not equal",
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_pipeline_of_a_tutorial(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries, about themselves
        made, X_test = LIBRARIES[name]()
        if name in REFUSED:
            with pytest.raises(Refusal, match=REFUSED[name]) as refused:
                assert_served(made, X_test, tmp_path)
            assert refused.value.hint
            return
        assert_served(made, X_test, tmp_path)


def test_there_are_fifty_and_nearly_all_are_served() -> None:
    assert len(LIBRARIES) >= 50
    assert len(REFUSED) <= 5
