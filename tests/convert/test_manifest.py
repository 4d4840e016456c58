"""The manifest of a build: signature, certificate, scores, statistics, versions and hashes."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version as installed_version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression

from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.validation import validate_rows
from onnxlet.function.models.model import load_model
from tests import estimators
from tests.convert.helpers import built

X = np.random.default_rng(2).normal(size=(40, 3))
Y = X @ [1.0, 2.0, 3.0]
LINEAR = LinearRegression().fit(X, Y)


def test_the_manifest_of_a_classifier_with_training_rows(tmp_path: Path) -> None:
    result = built(estimators.shop(), tmp_path)
    manifest = json.loads((result.directory / "manifest.json").read_bytes())

    assert manifest == result.manifest
    assert manifest["format"] == 1
    assert manifest["task"] == "classification"
    assert manifest["classes"] == [False, True]
    assert manifest["signature"] == {
        "inputs": [
            {"name": "Preis (€)", "type": "float64", "nullable": False, "shape": [-1, 1]},
            {"name": "count", "type": "int64", "nullable": False, "shape": [-1, 1]},
            {"name": "new", "type": "bool", "nullable": False, "shape": [-1, 1]},
            {"name": "色", "type": "string", "nullable": False, "shape": [-1, 1]}
            | {"categories": ["红", "绿", "蓝"]},
            {"name": "note", "type": "string", "nullable": True, "shape": [-1, 1]}
            | {"required": False},
        ],
        "outputs": [
            {"name": "prediction", "type": "bool", "shape": [-1]},
            {"name": "probabilities", "type": "float64", "shape": [-1, 2]},
        ],
    }
    parity = manifest["parity"]
    assert parity.keys() == {
        *("held_out_rows", "hard_rows", "differing_rows", "tied_rows", "undecided_rows"),
        *("unanswered_rows", "unrefused_rows", "limited_columns", "tolerance", "outputs"),
        *("recipe", "recipes_that_failed", "reference", "drawn_rows", "judging_rows"),
        *("undecided_held_out_rows", "near_zero", "batches"),
    }
    assert parity["reference"] == "float64"
    assert (parity["drawn_rows"], parity["judging_rows"]) == (1000, 1000)
    assert (parity["held_out_rows"], parity["differing_rows"]) == (100, 0)
    assert (parity["undecided_rows"], parity["unanswered_rows"]) == (0, 0)
    assert (parity["limited_columns"], parity["tolerance"]) == ({}, 1e-5)
    assert parity["hard_rows"] > 200
    assert set(parity["outputs"]) == {"prediction", "probabilities"}
    assert 0 < parity["outputs"]["probabilities"]["largest_absolute"] <= 1e-5
    for pair in manifest["metrics"].values():
        assert pair["model"] > pair["baseline"]
    assert set(manifest["metrics"]) == {"accuracy", "roc_auc"}
    assert manifest["statistics"]["source"] == "X_train"
    assert manifest["statistics"]["rows"] == 200
    assert list(manifest["statistics"]["columns"]) == ["Preis (€)", "count", "new", "色", "note"]
    for tool in ("scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy"):
        assert manifest["versions"][tool] == installed_version(tool)
    assert manifest["versions"]["python"].count(".") == 2
    assert manifest["files"] == {
        file: hashlib.sha256((result.directory / file).read_bytes()).hexdigest()
        for file in ("model.onnx", "golden.json", "background.json")
    }


def test_statistics_come_from_the_test_set_where_there_is_no_training_set(tmp_path: Path) -> None:
    source = estimators.shop()
    manifest = built(Source(source.estimator, source.X_test), tmp_path).manifest
    assert manifest["metrics"] is None  # without answers there are none

    statistics = manifest["statistics"]
    counts = source.X_test["count"]
    assert (statistics["source"], statistics["rows"]) == ("X_test", 100)
    assert statistics["columns"]["count"] == {
        "missing": 0,
        "infinite": 0,
        "minimum": counts.min(),
        "maximum": counts.max(),
        "mean": pytest.approx(counts.mean()),
        "median": sorted(counts)[49],
        "quantiles": [sorted(counts)[place] for place in (4, 24, 49, 74, 94)],
    }


def test_quantiles_are_reported_only_where_several_rows_lie_beyond_them(tmp_path: Path) -> None:
    source = estimators.shop()
    few = source.X_test[:99]
    manifest = built(Source(source.estimator, few), tmp_path).manifest

    assert "quantiles" not in manifest["statistics"]["columns"]["count"]


def test_regressors_are_scored_beside_the_median(tmp_path: Path) -> None:
    skewed = np.exp(Y / 3)
    model = LinearRegression().fit(X, skewed)

    metrics = built(Source(model, X, skewed), tmp_path).manifest["metrics"]
    assert metrics == {
        "mean_absolute_error": {
            "model": pytest.approx(np.abs(model.predict(X) - skewed).mean(), abs=1e-6),
            "baseline": pytest.approx(np.abs(np.median(skewed) - skewed).mean(), abs=1e-6),
        },
        "r2": {
            "model": pytest.approx(model.score(X, skewed), abs=1e-6),
            "baseline": pytest.approx(
                1
                - ((skewed - np.median(skewed)) ** 2).sum() / ((skewed - skewed.mean()) ** 2).sum(),
                abs=1e-6,
            ),
        },
    }


def test_scores_where_more_rows_are_held_out_than_are_compared(tmp_path: Path) -> None:
    many = np.tile(X, (501, 1))  # 20,040 rows
    manifest = built(Source(LINEAR, many, np.tile(Y, 501)), tmp_path).manifest

    assert manifest["parity"]["held_out_rows"] == 20_000
    assert manifest["metrics"]["r2"]["model"] == 1.0


def test_statistics_of_training_columns_are_not_truncated_to_the_test_sets_type(
    tmp_path: Path,
) -> None:
    train = pd.DataFrame({"a": [0.5, 1.5, 2.5, np.nan], "b": [1.0, np.inf, 3, -np.inf]})
    test = pd.DataFrame({"a": [1, 2, 3], "b": [1.5, 2, 4]})
    model = LinearRegression().fit(test, [1, 2, 4])

    statistics = built(Source(model, test, None, train), tmp_path).manifest["statistics"]
    assert statistics["columns"]["a"] == {
        "missing": 1,
        "infinite": 0,
        "minimum": 0.5,
        "maximum": 2.5,
        "mean": 1.5,
        "median": 1.5,
    }
    assert statistics["columns"]["b"]["infinite"] == 2
    assert statistics["columns"]["b"]["maximum"] == 3


@pytest.mark.long
def test_wide_tensors_are_made_for_some_rows_at_a_time(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(3000, 3))
    ridge = KernelRidge(kernel="rbf").fit(rows, rows.sum(axis=1))
    result = built(Source(ridge, rows[:50]), tmp_path)
    model = load_model(result.directory)

    assert result.manifest["graph"]["rows_at_once"] == 64 * 2**20 // (8 * 3000)
    many = np.resize(rows, (6000, 3))
    answer = model.run(validate_rows(many.tolist(), model.signature))
    np.testing.assert_allclose(answer["prediction"], ridge.predict(many), rtol=1e-9)
