"""Rows as dictionaries, from a build over HTTP to the vectoriser's own answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.tree import DecisionTreeClassifier

from onnxlet.convert.errors import Refusal
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, probed, served

RANDOM = np.random.default_rng(5)
CITIES = ("London", "Dubai", "San Francisco", "München", "a=b")


def _row() -> dict[str, Any]:
    row = {
        "city": str(RANDOM.choice(CITIES)),
        "temperature": float(RANDOM.normal(20, 9)),
        "rooms": int(RANDOM.integers(0, 5)),
        "sunny": bool(RANDOM.integers(2)),
    }
    return {key: value for key, value in row.items() if RANDOM.random() > 0.2}


ROWS = [_row() for _ in range(160)]
Y = np.array([int(row.get("temperature", 0) > 15) + (row.get("city") == "Dubai") for row in ROWS])
REQUEST: list[dict[str, Any]] = [
    {"city": "Dubai"},
    {},
    {"temperature": 3, "city": "never seen"},
    {"rooms": 2.5, "sunny": True, "city": ""},
    *ROWS[100:110],
]
PIPELINES: dict[str, Callable[[], Pipeline]] = {
    "vectorised": lambda: make_pipeline(DictVectorizer()),
    "in float32": lambda: make_pipeline(
        DictVectorizer(dtype=np.float32, separator="::", sparse=False)
    ),
    "classified": lambda: make_pipeline(DictVectorizer(), LogisticRegression(max_iter=1000)),
    "weighted": lambda: make_pipeline(
        DictVectorizer(sort=False), TfidfTransformer(), LogisticRegression(max_iter=1000)
    ),
    "in a tree": lambda: make_pipeline(
        DictVectorizer(sparse=False), DecisionTreeClassifier(max_depth=4)
    ),
    "hashed": lambda: make_pipeline(FeatureHasher(n_features=7)),
    "hashed and classified": lambda: make_pipeline(
        FeatureHasher(n_features=64, alternate_sign=False), LogisticRegression(max_iter=1000)
    ),
}


# scikit-learn 1.6 on a pipeline that needs no fit.
@pytest.mark.filterwarnings("ignore:This Pipeline instance is not fitted:FutureWarning")
@pytest.mark.parametrize("name", PIPELINES)
def test_a_row_is_the_dictionary(name: str, tmp_path: Path) -> None:
    model = PIPELINES[name]().fit(ROWS[:100], Y[:100])
    built(Source(model, ROWS[100:]), tmp_path)

    answer = served(tmp_path).post("/predict", json={"instances": REQUEST})

    assert answer.status_code == 200, answer.json
    if hasattr(model, "predict"):
        assert answer.json["prediction"] == model.predict(REQUEST).tolist()
        expected = model.predict_proba(REQUEST)
        np.testing.assert_allclose(answer.json["probabilities"], expected, atol=1e-5)
    else:
        made = model.transform(REQUEST)
        expected = made.toarray() if hasattr(made, "toarray") else made
        np.testing.assert_allclose(answer.json["prediction"], expected, rtol=1e-5)


def test_a_key_may_be_left_out_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    built(Source(PIPELINES["classified"]().fit(ROWS[:100], Y[:100]), ROWS[100:]), tmp_path)
    client = served(tmp_path)

    def ask(row: dict[str, Any]) -> Any:
        return client.post("/predict", json={"instances": [row]})

    assert ask({"city": "Dubai", "rooms": None}).json == ask({"city": "Dubai"}).json
    unknown = ask({"city": "Dubai", "town": "x"})
    assert unknown.status_code == 422
    assert "unknown column" in unknown.text
    assert "town" in unknown.text
    schemas = client.get("/openapi.json").json["components"]["schemas"]
    assert schemas["m.row"]["required"] == []
    assert set(schemas["m.row"]["properties"]) == {"city", "temperature", "rooms", "sunny"}


def test_keys_of_the_fit_are_columns_too() -> None:
    rows = [{"a": 1, "b": "x"}, {"a": 2, "c": 3}, {"a": 1, "c": 0.5}]
    model = DictVectorizer().fit(rows)
    columns = probed(Source(model, [{"a": 1}, {"a": 0}]))
    assert list(columns) == ["a"]  # read without the estimator

    from onnxlet.convert.reference.row_forms import known_keys

    assert known_keys(model) == {"a": "float64", "b": "string", "c": "float64"}
    hasher = FeatureHasher(n_features=8)
    assert known_keys(hasher, rows) == {"a": "float64", "b": "string", "c": "float64"}


@pytest.mark.long
def test_more_keys_than_are_tried_one_by_one(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(201)]
    rows = [{str(word): 1 for word in RANDOM.choice(words, 9, replace=False)} for _ in range(40)]
    labels = np.array(["word1" in row or len("".join(row)) % 2 for row in rows]).astype(int)
    model = make_pipeline(FeatureHasher(), LogisticRegression()).fit(rows, labels)
    built(Source(model, rows[:20], X_train=rows), tmp_path)

    answer = served(tmp_path).post("/predict", json={"instances": rows[20:]})

    assert answer.json["prediction"] == model.predict(rows[20:]).tolist()


@pytest.mark.parametrize("form", [pd.Series, lambda rows: np.array(rows, dtype=object)])
def test_dictionaries_in_a_series_or_an_array(form: Callable[[Any], Any], tmp_path: Path) -> None:
    model = PIPELINES["vectorised"]().fit(ROWS[:100])
    made = built(Source(model, form(ROWS[100:])), tmp_path)
    names = [column["name"] for column in made.manifest["signature"]["inputs"]]
    assert names == ["city", "rooms", "sunny", "temperature"]


@pytest.mark.parametrize(
    ("model", "rows", "message", "hint"),
    [
        (DictVectorizer(dtype=int), [{"a": 1}, {"a": 2}], "cuts decimals off", "float64"),
        (DictVectorizer(), [{"a": 1}, {"a": None}], "row 1, key 'a'.*got None", "left out"),
        (DictVectorizer(), [{"a": 1}, {"a": np.nan}], "got nan", "left out"),
        (DictVectorizer(), [{"a": ["x", "y"]}], "got list", "'key=value': 1"),
        (DictVectorizer(), [{"a": "x"}, {"a": 2}], "got text and numbers", "one type"),
        (DictVectorizer(), [{1: 2}], "keys that are text", "str\\(key\\)"),
        (FeatureHasher(n_features=8), [{}, {}], "have no key", "keys"),
        (FeatureHasher(2**17), [{"a": 1}, {"a": 2}], "at most 65,536 numbers", "n_features"),
        (FeatureHasher(2**15), [{"a": "x"}, {"a": "y"}], "hashes text, of the key 'a'", "16,384"),
        (
            FeatureHasher(8, input_type="string"),
            [["a"], ["b", "c"]],
            "2 rows of several lengths",
            "keys",
        ),
        (
            FeatureHasher(8, input_type="string"),
            [["a", "c"], ["b", "c"]],
            "input_type='string'",
            "input_type='dict'",
        ),
        (
            FeatureHasher(8, input_type="pair"),
            [[("a", 1)], [("b", 2), ("c", 1)]],
            "several lengths",
            "keys",
        ),
    ],
)
def test_what_no_column_can_hold_is_refused(
    model: Any, rows: Any, message: str, hint: str, tmp_path: Path
) -> None:
    with pytest.raises(Refusal, match=message) as refused:
        built(Source(model.fit(rows), rows), tmp_path)
    assert re.search(hint, refused.value.hint)
