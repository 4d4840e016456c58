"""What several outputs are called in y_test is kept, and shown beside answers of the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import onnxlet
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from tests.conftest import client_of, quiet

RANDOM = np.random.default_rng(0)
X = pd.DataFrame(RANDOM.normal(size=(60, 3)), columns=["a", "b", "c"])
Y = pd.DataFrame({"price": X["a"] * 2, "Tage": X["c"] - X["b"]})


def built(tmp_path: Path, y: Any, model: Any = None, rows: Any = X, **options: Any) -> Any:
    model = model or LinearRegression().fit(rows, np.asarray(y))
    made = onnxlet.build(model, rows, y, name="two", models=tmp_path, report=quiet, **options)
    return made.manifest


@pytest.mark.parametrize("rows", [X, X.to_numpy()], ids=["of a frame", "of an array"])
def test_the_manifest_and_the_server_name_them(tmp_path: Path, rows: Any) -> None:
    manifest = built(tmp_path, Y, rows=rows)

    assert manifest["output_names"] == ["price", "Tage"]
    assert "target" not in manifest
    client = client_of(create_app(tmp_path))
    about = client.get("/models/two").json()
    assert about["output_names"] == ["price", "Tage"]
    answer = client.post("/models/two/predict", {"instances": [[1, 2, 3]]}).json()
    (value,) = answer.pop("prediction")
    assert value == pytest.approx([2, 1])
    assert answer == {"model": "two", "version": 1}
    if rows is X:
        assert manifest["signature"]["ignored"] == ["price", "Tage"]
        row = {"a": 1, "b": 2, "c": 3, "price": 9, "Tage": 9}
        assert client.post("/models/two/predict", {"instances": [row]}).status == 200


@pytest.mark.long
def test_so_do_classifiers_and_reports(tmp_path: Path) -> None:
    labels = pd.DataFrame({"kind": np.where(X["a"] > 0, "x", "y"), "wet": X["b"] > 0})
    model = KNeighborsClassifier(3).fit(X, labels.astype(str))
    assert built(tmp_path, labels.astype(str), model)["output_names"] == ["kind", "wet"]
    built(tmp_path, Y, with_report=True, breaking=True)
    assert "price, Tage" in (tmp_path / "two" / "2" / "report.md").read_text()


@pytest.mark.parametrize(
    ("y", "target"),
    [
        (Y["price"], "price"),
        (Y[["price"]], "price"),
        (Y["price"].to_numpy(), None),
        (Y.to_numpy(), None),
        (Y.set_axis([0, 1], axis=1), None),
    ],
    ids=["a column", "a frame of one", "an array", "several without names", "numbers for names"],
)
def test_what_has_one_name_or_none(tmp_path: Path, y: Any, target: str | None) -> None:
    fitted = np.asarray(y).ravel() if np.shape(y)[1:] == (1,) else np.asarray(y)
    manifest = built(tmp_path, y, LinearRegression().fit(X, fitted))
    assert manifest.get("target") == target
    assert "output_names" not in manifest


def test_the_names_of_a_source() -> None:
    assert Source(None, X, Y).targets == ["price", "Tage"]
    assert Source(None, X, Y, target="price").targets == ["price"]
    assert Source(None, X).targets == []


def test_what_is_transformed_has_no_names_of_answers(tmp_path: Path) -> None:
    scaled = StandardScaler().fit(X[["a", "b"]])
    manifest = built(tmp_path, Y, scaled, X[["a", "b"]])
    assert manifest["signature"]["outputs"][0]["shape"] == [-1, 2]
    assert "output_names" not in manifest
