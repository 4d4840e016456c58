"""An instance of a model of one column may be the value itself, wherever instances are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from tests.conftest import Client, client_of
from tests.kept_builds import kept_builds

TEXTS = ["good day", "bad day", "good night", "bad night"] * 12
MISSING = "missing value, and the model does not take one here"
AREAS = pd.DataFrame({"area": np.linspace(10.0, 99.0, 48)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    mood = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, [1, 0] * 24)
    price = LinearRegression().fit(AREAS, 3 * AREAS["area"])
    sources = {"mood": Source(mood, TEXTS), "price": Source(price, AREAS)}
    return kept_builds(sources, tmp_path_factory.mktemp("plain"))


@pytest.fixture
def plain(folder: Path) -> Client:
    return client_of(create_app(folder))


@pytest.mark.parametrize("count", [1, 3, 700])
@pytest.mark.parametrize(
    ("name", "values", "column"),
    [("mood", [*TEXTS[:2], "good"], "x0"), ("price", [20, 30.5, -1], "area")],
)
def test_values_are_answered_as_lists_and_objects_are(
    plain: Client, name: str, values: list[Any], column: str, count: int
) -> None:
    values = (values * count)[:count]
    native, v1 = f"/models/{name}/predict", f"/v1/models/{name}:predict"

    expected = plain.post(native, {"instances": [[value] for value in values]}).json()

    assert len(expected["prediction"]) == len(values)
    for rows in (values, [{column: value} for value in values], [[values[0]], *values[1:]]):
        assert plain.post(native, {"instances": rows}).json() == expected
        assert plain.post(native, rows).json() == expected
        assert plain.post(v1, {"instances": rows}).json()["predictions"] == expected["prediction"]


def test_what_is_wrong_with_a_value_is_located(plain: Client) -> None:
    rows = ["20", 30, None, True, [1, 2], [], {"size": 1}]
    answer = plain.post("/models/price/predict", {"instances": rows}).json()

    assert answer["errors"] == [
        {"row": 0, "column": "area", "detail": "expected a number, got '20'"},
        {"row": 2, "column": "area", "detail": MISSING},
        {"row": 3, "column": "area", "detail": "expected a number, got true"},
        {"row": 4, "column": None, "detail": "expected 1 values in signature order, got 2"},
        {"row": 5, "column": None, "detail": "expected 1 values in signature order, got 0"},
        {"row": 6, "column": "size", "detail": "unknown column"},
        {"row": 6, "column": "area", "detail": "missing column"},
    ]  # fmt: skip
    assert "hint" not in plain.post("/models/price/predict", {"instances": ["20"]}).json()
    asked = plain.post("/models/price/predict?on_error=null", {"instances": rows}).json()
    assert asked["prediction"] == [None, pytest.approx(90), *[None] * 5]


def test_of_several_columns_a_value_is_no_row(client: Client) -> None:
    answer = client.post("/models/iris/predict", {"instances": [5.1, 3.5, 1.4, 0.2]}).json()
    assert answer["error_count"] == 4
    assert answer["hint"] == 'One row is a list of one: {"instances": [[...]]}.'
    assert answer["errors"][0]["detail"].startswith("expected an object by column name or a list")


def test_the_document_has_them(plain: Client) -> None:
    schemas = plain.get("/openapi.json").json()["components"]["schemas"]
    assert [form.get("type") for form in schemas["mood.rows"]["items"]["anyOf"]] == [
        None, None, "string",
    ]  # fmt: skip
    assert schemas["price.rows"]["items"]["anyOf"][2]["type"] == "number"
