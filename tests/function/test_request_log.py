"""The log: one line per request, with what happened and never the data; in every protocol."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function import request_log
from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.request_log import moment, severity, trace
from onnxlet.function.settings import Settings
from tests.conftest import app_of
from tests.events import CONTEXT, make_v2_event
from tests.function.every_protocol import ERRORS, request
from tests.function.serving.test_predict import SHOP
from tests.log_lines import TIME, read, without_time

CANARY = "canary7391"
NUMBER = 73917391.25
KEYS = {"ci": hashlib.sha256(b"secret").digest()}
BOTH = (CANARY, str(int(NUMBER)))


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return without_time(capfd.readouterr().err)


def post(client: Any, path: str, body: Any, kind: str = "application/json", **more: Any) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data=content, content_type=kind, **more)


def test_the_line_of_a_prediction(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = app_of(models, api_keys=KEYS).test_client()
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
    client = app_of(models).test_client()

    post(client, "/models/shop/predict?secret=1", {"instances": [{}]})
    answer = post(client, "/models/shop/predict?unusual=false", {"instances": [{}]})

    refused, line = lines(capfd)
    assert (refused["error"], refused["path"]) == ("MalformedRequest", "/models/shop/predict")
    assert "secret" not in str(refused)
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
    client = app_of(models).test_client()

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
        (f"00-{'a' * 32}-{'b' * 16}-01-more", {}),
        (f"00-{'a' * 32}-{'b' * 16}-01-", {}),
        (f"01-{'a' * 32}-{'b' * 16}-01more", {}),
        (f"ff-{'a' * 32}-{'b' * 16}-01", {}),
        (f"00-{'0' * 32}-{'b' * 16}-01", {}),
        (f"00-{'a' * 32}-{'0' * 16}-01", {}),
        (f"00-{'a' * 32}-{'b' * 16}-0g", {}),
        ("", {}),
    ],
)
def test_trace_parents(parent: str, expected: dict[str, str]) -> None:
    assert trace(parent) == expected


def test_a_long_path_is_cut(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    app_of(models).test_client().get("/" + "x" * 5000)

    assert len(lines(capfd)[0]["path"]) == 200


def _canaries(protocol: str) -> dict[str, Any]:
    """Requests that hold canaries, valid ones and each kind of broken one, by what they are."""
    path, valid, kind = request(protocol, "shop", {**SHOP, "Preis (€)": NUMBER})
    _, label, _ = request(protocol, "shop", {**SHOP, "色": CANARY, "count": int(NUMBER)})
    _, name, _ = request(protocol, "shop", {**SHOP, CANARY: NUMBER})
    _, wrong, _ = request(protocol, "shop", {**SHOP, "Preis (€)": CANARY, "new": CANARY})
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


@pytest.mark.parametrize("protocol", ERRORS)
@pytest.mark.parametrize("keys", [{}, KEYS])
def test_no_line_holds_any_data(
    models: Path, capfd: pytest.CaptureFixture[str], protocol: str, keys: dict[str, bytes]
) -> None:
    client = app_of(models, default_model="shop", api_keys=keys).test_client()
    cases = _canaries(protocol)
    for case, (path, body, kind, headers) in cases.items():
        key = {"X-API-Key": "secret"} if case not in ("a wrong key", "a bearer") else {}
        answer = post(client, path, body, kind, headers={**key, **headers})
        assert answer.status_code < 500, (case, answer.data)

    log = capfd.readouterr().err
    assert [canary for canary in BOTH if canary in log] == []
    assert len(log.splitlines()) == len(cases)
    assert all(json.loads(line)["request_id"] for line in log.splitlines())


def test_nor_does_the_line_of_a_failure_of_ours(
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
    line = json.loads(log.splitlines()[-1])
    assert line["error"] == "ValueError"
    assert "rows" not in line  # they count as predicted in metrics, and nobody got them


@pytest.mark.parametrize("case", _canaries("native"))
def test_nor_does_lambda(models: Path, capfd: pytest.CaptureFixture[str], case: str) -> None:
    app = app_of(models)
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


def test_the_time_is_that_of_rfc_3339() -> None:
    for seconds in (0, 1.0005, 951782400.999, 1767225599.9999, 4102444800.5):
        whole = datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)
        expected = whole.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        assert moment(seconds) == expected
        assert TIME.fullmatch(moment(seconds))


def test_the_time_of_a_line_is_now(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = datetime.now(UTC)
    app_of(models).test_client().get("/models")

    [line] = read(capfd.readouterr().err)
    told = datetime.fromisoformat(line["time"])
    assert before - timedelta(milliseconds=1) <= told <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"status": 200}, 0),
        ({"status": 304}, 0),
        ({"status": 404, "error": "NotFound"}, 1),
        ({"status": 422, "error": "InvalidRows"}, 1),
        ({"status": 500, "error": "ValueError"}, 2),
        ({"status": 503, "error": "Overloaded"}, 2),
        ({"event": "reload", "state": "served"}, 0),
        ({"event": "reload", "state": "served", "breaking": ["task"]}, 1),
        ({"event": "log", "lost": 3}, 1),
        ({"event": "watchdog", "error": "no answer"}, 2),
    ],
)
def test_how_bad_it_was(entry: dict[str, Any], expected: int) -> None:
    assert severity(entry) == expected


def asked(models: Path, capfd: pytest.CaptureFixture[str], **chosen: Any) -> list[dict[str, Any]]:
    """The lines of six predictions, a refusal, a failure, and two events, in this order."""
    calls = 0

    def observe(prediction: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise ValueError("on purpose")

    client = create_app(models, observe, Settings(models, **chosen)).test_client()
    for _ in range(6):
        post(client, "/models/shop/predict", {"instances": [SHOP]})
    post(client, "/models/shop/predict", {"instances": [{}]})
    post(client, "/models/shop/predict", {"instances": [SHOP]})
    request_log.write({"event": "reload", "state": "served"})
    request_log.write({"event": "reload", "state": "refused", "error": "altered"})
    request_log.choose("all", 1)
    return without_time(capfd.readouterr().err)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, [*[200] * 6, 422, "failure", 500, "served", "refused"]),
        ({"log_successes": 4}, [200, 200, 422, "failure", 500, "served", "refused"]),
        ({"log_successes": 100}, [200, 422, "failure", 500, "served", "refused"]),
        ({"log": "errors"}, [422, "failure", 500, "refused"]),
        ({"log": "errors", "log_successes": 4}, [422, "failure", 500, "refused"]),
        ({"log": "off"}, []),
        ({"log": "off", "log_successes": 2}, []),
    ],
)
def test_which_lines_are_written(
    models: Path, capfd: pytest.CaptureFixture[str], chosen: dict[str, Any], expected: list[Any]
) -> None:
    lines = asked(models, capfd, **chosen)
    assert [x.get("status") or x.get("state") or x["event"] for x in lines] == expected


def test_a_failure_of_ours_is_a_line_with_its_traceback(
    models: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    failure, answered = asked(models, capfd)[7:9]

    assert failure["event"] == "failure"
    assert failure["error"] == answered["error"] == "ValueError"
    assert failure["request_id"] == answered["request_id"]
    assert failure["where"][-1].endswith(" in observe")
    assert "on purpose" not in json.dumps(failure)


def test_no_line_has_more_frames_than_one_reads(capfd: pytest.CaptureFixture[str]) -> None:
    def recurse(levels: int) -> None:
        if not levels:
            raise ValueError
        recurse(levels - 1)

    try:
        recurse(500)
    except ValueError as error:
        request_log.fail(error)

    [line] = read(capfd.readouterr().err)
    assert len(line["where"]) == request_log.INNERMOST
    assert all(where.endswith(" in recurse") for where in line["where"])


def test_the_names_that_lambda_reads(
    models: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "FORM", request_log.LAMBDA)
    client = app_of(models).test_client()
    post(client, "/models/shop/predict", {"instances": [SHOP]})
    post(client, "/models/shop/predict", {"instances": [{}]})
    request_log.write({"event": "start", "error": "altered"})

    lines = read(capfd.readouterr().err)
    assert [line["level"] for line in lines] == ["INFO", "WARN", "ERROR"]
    assert all(TIME.fullmatch(line["timestamp"]) and "time" not in line for line in lines)
