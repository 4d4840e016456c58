"""Pipelines with other people's libraries, as their tutorials have them: all have to be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import category_encoders as encoders
import numpy as np
import pandas as pd
import skrub
from catboost import CatBoostClassifier, CatBoostRegressor
from feature_engine import (
    creation,
    discretisation,
    encoding,
    imputation,
    outliers,
    selection,
    transformation,
)
from feature_engine import datetime as dates
from feature_engine.pipeline import Pipeline as FramePipeline
from feature_engine.wrappers import SklearnTransformerWrapper
from flaml import AutoML
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
)
from imblearn.over_sampling import SMOTE, SMOTENC
from imblearn.pipeline import Pipeline
from imblearn.pipeline import make_pipeline as imblearn_pipeline
from imblearn.under_sampling import RandomUnderSampler
from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor
from lightgbm import LGBMClassifier, LGBMRegressor
from mapie.classification import SplitConformalClassifier
from mapie.regression import CrossConformalRegressor, SplitConformalRegressor
from quantile_forest import ExtraTreesQuantileRegressor, RandomForestQuantileRegressor
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklego.meta import GroupedPredictor, Thresholder, ZeroInflatedRegressor
from sklego.pipeline import DebugPipeline
from sklego.preprocessing import (
    ColumnCapper,
    ColumnSelector,
    RepeatingBasisFunction,
    TypeSelector,
)
from xgboost import XGBClassifier, XGBRegressor

from tests.pipelines import data_sets as data
from tests.pipelines.zoo import HOUSE, Made, fitted, prepared

LIBRARIES: dict[str, Callable[[], Made]] = {}
OF_CATBOOST = {"verbose": 0, "random_seed": 0, "thread_count": 1, "allow_writing_files": False}
OF_LIGHTGBM = {"verbose": -1, "random_state": 0, "n_jobs": 1}
OF_INTERPRET = {"outer_bags": 2, "random_state": 0, "n_jobs": 1}


def pipeline(make: Callable[[], Made]) -> Callable[[], Made]:
    """One of the pipelines, by its name."""
    LIBRARIES[make.__name__] = make
    return make


def filled(X: pd.DataFrame) -> pd.DataFrame:
    """Without gaps."""
    texts = data.texts(X)
    return X.fillna(dict.fromkeys(texts, "none")).fillna(X[data.numbers(X)].median())


def employees(rows: int = 600) -> tuple[pd.DataFrame, Any]:
    """Like skrub's employee salaries: dates, dirty categories, text, and a salary."""
    random = np.random.default_rng(0)
    titles = [
        "Police Officer III", "Office Services Coordinator", "Master Police Officer",
        "Bus Operator", "Firefighter/Rescuer II", "Social Worker IV", "Librarian I",
    ]  # fmt: skip
    grade = random.integers(0, len(titles), rows)
    hired = pd.Timestamp("1990-01-01") + pd.to_timedelta(random.integers(0, 12_000, rows), "D")
    X = pd.DataFrame(
        {
            "gender": random.choice(["F", "M"], rows),
            "department": random.choice(["POL", "HHS", "FRS", "DOT"], rows),
            "division": [f"{titles[g].split()[0]} Section {n}" for g, n in
                         zip(grade, random.integers(0, 60, rows), strict=True)],
            "assignment_category": random.choice(["Fulltime-Regular", "Parttime-Regular"], rows),
            "employee_position_title": [titles[g] + random.choice(["", " (new)"]) for g in grade],
            "date_first_hired": hired.strftime("%m/%d/%Y"),
            "year_first_hired": hired.year,
        }
    )  # fmt: skip
    y = (
        40_000
        + 5_000 * grade
        + 1_000 * (2026 - hired.year.to_numpy())
        + random.normal(0, 900, rows)
    )
    return X, y


def titanic(rows: int = 700) -> tuple[pd.DataFrame, Any]:
    """Like the passengers of the Titanic, with gaps."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "pclass": random.integers(1, 4, rows),
            "sex": random.choice(["male", "female"], rows),
            "age": random.normal(30, 12, rows).clip(1, 80).round(1),
            "sibsp": random.integers(0, 4, rows),
            "fare": random.lognormal(3, 0.8, rows).round(2),
            "cabin": random.choice(["A5", "B28", "C85", "E46", "none"], rows),
            "embarked": random.choice(["S", "C", "Q"], rows, p=[0.7, 0.2, 0.1]),
        }
    )
    y = (X["sex"].eq("female") * 2 - X["pclass"] + random.normal(0, 1, rows) > -1.2).astype(int)
    return data.with_gaps(X, ["age", "embarked"], 0.15), y.to_numpy()


# imbalanced-learn


@pipeline
def imblearn_smote_and_logistic_regression() -> Made:
    X, y = data.mlc()
    model = imblearn_pipeline(StandardScaler(), SMOTE(random_state=0), LogisticRegression())
    return fitted(model, X[data.numbers(X)], y)


@pipeline
def imblearn_under_sampling_behind_columns() -> Made:
    X, y = data.attrition()
    model = imblearn_pipeline(
        prepared(X), RandomUnderSampler(random_state=0), DecisionTreeClassifier(max_depth=6)
    )
    return fitted(model, X, y)


def contracts() -> tuple[pd.DataFrame, Any]:
    """Some columns of the telecom customers."""
    X, y = data.churn()
    return X[["tenure", "monthly_charges", "total_charges", "contract", "payment_method"]], y


@pipeline
def imblearn_grid_search_over_a_sampler() -> Made:
    X, y = contracts()
    steps = [("columns", prepared(X)), ("sample", SMOTE(random_state=0)),
             ("model", LogisticRegression(max_iter=300))]  # fmt: skip
    grid = {"sample__k_neighbors": [3, 5], "model__C": [0.1, 1.0]}
    return fitted(GridSearchCV(Pipeline(steps), grid, cv=2, scoring="roc_auc"), X, y)


@pipeline
def imblearn_mixed_columns_oversampled_before_they_are_encoded() -> Made:
    X, y = contracts()
    X_train, X_test, y_train = data.split(X, y)
    smote = SMOTENC(categorical_features=data.texts(X), random_state=0)
    forest = BalancedRandomForestClassifier(20, max_depth=6, random_state=0)
    full = X_train.notna().all(axis=1)
    return imblearn_pipeline(smote, prepared(X), forest).fit(X_train[full], y_train[full]), X_test


@pipeline
def imblearn_balanced_forest() -> Made:
    X, y = data.mlc()
    model = BalancedRandomForestClassifier(30, random_state=0, replacement=True)
    return fitted(make_pipeline(prepared(X), model), X, y)


@pipeline
def imblearn_balanced_bagging_of_boosting() -> Made:
    X, y = data.mlc()
    inner = HistGradientBoostingClassifier(max_iter=20, random_state=0)
    model = BalancedBaggingClassifier(inner, n_estimators=4, random_state=0)
    return fitted(model, X[data.numbers(X)], y)


@pipeline
def imblearn_easy_ensemble() -> Made:
    X, y = data.mlc()
    return fitted(EasyEnsembleClassifier(4, random_state=0), X[data.numbers(X)], y)


# category_encoders


@pipeline
def category_encoders_target() -> Made:
    X, y = data.ames()
    made, X_test = fitted(make_pipeline(encoders.TargetEncoder(smoothing=8.0), Ridge()), X, y)
    return made, data.with_unseen(X_test, ["Neighborhood", "Roof_Style"])


@pipeline
def category_encoders_catboost_in_columns() -> Made:
    X, y = data.churn()
    columns = make_column_transformer(
        (encoders.CatBoostEncoder(), data.texts(X)),
        (make_pipeline(SimpleImputer(), StandardScaler()), data.numbers(X)),
    )
    return fitted(make_pipeline(columns, LogisticRegression(max_iter=500)), X, y == "Yes")


@pipeline
def category_encoders_weight_of_evidence() -> Made:
    X, y = data.mlc()
    model = make_pipeline(
        encoders.WOEEncoder(cols=data.texts(X)), StandardScaler(), LogisticRegression()
    )
    return fitted(model, X, y)


@pipeline
def category_encoders_james_stein_with_gaps() -> Made:
    X, y = data.credit()
    encoder = encoders.JamesSteinEncoder(handle_unknown="return_nan")
    model = make_pipeline(encoder, SimpleImputer(), StandardScaler(), LogisticRegression())
    return fitted(model, X, y)


@pipeline
def category_encoders_binary_and_count() -> Made:
    X, y = data.ames()
    columns = make_column_transformer(
        (encoders.BinaryEncoder(), ["Neighborhood"]),
        (encoders.CountEncoder(normalize=True), ["Roof_Style", "Foundation"]),
        (StandardScaler(), ["Lot_Area", "Gr_Liv_Area", "Year_Built"]),
    )
    return fitted(make_pipeline(columns, Ridge()), X, y)


@pipeline
def category_encoders_ordinal_with_gaps() -> Made:
    X, y = data.credit()
    model = HistGradientBoostingClassifier(max_iter=25, random_state=0)
    return fitted(make_pipeline(encoders.OrdinalEncoder(), model), X, y)


@pipeline
def category_encoders_hashing() -> Made:
    X, y = data.mlc()
    encoder = encoders.HashingEncoder(n_components=6, cols=["state", "area_code"], max_process=1)
    return fitted(make_pipeline(encoder, _numbers_only(), LogisticRegression()), X, y)


@pipeline
def category_encoders_helmert() -> Made:
    X, y = data.penguins()
    X = filled(X)
    model = make_pipeline(encoders.HelmertEncoder(), StandardScaler(), LogisticRegression())
    return fitted(model, X, y)


def _numbers_only() -> Any:
    return make_column_transformer(
        ("passthrough", make_column_selector(dtype_include="number")), remainder="drop"
    )


# skrub


@pipeline
def skrub_tabular_regressor() -> Made:
    X, y = employees()
    model = skrub.tabular_pipeline(HistGradientBoostingRegressor(max_iter=30, random_state=0))
    return fitted(model, X, y)


@pipeline
def skrub_table_vectorizer_and_ridge() -> Made:
    X, y = employees()
    return fitted(make_pipeline(skrub.TableVectorizer(), StandardScaler(), Ridge()), X, y)


@pipeline
def skrub_minhash_of_high_cardinality() -> Made:
    X, y = employees()
    vectorizer = skrub.TableVectorizer(high_cardinality=skrub.MinHashEncoder(n_components=8))
    model = HistGradientBoostingRegressor(max_iter=20, random_state=0)
    return fitted(make_pipeline(vectorizer, model), X, y)


@pipeline
def skrub_string_encoder_of_sentences() -> Made:
    X, y = data.movies()
    columns = make_column_transformer((skrub.StringEncoder(n_components=20), "text"))
    return fitted(make_pipeline(columns, LogisticRegression()), X[:800], y[:800])


@pipeline
def skrub_dates_and_squashing() -> Made:
    X, y = employees()
    vectorizer = skrub.TableVectorizer(
        datetime=skrub.DatetimeEncoder(add_total_seconds=False, resolution="day"),
        numeric=skrub.SquashingScaler(),
        high_cardinality="drop",
    )
    return fitted(make_pipeline(vectorizer, Ridge()), X, y)


@pipeline
def skrub_select_and_drop() -> Made:
    X, y = data.ames()
    model = make_pipeline(
        skrub.SelectCols(["Lot_Area", "Year_Built", "Neighborhood"]),
        skrub.TableVectorizer(),
        SimpleImputer(),
        Lasso(10.0),
    )
    return fitted(model, X, y)


# feature-engine


@pipeline
def feature_engine_house_prices() -> Made:
    X, y = data.ames()
    columns = [*HOUSE[:5], "Full_Bath", "Neighborhood", "Roof_Style", "Foundation"]
    X = data.with_gaps(X[columns], ["Lot_Area", "Roof_Style"])
    X = X.astype({"Year_Built": float, "Full_Bath": object})  # these numbers stand for groups
    groups = ["Full_Bath", "Neighborhood", "Roof_Style", "Foundation"]
    rare = {"variables": groups, "ignore_format": True, "replace_with": "Rare"}
    steps = [
        ("missing", imputation.AddMissingIndicator(variables=["Lot_Area"])),
        ("median", imputation.MeanMedianImputer("median", variables=["Lot_Area"])),
        ("text", imputation.CategoricalImputer(variables=["Roof_Style"])),
        ("log", transformation.LogTransformer(variables=["Lot_Area", "Gr_Liv_Area"])),
        ("power", transformation.YeoJohnsonTransformer(variables=["Total_Bsmt_SF"])),
        ("parts", creation.RelativeFeatures(["Garage_Area"], ["Gr_Liv_Area"], ["sub"],
                                            drop_original=True)),
        ("bins", discretisation.EqualFrequencyDiscretiser(variables=["Year_Built"], q=6,
                                                          return_object=True)),
        ("rare", encoding.RareLabelEncoder(tol=0.05, n_categories=3, **rare)),
        ("ordered", encoding.OrdinalEncoder("ordered", variables=[*groups, "Year_Built"],
                                            ignore_format=True)),
        ("scaled", SklearnTransformerWrapper(StandardScaler())),
        ("constant", selection.DropConstantFeatures(tol=0.99)),
        ("model", Lasso(5.0)),
    ]  # fmt: skip
    return fitted(FramePipeline(steps), X, y)


@pipeline
def feature_engine_titanic() -> Made:
    X, y = titanic()
    model = make_pipeline(
        imputation.ArbitraryNumberImputer(-1, variables=["age"]),
        imputation.CategoricalImputer(variables=["embarked"]),
        outliers.Winsorizer("iqr", tail="right", variables=["fare"]),
        encoding.RareLabelEncoder(tol=0.1, n_categories=2, variables=["cabin", "embarked"]),
        encoding.OneHotEncoder(drop_last=True),
        StandardScaler(),
        LogisticRegression(),
    )
    return fitted(model, X, y)


@pipeline
def feature_engine_weight_of_evidence() -> Made:
    X, y = titanic()
    X = X.fillna({"embarked": "S"})
    model = make_pipeline(
        imputation.EndTailImputer(variables=["age"]),
        encoding.WoEEncoder(variables=["sex", "embarked"]),
        _numbers_only(),
        LogisticRegression(),
    )
    return fitted(model, X, y)


@pipeline
def feature_engine_mean_encoding_and_relations() -> Made:
    X, y = data.ames()
    X = X[["Lot_Area", "Gr_Liv_Area", "First_Flr_SF", "Neighborhood", "Foundation"]]
    model = make_pipeline(
        creation.MathFeatures(["Lot_Area", "Gr_Liv_Area"], func=["sum", "mean"]),
        creation.RelativeFeatures(["First_Flr_SF"], ["Gr_Liv_Area"], func=["sub", "div"]),
        encoding.MeanEncoder(smoothing="auto", unseen="encode"),
        StandardScaler(),
        Ridge(),
    )
    return fitted(model, X, y)


@pipeline
def feature_engine_dates_and_cycles() -> Made:
    random = np.random.default_rng(0)
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 9000, 500), "h")
    X = pd.DataFrame({"when": when, "n": random.normal(size=500)})
    model = make_pipeline(
        dates.DatetimeFeatures(
            variables="when", features_to_extract=["month", "day_of_week", "hour"]
        ),
        creation.CyclicalFeatures(variables=["when_month", "when_hour"]),
        StandardScaler(),
        Ridge(),
    )
    return fitted(model, X, X["n"] + when.hour / 24)


@pipeline
def feature_engine_trees_in_bins() -> Made:
    X, y = data.mlc()
    X = X[data.numbers(X)].astype(float)
    model = make_pipeline(
        selection.DropCorrelatedFeatures(threshold=0.9),
        transformation.YeoJohnsonTransformer(),
        discretisation.DecisionTreeDiscretiser(
            cv=3, scoring="roc_auc", regression=False, random_state=0
        ),
        LogisticRegression(),
    )
    return fitted(model, X, y)


# FLAML


def searched(task: str, X: pd.DataFrame, y: Any, learners: list[str], **options: Any) -> Made:
    """The last rows are held out, as those of a tutorial's split are."""
    automl = AutoML()
    automl.fit(
        X[:-200], pd.Series(np.asarray(y)[:-200]), task=task, estimator_list=learners, max_iter=6,
        time_budget=600, seed=0, n_jobs=1, verbose=0, mlflow_logging=False, **options,
    )  # fmt: skip
    return automl, X[-200:]


@pipeline
def flaml_classifier_of_churn() -> Made:
    X, y = data.churn()
    return searched("classification", X, y, ["lgbm", "rf", "xgboost"])


@pipeline
def flaml_classifier_of_species() -> Made:
    X, y = data.penguins()
    return searched("classification", X, y, ["lrl1", "kneighbor", "extra_tree"])


@pipeline
def flaml_regressor_of_houses() -> Made:
    X, y = data.ames(900)
    return searched("regression", X, y, ["lgbm", "histgb", "rf"])


@pipeline
def flaml_stack_of_houses() -> Made:
    X, y = data.ames(900)
    return searched("regression", X, y, ["rf", "extra_tree"], ensemble={"n_jobs": 1})


# interpret


@pipeline
def interpret_boosting_machine_of_churn() -> Made:
    X, y = data.churn()
    model = ExplainableBoostingClassifier(interactions=4, max_rounds=120, **OF_INTERPRET)
    return fitted(model, X[:1200], y[:1200])


@pipeline
def interpret_boosting_machine_of_houses() -> Made:
    X, y = data.ames(900)
    model = ExplainableBoostingRegressor(interactions=3, max_rounds=120, **OF_INTERPRET)
    return fitted(model, X, y)


@pipeline
def interpret_boosting_machine_of_species() -> Made:
    X, y = data.penguins()
    model = ExplainableBoostingClassifier(interactions=0, max_rounds=100, **OF_INTERPRET)
    return fitted(model, X, y)


# MAPIE


@pipeline
def mapie_split_conformal_regressor() -> Made:
    X, y = data.ames()
    X = X[data.numbers(X)]
    inner = make_pipeline(StandardScaler(), Ridge()).fit(X[:400], y[:400])
    model = SplitConformalRegressor(inner, confidence_level=0.9, prefit=True)
    return model.conformalize(X[400:800], y[400:800]), X[800:]


@pipeline
def mapie_split_conformal_classifier() -> Made:
    X, y = data.penguins()
    X = X[data.numbers(X)].fillna(0)
    inner = LogisticRegression(max_iter=2000).fit(X[:150], y[:150])
    model = SplitConformalClassifier(inner, confidence_level=0.9, prefit=True)
    return model.conformalize(X[150:250], y[150:250]), X[250:]


@pipeline
def mapie_cross_conformal_regressor() -> Made:
    X, y = data.ames(600)
    X = X[data.numbers(X)]
    model = CrossConformalRegressor(
        HistGradientBoostingRegressor(max_iter=15, random_state=0), cv=3, random_state=0
    )
    return model.fit_conformalize(X[:300], np.asarray(y[:300])), X[300:]


# quantile-forest


@pipeline
def quantile_forest_median_and_ends() -> Made:
    X, y = data.ames(700)
    model = RandomForestQuantileRegressor(
        12, default_quantiles=[0.1, 0.5, 0.9], min_samples_leaf=5, random_state=0
    )
    return fitted(model, X[["Lot_Area", "Gr_Liv_Area", "Year_Built"]], y)


@pipeline
def quantile_forest_of_extra_trees() -> Made:
    X, y = data.ames(600)
    model = ExtraTreesQuantileRegressor(10, min_samples_leaf=4, random_state=0)
    return fitted(make_pipeline(StandardScaler(), model), X[["Lot_Area", "Gr_Liv_Area"]], y)


# scikit-lego


@pipeline
def sklego_grouped_regressors() -> Made:
    X, y = data.ames()
    X = X[["Foundation", "Lot_Area", "Gr_Liv_Area"]]
    model = GroupedPredictor(LinearRegression(), groups=["Foundation"])
    return fitted(model, X, y)


@pipeline
def sklego_zero_inflated() -> Made:
    X, y = data.mlc()
    X = X[data.numbers(X)].astype(float)
    target = X["total_intl_minutes"] * y
    model = ZeroInflatedRegressor(
        HistGradientBoostingClassifier(max_iter=20, random_state=0),
        HistGradientBoostingRegressor(max_iter=20, random_state=0),
    )
    return fitted(model, X.drop(columns="total_intl_minutes"), target)


@pipeline
def sklego_selected_columns_and_a_threshold() -> Made:
    X, y = data.credit()
    numbers = ["Age", "Income", "Price", "Amount"]
    X = X[[*numbers, "Home"]].astype({"Home": object}).fillna({"Income": 100.0, "Home": "rent"})
    steps = [
        (
            "numbers",
            make_pipeline(ColumnSelector(numbers), ColumnCapper((2, 98)), StandardScaler()),
        ),
        ("model", Thresholder(LogisticRegression(), threshold=0.7)),
    ]
    return fitted(DebugPipeline(steps), X, y)


@pipeline
def sklego_types_and_a_seasonal_basis() -> Made:
    X, y = data.taxi()
    hours = RepeatingBasisFunction(
        column="hour", n_periods=6, input_range=(0, 23), remainder="drop"
    )
    numbers = make_pipeline(TypeSelector("number"), StandardScaler())
    return fitted(make_pipeline(make_union(numbers, hours), LogisticRegression()), X, y)


# boosters


@pipeline
def catboost_native_categories() -> Made:
    X, y = data.churn()
    model = CatBoostClassifier(
        60, depth=5, **OF_CATBOOST, cat_features=data.texts(X),
    )  # fmt: skip
    return fitted(model, filled(X), y)


@pipeline
def catboost_regression_of_houses() -> Made:
    X, y = data.ames()
    model = CatBoostRegressor(
        80, **OF_CATBOOST, cat_features=data.texts(X),
    )  # fmt: skip
    made, X_test = fitted(model, filled(X), y)
    return made, data.with_unseen(X_test, ["Neighborhood", "Roof_Style"])


@pipeline
def catboost_species() -> Made:
    X, y = data.penguins()
    X[data.texts(X)] = X[data.texts(X)].fillna("unknown")
    model = CatBoostClassifier(
        40, **OF_CATBOOST, cat_features=data.texts(X), grow_policy="Lossguide",
        loss_function="MultiClass",
    )  # fmt: skip
    return fitted(model, X, y)


@pipeline
def catboost_behind_an_imputer() -> Made:
    X, y = data.credit()
    columns = make_column_transformer(
        (SimpleImputer(strategy="most_frequent"), data.texts(X)),
        (SimpleImputer(strategy="median"), data.numbers(X)),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = CatBoostClassifier(
        40, **OF_CATBOOST, cat_features=data.texts(X),
    )  # fmt: skip
    return fitted(make_pipeline(columns, model), X, y)


@pipeline
def lightgbm_native_categories() -> Made:
    X, y = data.credit()
    X = X.astype(dict.fromkeys(data.texts(X), "category"))
    return fitted(LGBMClassifier(n_estimators=40, **OF_LIGHTGBM), X, y)


def behind_one_hot(X: pd.DataFrame, model: Any) -> Any:
    """A model of arrays, with the numbers as they are."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((encoder, data.texts(X)), remainder="passthrough")
    return make_pipeline(columns.set_output(transform="default"), model)


@pipeline
def lightgbm_behind_one_hot_searched_for() -> Made:
    X, y = data.ames()
    model = behind_one_hot(X, LGBMRegressor(n_estimators=20, **OF_LIGHTGBM))
    return fitted(GridSearchCV(model, {"lgbmregressor__num_leaves": [7, 15]}, cv=2), X, y)


@pipeline
def xgboost_behind_one_hot_with_gaps() -> Made:
    X, y = data.credit()
    model = XGBClassifier(n_estimators=30, max_depth=4, random_state=0, n_jobs=1)
    return fitted(behind_one_hot(X, model), X, y.astype(int))


@pipeline
def xgboost_native_categories() -> Made:
    X, y = data.ames()
    X = X[[*HOUSE[:6], "Neighborhood", "Roof_Style", "Foundation", "House_Style", "Heating_QC"]]
    X = X.astype(dict.fromkeys(data.texts(X), "category"))
    model = XGBRegressor(n_estimators=30, max_depth=4, enable_categorical=True, n_jobs=1)
    return fitted(model, X, y)


# several together


@pipeline
def skrub_and_catboost() -> Made:
    X, y = employees()
    model = CatBoostRegressor(
        30,
        **OF_CATBOOST,
    )
    return fitted(make_pipeline(skrub.TableVectorizer(), model), X, y)


@pipeline
def encoders_imblearn_and_lightgbm() -> Made:
    X, y = data.mlc()
    model = imblearn_pipeline(
        encoders.TargetEncoder(),
        RandomUnderSampler(random_state=0),
        LGBMClassifier(n_estimators=30, **OF_LIGHTGBM),
    )
    return fitted(model, X, y)


@pipeline
def feature_engine_and_xgboost() -> Made:
    X, y = titanic()
    model = make_pipeline(
        imputation.CategoricalImputer(variables=["embarked"]),
        encoding.CountFrequencyEncoder("frequency", unseen="encode"),
        XGBClassifier(n_estimators=25, max_depth=3, random_state=0, n_jobs=1),
    )
    return fitted(model, X, y)


@pipeline
def interpret_behind_a_column_transformer() -> Made:
    X, y = data.credit()
    model = ExplainableBoostingClassifier(interactions=2, max_rounds=80, **OF_INTERPRET)
    return fitted(make_pipeline(prepared(X, sparse_output=False), model), X[:900], y[:900])
