"""Which scikit-learn wrote a file: the value of its key, wherever it lies."""

from __future__ import annotations

import io
import pickle
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as skops_io

from onnxlet.convert.sources.written_by import version_in_pickle, version_in_schema

X = np.random.default_rng(0).normal(size=(40, 2))
MODEL = make_pipeline(StandardScaler(), LinearRegression()).fit(X, X[:, 0])
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
NOTE = "release 2.3 of 0.9"


@pytest.fixture(autouse=True)
def version(monkeypatch: pytest.MonkeyPatch) -> str:
    """What estimators are saved by."""
    monkeypatch.setattr(sklearn.base, "__version__", "".join(["1.", "2.2"]))
    return str(sklearn.base.__version__)


def by_joblib(value: Any, protocol: int = 4) -> bytes:
    file = io.BytesIO()
    joblib.dump(value, file, protocol=protocol)
    return file.getvalue()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("has_note", [False, True])
def test_of_every_protocol(protocol: int, has_note: bool, version: str) -> None:
    for model in (MODEL, RandomForestClassifier(3).fit(X, X[:, 0] > 0)):
        value = {"note": NOTE, "model": model, "more": NOTE} if has_note else model
        assert version_in_pickle(pickle.dumps(value, protocol)) == version
        assert version_in_pickle(by_joblib(value, protocol)) == version


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_value_that_was_kept_before(protocol: int, version: str) -> None:
    value = {"scikit-learn": version, "numpy": "2.3.4", "model": MODEL, "release": "2.3"}

    assert version_in_pickle(pickle.dumps(value, protocol)) == version
    assert version_in_pickle(by_joblib(value, protocol)) == version


def test_one_kept_behind_arrays_is_lost_and_no_other_is_taken(version: str) -> None:
    value = {"rows": np.arange(100.0), "scikit-learn": version, "numpy": "2.3.4", "model": MODEL}

    assert version_in_pickle(pickle.dumps(value)) == version
    assert version_in_pickle(by_joblib(value)) is None


def test_frames_of_large_pickles(version: str) -> None:
    for size in range(65_300, 65_540):
        parts = [{"_": "x" * size}, {"a": 1, "_sklearn_version": version}]
        assert version_in_pickle(pickle.dumps(parts)) == version


@pytest.mark.parametrize(
    "state",
    [
        {"_sklearn_version": None, "note": NOTE}, {"_sklearn_version": ["2.3"]},
        {"_sklearn_version": NOTE}, {"_sklearn_version": b"2.3"}, ["_sklearn_version is 2.3"],
        {"_sklearn_version": "1." + "9" * 5000}, {"note": "\x8c_sklearn_version", "of": "2.3"},
        {"_sklearn_version": 2.3}, ["_sklearn_version"],
        [{"_sklearn_version": "1.2.2"}, {"".join(["_sklearn", "_version"]): "2.3"}],
    ],
)  # fmt: skip
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_unclear_is_no_version(protocol: int, state: Any) -> None:
    assert version_in_pickle(pickle.dumps(state, protocol)) is None


def test_a_file_that_is_cut_anywhere_is_no_fault(version: str) -> None:
    whole = by_joblib({"scikit-learn": version, "model": MODEL})

    assert {version_in_pickle(whole[:end]) for end in range(len(whole))} == {None, version}


def test_a_schema_of_skops(version: str) -> None:
    def schema_of(value: Any) -> bytes:
        import zipfile

        return zipfile.ZipFile(io.BytesIO(skops_io.dumps(value))).read("schema.json")

    note = '"_sklearn_version": {"content": "\\"2.3\\""}'
    assert version_in_schema(schema_of({"note": note, "model": MODEL})) == version
    assert version_in_schema(schema_of({"note": note})) is None
    assert version_in_schema(schema_of({"_sklearn_version": NOTE, "note": "2.3"})) is None
