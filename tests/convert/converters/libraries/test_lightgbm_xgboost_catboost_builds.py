"""Whole builds of what plugs into scikit-learn: in pipelines, searched for, with categories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops import io

from onnxlet.convert.sources.saved import load_saved
from onnxlet.convert.sources.source import Source
from tests.convert.helpers import built, served
from tests.convert.sources.hostile_skops import (
    assert_harmless,
    import_everything,
    names,
    taken_by_the_judge,
)
from tests.pipelines import data_sets as data

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")
catboost = pytest.importorskip("catboost")

X, Y = data.credit()
NUMBERS, TEXTS = data.numbers(X), data.texts(X)
WITH_CATEGORIES = X.astype(dict.fromkeys(TEXTS, "category"))
FILLED = X.fillna(dict.fromkeys(TEXTS, ""))
SILENT = {"verbose": 0, "allow_writing_files": False}
SMALL = X[["Age", "Income", "Home", "Job"]].iloc[:300].assign(Age=lambda f: f["Age"] - 30.0)


def beside_categories(model: Any) -> Any:
    encoder = (OneHotEncoder(handle_unknown="ignore"), ["Home", "Job"])
    columns = make_column_transformer(encoder, remainder="passthrough", sparse_threshold=1.0)
    return make_pipeline(columns, model)


SPARSE: dict[str, tuple[Callable[[], Any], Any]] = {
    "numbers with zeros and gaps beside categories": (
        lambda: beside_categories(xgboost.XGBClassifier(n_estimators=20)),
        SMALL,
    ),
    "counts of words": (
        lambda: make_pipeline(TfidfVectorizer(), xgboost.XGBRegressor(n_estimators=20)),
        (SMALL["Home"].fillna("") + " " + SMALL["Job"].fillna("")).tolist(),
    ),
    "zeros that dictionaries store": (
        lambda: make_pipeline(DictVectorizer(), xgboost.XGBRFClassifier(n_estimators=5)),
        SMALL.drop(columns="Income").dropna().to_dict("records"),
    ),
    "a copy for each fold": (
        lambda: CalibratedClassifierCV(
            beside_categories(xgboost.XGBClassifier(n_estimators=5)), cv=2
        ),
        SMALL,
    ),
}


@pytest.mark.parametrize("name", SPARSE)
def test_xgboost_reads_zeros_that_a_sparse_matrix_does_not_store_as_missing(
    name: str, tmp_path: Path
) -> None:
    make, rows = SPARSE[name]
    model = make().fit(rows, Y[: len(rows)])
    parity = built(Source(model, rows[:100]), tmp_path).manifest["parity"]

    assert (parity["differing_rows"], parity["unrefused_rows"]) == (0, 0)


def test_texts_that_xgboost_raises_for_are_no_categories(tmp_path: Path) -> None:
    X_train, X_test, y_train = data.split(WITH_CATEGORIES, Y)
    model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True).fit(X_train, y_train)
    inputs = built(Source(model, X_test), tmp_path).manifest["signature"]["inputs"]

    homes = {entry["name"]: entry for entry in inputs}["Home"]["categories"]
    assert homes == sorted(X["Home"].dropna().unique())


@pytest.mark.parametrize(
    "model",
    [
        lightgbm.LGBMClassifier(n_estimators=3, verbose=-1),
        lightgbm.LGBMRegressor(n_estimators=3, verbose=-1),
        xgboost.XGBClassifier(n_estimators=3),
        xgboost.XGBRFRegressor(n_estimators=3),
        catboost.CatBoostClassifier(n_estimators=3, **SILENT),
        catboost.CatBoostRegressor(n_estimators=3, **SILENT),
    ],
    ids=lambda model: type(model).__name__,
)
def test_saved_as_skops_it_is_read_without_being_asked(tmp_path: Path, model: Any) -> None:
    numbers = FILLED[NUMBERS].fillna(0.0)
    io.dump(model.fit(numbers, Y), tmp_path / "model.skops")

    read = load_saved(tmp_path / "model.skops", (), print)

    assert np.array_equal(read.predict(numbers), model.predict(numbers))


@pytest.mark.long
def test_every_other_name_that_they_reach_is_refused_or_harmless(tmp_path: Path) -> None:
    import_everything()
    accepted = taken_by_the_judge(names({"lightgbm", "xgboost", "catboost"}))
    assert {name for name, _ in accepted} >= {"lightgbm.basic.Booster", "xgboost.core.Booster"}

    assert_harmless(accepted, tmp_path)


def test_several_classes_are_answered_with_one_label_a_row(tmp_path: Path) -> None:
    rows, labels = data.penguins()
    rows = rows.drop(columns=data.texts(rows))
    model = catboost.CatBoostClassifier(n_estimators=5, loss_function="MultiClass", **SILENT)
    model.fit(rows, labels)
    built(Source(model, rows[:40]), tmp_path)
    client, some = served(tmp_path), rows.dropna()[:3]
    tensors = [
        {"name": name, "datatype": "FP64", "shape": [3], "data": some[name].astype(float).tolist()}
        for name in some
    ]

    native = client.post("/predict", json={"instances": some.to_dict("records")}).json
    infer = client.post("/v2/models/m/infer", json={"inputs": tensors}).json

    expected = model.predict(some)
    assert expected.shape == (3, 1)
    assert native["prediction"] == expected[:, 0].tolist()
    [prediction] = [each for each in infer["outputs"] if each["name"] == "prediction"]
    assert (prediction["shape"], prediction["data"]) == ([3], native["prediction"])
