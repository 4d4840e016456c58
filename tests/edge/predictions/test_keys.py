"""A prediction belongs to the key that asked for it: nobody answers first, or reports on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.predictions import ownership
from onnxlet.edge.predictions.prediction_store import PredictionStore
from onnxlet.edge.service.app import make_app
from onnxlet.function.app import SERVICE
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of
from tests.edge.predictions.test_prediction_store import counts, said
from tests.function.serving.test_predict import HOUSE

NAMES = ("ada", "bob", "cy d")
KEYS = {name: sha256(name.encode()).digest() for name in NAMES}
READER = {"reader": sha256(b"reader").digest()}
HOUSES = "/models/house-prices/predict"
CHEAP = {**HOUSE, "Gr_Liv_Area": 400}
# As it was before a prediction belonged to a key.
FORMER = """
CREATE TABLE answer (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, time_s INTEGER NOT NULL, id TEXT NOT NULL,
    first INTEGER NOT NULL, model TEXT NOT NULL, version INTEGER NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL, UNIQUE (id, first)
);
CREATE TABLE joined (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, time_s INTEGER NOT NULL, answer INTEGER NOT NULL,
    row INTEGER NOT NULL, model TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (answer, row)
);
CREATE INDEX newest ON joined (model, version, sequence);
INSERT INTO answer (time_s, id, first, model, version, kind, body) VALUES
    (1, 'old', 0, 'house-prices', 1, 'numbers', '{"prediction":[100.0,200.0]}');
INSERT INTO joined (time_s, answer, row, model, version, body) VALUES
    (1, 1, 0, 'house-prices', 1, '{"truth":100.0,"answer":{"prediction":100.0}}');
"""


class Site:
    """A server with keys that keeps its answers."""

    def __init__(self, models: Path, path: Path) -> None:
        self.keep = PredictionStore(path, 100, 90, log=lambda entry: None)
        settings = Settings(models, reload_seconds=0, api_keys=KEYS, reader_keys=READER)
        app = make_app(models, settings=settings, log=lambda entry: None, keep=self.keep)
        self.service = app.extensions[SERVICE]
        self.client: Client = client_of(app)

    def predict(self, key: str, name: str, *rows: Any) -> list[float]:
        headers = {"X-API-Key": key, "X-Request-Id": name}
        answer = self.client.post(HOUSES, {"instances": [*rows]}, headers)
        assert answer.status == 200, answer.body
        found: list[float] = answer.json()["prediction"]
        return found

    def truth(self, key: str, *entries: tuple[str, int, Any]) -> Any:
        return self.client.post("/truth", said(*entries), {"X-API-Key": key}).json()

    def realised(self) -> Any:
        return self.client.get("/models/house-prices/drift", {"X-API-Key": "reader"}).json()[
            "realised"
        ]


@pytest.fixture
def site(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr("onnxlet.edge.predictions.performance.BLOCK", 1)
    made = Site(models, tmp_path / "kept.db")
    yield made
    made.keep.stop()


def test_who_answers_first_under_another_s_ids_changes_none_of_its_figures(site: Site) -> None:
    names = [f"sale-{number}" for number in range(20)]
    for name in names:
        site.predict("bob", name, CHEAP)
    right = [site.predict("ada", name, HOUSE)[0] for name in names]

    sent = site.truth("ada", *((name, 0, value) for name, value in zip(names, right, strict=True)))

    assert sent == counts(20, 20)
    assert site.realised()["mean_absolute_error"] == 0.0


@pytest.mark.parametrize("key", ["bob", "cy d"])
def test_a_truth_of_another_key_is_unknown(site: Site, key: str) -> None:
    right = site.predict("ada", "a", HOUSE)[0]

    assert site.truth(key, ("a", 0, 1e6)) == counts(0, 0, unknown=1)
    assert site.truth("ada", ("a", 0, right)) == counts(1, 1)
    assert site.truth(key, ("a", 0, 1e6)) == counts(0, 0, unknown=1), "not even that it has come"


def test_each_key_has_its_own_prediction_of_an_id(site: Site) -> None:
    right = {key: site.predict(key, "a", row)[0] for key, row in zip(NAMES, ROWS, strict=True)}

    for key, value in right.items():
        assert site.truth(key, ("a", 0, value)) == counts(1, 1)
        assert site.truth(key, ("a", 0, value)) == counts(0, 0, again=1)
    assert (site.realised()["rows"], site.realised()["mean_absolute_error"]) == (3, 0.0)


ROWS = [HOUSE, CHEAP, {**HOUSE, "Gr_Liv_Area": 900}]


def test_a_taken_id_is_said(site: Site) -> None:
    right = site.predict("ada", "a", HOUSE, HOUSE)
    site.predict("ada", "a", CHEAP, HOUSE)
    site.predict("bob", "a", CHEAP)

    assert site.truth("ada", ("a", 0, right[0])) == counts(1, 1, taken=1)
    assert site.truth("bob", ("a", 0, 1.0)) == counts(1, 1)


def test_nobody_s_prediction_may_be_reported_on_by_all_but_after_one_s_own(
    site: Site, tmp_path: Path
) -> None:
    """One of MQTT, or of a time without keys."""
    site.predict("ada", "b", CHEAP)
    site.keep.write()
    with closing(sqlite3.connect(tmp_path / "kept.db")) as database, database:
        body = '{"prediction":[100.0]}'
        for name in "ab":
            database.execute(ADD, (name, body))

    assert site.truth("ada", ("a", 0, 100.0), ("b", 0, 100.0)) == counts(2, 2)
    assert site.realised()["mean_absolute_error"] > 10_000, "the own one, which was of another row"
    assert site.truth("bob", ("a", 0, 1.0), ("b", 0, 100.0)) == counts(1, 1, again=1)


ADD = """
INSERT INTO answer (time_s, id, first, model, version, kind, body)
VALUES (1, ?, 0, 'house-prices', 1, 'numbers', ?)
"""


def test_a_database_of_an_earlier_version_goes_on(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxlet.edge.predictions.performance.BLOCK", 1)
    with closing(sqlite3.connect(tmp_path / "kept.db")) as database, database:
        database.executescript(f"{ownership.MARK}; PRAGMA journal_mode = wal; {FORMER}")
    site = Site(models, tmp_path / "kept.db")
    site.predict("ada", "old", HOUSE)

    assert site.truth("bob", ("old", 0, 100.0), ("old", 1, 200.0)) == counts(1, 1, again=1)
    realised = site.realised()
    assert (realised["rows"], realised["mean_absolute_error"]) == (2, 0.0)
    site.keep.stop()


def test_what_came_of_predictions_is_for_readers(site: Site) -> None:
    """Truths are counted in blocks of rows: of five clients none reads them."""
    site.truth("ada", ("a", 0, site.predict("ada", "a", HOUSE)[0]))

    refused = site.client.get("/models/house-prices/drift", {"X-API-Key": "ada"})
    assert refused.status == 403
    assert site.realised()["rows"] == 1


def test_five_clients_without_a_reader_see_nothing_of_truths(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxlet.edge.predictions.performance.BLOCK", 1)
    keys = {**KEYS, "dan": bytes(32), "eve": bytes(32)}
    keep = PredictionStore(tmp_path / "kept.db", 100, 90, log=lambda entry: None)
    app = make_app(models, settings=Settings(models, reload_seconds=0, api_keys=keys), keep=keep)
    client = client_of(app)
    headers = {"X-API-Key": "ada", "X-Request-Id": "a"}
    right = client.post(HOUSES, {"instances": [HOUSE]}, headers).json()["prediction"][0]
    assert client.post("/truth", said(("a", 0, right)), headers).json() == counts(1, 1)

    report = client.get("/models/house-prices/drift", headers).json()
    assert (report["realised"], report["rows"]) == (None, 0)
    assert "onnxlet_realised_performance{" not in client.get("/metrics", headers).body.decode()
    keep.stop()
