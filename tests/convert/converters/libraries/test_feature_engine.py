"""feature-engine's transformers: the frames that their graphs make, and whole pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("feature_engine")

from feature_engine import creation, discretisation, encoding, imputation, outliers, selection
from feature_engine import datetime as dates
from feature_engine import preprocessing as matching
from feature_engine import transformation as functions
from feature_engine.pipeline import make_pipeline
from feature_engine.scaling import MeanNormalizationScaler
from feature_engine.text import TextFeatures
from feature_engine.timeseries.forecasting import LagFeatures
from feature_engine.wrappers import SklearnTransformerWrapper
from sklearn import preprocessing
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.build import Built
from onnxlet.convert.converters.registry import converters
from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.converters.libraries.frames import assert_same_frame
from tests.convert.converters.samples import fit
from tests.convert.helpers import built, served
from tools.evaluation.support.libraries.feature_engine import cases

Frames = tuple[pd.DataFrame, "pd.Series[Any]"]
TEXTS = ["city", "home"]


def rows(seed: int, count: int = 400) -> pd.DataFrame:
    """Numbers of several kinds, text and booleans."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": random.normal(5, 2, count).round(2),
            "city": random.choice(list("xyzwvu"), count, p=[0.4, 0.3, 0.15, 0.1, 0.03, 0.02]),
            "b": random.integers(1, 9, count),
            "c": random.uniform(0.1, 1, count).round(3),
            "home": random.choice(["own", "rent"], count),
            "flag": random.random(count) < 0.4,
            "d": random.normal(0, 1, count).round(2),
        }
    )


def holed(X: pd.DataFrame, seed: int) -> pd.DataFrame:
    random, X = np.random.default_rng(seed), X.copy()
    for name in ("a", "city", "c", "home"):
        X.loc[random.random(len(X)) < 0.1, name] = np.nan
    return X


def as_categories(X: pd.DataFrame) -> pd.DataFrame:
    return X.astype(dict.fromkeys(TEXTS, "category"))


def as_objects(X: pd.DataFrame) -> pd.DataFrame:
    return X.astype({"b": object})


def unseen(X: pd.DataFrame) -> pd.DataFrame:
    return X.assign(city=X["city"].replace("x", "unseen"))


def other_columns(X: pd.DataFrame) -> pd.DataFrame:
    return X.drop(columns=["b", "home"]).assign(more=3)[["more", "d", "a", "city", "c", "flag"]]


def other_types(X: pd.DataFrame) -> pd.DataFrame:
    return X.assign(b=X["b"] + 0.7, d=X["a"].astype(int), city=X["city"].astype(object))


def in_another_order(X: pd.DataFrame) -> pd.DataFrame:
    return X[X.columns[::-1]]


def yes_or_no(X: pd.DataFrame) -> pd.Series[Any]:
    return (X["a"] + X["d"] > 5).astype(int)


def amount(X: pd.DataFrame) -> pd.Series[Any]:
    return X["a"] * 2 + X["b"] + 3 * (X["city"] == "x") + X["d"]


def three_names(X: pd.DataFrame) -> pd.Series[Any]:
    return pd.cut(amount(X), 3, labels=["low", "middle", "high"]).astype(object)


def same(X: pd.DataFrame) -> pd.DataFrame:
    return X


def with_gaps(X: pd.DataFrame) -> pd.DataFrame:
    return holed(X, 3)


def rare_numbers() -> Any:
    return encoding.RareLabelEncoder(
        n_categories=2, tol=0.13, ignore_format=True, variables=["b", "city"]
    )


def twice_a(row: Any) -> Any:
    return row["a"] * 2 - row["c"]


Form = Callable[[pd.DataFrame], pd.DataFrame]
IMPUTERS: list[tuple[Any, Form, Form]] = [
    (imputation.MeanMedianImputer(), with_gaps, with_gaps),
    (imputation.MeanMedianImputer("mean", variables=["c"]), with_gaps, with_gaps),
    (imputation.ArbitraryNumberImputer(imputer_dict={"a": 1, "c": -2.5}), with_gaps, with_gaps),
    (imputation.EndTailImputer("iqr", "left"), with_gaps, with_gaps),
    (imputation.CategoricalImputer(), with_gaps, with_gaps),
    (imputation.CategoricalImputer(fill_value="?", return_object=True), with_gaps, with_gaps),
    (imputation.CategoricalImputer("frequent", variables=["city"]), with_gaps, with_gaps),
    (
        imputation.CategoricalImputer("frequent", variables=["city", "c"], ignore_format=True),
        lambda X: with_gaps(X.assign(c=X["c"].round())),
        with_gaps,
    ),
    (
        imputation.CategoricalImputer(),
        lambda X: as_categories(with_gaps(X)),
        lambda X: as_categories(with_gaps(X)),
    ),
    (imputation.AddMissingIndicator(), with_gaps, with_gaps),
    (imputation.AddMissingIndicator(missing_only=False), with_gaps, with_gaps),
    (imputation.DropMissingData(), with_gaps, same),
]
ENCODERS: list[tuple[Any, Form, Form]] = [
    (encoding.OneHotEncoder(), same, unseen),
    (encoding.OneHotEncoder(top_categories=3), same, in_another_order),
    (encoding.OneHotEncoder(drop_last=True), same, same),
    (encoding.OneHotEncoder(drop_last_binary=True), same, same),
    (encoding.OneHotEncoder(variables=["b", "flag", "city"], ignore_format=True), same, same),
    (encoding.OneHotEncoder(), lambda X: X[TEXTS], lambda X: X[TEXTS]),
    (encoding.CountFrequencyEncoder(), same, unseen),
    (
        encoding.CountFrequencyEncoder("frequency", unseen="encode", missing_values="ignore"),
        with_gaps,
        lambda X: unseen(with_gaps(X)),
    ),
    (encoding.OrdinalEncoder(), same, in_another_order),
    (
        encoding.OrdinalEncoder(
            "arbitrary", variables=["b", "city", "flag"], unseen="encode", ignore_format=True
        ),
        same,
        unseen,
    ),
    (encoding.OrdinalEncoder("arbitrary"), as_categories, as_categories),
    (encoding.MeanEncoder(smoothing="auto", unseen="encode"), same, unseen),
    (encoding.MeanEncoder(unseen="raise"), same, same),
    (
        encoding.MeanEncoder(smoothing=2.0, unseen="encode"),
        lambda X: X.assign(city=pd.Categorical(X["city"], list("xyzwvuq"))),
        lambda X: X.assign(city=pd.Categorical(X["city"].replace("x", "q"), list("xyzwvuq"))),
    ),
    (encoding.WoEEncoder(fill_value=0.001), same, unseen),
    (encoding.DecisionTreeEncoder(regression=False, scoring="roc_auc"), same, unseen),
    (encoding.RareLabelEncoder(n_categories=2), same, unseen),
    (
        encoding.RareLabelEncoder(n_categories=2, missing_values="ignore", tol=0.2),
        with_gaps,
        with_gaps,
    ),
    (encoding.RareLabelEncoder(n_categories=2, tol=0.2), as_categories, as_categories),
    (
        encoding.RareLabelEncoder(
            n_categories=2, tol=0.13, ignore_format=True, replace_with=-1, variables=["b"]
        ),
        same,
        same,
    ),
    (
        make_pipeline(rare_numbers(), encoding.OrdinalEncoder(variables=["b", "city"])),
        as_objects,
        as_objects,
    ),
    (
        make_pipeline(rare_numbers(), encoding.OneHotEncoder(variables=["b", "city"])),
        as_objects,
        as_objects,
    ),
    (matching.MatchCategories(missing_values="ignore"), same, unseen),
    (matching.MatchCategories(missing_values="ignore"), as_categories, unseen),
    (
        matching.MatchVariables(missing_values="ignore", verbose=False, fill_value=3),
        same,
        other_columns,
    ),
    (matching.MatchVariables(match_dtypes=True, verbose=False), same, other_types),
    (
        matching.MatchVariables(match_dtypes=True, missing_values="ignore", verbose=False),
        as_categories,
        lambda X: unseen(other_types(X)),
    ),
]
DISCRETISERS: list[Any] = [
    discretisation.EqualWidthDiscretiser(),
    discretisation.EqualFrequencyDiscretiser(q=4, return_boundaries=True),
    discretisation.GeometricWidthDiscretiser(variables=["a", "c"], bins=5),
    discretisation.ArbitraryDiscretiser({"a": [0, 3, 5, 20], "b": [1, 4, 9]}),
    discretisation.ArbitraryDiscretiser({"a": [0, 3, 5], "b": [1, 4, 6]}, return_boundaries=True),
    discretisation.DecisionTreeDiscretiser(regression=False, scoring="roc_auc", random_state=0),
    discretisation.DecisionTreeDiscretiser(
        bin_output="bin_number", regression=False, scoring="roc_auc", random_state=0
    ),
    discretisation.DecisionTreeDiscretiser(
        bin_output="boundaries", precision=2, regression=False, scoring="roc_auc", random_state=0
    ),
]
FUNCTIONS: list[Any] = [
    functions.LogTransformer(variables=["b", "c"]),
    functions.LogTransformer(variables=["b", "c"], base="10"),
    functions.LogCpTransformer(),
    functions.LogCpTransformer(C={"a": 3, "d": 8.5}, base="10"),
    functions.PowerTransformer(variables=["b", "c"]),
    functions.PowerTransformer(exp=3),
    functions.PowerTransformer(variables=["c"], exp=-1.5),
    functions.ReciprocalTransformer(variables=["b", "c"]),
    functions.BoxCoxTransformer(variables=["b", "c"]),
    functions.YeoJohnsonTransformer(),
    functions.ArcsinTransformer(variables=["c"]),
    functions.ArcSinhTransformer(loc=1, scale=2.0),
    MeanNormalizationScaler(),
    outliers.Winsorizer(),
    outliers.Winsorizer("iqr", tail="both", fold=0.5, add_indicators=True),
    outliers.Winsorizer("mad", tail="left", fold=1, add_indicators=True),
    outliers.ArbitraryOutlierCapper({"a": 6, "b": 5}, {"c": 0.3, "a": 2}),
    creation.CyclicalFeatures(variables=["b", "a"], drop_original=True),
    creation.CyclicalFeatures(max_values={"b": 12}),
    creation.MathFeatures(["a", "b", "d"], ["sum", "mean", "std", "var", "min", "prod", "median"]),
    creation.MathFeatures(["a", "b", "d"], [np.sum, np.std, np.max]),
    creation.MathFeatures(["a", "c"], twice_a, new_variables_names=["made"]),
    creation.RelativeFeatures(
        ["a", "d"], ["b", "c"], ["add", "sub", "mul", "div", "truediv", "floordiv", "mod"]
    ),
    creation.RelativeFeatures(["c"], ["b", "d", "c"], ["pow", "div"], -1, drop_original=True),
    creation.DecisionTreeFeatures(
        variables=["a", "b"], regression=False, scoring="roc_auc", precision=2, drop_original=True
    ),
    creation.GeoDistanceFeatures("a", "b", "c", "d"),
    creation.GeoDistanceFeatures("a", "b", "c", "d", "euclidean", "miles", drop_original=True),
    creation.GeoDistanceFeatures("a", "b", "c", "d", "manhattan", "feet", "far"),
    selection.DropFeatures(["a", "home"]),
    selection.DropConstantFeatures(tol=0.5),
]
WRAPPED: list[Any] = [
    SklearnTransformerWrapper(preprocessing.StandardScaler(), ["a", "b"]),
    SklearnTransformerWrapper(preprocessing.OneHotEncoder(sparse_output=False), TEXTS),
    SklearnTransformerWrapper(preprocessing.OrdinalEncoder(), TEXTS),
    SklearnTransformerWrapper(preprocessing.PolynomialFeatures(include_bias=False), ["a", "b"]),
    SklearnTransformerWrapper(preprocessing.KBinsDiscretizer(3, encode="ordinal"), ["d"]),
    SklearnTransformerWrapper(SelectKBest(k=2)),
    SklearnTransformerWrapper(SimpleImputer(strategy="most_frequent"), TEXTS),
]
SAME_FORM = [(one, same, in_another_order) for one in (*DISCRETISERS, *FUNCTIONS, *WRAPPED)]


@pytest.mark.parametrize(("estimator", "known", "new"), [*IMPUTERS, *ENCODERS, *SAME_FORM], ids=str)
def test_its_graph_makes_the_frame_that_it_makes(estimator: Any, known: Form, new: Form) -> None:
    trained = rows(0)
    fit(estimator, known(trained), yes_or_no(trained))
    assert_same_frame(estimator, new(rows(1)))


@pytest.mark.parametrize(
    "estimator",
    [
        creation.DecisionTreeFeatures(variables=["a", "b"], regression=False, scoring="accuracy"),
        creation.DecisionTreeFeatures(variables=["a"], regression=False, scoring="accuracy"),
    ],
    ids=str,
)
def test_trees_of_several_classes_answer_with_their_names(estimator: Any) -> None:
    trained = rows(0)
    assert_same_frame(fit(estimator, trained, three_names(trained)), rows(1))


def test_every_public_estimator_has_a_converter() -> None:
    known = converters()
    lacking = [case.name for case in cases() if type(case.estimator) not in known]
    assert lacking == []


def test_columns_that_are_called_by_number() -> None:
    trained, new = (rows(seed)[["a", "c", "d"]].set_axis([0, 1, 2], axis=1) for seed in (0, 1))
    estimator = make_pipeline(
        creation.MathFeatures([0, 1], "sum"), outliers.Winsorizer(variables=[2, 0])
    )
    assert_same_frame(fit(estimator, trained, None), new)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (LagFeatures(periods=1), "reads the DataFrame's index"),
        (LagFeatures(periods=1, sort_index=False), "rows before a row"),
        (imputation.RandomSampleImputer(), "rows beside a row"),
        (encoding.StringSimilarityEncoder(variables=["b"], ignore_format=True), "numbers as text"),
    ],
    ids=str,
)
def test_what_no_row_decides_is_refused_by_that_reason(
    estimator: Any, reason: str, tmp_path: Path
) -> None:
    X = rows(0)[["a", "b"]]
    with pytest.raises(Refusal, match=reason):
        built(Source(fit(estimator, X, None), X), tmp_path)


def builds(estimator: Any, X: pd.DataFrame, y: Any, tmp_path: Path) -> Built:
    half = len(X) // 2
    fit(estimator, X[:half], y[:half])
    return built(Source(estimator, X[half:]), tmp_path)


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_rows_that_a_step_removes_are_refused(tmp_path: Path) -> None:
    trained = rows(0)[["a", "d"]]
    estimator = make_pipeline(
        imputation.DropMissingData(missing_only=False),
        outliers.OutlierTrimmer("iqr", tail="both", fold=1, variables=["a"]),
        Ridge(),
    )
    fit(estimator, trained, amount(rows(0)))
    new = rows(1)[["a", "d"]]
    with pytest.raises(Refusal, match="some step removes the others"):
        built(Source(estimator, new), tmp_path)
    kept = estimator[:-1].transform(new).index
    built(Source(estimator, new.loc[kept]), tmp_path)
    client = served(tmp_path)
    assert client.post("/predict", json=[{"a": 5.0, "d": 0.1}]).status_code == 200
    assert client.post("/predict", json=[{"a": 25.0, "d": 0.1}]).status_code == 422
    assert client.post("/predict", json=[{"a": None, "d": 0.1}]).status_code == 422


def test_categories_of_the_fit_are_taken_though_no_held_out_row_has_them(tmp_path: Path) -> None:
    trained, new = rows(0)[["a", "city"]], rows(1)[["a", "city"]]
    estimator = make_pipeline(encoding.MeanEncoder(unseen="raise"), Ridge())
    fit(estimator, trained, amount(rows(0)))
    built(Source(estimator, new[new["city"].isin(["x", "y"])]), tmp_path)
    client = served(tmp_path)
    assert client.post("/predict", json=[{"a": 1.0, "city": "u"}]).status_code == 200
    assert client.post("/predict", json=[{"a": 1.0, "city": "unseen"}]).status_code == 422


@pytest.mark.parametrize(
    "model",
    [DecisionTreeRegressor(max_depth=3), HistGradientBoostingRegressor(max_iter=5)],
    ids=str,
)
@pytest.mark.parametrize("settings", [{}, {"missing_values": "ignore", "fill_value": 0.5}], ids=str)
def test_columns_that_a_step_would_fill_in_are_needed(
    model: Any, settings: dict[str, Any], tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(300, 4)), columns=list("abcd"))
    estimator = make_pipeline(
        matching.MatchVariables(verbose=False, **settings), model
    ).fit(X[["a", "b", "c"]], X["a"] + 2 * X["b"])  # fmt: skip
    directory = built(Source(estimator, X), tmp_path)
    columns = {
        c["name"]: c.get("required", True) for c in directory.manifest["signature"]["inputs"]
    }
    assert columns == {"a": True, "b": True, "c": True, "d": False}
    new = pd.DataFrame(random.normal(size=(50, 4)) * 3, columns=list("abcd"))
    answer = served(tmp_path).post("/predict", json=new.to_dict("records")).get_json()
    np.testing.assert_allclose(answer["prediction"], estimator.predict(new), rtol=1e-6)


def notes(count: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(2)
    words = ["Hello", "world.", "the", "The", "café", "12", "x-ray!", " ", "3.5", "?", "ß", "\n"]
    X = pd.DataFrame(
        {
            "note": [" ".join(random.choice(words, random.integers(0, 9))) for _ in range(count)],
            "job": random.choice(["Engineer", "engineering", "teacher", "Teach"], count),
            "a": random.normal(0, 1, count).round(2),
        }
    )
    X.loc[random.random(count) < 0.1, ["note"]] = np.nan
    X.loc[random.random(count) < 0.1, ["job"]] = np.nan
    return X


@pytest.mark.parametrize("top", [None, 2])
def test_texts_are_counted_and_compared(top: int | None, tmp_path: Path) -> None:
    X = notes()
    estimator = make_pipeline(
        encoding.StringSimilarityEncoder(top_categories=top, variables=["job"]),
        TextFeatures(variables=["note"], drop_original=True),
        Ridge(),
    )
    builds(estimator, X, X["a"] + X["note"].fillna("").str.len(), tmp_path)


def moments(count: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(3)
    seconds = random.integers(0, 200_000_000, count), random.integers(-9_000_000, 9_000_000, count)
    begin, length = (some.astype("timedelta64[s]") for some in seconds)
    begun = pd.Series(np.datetime64("2019-01-01") + begin)
    return pd.DataFrame(
        {"begin": begun, "end": begun + length, "a": random.normal(0, 1, count).round(2)}
    )


def in_text(X: pd.DataFrame) -> pd.DataFrame:
    return X.assign(begin=X["begin"].dt.strftime("%Y-%m-%d %H:%M:%S"),
                    end=X["end"].dt.strftime("%m/%d/%Y"))  # fmt: skip


def in_berlin(X: pd.DataFrame) -> pd.DataFrame:
    return X.assign(**{
        name: X[name].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
        for name in ("begin", "end")
    })  # fmt: skip


def without_some(X: pd.DataFrame) -> pd.DataFrame:
    return X.assign(begin=X["begin"].where(X["a"] < 1))


ODD_FEATURES = ["month", "semester", "weekend", "month_start", "leap_year", "hour", "year_end"]


@pytest.mark.parametrize(
    ("steps", "form"),
    [
        ([dates.DatetimeFeatures(features_to_extract="all")], same),
        ([dates.DatetimeFeatures(utc=True, features_to_extract=["hour", "week"])], in_berlin),
        ([dates.DatetimeFeatures(features_to_extract=["hour", "week"])], in_berlin),
        (
            [
                dates.DatetimeFeatures(variables=["end"], format="%m/%d/%Y"),
                dates.DatetimeOrdinal(variables=["begin"], start_date="2020-01-01"),
            ],
            in_text,
        ),
        ([dates.DatetimeSubtraction("end", "begin", drop_original=True)], same),
        (
            [
                dates.DatetimeSubtraction("end", "begin", output_unit="M", drop_original=True),
                imputation.MeanMedianImputer(),
            ],
            without_some,
        ),
        (
            [
                dates.DatetimeFeatures(missing_values="ignore", features_to_extract=ODD_FEATURES),
                imputation.ArbitraryNumberImputer(),
            ],
            without_some,
        ),
    ],
    ids=["all", "in UTC", "in a zone", "text", "days between", "months between", "gaps"],
)
def test_dates_are_taken_apart(steps: list[Any], form: Form, tmp_path: Path) -> None:
    X = form(moments())
    builds(make_pipeline(*steps, Ridge()), X, X["a"], tmp_path)
