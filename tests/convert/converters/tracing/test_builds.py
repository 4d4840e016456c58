"""Pipelines with functions of one's own, from fit to a model directory that is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served

RANDOM = np.random.default_rng(0)
ROWS = 160
HOUSES = pd.DataFrame(
    {
        "rooms": RANDOM.integers(2, 5000, ROWS).astype(float),
        "households": RANDOM.integers(1, 900, ROWS).astype(float),
        "age": RANDOM.integers(0, 90, ROWS),
        "income": RANDOM.lognormal(size=ROWS),
        "hour": RANDOM.integers(0, 24, ROWS),
        "pool": RANDOM.random(ROWS) > 0.7,
        "sea": RANDOM.choice(["near", "inland", "island"], ROWS),
        "smoker": RANDOM.choice(["yes", "no"], ROWS),
    }
)
HOUSES.loc[::11, "income"] = np.nan
PRICE = np.log1p(HOUSES["rooms"]) + HOUSES["income"].fillna(1) + (HOUSES["smoker"] == "yes")
NUMBERS = ["rooms", "rooms_per_household", "log_income", "old", "sin", "cos", "smokes", "free"]


def features(X: Any) -> Any:
    X = X.copy()
    X["rooms_per_household"] = X["rooms"] / X["households"]
    X["log_income"] = np.log1p(X["income"].fillna(0))
    X["old"] = (X["age"] > 65).astype(int)
    X["sin"] = np.sin(2 * np.pi * X["hour"] / 24)
    X["cos"] = np.cos(2 * np.pi * X["hour"] / 24)
    X["smokes"] = X["smoker"].map({"yes": 1, "no": 0})
    X["free"] = X["pool"] & ~(X["age"] > 50)
    X["group"] = np.where(X["age"] < 18, "child", np.where(X["age"] < 65, "adult", "senior"))
    X["key"] = X["sea"] + "_" + X["smoker"]
    return X.drop(columns=["smoker"])


def all_in_one() -> tuple[Any, Any, Any]:
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), NUMBERS),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["sea", "group", "key"]),
        ]
    )
    model = make_pipeline(FunctionTransformer(features), columns, LogisticRegression())
    return model, HOUSES, np.where(PRICE.median() < PRICE, "dear", "cheap")


def column_by_column() -> tuple[Any, Any, Any]:
    def cycle(X: Any) -> Any:
        return np.c_[np.sin(2 * np.pi * X / 24), np.cos(2 * np.pi * X / 24)]

    logarithm = make_pipeline(SimpleImputer(), FunctionTransformer(lambda X: np.log1p(X)))
    columns = make_column_transformer(
        (logarithm, ["income"]),
        (FunctionTransformer(lambda X: X[["rooms"]].div(X["households"], axis=0)),
         ["rooms", "households"]),
        (FunctionTransformer(cycle), ["hour"]),
        (FunctionTransformer(lambda X: (~X).astype(int)), ["pool"]),
        (FunctionTransformer(lambda s: s.to_frame() ** 2), "age"),
    )  # fmt: skip
    return make_pipeline(columns, HistGradientBoostingRegressor(max_iter=10)), HOUSES, PRICE


def of_arrays() -> tuple[Any, Any, Any]:
    ratio = FunctionTransformer(lambda X: (X[:, 0] // 5 / (X[:, 1] + 1)).reshape(-1, 1))
    forest = RandomForestRegressor(n_estimators=5, random_state=0)
    return make_pipeline(ratio, forest), HOUSES[["age", "hour"]].to_numpy(), PRICE


def of_targets() -> tuple[Any, Any, Any]:
    model = TransformedTargetRegressor(
        Ridge(), func=lambda y: np.log(y + 10), inverse_func=lambda z: np.exp(z) - 10
    )
    return model, HOUSES[["rooms", "age"]], PRICE


def of_whole_rows() -> tuple[Any, Any, Any]:
    total = FunctionTransformer(
        lambda X: X.assign(total=X.select_dtypes("number").fillna(0).sum(axis=1))[["age", "total"]]
    )
    return make_pipeline(total, Ridge()), HOUSES, PRICE


@pytest.mark.long
@pytest.mark.parametrize(
    "make", [all_in_one, column_by_column, of_arrays, of_targets, of_whole_rows]
)
def test_a_pipeline_with_a_function_is_built_and_served(make: Any, tmp_path: Path) -> None:
    model, X, y = make()
    model.fit(X[:100], y[:100])

    built(Source(model, X[100:], y[100:]), tmp_path)

    if isinstance(X, np.ndarray):
        instances = X[100:105].tolist()
    else:
        instances = X[100:105].astype(object).where(X[100:105].notna(), None).to_dict("records")
    answer = served(tmp_path).post("/predict", json={"instances": instances}).get_json()
    expected = model.predict(X[100:105])
    if expected.dtype.kind == "f":
        assert answer["prediction"] == pytest.approx(expected.tolist(), rel=1e-5)
    else:
        assert answer["prediction"] == expected.tolist()
