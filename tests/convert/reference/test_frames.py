"""Frames of other libraries keep their columns' names; an index that a step reads is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.build import build
from onnxlet.convert.errors import Refusal
from onnxlet.convert.reference.row_forms import as_pandas
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served

X = pd.DataFrame(np.random.default_rng(5).normal(size=(40, 2)), columns=["größe", "weight"])
Y = X.to_numpy() @ [1.0, 2.0]


class Foreign:
    """A frame that speaks the interchange protocol and nothing else."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame
        self.shape = frame.shape

    def __dataframe__(self, *arguments: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pandas has deprecated it
            return self._frame.__dataframe__(*arguments, **options)  # type: ignore[operator] # pandas-stubs has none

    def __len__(self) -> int:
        return len(self._frame)

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        return self._frame.to_numpy()


def test_a_frame_of_another_library_keeps_its_names(tmp_path: Path) -> None:
    model = LinearRegression().fit(X.to_numpy(), Y)
    manifest = built(Source(model, Foreign(X), Y), tmp_path).manifest

    names = [each["name"] for each in manifest["signature"]["inputs"]]
    assert names == ["größe", "weight"]
    got = served(tmp_path).post("/predict", json=[{"größe": 1.0, "weight": 2.0}])
    assert got.get_json()["prediction"] == pytest.approx([5.0])


def test_columns_of_another_library_are_compared_with_those_of_the_fit(tmp_path: Path) -> None:
    model, lines = LinearRegression().fit(X, Y), list[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn sees no names
        build(Source(model, Foreign(X), Y), "m", tmp_path, lines.append)
        assert not [line for line in lines if line.startswith("note: the estimator was fitted")]

        more = Foreign(X.assign(target=Y))
        with pytest.raises(Refusal, match="'target' is too many; the estimator does not"):
            built(Source(model, more, Y), tmp_path)


@pytest.mark.parametrize("ours", [X, X["weight"], X.to_numpy(), [[1, 2]], ["a text"], (1, 2)])
def test_what_is_ours_is_left_as_it_is(ours: Any) -> None:
    assert as_pandas(ours) is ours


# An index that a step reads


def from_index(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(weight=frame.index % 2)


def joined(frame: pd.DataFrame) -> pd.DataFrame:
    """Puts a column beside the others, and aligns it by index."""
    return pd.concat([frame, pd.Series(frame["weight"].to_numpy() ** 2, name="more")], axis=1)


class Hour(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """The hour of an index of times, as a column."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Hour:
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.assign(hour=pd.DatetimeIndex(X.index).hour)


HOURS = X.set_axis(pd.date_range("2026-01-01", periods=len(X), freq="h"))
BY_NAME = X.set_axis([f"row {n}" for n in range(len(X))])
SHUFFLED = X.sample(frac=1.0, random_state=0)

READS = {
    "of its numbers": (make_pipeline(FunctionTransformer(from_index), LinearRegression()), X),
    "of its times": (make_pipeline(Hour(), LinearRegression()), HOURS),
    "of an index that was shuffled": (
        make_pipeline(FunctionTransformer(from_index), LinearRegression()),
        SHUFFLED,
    ),
}


@pytest.mark.parametrize("case", READS)
def test_an_index_that_a_step_reads_is_reported(tmp_path: Path, case: str) -> None:
    model, frame = READS[case]
    with pytest.raises(Refusal, match="a step reads the DataFrame's index") as refused:
        built(Source(model.fit(frame, np.arange(40.0)), frame), tmp_path)

    assert "reset_index()" in refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_step_that_aligns_by_index_is_reported(tmp_path: Path) -> None:
    """It was fitted on rows counted from 0, and X_test are some of others."""
    model = make_pipeline(FunctionTransformer(joined), LinearRegression()).fit(X, Y)
    with pytest.raises(Refusal, match="a step reads the DataFrame's index"):
        built(Source(model, SHUFFLED.iloc[:30]), tmp_path)


def test_an_index_that_nothing_reads_is_left_out(tmp_path: Path) -> None:
    for frame in (HOURS, BY_NAME, SHUFFLED):
        made = built(Source(LinearRegression().fit(X, Y), frame), tmp_path)
        assert [each["name"] for each in made.manifest["signature"]["inputs"]] == list(X.columns)


def test_a_step_that_takes_no_plain_values_is_not_called_unfitted(tmp_path: Path) -> None:
    frame = X.assign(size=pd.array([1.0, 2.0] * 20, dtype="Float64"))

    def of_pandas(given: pd.DataFrame) -> Any:
        if not isinstance(given["size"].dtype, pd.Float64Dtype):
            raise TypeError("expected numbers of pandas")
        return given[["weight"]]

    model = make_pipeline(FunctionTransformer(of_pandas), LinearRegression()).fit(frame, Y)
    with pytest.raises(Refusal, match="answers X_test, and not once that holds plain values"):
        built(Source(model, frame), tmp_path)
