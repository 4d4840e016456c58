"""AutoGluonFeatures and its graph, against what AutoGluon's own generators made of the same rows.

`keep_features.py` has fitted and asked them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from onnxlet.convert.autogluon.features import AutoGluonFeatures
from onnxlet.convert.autogluon.features_there import NotDescribed, features_of
from onnxlet.convert.reference.estimators import encoded_columns, fitted_categories
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, objects, prove, served

FOLDER = Path(__file__).with_name("features")
KINDS = sorted(file.stem for file in FOLDER.glob("*.json"))


def kept(kind: str) -> tuple[AutoGluonFeatures, pd.DataFrame, pd.DataFrame]:
    """The features, rows, and what AutoGluon has made of them."""
    found = json.loads((FOLDER / f"{kind}.json").read_text())
    features = AutoGluonFeatures(found["description"])
    columns = found["rows"].items()
    rows = pd.DataFrame({name: column(cells, found["dtypes"][name]) for name, cells in columns})
    made = {
        name: [np.nan if c is None else c for c in cells]
        for name, cells in found["features"].items()
    }
    return features, features.with_dates(rows), pd.DataFrame(made)


def column(cells: list[Any], dtype: Any) -> Any:
    return objects(cells) if dtype in ("object", "str") else pd.Series(cells).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_those_that_autogluon_made_in_its_order(kind: str) -> None:
    features, rows, made = kept(kind)
    got = features.transform(rows)
    assert list(got.columns) == list(made.columns) == features.features_out_
    for name in made:
        np.testing.assert_array_equal(got[name].to_numpy(), made[name].to_numpy(), err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_the_function_makes_the_same_features(kind: str) -> None:
    features, rows, made = kept(kind)
    proof = prove(Source(features, rows), layout="columns")
    [got] = proof.run().values()
    np.testing.assert_array_equal(got, made.to_numpy(dtype=np.float64))


def test_dates_of_one_form_stay_text_and_others_are_given_as_dates() -> None:
    features, rows, _ = kept("dates")
    assert features.forms_ == {"day": "%Y-%m-%d", "offset": "%Y-%m-%dT%H:%M:%S%z"}
    assert rows["mixed"].dtype.kind == "M"
    proof = prove(Source(features, rows), layout="columns")
    about = {column.name: (column.date, column.format, column.zone) for column in proof.columns}
    assert about["day"] == (True, "%Y-%m-%d", None)
    assert about["mixed"] == about["moment"] == (True, None, None)
    assert about["offset"] == (True, "%Y-%m-%dT%H:%M:%S%z", None)
    assert about["zone"] == (True, None, "Europe/Zurich")
    features.check(rows)
    with pytest.raises(ValueError, match=r"column 'day': expected a date written as %Y-%m-%d"):
        features.transform(rows.assign(day="2024/05/03"))


def test_days_before_months_are_given_as_dates_since_autogluon_takes_some_for_months() -> None:
    features, rows, _ = kept("dates")
    rows = rows.assign(
        day=["05/03/2024", "25/03/2024"] * 8, offset=["5 May 2024", "2024-05-03 10:00+02:00"] * 8
    )
    rows = features.with_dates(rows)
    assert rows["day"].dt.month.tolist() == [5, 3] * 8
    assert rows["offset"].dt.hour.tolist() == [0, 8] * 8  # in UTC, where some have an offset


@pytest.mark.parametrize(
    ("texts", "hours"),
    [
        (["5 May 2024 10:00", "2024-05-03 10:00", "no date"], [10, 10]),
        (["5 May 2024 10:00+02:00", "2024-05-03 10:00+02:00"], [8, 8]),
        (["5 May 2024 10:00+02:00", "2024-05-03 10:00-01:00"], [8, 11]),
    ],
)
def test_dates_are_in_utc_where_some_have_an_offset(texts: list[str], hours: list[int]) -> None:
    features, rows, _ = kept("dates")
    read = features.with_dates(rows.head(len(texts)).assign(mixed=objects(texts)))["mixed"]
    assert read.dropna().dt.hour.tolist() == hours
    assert (read.dt.tz is not None) == any("+" in text for text in texts)


def test_only_columns_with_categories_hold_codes() -> None:
    features, _, _ = kept("categories")
    assert {"Bern", "top", 7} <= set(fitted_categories(features))
    assert encoded_columns(kept("booleans")[0]) == {"three"}
    assert encoded_columns(kept("numbers")[0]) == set()


@pytest.mark.long
def test_a_tree_behind_texts_of_two_columns_is_built_served_and_explained(tmp_path: Path) -> None:
    features, rows, _ = kept("two_texts")
    rows = pd.concat([rows] * 4, ignore_index=True)
    rows["title"] = objects(["so good so fine", "late bad"] * 20)
    score = rows["note"].fillna("").str.len() + rows["title"].fillna("").str.count("fine")
    model = make_pipeline(features, DecisionTreeRegressor(max_leaf_nodes=8)).fit(rows, score)
    manifest = built(Source(model, rows, score), tmp_path).manifest
    measures = {
        e["column"]: e["measure"] for e in manifest["reference"]["features"] if "column" in e
    }
    assert (measures["note"], measures["title"]) == ("length", "length")  # no categories
    client = served(tmp_path)
    sent = rows.astype(object).where(rows.notna(), None).to_dict("records")
    answer = client.post("/predict", json={"instances": sent}).get_json()
    np.testing.assert_allclose(answer["prediction"], model.predict(rows))
    told = client.post("/models/m/explain", json={"instances": sent[:1]}).get_json()
    [explanation] = told["explanations"]
    assert explanation["tokens"].keys() == {"note", "title"}
    total = sum(np.ravel(each)[0] for each in explanation["contributions"].values())
    np.testing.assert_allclose(np.ravel(told["base_value"])[0] + total, answer["prediction"][0])


def measure(name: str, **kept: Any) -> dict[str, Any]:
    return {"is": "measure", "column": "a", "measure": name, "symbol": "", **kept}


def test_texts_are_measured_in_float32_and_put_together_as_autogluon_does() -> None:
    edge = float(np.float32(0.7))  # below 0.7
    words = {
        "columns": ["a", "b"], "vocabulary": ["good.", "bad"], "dtype": "int64", "binary": False,
        "analyzer": "word", "lowercase": True, "ngram_range": (1, 1), "stop_words": None,
        "strip_accents": None, "token_pattern": r"\S+",
    }  # fmt: skip
    features = [
        ("share", measure("lower_ratio", bins=[edge, np.inf])),
        ("length", measure("char_count", bins=None)),
        ("good", {"is": "count", "vectorizer": 0, "index": 0}),
    ]
    made = AutoGluonFeatures({"features": features, "vectorizers": [words]})
    rows = pd.DataFrame({"a": objects(["aaaaaaa111", None, "so good"]), "b": objects(["bad"] * 3)})
    wanted = [[0, 10, 0], [0, 0, 0], [1, 7, 1]]
    assert made.transform(rows).to_numpy().tolist() == wanted
    [got] = prove(Source(made, rows), layout="columns").run().values()
    assert got.tolist() == wanted


def generator(name: str, module: str = "autogluon.features.generators", **kept: Any) -> Any:
    """What passes for a fitted generator of a class by its name."""
    usual = {
        "features_in": ["a"], "features_out": ["a"], "passthrough": False,
        "_pre_astype_generator": None, "_post_generators": [],
    }  # fmt: skip
    return type(name, (), {"__module__": module, **usual, **kept})()


@pytest.mark.parametrize(
    ("fitted", "why"),
    [
        (generator("Custom"), "the feature generator Custom is not known"),
        (generator("IdentityFeatureGenerator", "mine"), "IdentityFeatureGenerator is not known"),
        (generator("IdentityFeatureGenerator"), "column 'a' reaches the models as it comes in"),
        (generator("IdentityFeatureGenerator", passthrough=True), "passes columns through"),
        (generator("FillNaFeatureGenerator", _fillna_feature_map={"a": 3}), "filled by 3"),
        (generator("CategoryFeatureGenerator", category_map={"a": []}), "minimize_memory=False"),
        (generator("BinnedFeatureGenerator", _bin_map={"a": [1]}), "column 'a' is put into bins"),
    ],
)
def test_what_is_not_known_is_named(fitted: Any, why: str) -> None:
    with pytest.raises(NotDescribed, match=why):
        features_of(fitted)
