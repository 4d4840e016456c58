"""Models that are fitted on frames of polars: names, types and gaps are the signature's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from onnxlet.convert.build import build
from onnxlet.convert.converters.registry import converts
from onnxlet.convert.errors import Refusal
from onnxlet.convert.graph.converter import Graph, Outputs, Table
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.sources.source import Source, load_source
from tests.convert.helpers import built, served

polars: Any = pytest.importorskip("polars")

ROWS = 300
random = np.random.default_rng(0)
FRAME = polars.DataFrame(
    {
        "größe": random.normal(size=ROWS),
        "age": random.integers(0, 90, ROWS),
        "city": random.choice(["a", "b", "c"], ROWS),
        "flag": random.random(ROWS) > 0.5,
        "income": [None if cell < 0.1 else cell * 9 for cell in random.random(ROWS)],
        "rooms": [None if cell < 0.1 else int(cell * 9) for cell in random.random(ROWS)],
    }
)
Y = FRAME["größe"].to_numpy() + FRAME["flag"].to_numpy() > 0.5
NAMES = {
    "größe": "float64",
    "age": "int64",
    "city": "string",
    "flag": "bool",
    "income": "float64",
    "rooms": "int64",
}
PIPELINE = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        (make_pipeline(SimpleImputer(), StandardScaler()), ["größe", "age", "income", "rooms"]),
        ("passthrough", ["flag"]),
    ),
    LogisticRegression(),
)
BOOSTED = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=10)
MODELS = {
    "a pipeline": (PIPELINE, FRAME),
    "an enumeration": (
        BOOSTED,
        FRAME.with_columns(polars.col("city").cast(polars.Enum(["c", "a", "b"]))),
    ),
}


@pytest.mark.parametrize("case", MODELS)
def test_names_types_and_answers_are_kept(tmp_path: Path, case: str) -> None:
    model, frame = MODELS[case]
    model.fit(frame[:200], Y[:200])
    held_out = polars.Series(Y[200:])
    made = built(Source(model, frame[200:], held_out, frame[:200]), tmp_path)

    inputs = made.manifest["signature"]["inputs"]
    assert {each["name"]: each["type"] for each in inputs} == NAMES
    assert all(each["nullable"] for each in inputs if each["name"] in ("income", "rooms"))
    assert made.manifest["metrics"]["accuracy"]["model"] > 0.9
    got = served(tmp_path).post("/predict", json=frame[200:220].to_dicts())
    assert got.get_json()["prediction"] == model.predict(frame[200:220]).tolist()


def test_a_series_of_texts_keeps_its_name(tmp_path: Path) -> None:
    texts = polars.Series("words", ["good day", "bad day", "good", "bad"] * 10)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 10)
    made = built(Source(model, texts), tmp_path)

    assert [each["name"] for each in made.manifest["signature"]["inputs"][0]["columns"]] == [
        "words"
    ]


def test_categories_are_pandas_categories() -> None:
    frame = FRAME.with_columns(polars.col("city").cast(polars.Categorical))
    category = {c.name: c.category for c in read_inputs(frame)[0].columns}["city"]

    assert category is not None
    assert sorted(category.categories) == ["a", "b", "c"]


def test_what_has_no_rows_or_no_form_is_reported() -> None:
    with pytest.raises(Refusal, match="X_test: a LazyFrame of polars has no rows yet"):
        read_inputs(FRAME.lazy())
    timed = FRAME.with_columns(took=polars.duration(days=polars.col("age")))
    assert "have no form in a request" in read_inputs(timed)[0].columns[-1].unserved


def test_dates_are_sent_as_text() -> None:
    dated = FRAME.with_columns(day=polars.lit("2026-01-01").str.to_date())
    inputs, X = read_inputs(dated)
    assert inputs.rows(X)[0][-1] == "2026-01-01T00:00:00"
    assert X["day"].tolist() == [pd.Timestamp("2026-01-01")] * len(dated)


def test_names_are_compared_with_those_of_the_fit(tmp_path: Path) -> None:
    numbers, lines = FRAME.select("größe", "age"), list[str]()
    model = LogisticRegression().fit(numbers, Y)

    build(Source(model, numbers, Y), "m", tmp_path, lines.append)
    assert not [line for line in lines if line.startswith("note: the estimator was fitted")]

    other = numbers.rename({"age": "Age"})
    with pytest.raises(Refusal, match="'age' is missing and 'Age' is too many") as caught:
        built(Source(model, other, Y), tmp_path)
    assert caught.value.hint == "Is 'Age' the column 'age'? Give it the name of the fit."


class FrameOfItsKind(TransformerMixin, BaseEstimator):  # type: ignore[misc] # untyped there
    """Raises for another library's frames than that of its fit, as skrub and feature-engine do."""

    def fit(self, X: Any, y: Any = None) -> FrameOfItsKind:
        self.kind_ = type(X).__module__.partition(".")[0]
        return self

    def transform(self, X: Any) -> Any:
        kind = type(X).__module__.partition(".")[0]
        if kind != self.kind_:
            raise TypeError(
                f"Pipeline was fitted to a {self.kind_} dataframe but is being applied to a {kind} "
                "dataframe."
            )
        return np.asarray(X)

    def __sklearn_is_fitted__(self) -> bool:
        return True


@converts(FrameOfItsKind)
def of_its_kind(graph: Graph, fitted: FrameOfItsKind, table: Table) -> Outputs:
    return {"transform": graph.matrix(table)}


def test_rows_of_polars_are_given_in_pandas_to_what_was_fitted_on_it(tmp_path: Path) -> None:
    numbers = FRAME.select("age", polars.col("größe").fill_null(0.0))
    frame = pd.DataFrame(numbers.to_dict(as_series=False))
    model = make_pipeline(FrameOfItsKind(), LogisticRegression()).fit(frame, Y)
    built(Source(model, numbers, Y), tmp_path)
    got = served(tmp_path).post("/predict", json=numbers[:20].to_dicts())
    assert got.get_json()["prediction"] == model.predict(frame[:20]).tolist()

    of_polars = make_pipeline(FrameOfItsKind(), LogisticRegression()).fit(numbers, Y)
    for rows in (numbers, frame):
        with pytest.raises(Refusal, match=r"takes (none|no frame) of pandas, in which") as caught:
            built(Source(of_polars, rows, Y), tmp_path)
        assert caught.value.hint == "Fit it on a frame of pandas: X.to_pandas()."


@pytest.mark.parametrize("target", [None, "answer"])
def test_parquet_is_read_where_pandas_has_no_reader(tmp_path: Path, target: str | None) -> None:
    data, path = tmp_path / "rows.parquet", tmp_path / "model.joblib"
    given = FRAME.select("größe", "age", "city")
    encoded = make_column_transformer((OneHotEncoder(), ["city"]), remainder="passthrough")
    joblib.dump(make_pipeline(encoded, LogisticRegression()).fit(given, Y), path)
    answers = {} if target is None else {target: Y}
    given.with_columns(**{n: polars.Series(y) for n, y in answers.items()}).write_parquet(data)

    result = built(load_source(str(path), data, target), tmp_path / "models")
    assert result.manifest["parity"]["differing_rows"] == 0
    assert [each["name"] for each in result.manifest["signature"]["inputs"]] == given.columns
    assert bool(result.manifest["metrics"]) is (target is not None)
