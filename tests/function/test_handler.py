"""Lambda: events of every kind, and serverless-wsgi's faults met."""

from __future__ import annotations

import importlib
import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request

from onnxlet.function.aws import lambda_events
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.errors import SettingsError
from tests.conftest import loaded_by_a_start, ran
from tests.events import (
    CONTEXT,
    make_alb_event,
    make_bridge_event,
    make_s3_event,
    make_schedule_event,
    make_sqs_event,
    make_v1_event,
    make_v2_event,
)
from tests.function.aws.bucket import S3
from tests.function.serving.test_predict import SHOP
from tests.log_lines import without_time

pytestmark = pytest.mark.every_transport

PATH = "/models/shop/predict"
BODY = json.dumps({"instances": [SHOP]}).encode()
JSON = {"content-type": "application/json"}
POST: dict[str, Any] = {"method": "POST", "path": PATH, "headers": JSON, "body": BODY}
ANSWER = {"model": "shop", "version": 1, "prediction": [True]}


@pytest.fixture(scope="module")
def handler(models: Path) -> Callable[[Any, Any], Any]:
    """`onnxlet.function.handler.handler`, imported as Lambda imports it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONNXLET_MODELS", str(models))
        patch.setenv("ONNXLET_MAX_ROWS", "50")
        sys.modules.pop("onnxlet.function.handler", None)
        from onnxlet.function.handler import handler

    return handler


EVENTS = {
    "REST API": make_v1_event(**POST),
    "REST API, base64": make_v1_event(**POST, binary=True),
    "HTTP API": make_v2_event(**POST),
    "HTTP API, base64": make_v2_event(**POST, binary=True),
    "HTTP API, named stage": make_v2_event(**POST, stage="dev"),
    "HTTP API, payload 1.0, named stage": {
        **make_v1_event(**POST | {"path": f"/dev{PATH}"}),
        "version": "1.0",
        "requestContext": {"stage": "dev", "path": f"/dev{PATH}", "identity": None},
    },
    "load balancer": make_alb_event(**POST),
    "no headers at all": {**make_v2_event(**POST), "headers": None},
    "null authorizer": {
        **make_v2_event(**POST),
        "requestContext": {
            "http": {"method": "POST", "sourceIp": None},
            "authorizer": None,
            "stage": "$default",
        },
    },
    "null header and cookies": {
        **make_v2_event(**POST),
        "headers": {"content-type": "application/json", "x-odd": None},
        "cookies": None,
    },
    "a source that looks like a warm-up's": {**make_v2_event(**POST), "source": "aws.events"},
    "no word on base64": {k: v for k, v in make_v1_event(**POST).items() if k != "isBase64Encoded"}
    | {"requestPath": PATH},
}


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_of_event_is_answered(handler: Any, kind: str) -> None:
    answer = handler(EVENTS[kind], CONTEXT)

    assert answer["statusCode"] == 200, answer
    body = json.loads(answer["body"])
    assert {key: body[key] for key in ANSWER} == ANSWER
    assert answer["isBase64Encoded"] is False


def whole_answer(request_id: str) -> dict[str, Any]:
    """What an HTTP API gets where it asks whether the function lives."""
    return {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Content-Length": "13",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Request-Id": request_id,
        },
        "body": '{"live":true}',
        "isBase64Encoded": False,
    }


def test_the_whole_answer_of_an_http_api(handler: Any) -> None:
    answer = handler(make_v2_event(path="/v2/health/live"), CONTEXT)

    assert answer == whole_answer(CONTEXT.aws_request_id)


def test_an_error_comes_as_text(handler: Any) -> None:
    answer = handler(make_v2_event(path="/nope"), CONTEXT)

    assert answer["statusCode"] == 404
    assert answer["isBase64Encoded"] is False
    assert json.loads(answer["body"])["title"] == "Not Found"


@pytest.mark.parametrize("make", [make_v1_event, make_v2_event, make_alb_event])
@pytest.mark.parametrize("binary", [False, True])
def test_a_null_body(handler: Any, make: Any, binary: bool) -> None:
    event = {**make(method="POST", path=PATH, headers=JSON), "isBase64Encoded": binary}

    for body in (None, ""):
        answer = handler({**event, "body": body}, CONTEXT)
        assert answer["statusCode"] == 400
        assert json.loads(answer["body"])["detail"] == "the body is empty"


def test_a_body_that_is_not_base64(handler: Any) -> None:
    event = make_v2_event(method="POST", path=PATH, headers=JSON, body=b"{}")

    answer = handler({**event, "isBase64Encoded": True}, CONTEXT)

    assert answer["statusCode"] == 400
    assert "not base64" in json.loads(answer["body"])["detail"]


def test_cookies_of_an_http_api_go_in_and_all_come_out() -> None:
    app = Flask("cookies")

    @app.get("/")
    def cookies() -> Response:
        response = Response(" ".join(f"{k}={v}" for k, v in request.cookies.items()))
        for name in ("a", "b", "c"):
            response.set_cookie(name, "1")
        return response

    answer = respond(app, make_v2_event(cookies=["x=1", "y=2"]), CONTEXT)

    assert answer["body"] == "x=1 y=2"
    assert answer["cookies"] == [f"{name}=1; Path=/" for name in ("a", "b", "c")]
    assert not [name for name in answer["headers"] if name.lower() == "set-cookie"]


@pytest.mark.parametrize(
    "event",
    [[[*SHOP.values(), "a"]], {"instances": [SHOP]}, {"instances": [SHOP], "model": "shop"}],
)
def test_a_direct_invocation(handler: Any, event: Any, models: Path) -> None:
    if isinstance(event, list) or "model" not in event:
        event = {"instances": event if isinstance(event, list) else event["instances"]}
        event["model"] = "shop"

    answer = handler(event, CONTEXT)

    assert {key: answer[key] for key in ANSWER} == ANSWER
    assert answer["classes"] == [False, True]
    assert all(type(p) is float for p in answer["probabilities"][0])


@pytest.mark.parametrize(
    ("event", "status", "part"),
    [
        ({"instances": [{**SHOP, "count": "x"}], "model": "shop"}, 422, "column 'count'"),
        ({"instances": [SHOP]}, 404, "several"),
        ({"instances": 3, "model": "shop"}, 400, "expected a list"),
        ({"instances": [SHOP] * 51, "model": "shop"}, 413, "at most 50 rows"),
        ([], 404, "several"),
        ({}, 400, "neither an HTTP request nor a native one"),
        ("text", 400, "neither"),
        (None, 400, "neither"),
        ({"_serverless-wsgi": {"command": "exec", "data": "print(1/0)"}}, 400, "neither"),
        ({"Records": [{"eventSource": "aws:sqs"}]}, 400, "neither"),
        ({"version": "2.0", "rawPath": "/"}, 400, "neither"),
    ],
)
def test_a_direct_error_is_returned_in_the_native_form(
    handler: Any, event: Any, status: int, part: str
) -> None:
    answer = handler(event, CONTEXT)

    assert (answer["status"], answer["type"]) == (status, "about:blank")
    assert part in answer["detail"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (SHOP, {"status": 200, "rows": 1}),
        ({**SHOP, "count": "canary"}, {"status": 422, "error": "InvalidRows"}),
    ],
)
def test_the_log_line_of_a_direct_invocation(
    handler: Any, capfd: pytest.CaptureFixture[str], row: Any, told: dict[str, Any]
) -> None:
    handler({"instances": [row], "model": "shop"}, CONTEXT)

    log = capfd.readouterr().err
    [line] = without_time(log)
    stages, milliseconds = line.pop("stages"), line.pop("ms")
    answered = ["decode", "validate", "run", "encode"]
    assert list(stages) == (answered if told["status"] == 200 else ["decode"])
    assert 0 <= sum(stages.values()) <= milliseconds
    assert line == {
        "method": "invoke",
        "request_id": CONTEXT.aws_request_id,
        "model": "shop",
        "version": 1,
        **told,
    }
    assert "canary" not in log


ODD = [10**400, -(10**25), 2**64, float("inf"), float("nan"), "\ud800", {"a": 1}, [[]], True]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:12])
def test_what_only_an_event_can_hold_is_no_failure(handler: Any, odd: Any) -> None:
    events: list[Any] = [{"instances": [{**SHOP, column: odd}]} for column in SHOP]
    events += [{"instances": [odd]}, {"instances": odd}, {"instances": [SHOP], "x": odd}]
    events += [{"instances": [{**SHOP, "\ud800": odd}]}, {"instances": [SHOP], "\ud800": 1}]
    for event in events:
        answer = handler({"model": "shop", **event}, CONTEXT)
        assert answer.get("status", 200) in (200, 400, 422), answer
        json.dumps(answer)
    if not (isinstance(odd, float) and not math.isfinite(odd)):  # on its way such a one is null
        assert handler({"instances": [SHOP], "model": odd}, CONTEXT)["status"] in (400, 404)


def test_a_schedule_keeps_it_warm(handler: Any, capfd: pytest.CaptureFixture[str]) -> None:
    answer = handler(make_schedule_event(), CONTEXT)

    assert answer == {"warm": ["house-prices", "iris", "loan-default", "shop"]}
    assert json.loads(capfd.readouterr().err)["method"] == "warm"


def test_a_batch_whose_answers_can_go_nowhere_is_raised_for(handler: Any) -> None:
    with pytest.raises(SettingsError, match="ONNXLET_ANSWERS_QUEUE is not set"):
        handler(make_sqs_event([json.dumps({"instances": [SHOP]})]), CONTEXT)


@pytest.mark.parametrize("make", [make_v1_event, make_v2_event, make_alb_event])
@pytest.mark.parametrize("binary", [False, True])
def test_an_answer_that_lambda_would_not_hand_on(
    make: Any, binary: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    app = Flask("large")
    size = 800_000 if make is make_alb_event else 4_800_000

    @app.get("/<path:path>")
    def large(path: str) -> Response:
        media_type = "application/octet-stream" if binary else "application/json"
        content = b'"' * (size if binary else size // 3 * 2)  # as base64 and as text: a third more
        return Response(content, mimetype=media_type, headers={"X-Request-Id": "id"})

    forms = {"/models/m/predict": "detail", "/v2/models/m": "error", "/v1/models/m": "error"}
    for path, member in forms.items():
        answer = respond(app, make(path=path), CONTEXT)

        assert answer["statusCode"] == 413
        assert answer["isBase64Encoded"] is False
        told = json.loads(answer["body"])[member]
        assert "expected an answer of at most" in (told if isinstance(told, str) else str(told))
        headers = {k: [v] for k, v in answer.get("headers", {}).items()}
        headers |= answer.get("multiValueHeaders", {})
        assert headers["Content-Length"] == [str(len(answer["body"].encode()))]
        assert headers["X-Request-Id"] == ["id"]
        assert json.loads(capfd.readouterr().err)["status"] == 413


@pytest.mark.parametrize(("size", "status"), [(1_500_000, 200), (3_000_000, 200), (3_200_000, 413)])
def test_an_answer_that_just_fits(size: int, status: int) -> None:
    app = Flask("fits")

    @app.get("/large")
    def large() -> Response:
        return Response(b'"' * size, mimetype="application/json")

    assert respond(app, make_v2_event(path="/large"), CONTEXT)["statusCode"] == status


@pytest.fixture
def in_this_process(handler: Any) -> Any:
    """The handler where its limits can be set, whatever runs the tests that take `handler`."""
    return handler


def test_a_direct_answer_that_lambda_would_not_hand_on(
    in_this_process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = in_this_process
    event = {"instances": [SHOP] * 50, "model": "shop"}
    size = len(json.dumps(handler(event, CONTEXT)))
    monkeypatch.setattr(lambda_events.check_size, "__defaults__", (size,))
    assert len(handler(event, CONTEXT)["prediction"]) == 50

    monkeypatch.setattr(lambda_events.check_size, "__defaults__", (size - 1,))
    answer = handler(event, CONTEXT)
    assert answer["status"] == 413
    assert answer["detail"] == f"expected an answer of at most {size - 1} bytes here, got {size}"


OBJECT = ",".join(SHOP).encode() + b"\n" + ",".join(map(str, SHOP.values())).encode()


@pytest.mark.parametrize("make", [make_s3_event, make_bridge_event])
def test_objects_can_go_nowhere_without_the_settings(handler: Any, make: Any) -> None:
    with pytest.raises(SettingsError, match="ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO are not set"):
        handler(make("come/some.csv"), CONTEXT)


@pytest.fixture
def s3(handler: Any, monkeypatch: pytest.MonkeyPatch) -> S3:
    """S3 in memory, which the handler knows, and its settings."""
    from onnxlet.function import handler as module
    from onnxlet.function.aws import s3_objects

    settings = module.SETTINGS._replace(score_from="s3://in/come/", score_to="s3://out/go/")
    monkeypatch.setattr(module, "SETTINGS", settings)
    monkeypatch.setattr(module, "SERVED", module.SERVED._replace(settings=settings))
    made = S3()
    monkeypatch.setattr(s3_objects, "of_lambda", lambda: s3_objects.Objects(made))
    return made


@pytest.mark.parametrize("make", [make_s3_event, make_bridge_event])
def test_an_object_is_answered(in_this_process: Any, s3: S3, make: Any) -> None:
    etag = s3.store("come/shop/some.csv", OBJECT)

    answer = in_this_process(make("come/shop/some.csv", etag), CONTEXT)

    about = {"key": "come/shop/some.csv", "state": "answered", "rows": 1, "unanswered": 0}
    assert answer == {"objects": [about]}
    assert s3.content("go/shop/some.csv").splitlines()[1].startswith(b"true,")
    assert json.loads(json.dumps(answer)) == answer


def test_a_queue_brings_requests_and_objects(
    in_this_process: Any, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnxlet.function import handler as module
    from onnxlet.function.aws import queue_events

    sent: list[Any] = []

    def send(entries: list[Any]) -> list[str]:
        sent.extend(entries)
        return []

    made = module.SETTINGS._replace(answers_queue="https://sqs.example.com/1/answers")
    monkeypatch.setattr(module, "SETTINGS", made)
    monkeypatch.setattr(queue_events, "sender", lambda url: send)
    s3.store("come/shop/some.csv", OBJECT)
    away = make_s3_event("come/shop/not-there.csv", "e")  # 403 to whom may not list
    bodies = [
        json.dumps({"instances": [SHOP], "model": "shop"}),
        json.dumps(make_s3_event("come/shop/some.csv")),
        json.dumps({"instances": [{}], "model": "shop"}),
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "in"}),
        json.dumps(away),
        json.dumps(make_bridge_event("come/shop/some.csv")),
    ]

    failed = in_this_process(make_sqs_event(bodies), CONTEXT)["batchItemFailures"]

    assert [each["itemIdentifier"] for each in failed] == ["message-2", "message-4"]
    assert len(sent) == 1
    assert s3.keys() == ["go/shop/some.csv"]
    only = in_this_process(make_sqs_event([bodies[1]]), CONTEXT)  # needs no queue of answers
    assert only == {"batchItemFailures": []}


def test_a_start_imports_nothing_of_what_few_requests_need(models: Path) -> None:
    late = ["s3_events", "object_run", "object_batches", "s3_objects", "object_answers"]
    late += ["queue_events", "explanation", ".openapi", "models.example", "city_hash"]
    imported = loaded_by_a_start(models)
    assert {"onnxlet.function.aws.native_events", "onnxlet.function.http.pages"} <= imported
    assert [name for name in imported if any(each in name for each in late)] == []


def test_code_in_an_event_is_never_run(handler: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for command in ("exec", "command", "manage", "flask"):
        code = f"open({str(mark)!r}, 'w')"
        handler({"_serverless-wsgi": {"command": command, "data": code}}, CONTEXT)

    assert not mark.exists()


def test_without_models_the_process_fails_at_import(tmp_path: Path) -> None:
    environ = {**os.environ, "ONNXLET_MODELS": str(tmp_path)}
    failed = ran([sys.executable, "-c", "import onnxlet.function.handler"], env=environ)

    assert failed.returncode != 0
    assert f"no models in {tmp_path}" in failed.stderr


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("MAX_ROWS", "none", "expected a whole number of at least 1, got 'none'"),
        ("KEEP", "kept.db", "a function's disk goes with its instance"),
    ],
)
def test_a_setting_that_can_t_be_used_fails_the_import(
    models: Path, name: str, value: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONNXLET_MODELS", str(models))
    monkeypatch.setenv(f"ONNXLET_{name}", value)
    monkeypatch.delitem(sys.modules, "onnxlet.function.handler", raising=False)
    with pytest.raises(SettingsError, match=f"ONNXLET_{name}: {why}"):
        importlib.import_module("onnxlet.function.handler")


@pytest.mark.parametrize("many", [{"x-odd": [None]}, {"x-odd": ["a"]}, 5])
def test_lists_of_headers_in_an_event_that_has_none(handler: Any, many: Any) -> None:
    event = make_v2_event(**POST)

    assert handler({**event, "multiValueHeaders": many}, CONTEXT)["statusCode"] in (200, 400)


@pytest.mark.parametrize(
    "odd",
    [
        {"body": {"a": 1}},
        {"body": 5},
        {"headers": ["x"]},
        {"headers": "x"},
        {"headers": {"x-odd": "a\nb"}},
        {"cookies": [1]},
        {"rawQueryString": 5},
        {"rawPath": "/\ud800"},
        {"body": "\ud800"},
        {"requestContext": {"http": {"method": 5}}},
    ],
)
def test_an_event_of_wrong_types_is_refused(handler: Any, odd: dict[str, Any]) -> None:
    event = make_v2_event(**POST)

    answer = handler({**event, **odd}, CONTEXT)

    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["status"] == 400
