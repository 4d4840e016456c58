"""Who may read figures on rows, and that whoever also asks learns of nobody's row."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from onnxlet.function.app import SERVICE
from onnxlet.function.messages import Prediction, PredictRequest
from onnxlet.function.monitoring import sample
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import KEY_ROWS, Watch
from onnxlet.function.serving.predict import predict
from onnxlet.function.settings import BLOCK_KEYS
from tests.conftest import Client, app_of

DRIFT, PREDICT = "/models/iris/drift", "/models/iris/predict"
OWN, VICTIMS = [5.1, 3.5, 1.4, 0.2], [6.9, 3.1, 5.4, 2.1]
FIVE = {name: sha256(name.encode()).digest() for name in ("ada", "bob", "cyd", "dan", "eve")}
READER = {"reader": sha256(b"reader").digest()}

Make = Callable[..., Client]


def ask(client: Client, key: str, *rows: list[float]) -> None:
    assert client.post(PREDICT, {"instances": [*rows]}, {"X-API-Key": key}).status == 200


def read(client: Client, key: str = "ada") -> dict[str, Any]:
    answer = client.get(DRIFT, {"X-API-Key": key})
    assert answer.status == 200
    found: dict[str, Any] = answer.json()
    return found


def test_all_rows_of_a_block_but_one_give_nothing_of_that_one(flask_client: Make) -> None:
    """As two reports did, with 99 rows of one's own and one of another client between them."""
    client = flask_client(api_keys=FIVE)
    before = read(client)
    ask(client, "ada", *[OWN] * 99)
    ask(client, "eve", VICTIMS)

    assert read(client) == before
    assert read(client)["rows"] == 0
    assert read(client)["waiting"] is None


def test_what_was_gathered_is_no_block_because_of_who_asks_for_many_rows_next(models: Any) -> None:
    """The keys of those rows would count before the rows do."""
    model = app_of(models).extensions[SERVICE].repository.choose("iris")
    watch = Watch(lambda: Layout(model.manifest, model.signature), keys=2)
    watch.count(predict(model, PredictRequest([OWN] * 99)), "ada")
    watch.count(predict(model, PredictRequest([VICTIMS])), "eve")
    watch.count(predict(model, PredictRequest([OWN] * 250)), "bob")

    assert watch.figures().total.rows == 350


def test_what_another_process_has_counted_closes_no_block_by_keys_of_rows_that_wait(
    models: Any,
) -> None:
    model = app_of(models).extensions[SERVICE].repository.choose("iris")
    watches = [Watch(lambda: Layout(model.manifest, model.signature), keys=2) for _ in range(2)]
    for key in ("ada", "bob"):
        watches[0].count(predict(model, PredictRequest([OWN] * 60)), key)
    shown = watches[0].figures().total
    assert shown.rows == 120
    watches[1].count(predict(model, PredictRequest([VICTIMS])), "eve")
    watches[1].pieces()  # which counts what waits
    for key in ("ada", "bob"):
        watches[1].count(predict(model, PredictRequest([OWN] * 20)), key)
    watches[1].add(shown, 0.0)

    assert watches[1].figures().total.rows == shown.rows + 41  # eve's with theirs, not by itself


@pytest.mark.parametrize("at_once", [1, 20, 300])
def test_four_keys_learn_of_no_less_than_what_a_fifth_needs(
    flask_client: Make, at_once: int
) -> None:
    client = flask_client(api_keys=FIVE)
    for _ in range(2):
        for key in ("ada", "bob", "cyd", "dan"):
            for _ in range(max(1, KEY_ROWS // at_once)):
                ask(client, key, *[OWN] * at_once)
    before = read(client)
    for _ in range(KEY_ROWS - 1):
        ask(client, "eve", VICTIMS)
        assert read(client) == before
    assert before["rows"] == 0

    ask(client, "eve", VICTIMS)
    assert read(client)["rows"] == 8 * max(at_once, KEY_ROWS) + KEY_ROWS


def test_many_rows_of_one_key_close_no_block_on_a_row_of_each_other(flask_client: Make) -> None:
    client = flask_client(api_keys=FIVE)
    for _ in range(5):
        ask(client, "ada", *[OWN] * 2000)
    for key in ("bob", "cyd", "dan", "eve"):
        ask(client, key, VICTIMS)

    assert read(client)["rows"] == 0


def test_why_a_single_row_was_refused_is_not_shown_to_all(flask_client: Make) -> None:
    client = flask_client(api_keys=FIVE)
    wrong = {"instances": [[5.1, 3.5, 1.4, "secret"]]}
    assert client.post(PREDICT, wrong, {"X-API-Key": "eve"}).status == 422

    assert read(client)["refused"] == {}


def test_no_two_reports_differ_by_less_of_others_than_is_promised(
    models: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven clients in any order and size; of each four of them as one who asks and reads."""
    monkeypatch.setattr(sample, "BURST", 10**9)  # all rows are looked at
    app = app_of(models)
    model = app.extensions[SERVICE].repository.choose("iris")
    watch = Watch(lambda: Layout(model.manifest, model.signature), keys=BLOCK_KEYS)
    asked: dict[int, Prediction] = {
        size: predict(model, PredictRequest([OWN] * size)) for size in (1, 2, 19, 21, 260)
    }
    random, open_block, blocks, shown = np.random.default_rng(5), Counter[str](), 0, 0
    for _ in range(4000):
        key, size = str(random.choice(7, p=POPULAR)), int(random.choice([1, 1, 2, 19, 21, 260]))
        watch.count(asked[size], key)
        open_block[key] += size
        rows = watch.figures().total.rows
        if rows == shown:
            continue
        assert rows - shown == open_block.total(), "a block is all that came since the last one"
        for four in itertools.combinations(open_block, 4):
            others = open_block.total() - sum(open_block[each] for each in four)
            assert others >= KEY_ROWS
        shown, blocks = rows, blocks + 1
        open_block.clear()
    assert blocks > 20


POPULAR = [0.5, 0.2, 0.1, 0.08, 0.05, 0.04, 0.03]


@pytest.mark.parametrize(
    ("settings", "key", "status", "hint"),
    [
        ({}, "", 403, "key NAME --reads"),
        ({}, "", 403, "ONNXLET_READER_KEYS=NAME:"),
        ({"owned": True}, "", 200, ""),
        ({"api_keys": FIVE}, "", 401, "X-API-Key"),
        ({"api_keys": FIVE}, "eve", 200, ""),
        ({"api_keys": {"ada": FIVE["ada"]}}, "ada", 403, "ONNXLET_READER_KEYS=NAME:"),
        ({"api_keys": FIVE, "reader_keys": READER}, "eve", 403, "one of ONNXLET_READER_KEYS"),
        ({"api_keys": FIVE, "reader_keys": READER}, "reader", 200, ""),
        ({"reader_keys": READER}, "", 401, "X-API-Key"),
        ({"reader_keys": READER}, "wrong", 401, "X-API-Key"),
        ({"reader_keys": READER}, "reader", 200, ""),
    ],
)
def test_who_may_read(flask_client: Make, settings: Any, key: str, status: int, hint: str) -> None:
    answer = flask_client(**settings).get(DRIFT, {"X-API-Key": key} if key else {})

    assert answer.status == status
    assert hint in answer.json().get("hint", "")


def test_a_key_for_reading_reads_all_and_predicts_nothing(flask_client: Make) -> None:
    client = flask_client(api_keys=FIVE, reader_keys=READER)
    header = {"X-API-Key": "reader"}

    assert client.get("/models", header).status == 200
    for path in (PREDICT, "/v2/models/iris/infer", "/invocations", "/models/iris/explain"):
        refused = client.post(path, {"instances": [OWN]}, header)
        assert refused.status == 403, path
        assert "'reader' only reads" in refused.body.decode()


def test_where_there_are_only_keys_for_reading_everybody_predicts(flask_client: Make) -> None:
    client = flask_client(reader_keys=READER)
    body = {"instances": [OWN] * 100}

    for header in ({}, {"X-API-Key": "any"}, {"X-API-Key": "reader"}):
        assert client.post(PREDICT, body, header).status == 200
    assert read(client, "reader")["rows"] == 300


def test_a_reader_sees_blocks_of_any_clients(flask_client: Make) -> None:
    client = flask_client(api_keys=FIVE, reader_keys=READER)
    ask(client, "ada", *[OWN] * 99)
    assert read(client, "reader")["rows"] == 0
    ask(client, "ada", OWN)
    assert read(client, "reader")["rows"] == 100
