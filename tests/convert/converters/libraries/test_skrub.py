"""skrub's estimators answer as skrub: frames of everything, cleaned, encoded and joined."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from onnxlet.convert.errors import Refusal
from onnxlet.convert.graph.converter import Precision, Unsupported
from onnxlet.convert.sources.source import Source
from tests.convert.exactness import answers, assert_exact, expected
from tests.convert.helpers import built, prove

skrub = pytest.importorskip("skrub")

WORDS = "alpha beta gamma Delta epsilon zeta ünïcödé eta theta iota 中文 mu nu".split()  # noqa: SIM905
FIRST = pd.Timestamp("2019-05-01")


def table(rows: int, seed: int) -> pd.DataFrame:
    """Columns of every kind that skrub tells apart, with gaps of every kind."""
    random = np.random.default_rng(seed)
    when = pd.Series(FIRST + pd.to_timedelta(random.integers(0, 2 * 10**8, rows), unit="s"))
    X = pd.DataFrame(
        {
            "number": random.normal(size=rows) * 1e3,
            "whole": random.integers(-50, 50, rows),
            "flag": random.random(rows) > 0.5,
            "pair": random.choice(["yes", "no"], rows),
            "kind": random.choice(["a", "b", "c", "N/A", " "], rows),
            "category": pd.Categorical(random.choice(["x", "y", "z"], rows)),
            "size": pd.Categorical(random.choice([1, 2, 3], rows)),
            "text": [" ".join(random.choice(WORDS, random.integers(1, 6))) for _ in range(rows)],
            "typed": [f"{value:.4f}" for value in random.normal(size=rows)],
            "day": when.dt.strftime("%Y-%m-%d"),
            "time": when.dt.strftime("%d/%m/%Y %H:%M:%S"),
            "zone": when.dt.strftime("%Y-%m-%dT%H:%M:%S+02:00"),
            "moment": when,
            "empty": np.full(rows, np.nan),
        }
    )
    X.loc[::7, "number"] = np.nan
    X.loc[::5, ["kind", "text"]] = None
    X.loc[::6, "text"] = "?"
    X.loc[::9, ["typed", "day"]] = "n/a"
    return X


X, OTHERS = table(250, 0), table(120, 1)
OTHERS.loc[0, ["kind", "text", "typed", "day"]] = ["unseen", "", "1_0", "2026-3-5"]
OTHERS.loc[1, ["kind", "text", "typed", "day"]] = ["NULL", " \t", " 1e3\n", "3026-03-05"]
OTHERS.loc[2, ["text", "typed", "day"]] = ["words that nobody knows", "-inf", "05/03/2026"]
Y = X["whole"] * 2.0 + X["flag"] + X["number"].fillna(0) / 500
GOOD = np.where(Y.median() < Y, "good", "bad")


def fit(estimator: Any, X: Any = X, y: Any = Y) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)


def check(
    estimator: Any,
    columns: list[str] | None = None,
    tolerance: float = 0.0,
    precisions: tuple[Precision, ...] = ("float64", "float32"),
) -> None:
    """Equal to the last bit, in both precisions, if no tolerance is given."""
    chosen = columns or X.columns.tolist()
    fit(estimator, X[chosen])
    for precision in precisions:
        assert_exact(estimator, OTHERS[chosen], precision=precision, tolerance=tolerance)


# whole frames


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"drop_if_constant": True, "drop_null_fraction": 0.1, "null_strings": ["c"]},
        {"cardinality_threshold": 2},
        {"low_cardinality": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)},
        {"datetime": "drop", "numeric": "drop"},
        {"specific_transformers": [(OrdinalEncoder(), ["pair", "flag"])]},
    ],
    ids=lambda settings: " ".join(settings) or "as it is",
)
def test_a_table_vectorizer_is_exact(settings: dict[str, Any]) -> None:
    of_numbers = {"size"} if "cardinality_threshold" in settings else set()
    check(
        skrub.TableVectorizer(**settings),
        [name for name in X.columns.tolist() if name not in of_numbers],
    )


def test_an_array_is_a_frame_to_skrub() -> None:
    numbers = X[["number", "whole"]].to_numpy()
    assert_exact(fit(skrub.TableVectorizer(), numbers), numbers[::-1], tolerance=0)


def test_numbers_go_to_other_encoders() -> None:
    vectorizer = skrub.TableVectorizer(numeric=StandardScaler())
    check(vectorizer, ["number", "whole", "flag", "pair"], tolerance=1e-6)


@pytest.mark.parametrize(
    "encoder",
    [
        skrub.StringEncoder(n_components=4),
        skrub.StringEncoder(n_components=500),
        skrub.StringEncoder(n_components=4, analyzer="char", ngram_range=(1, 2)),
        skrub.StringEncoder(n_components=4, analyzer="word", ngram_range=(1, 1), stop_words=["mu"]),
        skrub.MinHashEncoder(n_components=6),
        skrub.MinHashEncoder(n_components=6, ngram_range=(1, 5), minmax_hash=True),
        skrub.MinHashEncoder(n_components=5, hashing="murmur"),
        skrub.SimilarityEncoder(),
        skrub.SimilarityEncoder(ngram_range=(1, 2), analyzer="char_wb"),
    ],
    ids=repr,
)
def test_an_encoder_of_text_is_exact(encoder: Any) -> None:
    check(skrub.TableVectorizer(high_cardinality=encoder), ["number", "text"])


@pytest.mark.parametrize("settings", [{}, {"rescale_W": False, "add_words": True}])
def test_topics_are_exact(settings: dict[str, Any]) -> None:
    topics = skrub.GapEncoder(n_components=4, random_state=0, **settings)
    check(skrub.TableVectorizer(high_cardinality=topics), ["text"], tolerance=1e-6)


@pytest.mark.parametrize(
    "encoder",
    [
        skrub.DatetimeEncoder(resolution="microsecond", add_weekday=True, add_day_of_year=True),
        skrub.DatetimeEncoder(resolution="day", add_total_seconds=False),
        skrub.DatetimeEncoder(periodic_encoding="circular", add_weekday=True),
        skrub.DatetimeEncoder(periodic_encoding="spline", add_weekday=True),
    ],
    ids=repr,
)
def test_dates_of_text_are_exact(encoder: Any) -> None:
    check(skrub.TableVectorizer(datetime=encoder), ["day", "time", "zone", "kind"])


@pytest.mark.parametrize(
    "step",
    [
        skrub.ToFloat(decimal=",", thousand=".", parentheses=True),
        skrub.ToFloat(decimal=","),
    ],
    ids=repr,
)
def test_numbers_of_other_signs_are_exact(step: Any) -> None:
    texts = pd.DataFrame({"price": ["1.234,5", "(1,25)", "7", None, "-3,5"] if step.thousand
                          else ["1234,5", "1,25", "7", None, "-3,5"]})  # fmt: skip
    odd = pd.DataFrame({"price": ["(2)\n", "(1", "1,2,3", "1.2", "", "ten", None, "1e3"]})
    fitted = fit(skrub.ApplyToCols(step), texts, None)
    assert_exact(fitted, odd)


# parts of frames


@pytest.mark.parametrize(
    "step",
    [
        skrub.SelectCols(["whole", "number"]),
        skrub.DropCols(skrub.selectors.string() | skrub.selectors.any_date()),
        skrub.ApplyToCols(StandardScaler(), ["number", "whole"], keep_original=True),
        skrub.ApplyToCols(skrub.ToFloat(), rename_columns="{}_f", keep_original=True),
        skrub.CatEncoder(),
    ],
    ids=lambda step: type(step).__name__,
)
def test_parts_of_a_frame_are_exact(step: Any) -> None:
    numbers = ["number", "whole", "flag"]
    columns = ["kind"] if isinstance(step, skrub.CatEncoder) else numbers
    fitted = fit(step, X[columns], Y)
    assert_exact(fitted, OTHERS[columns], tolerance=1e-7)


def test_columns_keep_their_names_for_steps_that_select_by_name() -> None:
    steps = make_pipeline(
        skrub.Cleaner(drop_if_constant=True),
        skrub.ApplyToCols(skrub.StringEncoder(n_components=3), "text"),
        skrub.SelectCols(["text_1", "number", "text_0"]),
    )
    check(steps, precisions=("float64",))


def test_categories_of_a_cleaned_frame_go_to_trees() -> None:
    trees = HistGradientBoostingRegressor(max_iter=5, categorical_features="from_dtype")
    check(skrub.tabular_pipeline(trees), tolerance=1e-9, precisions=("float64",))


def test_squashed_columns_are_exact_where_float32_overflows() -> None:
    numbers = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    numbers[:50, 1], numbers[:, 2] = 1, 3
    odd = np.array([[3e38, -3e38, 5, np.nan], [np.inf, -np.inf, np.inf, 0], [2, 1, np.nan, -1]])
    for dtype in (np.float32, np.float64):
        fitted = fit(skrub.SquashingScaler(), numbers.astype(dtype), None)
        frame = odd.astype(dtype)
        got = answers(fitted, frame, precision="float64")["transform"]
        np.testing.assert_array_equal(got, expected(fitted, frame, "transform"))


# joins


@pytest.mark.parametrize("keys", [["kind"], ["pair", "whole"], ["flag", "kind", "pair"]])
def test_aggregates_are_looked_up_by_their_keys(keys: list[str]) -> None:
    other = X[[*keys, "number"]].assign(label=X["pair"].str.upper())
    joiner = skrub.AggJoiner(
        other, ["max", "count"], key=keys, cols=["number", "label"], suffix="_by"
    )
    numbers = skrub.SelectCols(skrub.selectors.numeric() - skrub.selectors.cols("whole"))
    check(make_pipeline(joiner, numbers), [*dict.fromkeys(["number", *keys])], tolerance=1e-6)
    encoded = make_pipeline(joiner, skrub.TableVectorizer())
    check(encoded, [*dict.fromkeys(["number", *keys])])


def test_targets_and_several_tables_are_looked_up() -> None:
    steps = make_pipeline(
        skrub.AggTarget("pair", ["mean", "max"]),
        skrub.MultiAggJoiner(
            [X[["pair", "number"]], X[["flag", "whole"]]], [["mean"], ["min", "max"]],
            keys=[["pair"], ["flag"]],
        ),
        skrub.SelectCols(skrub.selectors.numeric()),
    )  # fmt: skip
    check(steps, ["pair", "flag", "number"], tolerance=1e-6)


def test_an_interpolating_join_predicts() -> None:
    joiner = skrub.InterpolationJoiner(
        X[["number", "whole", "pair"]].fillna(0), key="number", suffix="_near",
        regressor=HistGradientBoostingRegressor(max_iter=3),
    )  # fmt: skip
    check(make_pipeline(joiner, skrub.TableVectorizer()), ["number"])


# whole pipelines


def test_a_pipeline_for_tables_is_built(tmp_path: Path) -> None:
    columns = ["number", "kind", "text", "day"]
    fitted = fit(skrub.tabular_pipeline(LogisticRegression()), X[columns], GOOD)
    made = built(Source(fitted, OTHERS[columns].iloc[:40]), tmp_path)
    assert made.manifest["parity"]["held_out_rows"] == 40


def test_a_column_that_is_dropped_for_its_values_is_served(tmp_path: Path) -> None:
    frame = X[["number", "pair"]].assign(same="always")
    fitted = fit(
        make_pipeline(skrub.TableVectorizer(drop_if_constant=True), Ridge()), frame.fillna(0)
    )
    others = OTHERS[["number", "pair"]].fillna(0).assign(same="never")
    made = built(Source(fitted, others), tmp_path)
    assert [entry["name"] for entry in made.manifest["signature"]["inputs"]] == list(frame)


# refusals


def refusal(fitted: Any, columns: list[str]) -> Unsupported:
    with pytest.raises(Unsupported) as caught:
        answers(fitted, OTHERS[columns])
    return caught.value


def test_what_has_no_conversion_is_refused_by_name() -> None:
    hashing = skrub.StringEncoder(n_components=2, vectorizer="hashing")
    hashed = fit(skrub.ApplyToCols(hashing), X[["text"]])
    assert "StringEncoder: its vectorizer='hashing'" in str(refusal(hashed, ["text"]))
    joiner = fit(skrub.Joiner(X[["text", "whole"]].dropna(), key="text"), X[["text"]])
    assert "Joiner: it searches another table" in str(refusal(joiner, ["text"]))
    sessions = skrub.SessionEncoder("moment").fit(X[["moment"]])
    with pytest.raises(Unsupported, match="a row's session depends on the rows beside it"):
        prove(Source(sessions, OTHERS[["moment"]]), layout="columns")
    cleaned = refusal(fit(skrub.Cleaner(), X[["number", "text"]]), ["number", "text"])
    assert "Cleaner: its transform answers text beside numbers" in str(cleaned)
    categories = skrub.TableVectorizer(cardinality_threshold=2)
    assert "StringEncoder: it is given a column that a step before it has changed" in str(
        refusal(fit(categories, X[["size"]]), ["size"])
    )


def test_a_learner_is_refused_with_the_way_out(tmp_path: Path) -> None:
    rows = skrub.var("rows", X[["number"]]).skb.mark_as_X()
    learner = rows.skb.apply(skrub.TableVectorizer()).skb.make_learner(fitted=True)
    with pytest.raises(Refusal, match="SkrubLearner answers an environment") as caught:
        built(Source(learner, OTHERS[["number"]]), tmp_path)
    assert "find_fitted_estimator" in caught.value.hint


def test_a_frame_of_polars_is_refused_by_what_skrub_says(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.from_dict({"number": X["whole"].tolist(), "pair": X["pair"].tolist()})
    fitted = fit(skrub.TableVectorizer(), frame)
    with pytest.raises(Refusal, match="polars"):
        built(Source(fitted, frame), tmp_path)
