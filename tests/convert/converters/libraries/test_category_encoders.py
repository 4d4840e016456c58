"""category_encoders's encoders answer as themselves: categories, unseen and missing values."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from onnxlet.convert.reference.estimators import fitted_categories
from onnxlet.convert.reference.inputs import Inputs, read_inputs
from onnxlet.convert.sources.source import Source
from tests.convert.exactness import assert_exact, assert_refused
from tests.convert.helpers import built, served
from tests.pipelines import data_sets

pytest.importorskip("category_encoders")
import category_encoders as encoders
from category_encoders.wrapper import NestedCVWrapper, PolynomialWrapper

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
X, Y = data_sets.credit()
X, Y = X[["Home", "Job", "Age", "Marital"]].iloc[:300], Y[:300].astype(int)
X["Marital"] = X["Marital"].where(np.arange(len(X)) % 13 > 0)
OTHERS, X, Y = X.iloc[200:].astype(object), X.iloc[:200], Y[:200]
OTHERS = OTHERS.where(np.random.default_rng(0).random(OTHERS.shape) > 0.1, np.nan)
OTHERS["Age"] = OTHERS["Age"].astype(float)
OTHERS.iloc[::17, 0] = "never seen"
OTHERS.iloc[5::17, 1] = ""
AGES = np.select([X["Age"] > 45, X["Age"] > 30], ["old", "middle"], "young")
TEXTS = ("HashingEncoder", "MultiHotEncoder")
LOOK_UPS = [name for name in encoders.__all__ if name not in TEXTS]
NAN = {"handle_unknown": "return_nan", "handle_missing": "return_nan"}


def _fitted(encoder: Any, rows: Any = X, y: Any = Y) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder.fit(rows.copy(), y)
    return encoder


@pytest.mark.parametrize("name", LOOK_UPS)
@pytest.mark.parametrize(
    "settings", [{}, NAN, {"return_df": False, "drop_invariant": True}], ids=str
)
def test_look_ups_of_text(name: str, settings: dict[str, Any]) -> None:
    assert_exact(_fitted(getattr(encoders, name)(**settings)), OTHERS)


MIXED = X.assign(flag=X["Age"] > 40, whole=(X["Age"] // 10).astype(int), half=(X["Age"] // 7) / 2)
MIXED_OTHERS = OTHERS.assign(
    flag=OTHERS["Age"] > 40,
    whole=(OTHERS["Age"].fillna(990) // 10).astype(int),
    half=(OTHERS["Age"] // 7) / 2,
)


@pytest.mark.parametrize("name", LOOK_UPS)
def test_look_ups_of_numbers_and_booleans(name: str) -> None:
    columns = ["Home", "Job", "Marital", "flag", "whole", "half"]
    assert_exact(_fitted(getattr(encoders, name)(cols=columns), MIXED), MIXED_OTHERS)


@pytest.mark.parametrize("name", LOOK_UPS)
def test_look_ups_of_pandas_categories(name: str) -> None:
    rows = X.astype(
        {
            "Home": "category",
            "Job": pd.CategoricalDtype(["partime", "fixed", "freelance", "others"], ordered=True),
        }
    )
    inputs, _ = read_inputs(rows)
    cells = Inputs(inputs.columns, "frame").rows(OTHERS)
    assert_exact(_fitted(getattr(encoders, name)(), rows), inputs.data(cells))


@pytest.mark.parametrize(
    "encoder",
    [
        encoders.OneHotEncoder(use_cat_names=True, handle_unknown="indicator"),
        encoders.OneHotEncoder(handle_missing="indicator", cols=["Marital", "Home"]),
        encoders.OrdinalEncoder(
            mapping=[{"col": "Home", "mapping": {"rent": 1, "owner": 2, "parents": 3}}],
            cols=["Home"],
        ),
        encoders.OrdinalEncoder(handle_unknown=-7, handle_missing=-9, index_start=0),
        encoders.BaseNEncoder(base=3),
        encoders.TargetEncoder(
            cols=["Home"],
            hierarchy={
                "Home": {"own": ("owner", "priv"), "other": ("rent", "parents", "other", "ignore")}
            },
        ),
        encoders.TargetEncoder(min_group_size=30, min_group_name="few"),
        encoders.CountEncoder(normalize=True, min_group_size=0.1, cols=["Home", "Job"]),
        encoders.CountEncoder(handle_unknown=3, min_group_size=60, combine_min_nan_groups="force"),
        encoders.CatBoostEncoder(sigma=0.5, a=3, random_state=0),
        encoders.LeaveOneOutEncoder(sigma=0.2),
        encoders.WOEEncoder(randomized=True, regularization=0.1),
        encoders.JamesSteinEncoder(model="binary"),
        encoders.SummaryEncoder(quantiles=(0.1, 0.5, 0.9), m=2.0),
        encoders.QuantileEncoder(quantile=0.3),
        encoders.HashingEncoder(max_process=1),
        encoders.HashingEncoder(
            n_components=16, hash_method="sha1", max_process=1, cols=["Job", "Home"]
        ),
    ],
    ids=lambda encoder: type(encoder).__name__,
)
def test_settings(encoder: Any) -> None:
    columns = [*encoder.cols, "Age"] if encoder.cols else list(X)
    assert_exact(_fitted(encoder, X[columns]), OTHERS[columns])


@pytest.mark.parametrize("missing", ["value", "return_nan", "ignore", "indicator"])
@pytest.mark.parametrize("unknown", ["value", "return_nan", "indicator"])
def test_items_of_texts(unknown: str, missing: str) -> None:
    def with_items(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(Home=rows["Home"] + " |" + rows["Job"] + "||\t" + rows["Marital"])

    encoder = encoders.MultiHotEncoder(handle_unknown=unknown, handle_missing=missing)
    assert_exact(_fitted(encoder, with_items(X)), with_items(OTHERS))


@pytest.mark.parametrize("encoder", [encoders.TargetEncoder(), encoders.LeaveOneOutEncoder()])
def test_wrappers(encoder: Any) -> None:
    assert_exact(_fitted(PolynomialWrapper(encoder), y=AGES), OTHERS)
    assert_exact(_fitted(NestedCVWrapper(encoder)), OTHERS)


def test_arrays_of_objects() -> None:
    encoder = encoders.TargetEncoder(return_df=False)
    model = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    assert_exact(_fitted(model, X[["Home", "Job"]]), OTHERS[["Home", "Job"]])
    assert encoder.feature_names_in_ == [0, 1]


def test_what_is_refused_is_named() -> None:
    refusals = {
        "jointly": encoders.TargetEncoder(composite_cols=[("Home", "Job")]),
        "function of its own": encoders.OrdinalEncoder(handle_unknown=lambda value, known: -5),
        "digests of numbers": encoders.HashingEncoder(cols=["Age"]),
        "joins categories": encoders.HashingEncoder(min_group_size=50),
        "cuts numbers": encoders.MultiHotEncoder(cols=["Age"]),
    }
    for reason, encoder in refusals.items():
        assert_refused(_fitted(encoder), OTHERS, reason)


def test_other_columns_than_those_of_the_fit_are_refused() -> None:
    encoder = _fitted(encoders.TargetEncoder())
    assert_refused(
        encoder, OTHERS[["Job", "Home", "Age", "Marital"]], "it was fitted on the columns"
    )
    assert_refused(encoder, OTHERS.assign(more=1.0), "it was fitted on the columns")


def test_categories_are_known_to_probing() -> None:
    found = set(fitted_categories(_fitted(encoders.CatBoostEncoder())))
    assert set(X["Home"]) <= found
    assert set(X["Job"]) <= set(fitted_categories(_fitted(encoders.BinaryEncoder())))


def _churn(encoder: Any, last: Any) -> tuple[Any, pd.DataFrame]:
    rows, y = data_sets.churn()
    X_train, X_test, y_train = data_sets.split(rows.iloc[:1200], y[:1200])
    texts = data_sets.texts(rows)
    columns = make_column_transformer(
        (encoder, texts),
        (make_pipeline(SimpleImputer(), StandardScaler()), data_sets.numbers(rows)),
    )
    spoilt = data_sets.with_unseen(data_sets.with_gaps(X_test, texts[:4]), texts[2:6])
    return make_pipeline(columns, last).fit(X_train, y_train), spoilt


@pytest.mark.parametrize(
    "name", ["TargetEncoder", "WOEEncoder", "CatBoostEncoder", "HashingEncoder", "CountEncoder"]
)
def test_churn_in_a_column_transformer(name: str, tmp_path: Path) -> None:
    forest = RandomForestClassifier(10, max_depth=6, random_state=0)
    model, rows = _churn(getattr(encoders, name)(), forest)
    assert built(Source(model, rows), tmp_path).manifest["classes"] == ["No", "Yes"]


def test_an_encoder_that_forbids_unseen_and_missing_values(tmp_path: Path) -> None:
    encoder = encoders.OrdinalEncoder(handle_unknown="error", handle_missing="error")
    rows = X[["Home", "Job", "Age"]]
    model = make_pipeline(encoder, LinearRegression()).fit(rows, Y)
    made = built(Source(model, rows), tmp_path)
    home = made.manifest["signature"]["inputs"][0]
    assert home["categories"] == sorted(set(X["Home"]))
    assert not home["nullable"]


@pytest.mark.parametrize("kind", [encoders.OrdinalEncoder, encoders.OneHotEncoder])
def test_rows_of_which_a_function_makes_no_known_category_are_refused(
    kind: Any, tmp_path: Path
) -> None:
    rows = pd.DataFrame({"a": ["Yes", "No", "yes"] * 20})
    lower = FunctionTransformer(lambda f: f.assign(a=f["a"].str.lower()))
    encoder = kind(cols=["a"], handle_unknown="error", handle_missing="error")
    model = make_pipeline(lower, encoder).fit(rows)
    made = built(Source(model, rows), tmp_path)
    assert made.manifest["parity"]["unrefused_rows"] == 0

    client = served(tmp_path)
    known = client.post("/predict", json=[{"a": "YES"}]).json["prediction"]
    np.testing.assert_array_equal(known, model.transform(pd.DataFrame({"a": ["YES"]})))
    assert client.post("/predict", json=[{"a": "other"}]).status_code == 422
