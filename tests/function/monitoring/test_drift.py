"""Drift: silent where nothing changed, loud where something did, and its words for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.directory import reference_statistics
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model
from onnxlet.function.settings import Settings
from tests.conftest import client_of
from tests.function.monitoring.faults import FAULTS, Roles, break_column
from tests.function.monitoring.models import answered, built, customers, report, rows_of, some

NUMBERS = ["age", "income", "visits", "member"]
TEXTS = ["plan", "region"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    X, y = customers()
    fitted = make_pipeline(
        make_column_transformer(
            ("passthrough", NUMBERS), (OneHotEncoder(handle_unknown="ignore"), TEXTS)
        ),
        HistGradientBoostingClassifier(max_iter=30),
    ).fit(X[:3000], y[:3000])
    return built(Source(fitted, X[3000:], y[3000:], X[:3000]), folder, "customers")


@pytest.mark.long
def test_rows_like_those_of_the_build_alarm_at_most_once_in_a_thousand_windows(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both the reference and each window are drawn anew from 20,000 rows; here 150 of each size."""
    whole = answered(model, customers(20_000, seed=7)[0])
    random = np.random.default_rng(0)

    def take(model: Model, rows: Any) -> CheckedBatch:
        return CheckedBatch(len(rows), [array[np.array(rows)] for array in whole.table.arrays])

    monkeypatch.setattr(reference_statistics, "read", take)
    alarms = []
    for _ in range(150):
        trained, held_out = (
            random.integers(0, whole.rows, 3000),
            random.integers(0, whole.rows, 800),
        )
        made = reference_statistics.reference_statistics(
            model,
            trained.tolist(),
            "X_train",
            held_out.tolist(),
            {name: array[held_out] for name, array in whole.outputs.items()},
        )
        drawn = model.with_manifest({**model.manifest, "reference": made})
        for size in (2_000, 10_000):
            alarms += report(drawn, some(whole, random.integers(0, whole.rows, size)))["alarms"]

    assert alarms == []


ROLES = Roles("age", "income", "visits", "member", "plan", "region")


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_is_alarmed_within_two_thousand_rows(model: Model, fault: str, seed: int) -> None:
    X, _ = customers(2000, seed=100 + seed)
    column = break_column(X, fault, ROLES, np.random.default_rng(seed))

    found = report(model, answered(model, X))

    assert column in [alarm["column"] for alarm in found["alarms"]]
    of_columns = [alarm["column"] for alarm in found["alarms"] if alarm["column"] in X]
    assert of_columns[0] == column  # it is what drives it


def test_which_columns_drive_it(model: Model) -> None:
    X, _ = customers(2000, seed=5)
    X["age"], X["visits"] = X["age"] + 6, 0

    names = [alarm["column"] for alarm in report(model, answered(model, X))["alarms"]]

    assert list(dict.fromkeys(names))[:2] == ["visits", "age"]


@pytest.fixture
def client(folder: Path, model: Model) -> Any:
    return client_of(create_app(folder, settings=Settings(owned=True)))


def ask(client: Any, X: pd.DataFrame, at_once: int = 500) -> None:
    rows = rows_of(X)
    for start in range(0, len(rows), at_once):
        body = {"instances": rows[start : start + at_once]}
        assert client.post("/models/customers/predict", body).status == 200


def test_the_route(client: Any) -> None:
    before = client.get("/models/customers/drift").json()
    ask(client, customers(99, seed=3)[0], 1)
    few = client.get("/models/customers/drift").json()
    X, _ = customers(1401, seed=4)
    ask(client, X)
    ask(client, X[:1], 1)

    got = client.get("/models/customers/drift?version=1").json()

    assert (before["rows"], few["rows"], got["rows"]) == (0, 0, 1500)
    assert (before["waiting"], few["waiting"], got["waiting"]) == (0, 99, 1)
    assert before["alarms"] == few["alarms"] == got["alarms"] == []
    assert set(got) == {
        *("model", "version", "since", "rows", "came", "window", "waiting", "refused", "reference"),
        *("alarms", "columns", "predictions", "estimated", "realised", "left_out", "unusual"),
    }
    assert [entry["column"] for entry in got["columns"]] == [*NUMBERS, *TEXTS]
    plan = next(entry for entry in got["columns"] if entry["column"] == "plan")
    assert plan["categories"] == ["basic", "plus", "pro"]
    assert plan["window"] == pytest.approx([0.6, 0.3, 0.1, 0, 0], abs=0.05)
    assert {test["statistic"] for test in plan["tests"]} == {
        *("population stability index", "chi-square", "unseen", "missing")
    }
    assert 0.6 < got["estimated"]["accuracy"] < 0.9
    assert set(got["estimated"]["held_out"]) >= {"accuracy", "precision", "recall", "roc_auc"}


def test_it_says_what_was_refused(client: Any) -> None:
    row = rows_of(customers(1)[0])[0]
    client.post("/models/customers/predict", {"instances": [["secret", *row[1:]]]})
    client.post("/models/customers/predict", {"instances": "secret"})

    body = client.get("/models/customers/drift").body

    refused = {"age: expected a number": 1, "MalformedRequest": 1}
    assert json.loads(body)["refused"] == refused
    assert b"secret" not in body


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/models/none/drift", 404, "none"),
        ("/models/customers/drift?version=7", 404, "7"),
        ("/models/customers/drift?version=x", 404, "x"),
    ],
)
def test_wrong_uses(client: Any, path: str, status: int, words: str) -> None:
    answer = client.get(path)

    assert answer.status == status
    assert words in answer.json()["detail"]


def test_it_is_off_by_one_setting(folder: Path, model: Model) -> None:
    client = client_of(create_app(folder, settings=Settings(owned=True, watch=False)))
    ask(client, customers(200)[0])

    answer = client.get("/models/customers/drift")

    assert answer.status == 404
    assert answer.json()["hint"] == "Set ONNXLET_WATCH=on."
