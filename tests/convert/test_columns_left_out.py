"""Columns of the user's own table that the model is not given: ignored wherever rows come from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, mean_absolute_error, r2_score

from onnxlet.convert.errors import BreakingChange
from onnxlet.convert.score.running import Scored, score
from onnxlet.convert.score.tasks import Options
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.models.compatible import differences
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of
from tests.convert.helpers import built
from tests.function.every_protocol import ERRORS, request

ROWS = 60
COLUMNS = ["size", "rooms"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"size": random.normal(size=ROWS), "rooms": random.integers(1, 7, ROWS)})
    frame["STORE"] = frame["rooms"]
    price = (3 * frame["size"] + frame["rooms"] + random.normal(size=ROWS)).round(6)
    return frame.assign(price=price, dear=np.where(price > 3, "yes", "no"))


@pytest.fixture(scope="module")
def source(table: pd.DataFrame) -> Source:
    X, y = table[COLUMNS], table["price"]
    return Source(LinearRegression().fit(X, y), X, y, left_out=("STORE",))


@pytest.fixture(scope="module")
def models(source: Source, table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    built(source, folder, "price")
    X, y = table[COLUMNS], table["dear"]
    built(Source(LogisticRegression().fit(X, y), X, y), folder, "dear")
    return folder


@pytest.fixture(scope="module")
def client(models: Path) -> Client:
    settings = Settings(models=models, default_model="price")
    return client_of(create_app(models, settings=settings))


def answer(client: Client, protocol: str, row: Mapping[str, Any]) -> tuple[int, Any]:
    path, body, kind = request(protocol, "price", row)
    answered = client.post(path, body, {"Content-Type": kind})
    return answered.status, answered.json()


@pytest.mark.parametrize("protocol", ERRORS)
def test_a_row_of_the_table_is_answered_in_every_protocol(
    client: Client, protocol: str, table: pd.DataFrame
) -> None:
    row = json.loads(table.drop(columns="dear").iloc[[3]].to_json(orient="records"))[0]
    status, whole = answer(client, protocol, row)
    assert (status, whole) == answer(client, protocol, {name: row[name] for name in COLUMNS})
    assert status == 200
    status, said = answer(client, protocol, {**row, "Size": 1.0})
    assert status in (400, 422)
    assert "'Size': unknown" in said[ERRORS[protocol]]
    assert "did you mean 'size'?" in said[ERRORS[protocol]]
    assert answer(client, protocol, {**row, "STORE": "any text"})[0] == 200
    del row["size"]  # as many members as the model has columns
    del row["price"]
    status, said = answer(client, protocol, row)
    assert status in (400, 422)
    assert "'size': missing" in said[ERRORS[protocol]]


def test_lists_and_the_description(client: Client) -> None:
    assert client.post("/models/price/predict", [[0.5, 3]]).status == 200
    assert client.post("/models/price/predict", [[0.5, 3, 3]]).status == 422
    about = client.get("/models/price").json()
    assert about["target"] == "price"
    assert about["signature"]["ignored"] == ["STORE", "price"]
    assert [each["name"] for each in about["signature"]["inputs"]] == COLUMNS
    row = client.get("/openapi.json").json()["components"]["schemas"]["price.row"]
    assert set(row["properties"]) == {*COLUMNS, "STORE", "price"}
    assert row["required"] == COLUMNS


def test_a_manifest_without_such_names_is_read_and_what_is_lost_is_said(models: Path) -> None:
    manifest = json.loads((models / "price" / "1" / "manifest.json").read_bytes())
    older = json.loads(json.dumps(manifest))
    del older["signature"]["ignored"], older["target"]
    assert differences(older, manifest) == []
    assert differences(manifest, older) == [
        "column 'STORE' is ignored no more", "column 'price' is ignored no more"
    ]  # fmt: skip
    fewer = json.loads(json.dumps(manifest))
    fewer["signature"]["inputs"] = fewer["signature"]["inputs"][:1]
    fewer["graph"]["inputs"][0]["columns"] = ["size"]
    fewer["signature"]["ignored"].append("rooms")
    assert "column 'rooms' is removed" not in differences(manifest, fewer)


def test_bare_arrays_have_no_names(source: Source, table: pd.DataFrame, tmp_path: Path) -> None:
    X = table[COLUMNS].to_numpy()
    bare = replace(source, estimator=LinearRegression().fit(X, table["price"]), X_test=X)
    assert "ignored" not in built(bare, tmp_path).manifest["signature"]


def scored(models: Path, name: str, table: pd.DataFrame, folder: Path, form: str) -> Scored:
    file = folder / f"rows.{form}"
    table.to_csv(file, index=False) if form == "csv" else table.to_parquet(file, row_group_size=25)
    return score(name, str(file), str(folder / "out"), Options(), models=models, workers=1)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_score_says_how_good_the_answers_are(
    form: str, models: Path, table: pd.DataFrame, source: Source, tmp_path: Path
) -> None:
    some = table.copy()
    some.loc[[4, 9], "price"] = np.nan
    found = scored(models, "price", some, tmp_path, form)
    known = some["price"].notna()
    right, answers = some["price"][known], source.estimator.predict(some[COLUMNS])[known]
    assert (found.target, found.compared) == ("price", ROWS - 2)
    assert found.scores == pytest.approx(
        {"mean_absolute_error": mean_absolute_error(right, answers), "r2": r2_score(right, answers)}
    )
    at_build = json.loads((models / "price" / "1" / "manifest.json").read_bytes())["metrics"]
    assert found.at_build == {name: pair["model"] for name, pair in at_build.items()}
    assert found.lines()[1].startswith("  mean absolute error: ")
    assert found.lines()[1].endswith(f" at build), on {ROWS - 2} rows with 'price'")
    again = score("price", str(tmp_path / f"rows.{form}"), str(tmp_path / "out"), Options(),
                  models=models, workers=1)  # fmt: skip
    assert (again.already, again.scores) == (again.parts, found.scores)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_score_compares_labels(
    form: str, models: Path, table: pd.DataFrame, tmp_path: Path
) -> None:
    found = scored(models, "dear", table, tmp_path, form)
    X = table[COLUMNS]
    right = accuracy_score(table["dear"], LogisticRegression().fit(X, table["dear"]).predict(X))
    assert found.scores == {"accuracy": pytest.approx(right)}
    (tmp_path / "none").mkdir()
    assert scored(models, "dear", table[COLUMNS], tmp_path / "none", form).scores == {}


def test_clients_that_send_such_a_column_are_not_left_behind(
    source: Source, tmp_path: Path
) -> None:
    built(source, tmp_path, "price")
    with pytest.raises(BreakingChange, match="column 'STORE' is ignored no more"):
        built(replace(source, left_out=()), tmp_path, "price")
