"""Rarer animals of the zoo: what was once refused, or answered differently, and odd frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    PolynomialFeatures,
    StandardScaler,
    TargetEncoder,
)

from tests.pipelines import data_sets as data
from tests.pipelines.zoo import Made, animal, fitted, houses


@animal
def houses_boosting_with_gaps_among_categories() -> Made:
    X, y = data.ames(1200)
    X = X[["Neighborhood", "House_Style", "Lot_Area", "Year_Built", "Fireplaces"]].copy()
    for column in ("Neighborhood", "House_Style"):
        X[column] = X[column].astype("category").cat.codes
    values = X.to_numpy(dtype=float)
    values[::17, 0] = np.nan
    model = HistGradientBoostingRegressor(
        loss="gamma", max_iter=50, categorical_features=[0, 1, 4], random_state=0
    )
    return fitted(model, values, y)


@animal
def houses_near_by_latitude_and_longitude() -> Made:
    X, y = data.ames(800)
    nearest = KNeighborsRegressor(6, metric="haversine", weights="distance")
    return fitted(nearest, np.radians(X[["Latitude", "Longitude"]]), y)


@animal
def digits_at_small_angles() -> Made:
    X, y = load_digits(return_X_y=True)
    return fitted(KNeighborsClassifier(5, metric="cosine", weights="distance"), X[:800], y[:800])


def _with_shares(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(
        debt=frame["Debt"] / frame["Assets"],
        rest=(frame["Income"] - frame["Expenses"]).clip(lower=0) / frame["Amount"],
    )


@animal
def credit_shares_that_divide_by_zero() -> Made:
    X, y = data.credit()
    X = X[["Income", "Expenses", "Assets", "Debt", "Amount"]].dropna()
    keep = (X["Assets"] > 0).to_numpy()
    y = y[X.index][keep]
    model = make_pipeline(
        FunctionTransformer(_with_shares), StandardScaler(), LogisticRegression(max_iter=500)
    )
    return fitted(model, X[keep], y)


@animal
def taxi_hours_on_a_circle_in_trees() -> Made:
    X, y = data.taxi()
    circle = FunctionTransformer(
        lambda frame: pd.DataFrame(
            {
                "sine": np.sin(2 * np.pi * frame["hour"] / 24),
                "cosine": np.cos(2 * np.pi * frame["hour"] / 24),
            }
        )
    )
    rounded = FunctionTransformer(np.round, kw_args={"decimals": 9})
    columns = make_column_transformer(
        (make_pipeline(circle, rounded), ["hour"]), ("passthrough", ["distance"])
    )
    return fitted(
        make_pipeline(columns, HistGradientBoostingClassifier(max_iter=20, random_state=0)), X, y
    )


class SteadyRidge(Ridge):  # type: ignore[misc] # scikit-learn ships no types
    """A subclass with a fit of its own."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        return super().fit(X, np.minimum(y, np.quantile(y, 0.99)), sample_weight)


@animal
def houses_subclass_of_ridge() -> Made:
    X, y = houses()
    return fitted(make_pipeline(StandardScaler(), SteadyRidge()), X, y)


@animal
def movies_series_with_gaps() -> Made:
    X, y = data.movies()
    texts = X["text"].astype(object).copy()
    texts[::17] = None
    model = make_pipeline(
        FunctionTransformer(lambda series: series.fillna("")),
        CountVectorizer(min_df=3),
        MultinomialNB(),
    )
    return fitted(model, texts, y)


@animal
def movies_several_labels() -> Made:
    X, _ = data.movies()
    text = X["text"].str.lower()
    labels = np.c_[text.str.contains("film"), text.str.contains("funny|laugh"), text.str.len() > 99]
    model = make_pipeline(
        TfidfVectorizer(min_df=3, stop_words=["the", "a", "of"]),
        OneVsRestClassifier(LogisticRegression(class_weight="balanced", max_iter=500)),
    )
    return fitted(model, X["text"].tolist(), labels.astype(int))


@animal
def movies_bagged_pipelines_by_position() -> Made:
    X, y = data.movies()
    part = make_pipeline(
        ColumnTransformer([("words", CountVectorizer(min_df=2), 0)]), BernoulliNB(alpha=0.5)
    )
    return fitted(BaggingClassifier(part, 5, random_state=0), X.to_numpy(dtype=object), y)


@animal
def art_stacked_texts() -> Made:
    frame = data.load("tate_text", 1800).dropna()
    ages = pd.cut(frame["year"], [0, 1950, 1985, 2000, 3000], labels=["old", "mid", "late", "new"])
    characters = TfidfVectorizer(analyzer="char", ngram_range=(2, 3), max_features=800)
    model = StackingClassifier(
        [
            ("words", make_pipeline(TfidfVectorizer(max_features=600), MultinomialNB())),
            ("characters", make_pipeline(characters, LogisticRegression(max_iter=300))),
        ],
        LogisticRegression(max_iter=500),
        cv=3,
    )
    return fitted(model, frame["medium"], ages.astype(str).to_numpy(dtype=object))


@animal
def churn_every_way_to_say_columns() -> Made:
    X, y = data.churn()
    mask = np.array([column in ("monthly_charges", "total_charges") for column in X])
    columns = ColumnTransformer(
        [
            ("mask", make_pipeline(SimpleImputer(), StandardScaler()), mask),
            ("slice", OneHotEncoder(handle_unknown="ignore"), slice("contract", "contract")),
            (
                "callable",
                OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
                lambda frame: [c for c in data.texts(frame) if c != "contract"],
            ),
        ],
        remainder=SimpleImputer(strategy="most_frequent"),
        transformer_weights={"mask": 3.0, "slice": 0.25},
    )
    model = make_pipeline(columns, SGDClassifier(loss="log_loss", average=True, random_state=0))
    return fitted(model, X, y)


@animal
def penguins_in_nullable_types() -> Made:
    X, y = data.penguins()
    X["flipper_length_mm"] = X["flipper_length_mm"].astype("Int64")
    X["bill_length_mm"] = X["bill_length_mm"].astype("Float64")
    X["island"] = X["island"].astype("string")
    columns = make_column_transformer(
        (
            SimpleImputer(strategy="median"),
            ["flipper_length_mm", "bill_length_mm", "bill_depth_mm"],
        ),
        (OneHotEncoder(handle_unknown="ignore"), ["island", "sex"]),
    )
    return fitted(make_pipeline(columns, LogisticRegression(max_iter=1000)), X, y)


@animal
def payments_by_ids_of_18_digits() -> Made:
    random, rows = np.random.default_rng(0), 1500
    payer, shop = random.integers(0, 40, rows), random.integers(0, 40, rows)
    X = pd.DataFrame(
        {
            "payer": random.integers(10**17, 10**18, 40)[payer],
            "shop": 10**8 + shop,
            "amount": random.normal(size=rows).round(2),
            "at": random.integers(1_500_000_000, 1_700_000_000, rows),
        }
    )
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["payer"]),
        (TargetEncoder(random_state=0), ["shop"]),
        ("passthrough", ["amount", "at"]),
    )
    model = make_pipeline(columns, RandomForestRegressor(20, random_state=0))
    return fitted(model, X, payer % 5 + X["amount"])


@animal
def wine_in_columns_of_odd_names() -> Made:
    X, y = load_wine(return_X_y=True, as_frame=True)
    X = X.iloc[:, :8].set_axis(
        ["a b", "a_b", "a-b", "价格 (元)", '🍷 "q"', "it's", "input", "prediction"], axis=1
    )
    X["类别"] = np.where(X["a b"] > 13, "高", "低")
    first = ColumnTransformer(
        [
            ("数", StandardScaler(), ["a b", "a-b", "价格 (元)"]),
            ("c", OneHotEncoder(sparse_output=False), ["类别"]),
        ],
        remainder="passthrough",
    ).set_output(transform="pandas")
    second = ColumnTransformer(
        [
            ("k", PolynomialFeatures(2), ["数__a b", "remainder__a_b"]),
            ("p", "passthrough", make_column_selector(pattern="^c__|prediction|input")),
        ]
    )
    return fitted(make_pipeline(first, second, LogisticRegression(max_iter=3000)), X, y)


@animal
def houses_union_chosen_from_by_name() -> Made:
    X, y = houses()
    union = FeatureUnion(
        [("sc", StandardScaler()), ("as", "passthrough"), ("p", PCA(2, random_state=0))]
    ).set_output(transform="pandas")
    columns = make_column_transformer(
        (
            KBinsDiscretizer(3, encode="onehot-dense", strategy="uniform"),
            ["p__pca0", "as__Fireplaces"],
        ),
        (PolynomialFeatures((2, 3), interaction_only=True), ["sc__Lot_Area", "sc__Year_Built"]),
    )
    return fitted(make_pipeline(union, columns, Ridge()), X, y)
