"""The log: one line per request, with what happened and never the data; in every dialect."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from function.app import create_app
from function.lambda_events import respond
from function.request_log import trace
from function.settings import Settings
from tests.events import CONTEXT, make_v2_event
from tests.function.every_dialect import ERRORS, request
from tests.function.test_predict import SHOP

CANARY = "canary7391"
NUMBER = 73917391.25
KEYS = {"ci": hashlib.sha256(b"secret").digest()}
BOTH = (CANARY, str(int(NUMBER)))


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def post(client: Any, path: str, body: Any, kind: str = "application/json", **more: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data=content, content_type=kind, **more)


def test_the_line_of_a_prediction(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = create_app(models, settings=Settings(models, api_keys=KEYS)).test_client()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-API-Key": "secret", "X-Request-Id": "my-id", "Traceparent": parent}

    answer = post(client, "/models/shop/predict", {"instances": [SHOP] * 2}, headers=headers)

    assert answer.headers["X-Request-Id"] == "my-id"
    [line] = lines(capfd)
    stages = line.pop("stages")
    assert list(stages) == ["decode", "validate", "run", "encode"]
    assert 0 < sum(stages.values()) <= line.pop("ms")
    assert line == {
        "method": "POST",
        "path": "/models/shop/predict",
        "status": 200,
        "request_id": "my-id",
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "key": "ci",
        "model": "shop",
        "version": 1,
        "rows": 2,
    }


def test_the_line_of_an_error(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = create_app(models, settings=Settings(models)).test_client()

    answer = post(client, "/models/shop/predict?secret=1", {"instances": [{}]})

    [line] = lines(capfd)
    assert list(line.pop("stages")) == ["decode"]
    assert line.pop("ms") > 0
    assert line == {
        "method": "POST",
        "path": "/models/shop/predict",
        "status": 422,
        "request_id": answer.headers["X-Request-Id"],
        "model": "shop",
        "version": 1,
        "error": "InvalidRows",
    }


@pytest.mark.parametrize("offered", ["", "with space", "x" * 129, "naïve", 'a"b', "a\tb"])
def test_an_id_that_is_no_plain_one_is_replaced(
    models: Path, capfd: pytest.CaptureFixture[str], offered: str
) -> None:
    client = create_app(models, settings=Settings(models)).test_client()

    answer = client.get("/models", headers={"X-Request-Id": offered})

    assert len(answer.headers["X-Request-Id"]) == 32
    assert lines(capfd)[0]["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        (f"00-{'a' * 32}-{'b' * 16}-01", {"trace_id": "a" * 32}),
        (f"01-{'a' * 32}-{'b' * 16}-01-more", {"trace_id": "a" * 32}),
        (f"00-{'A' * 32}-{'b' * 16}-01", {}),
        (f"00-{'a' * 31}-{'b' * 16}-01", {}),
        ("", {}),
    ],
)
def test_trace_parents(parent: str, expected: dict[str, str]) -> None:
    assert trace(parent) == expected


def test_a_long_path_is_cut(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    create_app(models, settings=Settings(models)).test_client().get("/" + "x" * 5000)

    assert len(lines(capfd)[0]["path"]) == 200


def _canaries(dialect: str) -> dict[str, Any]:
    """Requests that hold canaries, valid ones and each kind of broken one, by what they are."""
    path, valid, kind = request(dialect, "shop", {**SHOP, "Preis (€)": NUMBER})
    _, label, _ = request(dialect, "shop", {**SHOP, "色": CANARY, "count": int(NUMBER)})
    _, name, _ = request(dialect, "shop", {**SHOP, CANARY: NUMBER})
    _, wrong, _ = request(dialect, "shop", {**SHOP, "Preis (€)": CANARY, "new": CANARY})
    whole = label if isinstance(label, bytes) else json.dumps(label).encode()
    return {
        "valid": (path, valid, kind, {}),
        "unknown category": (path, label, kind, {}),
        "unknown column": (path, name, kind, {}),
        "wrong types": (path, wrong, kind, {}),
        "null for errors": (f"{path}?on_error=null&x={CANARY}", wrong, kind, {}),
        "cut": (path, whole[:-3], kind, {}),
        "not UTF-8": (path, whole + b"\xff", kind, {}),
        "another media type": (path, whole, f"text/plain; x={CANARY}", {}),
        "not packed": (path, whole, kind, {"Content-Encoding": "gzip"}),
        "packed": (path, gzip.compress(whole), kind, {"Content-Encoding": "gzip"}),
        "an unknown encoding": (path, whole, kind, {"Content-Encoding": CANARY}),
        "a wrong key": (path, whole, kind, {"X-API-Key": CANARY}),
        "a bearer": (path, whole, kind, {"Authorization": f"Bearer {CANARY}"}),
        "odd headers": (path, whole, kind, {"Cookie": CANARY, "Traceparent": CANARY}),
        "lengths": (path, whole, kind, {"Inference-Header-Content-Length": CANARY}),
        "another form": (path, {CANARY: [NUMBER]}, kind, {}),
        "a bare value": (path, json.dumps(CANARY).encode(), kind, {}),
        "nothing of it": (path, [[CANARY, NUMBER]], kind, {}),
    }


@pytest.mark.parametrize("dialect", ERRORS)
@pytest.mark.parametrize("keys", [{}, KEYS])
def test_no_line_holds_any_data(
    models: Path, capfd: pytest.CaptureFixture[str], dialect: str, keys: dict[str, bytes]
) -> None:
    settings = Settings(models, default_model="shop", api_keys=keys)
    client = create_app(models, settings=settings).test_client()
    cases = _canaries(dialect)
    for case, (path, body, kind, headers) in cases.items():
        key = {"X-API-Key": "secret"} if case not in ("a wrong key", "a bearer") else {}
        answer = post(client, path, body, kind, headers={**key, **headers})
        assert answer.status_code < 500, (case, answer.data)

    log = capfd.readouterr().err
    assert [canary for canary in BOTH if canary in log] == []
    assert len(log.splitlines()) == len(cases)
    assert all(json.loads(line)["request_id"] for line in log.splitlines())


def test_nor_does_what_is_told_of_a_failure_of_ours(
    models: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def observe(prediction: Any) -> None:
        raise ValueError(f"could not convert string to float: {CANARY}")

    client = create_app(models, observe, Settings(models)).test_client()

    answer = post(client, "/models/shop/predict", {"instances": [SHOP]})

    log = capfd.readouterr().err
    assert answer.status_code == 500
    assert CANARY not in log + answer.text
    assert "in observe" in log  # where it happened
    assert json.loads(log.splitlines()[-1])["error"] == "ValueError"


@pytest.mark.parametrize("case", _canaries("native"))
def test_nor_does_lambda(models: Path, capfd: pytest.CaptureFixture[str], case: str) -> None:
    app = create_app(models, settings=Settings(models))
    path, body, kind, headers = _canaries("native")[case]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    event = make_v2_event(
        method="POST",
        path=path,
        headers={"content-type": kind, **headers},
        body=content,
        binary=True,
    )

    respond(app, event, CONTEXT)
    respond(app, {**event, "body": CANARY + "!"}, CONTEXT)

    log = capfd.readouterr().err
    assert [canary for canary in BOTH if canary in log] == []
