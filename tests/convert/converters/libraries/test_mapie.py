"""MAPIE's models answer the points and labels that MAPIE's `predict` returns."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mapie")

from mapie import calibration, classification, regression
from mapie.subsample import BlockBootstrap
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.exactness import assert_exact, assert_refused
from tests.convert.helpers import built, served

X, Y = load_diabetes(return_X_y=True)
WINE, GROWERS = load_wine(return_X_y=True)
NAMES = np.array(["a", "b", "c"])[GROWERS]


def quietly(made: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made()


def split() -> Any:
    fitted = Ridge().fit(X[:200], Y[:200])
    return regression.SplitConformalRegressor(fitted, prefit=True).conformalize(X[200:], Y[200:])


def cross(**options: Any) -> Any:
    made = regression.CrossConformalRegressor(DecisionTreeRegressor(max_depth=3), cv=4, **options)
    return quietly(lambda: made.fit_conformalize(X[:300], Y[:300]))


def jackknife(**options: Any) -> Any:
    made = regression.JackknifeAfterBootstrapRegressor(
        DecisionTreeRegressor(max_depth=3), resampling=8, random_state=0, **options
    )
    return quietly(lambda: made.fit_conformalize(X[:300], Y[:300]))


def quantile() -> Any:
    boosting = GradientBoostingRegressor(loss="quantile", n_estimators=5)
    made = regression.ConformalizedQuantileRegressor(boosting).fit(X[:200], Y[:200])
    return quietly(lambda: made.conformalize(X[200:], Y[200:]))


def cross_quantile(method: str) -> Any:
    made = regression.CrossConformalizedQuantileRegressor(
        QuantileRegressor(alpha=0.0), method=method, cv=3
    )
    return quietly(lambda: made.fit_conformalize(X[:300], Y[:300]))


def series() -> Any:
    made = regression.TimeSeriesRegressor(
        LinearRegression(), method="enbpi", cv=BlockBootstrap(3, length=20, random_state=0)
    )
    return quietly(lambda: made.fit(X[:300], Y[:300]))


@pytest.mark.parametrize(
    "make",
    [
        split, cross, jackknife, quantile, series,
        lambda: cross(method="base"), lambda: cross(method="minmax"),
        lambda: jackknife(method="minmax"), lambda: cross_quantile("plus"),
        lambda: cross_quantile("base"), lambda: cross_quantile("minmax"),
    ],
)  # fmt: skip
def test_points(make: Any) -> None:
    model = make()
    assert_exact(model, X, methods=["predict"])


def test_what_a_median_aggregates_is_refused() -> None:
    assert_refused(
        jackknife(aggregation_method="median"), X, "aggregated by 'median'", methods=["predict"]
    )


def pipeline() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression())


def split_labels() -> Any:
    fitted = pipeline().fit(WINE[::2], NAMES[::2])
    made = classification.SplitConformalClassifier(fitted, prefit=True)
    return quietly(lambda: made.conformalize(WINE[1::2], NAMES[1::2]))


def cross_labels() -> Any:
    made = classification.CrossConformalClassifier(pipeline(), cv=3)
    return quietly(lambda: made.fit_conformalize(WINE[::2], NAMES[::2]))


@pytest.mark.parametrize("make", [split_labels, cross_labels])
def test_labels_of_a_build(make: Any, tmp_path: Path) -> None:
    model = make()
    manifest = built(Source(model, WINE[1::2]), tmp_path).manifest
    assert manifest["task"] == "classification"
    assert manifest["classes"] == ["a", "b", "c"]
    rows = WINE[1::2].tolist()
    answer = served(tmp_path).post("/predict", json={"instances": rows}).get_json(force=True)
    assert answer["prediction"] == model.predict(WINE[1::2]).tolist()


@pytest.mark.parametrize(
    ("model", "way_out"),
    [
        (
            regression.SplitConformalRegressor(Ridge().fit(X, Y), prefit=True),
            r"Call its conformalize",
        ),
        (make_pipeline(StandardScaler(), split()), r"put the pipeline into this one"),
    ],
    ids=["not conformalized", "last in a pipeline"],
)
def test_what_does_not_answer_yet_says_what_to_do(model: Any, way_out: str, tmp_path: Path) -> None:
    with pytest.raises(Refusal) as refused:
        built(Source(model, X), tmp_path)
    assert way_out in refused.value.hint


def test_calibrators_are_refused_by_name(tmp_path: Path) -> None:
    fitted = LogisticRegression(max_iter=9).fit(X[:200], Y[:200] > 150)
    made = calibration.VennAbersCalibrator(fitted, cv="prefit")
    model = quietly(lambda: made.fit(X[200:], Y[200:] > 150))
    with pytest.raises(Refusal, match="VennAbersCalibrator's probabilities"):
        built(Source(model, X[300:]), tmp_path)
