"""Imputers against scikit-learn: settings by data, with gaps of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it exists once imported
from sklearn.impute import IterativeImputer, KNNImputer, MissingIndicator, SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.convert.exactness import answers, assert_exact, assert_refused
from tests.convert.helpers import objects

NAN = np.nan
RANDOM = np.random.default_rng(3)
NUMBERS = RANDOM.normal(size=(80, 4)) * [1.0, 1e6, 1e-9, 1e12]
GAPS = np.where(RANDOM.random(NUMBERS.shape) < 0.2, NAN, np.round(NUMBERS, 1))
EMPTY = np.column_stack([GAPS[:, 0], np.full(80, NAN), GAPS[:, 1]])
LARGE = np.array([[1e12, NAN, -1e25, 0.0], [NAN] * 4, [0.0, -0.0, 1e6, NAN]])


TEXT = pd.DataFrame(
    {"a": objects(["x", NAN, "y", "x", ""] * 8), "b": objects([NAN, "m", "m", "n", "nan"] * 8)}
)
NONES = pd.DataFrame({"a": objects(["x", None, "y", "x", ""] * 8), "b": ["m", "n"] * 20})
MIXED = pd.DataFrame(
    {
        "n": [1.5, NAN, 2.5, 1.5] * 10,
        "m": [NAN, 4.0, 4.0, 3.0] * 10,
        "t": objects(["x", NAN, "y", "x"] * 10),
        "i": [1, 2, 3, 3] * 10,
        "u": objects(["", "u", NAN, "u"] * 10),
        "b": [True, False, True, True] * 10,
    }
)

STRATEGIES: dict[str, Any] = {
    "mean": SimpleImputer(),
    "median": SimpleImputer(strategy="median"),
    "most frequent": SimpleImputer(strategy="most_frequent"),
    "constant": SimpleImputer(strategy="constant"),
    "a constant": SimpleImputer(strategy="constant", fill_value=-7.5),
    "a whole constant": SimpleImputer(strategy="constant", fill_value=3),
    "a true constant": SimpleImputer(strategy="constant", fill_value=True),
    "a function": SimpleImputer(strategy=np.sum),
    "keep empty": SimpleImputer(keep_empty_features=True),
    "keep empty, constant": SimpleImputer(
        strategy="constant", fill_value=9, keep_empty_features=True
    ),
    "keep empty, most frequent": SimpleImputer(strategy="most_frequent", keep_empty_features=True),
    "indicator": SimpleImputer(add_indicator=True),
    "indicator, keep empty": SimpleImputer(add_indicator=True, keep_empty_features=True),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("X", [GAPS, EMPTY, NUMBERS], ids=["gaps", "empty column", "whole"])
@pytest.mark.parametrize("imputer", STRATEGIES.values(), ids=STRATEGIES)
def test_numbers(imputer: Any, X: Any) -> None:
    imputer.fit(X)
    for rows in (X, LARGE[:, : X.shape[1]]):
        assert_exact(imputer, rows, tolerance=0.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("imputer", STRATEGIES.values(), ids=STRATEGIES)
def test_numbers_in_float32(imputer: Any) -> None:
    X = np.column_stack([GAPS[:, :2], EMPTY[:, 1:]]).astype(np.float32)
    assert_exact(imputer.fit(X), X, precision="float32", tolerance=1e-6)


@pytest.mark.parametrize("missing", [0, -1, 2.5, 1e12])
@pytest.mark.parametrize("strategy", ["mean", "most_frequent", "constant"])
def test_numbers_that_stand_for_missing_ones(strategy: str, missing: float) -> None:
    X = RANDOM.choice([0.0, -1.0, 2.5, 4.0, 1e12, 7.0], (60, 3))
    imputer = SimpleImputer(missing_values=missing, strategy=strategy, add_indicator=True)

    assert_exact(imputer.fit(X), X)


@pytest.mark.parametrize("imputer", ["mean", "most frequent", "a whole constant", "indicator"])
def test_columns_of_whole_numbers(imputer: str) -> None:
    X = pd.DataFrame(RANDOM.integers(-1, 4, (40, 3)), columns=list("abc"))

    assert_exact(STRATEGIES[imputer].fit(X), X)
    for strategy in ("mean", "most_frequent", "constant"):
        missing = SimpleImputer(missing_values=-1, strategy=strategy, add_indicator=True)
        assert_exact(missing.fit(X), X)
    assert_exact(SimpleImputer(strategy="most_frequent").fit(X.astype(float)), X)


@pytest.mark.parametrize("indicated", [False, True])
@pytest.mark.parametrize("X", [TEXT, MIXED[["t", "u"]]], ids=["text", "more"])
def test_text(X: pd.DataFrame, indicated: bool) -> None:
    other = X.iloc[[1, 0, 2]].assign(**{X.columns[0]: objects(["new", NAN, ""])})
    for options in (
        {"strategy": "most_frequent"},
        {"strategy": "constant"},
        {"strategy": "constant", "fill_value": "none"},
        {"strategy": "constant", "fill_value": ""},
    ):
        imputer = SimpleImputer(add_indicator=indicated, **options)
        model = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"))
        assert_exact(model.fit(X), X)
        assert_exact(model, other)
        if not indicated:
            assert_exact(imputer, X)


@pytest.mark.parametrize("missing", [None, "", "x"])
def test_none_and_texts_that_stand_for_missing_ones(missing: Any) -> None:
    X = NONES if missing is None else NONES.dropna()
    imputer = SimpleImputer(missing_values=missing, strategy="constant", fill_value="f")
    model = make_pipeline(imputer, OneHotEncoder())

    assert_exact(model.fit(X), X)
    assert_exact(make_pipeline(imputer.set_params(add_indicator=True), OneHotEncoder()).fit(X), X)


def test_pandas_own_missing_value() -> None:
    X = pd.DataFrame({"a": objects(["x", pd.NA, "y", "x"]), "b": objects(["m", NAN, "m", pd.NA])})
    imputer = SimpleImputer(missing_values=pd.NA, strategy="most_frequent", add_indicator=True)

    assert_exact(make_pipeline(imputer, OneHotEncoder()).fit(X), X)


def test_text_is_never_a_number_that_stands_for_missing() -> None:
    X = pd.DataFrame({"a": ["-1", "x", "-1", "y"] * 4, "n": [-1, 2, 3, 3] * 4})
    imputer = SimpleImputer(missing_values=-1, strategy="most_frequent", add_indicator=True)

    assert_exact(make_pipeline(imputer, OneHotEncoder()).fit(X), X)
    assert_exact(make_pipeline(MissingIndicator(missing_values=-1, features="all")).fit(X), X)


@pytest.mark.parametrize("indicated", [False, True])
def test_text_and_numbers_side_by_side(indicated: bool) -> None:
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=indicated)
    model = make_pipeline(imputer, OneHotEncoder(handle_unknown="ignore"))

    assert_exact(model.fit(MIXED), MIXED)
    other = MIXED.iloc[:2].assign(n=[1e6, NAN], t=objects([NAN, "new"]), i=[9, 1])
    assert_exact(model, other)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("features", ["missing-only", "all"])
def test_missing_indicator(features: str) -> None:
    made = MissingIndicator(features=features, error_on_new=False)
    assert_exact(made.fit(GAPS[:, :3]), GAPS[:, :3])
    assert_exact(made.fit(np.c_[GAPS[:, 0], NUMBERS[:, 0]]), GAPS[:, :2])
    assert_exact(made.fit(TEXT), TEXT)
    assert_exact(made.fit(MIXED), MIXED)
    assert_exact(MissingIndicator(missing_values="x", features=features).fit(NONES), NONES)
    whole = pd.DataFrame({"a": [1, -1, 2], "b": [-1, 3, -1]})
    assert_exact(MissingIndicator(missing_values=-1, features=features).fit(whole), whole)


def test_each_part_of_a_column_transformer() -> None:
    model = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["m", "n", "i"]),
        (make_union(SimpleImputer(strategy="most_frequent"), MissingIndicator()), ["n"]),
    )

    assert_exact(model.fit(MIXED), MIXED)


# From other columns

SPREAD = RANDOM.normal(size=(70, 5)) @ RANDOM.normal(size=(5, 5))
HOLES = np.where(RANDOM.random(SPREAD.shape) < 0.25, NAN, SPREAD)
HOLES[:, 4] = np.where(RANDOM.random(70) < 0.5, NAN, SPREAD[:, 4])
OTHERS = np.where(RANDOM.random(SPREAD.shape) < 0.3, NAN, RANDOM.normal(size=SPREAD.shape))
ONLY = np.where(np.eye(5, dtype=bool), 0.3, NAN)
NONE = np.full((2, 5), NAN)
LONELY = np.column_stack([HOLES, np.full(70, NAN)])
LONELY_TOO = np.column_stack([OTHERS, np.full(70, NAN)])
LONELY_TOO[0, 5] = 3.0

NEAREST: dict[str, Any] = {
    "plain": KNNImputer(),
    "one": KNNImputer(n_neighbors=1),
    "many": KNNImputer(n_neighbors=1000),
    "distance": KNNImputer(weights="distance"),
    "distance, many": KNNImputer(n_neighbors=200, weights="distance"),
    "indicator": KNNImputer(n_neighbors=3, add_indicator=True),
    "keep empty": KNNImputer(n_neighbors=3, keep_empty_features=True),
}


@pytest.mark.parametrize("imputer", NEAREST.values(), ids=NEAREST)
def test_nearest_rows(imputer: Any) -> None:
    imputer.fit(HOLES)
    for rows in (OTHERS, ONLY, NONE, OTHERS * 1e6, SPREAD):
        assert_exact(imputer, rows, tolerance=1e-7)
    assert_exact(imputer.fit(LONELY), LONELY_TOO, tolerance=1e-7)


def test_nearest_rows_where_few_columns_have_gaps() -> None:
    X = np.column_stack([HOLES[:, 0], SPREAD[:, 1:]])
    for weights in ("uniform", "distance"):
        assert_exact(KNNImputer(weights=weights).fit(X), OTHERS, tolerance=1e-7)


def test_a_row_that_training_had() -> None:
    X = np.round(SPREAD * 4)  # its distance is exactly nothing
    rows = np.where(RANDOM.random(X.shape) < 0.2, NAN, X)
    for neighbours in (1, 4):
        imputer = KNNImputer(n_neighbors=neighbours, weights="distance").fit(X)
        near = np.isnan(rows).sum(axis=1) == 1
        assert_exact(imputer, rows[near], tolerance=1e-7)


def test_no_column_is_shared() -> None:
    X = np.array([[1.0, NAN], [3.0, NAN], [NAN, 5.0], [NAN, 8.0]])
    for weights in ("uniform", "distance"):
        assert_exact(KNNImputer(weights=weights).fit(X), X)


@pytest.mark.filterwarnings("ignore")
def test_a_number_that_stands_for_missing_ones() -> None:
    X, rows = (np.where(np.isnan(part), -1.0, part) for part in (HOLES, OTHERS))

    assert_exact(KNNImputer(missing_values=-1).fit(X), rows, tolerance=1e-7)
    chain = IterativeImputer(missing_values=-1, max_iter=3, random_state=0)
    assert_exact(chain.fit(X), rows, tolerance=1e-7)


CHAINS: dict[str, Any] = {
    "plain": IterativeImputer(max_iter=4, random_state=0),
    "converged": IterativeImputer(max_iter=50, tol=0.5, random_state=0),
    "no round": IterativeImputer(max_iter=0),
    "linear": IterativeImputer(LinearRegression(), max_iter=2, random_state=0),
    "neighbours": IterativeImputer(KNeighborsRegressor(3), max_iter=2, random_state=0),
    "trees": IterativeImputer(
        ExtraTreesRegressor(4, max_depth=4, random_state=0), max_iter=2, random_state=0
    ),
    "few neighbours": IterativeImputer(max_iter=3, n_nearest_features=2, random_state=0),
    "random order": IterativeImputer(max_iter=3, imputation_order="random", random_state=0),
    "arabic": IterativeImputer(max_iter=2, imputation_order="arabic", random_state=0),
    "bounds": IterativeImputer(max_iter=3, min_value=-0.5, max_value=0.75, random_state=0),
    "a bound each": IterativeImputer(
        max_iter=3, min_value=[-1, -2, -np.inf, 0, 1], max_value=[1, 2, 0, np.inf, 2]
    ),
    "skip complete": IterativeImputer(max_iter=3, skip_complete=True, random_state=0),
    "median": IterativeImputer(max_iter=2, initial_strategy="median", add_indicator=True),
    "constant": IterativeImputer(max_iter=2, initial_strategy="constant", fill_value=1.5),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("imputer", CHAINS.values(), ids=CHAINS)
def test_chains(imputer: Any) -> None:
    X = np.column_stack([HOLES[:, :4], SPREAD[:, 4]])
    imputer.fit(X)
    for rows in (OTHERS, ONLY, NONE, NONE[:1], np.vstack([NONE, OTHERS]), SPREAD):
        assert_exact(imputer, rows, tolerance=1e-7)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("keep", [False, True])
def test_chains_with_an_empty_column(keep: bool) -> None:
    imputer = IterativeImputer(max_iter=3, keep_empty_features=keep, add_indicator=True)
    imputer.fit(LONELY)
    for rows in (LONELY, LONELY_TOO, np.full((2, 6), NAN), np.c_[SPREAD, SPREAD[:, :1]]):
        assert_exact(imputer, rows, tolerance=1e-7)


@pytest.mark.filterwarnings("ignore")
def test_chains_over_columns_of_all_numbers() -> None:
    X = MIXED[["n", "m", "i", "b"]]

    assert_exact(IterativeImputer(max_iter=3).fit(X), X, tolerance=1e-7)
    assert_exact(KNNImputer(n_neighbors=100).fit(X), X, tolerance=1e-7)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("imputer", "X", "reason"),
    [
        (IterativeImputer(sample_posterior=True), HOLES, "draws from a posterior"),
        (KNNImputer(weights=np.ones_like), HOLES, "weights are a function"),
        (KNNImputer(metric=lambda *_, **__: 1.0), HOLES, "metric is a function"),
        (MissingIndicator(), NUMBERS, "makes no column"),
        (SimpleImputer(), np.full((3, 2), NAN), "drops every column"),
        (KNNImputer(), np.full((3, 2), NAN), "every column was empty"),
        (SimpleImputer(strategy="constant"), MIXED, "fills numbers with the text"),
        (
            SimpleImputer(strategy="constant", fill_value=0),
            pd.DataFrame({"a": objects(["x", NAN])}),
            "fills text with 0",
        ),
    ],
)
def test_what_is_refused(imputer: Any, X: Any, reason: str) -> None:
    assert_refused(imputer.fit(X), X, reason)


@pytest.mark.parametrize("imputer", [SimpleImputer(), KNNImputer()], ids=["mean", "nearest"])
def test_rows_without_gaps_and_rows_whose_sum_is_no_number(imputer: Any) -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    gaps = np.where(rows > 1.0, NAN, rows)
    fitted = imputer.fit(gaps)

    assert_exact(fitted, rows)
    assert_exact(fitted, gaps)
    if isinstance(imputer, SimpleImputer):
        assert_exact(fitted, np.array([[1.7e308] * 3, [1.7e308] * 3, [-1.7e308] * 3]))
    assert answers(fitted, rows[:0])["transform"].shape == (0, 3)
