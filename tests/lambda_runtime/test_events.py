"""What no other transport has: base64, gzip, cookies, stages, limits of an event."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.events import make_alb_event, make_v1_event, make_v2_event
from tests.function.serving.test_predict import SHOP
from tests.function.test_handler import whole_answer
from tests.lambda_runtime.conftest import KINDS
from tests.lambda_runtime.harness import Runtime

pytestmark = pytest.mark.lambda_runtime

PATH = "/models/shop/predict"
JSON = {"content-type": "application/json"}
BODY = json.dumps({"instances": [SHOP]}).encode()
LARGEST_BODY = 6 * 1024 * 1024 - 4096  # Lambda's limit, and what an event has beside it
MANY = 2000  # rows: the answer is worth compressing


def body_of(answer: dict[str, Any]) -> bytes:
    body: str = answer["body"]
    return base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()


def headers_of(answer: dict[str, Any]) -> dict[str, str]:
    many = {name: ", ".join(all_) for name, all_ in answer.get("multiValueHeaders", {}).items()}
    return {name.lower(): text for name, text in {**many, **answer.get("headers", {})}.items()}


def test_the_whole_answer_and_its_line_in_the_log(runtime: Runtime) -> None:
    answer = runtime.invoke(make_v2_event(path="/v2/health/live")).json()

    request_id = answer["headers"]["X-Request-Id"]
    [line] = [json.loads(each) for each in runtime.log(until=request_id) if request_id in each]
    assert answer == whole_answer(line["request_id"])
    assert len(line["request_id"]) == 36  # Lambda's own
    assert (line["method"], line["path"], line["status"]) == ("GET", "/v2/health/live", 200)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_is_compressed(runtime: Runtime, kind: str) -> None:
    headers = {**JSON, "content-encoding": "gzip"}
    event = KINDS[kind](
        method="POST", path=PATH, headers=headers, body=gzip.compress(BODY), binary=True
    )

    answer = runtime.invoke(event).json()

    assert answer["statusCode"] == 200, answer
    assert json.loads(body_of(answer))["prediction"] == [True]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_is_compressed(runtime: Runtime, kind: str) -> None:
    headers = {**JSON, "accept-encoding": "gzip"}
    body = json.dumps({"instances": [SHOP] * MANY}).encode()

    answer = runtime.invoke(
        KINDS[kind](method="POST", path=PATH, headers=headers, body=body)
    ).json()

    given = headers_of(answer)
    content = body_of(answer)
    if kind == "REST API":  # it would hand the base64 on
        assert "content-encoding" not in given
        assert answer["isBase64Encoded"] is False
    else:
        assert given["content-encoding"] == "gzip"
        assert answer["isBase64Encoded"] is True
        content = gzip.decompress(content)
    assert json.loads(content)["prediction"] == [True] * MANY


@pytest.mark.parametrize("make", [make_v1_event, make_v2_event, make_alb_event])
def test_an_error_is_text(runtime: Runtime, make: Callable[..., dict[str, Any]]) -> None:
    body = json.dumps({"instances": [{**SHOP, "count": "x"}]}).encode()

    answer = runtime.invoke(make(method="POST", path=PATH, headers=JSON, body=body)).json()

    given = headers_of(answer)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (422, False)
    assert given["content-type"] == "application/problem+json"
    assert json.loads(answer["body"])["errors"][0]["column"] == "count"


def test_cookies_come_in(runtime: Runtime) -> None:
    event = make_v2_event(method="POST", path=PATH, headers=JSON, body=BODY, cookies=["a=1", "b=2"])

    assert runtime.invoke(event).json()["statusCode"] == 200


def test_the_largest_event(runtime: Runtime) -> None:
    padded = BODY + b" " * (LARGEST_BODY - len(BODY))

    answer = runtime.invoke(make_v2_event(method="POST", path=PATH, headers=JSON, body=padded))

    assert answer.json()["statusCode"] == 200


def test_a_body_over_the_limit(runtime: Runtime) -> None:
    large = BODY + b" " * (24 * 1024 * 1024)
    headers = {**JSON, "content-encoding": "gzip"}
    event = make_v2_event(
        method="POST", path=PATH, headers=headers, body=gzip.compress(large), binary=True
    )

    answer = runtime.invoke(event).json()

    assert answer["statusCode"] == 413
    assert answer["isBase64Encoded"] is False


@pytest.mark.parametrize(
    "event", [None, 5, "text", {}, [], {"Records": []}, {"version": "2.0"}, {"httpMethod": "GET"}]
)
def test_an_event_that_is_nothing_is_refused_and_not_raised_for(
    runtime: Runtime, event: Any
) -> None:
    answer = runtime.invoke(event)

    assert answer.status == 200
    assert 400 <= answer.json()["status"] < 500
