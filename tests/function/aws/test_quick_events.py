"""Usual events are read, and answered, as serverless-wsgi does."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from onnxlet.function.aws import quick_events
from onnxlet.function.aws.lambda_events import repaired
from onnxlet.function.aws.quick_events import serverless_wsgi

Event = dict[str, Any]
CONTEXT = object()


def version_1(**more: Any) -> Event:
    context = {"stage": "prod", "identity": {"sourceIp": "192.0.2.1"}, "path": "/prod/predict"}
    return {
        "httpMethod": "POST", "path": "/predict", "body": '{"instances": [[1]]}',
        "headers": {"Content-Type": "application/json", "Host": "x.execute-api.eu.amazonaws.com",
                    "X-Forwarded-Port": "8443", "X-Forwarded-Proto": "http", "X-A": "b"},
        "isBase64Encoded": False, "requestContext": context,
    } | more  # fmt: skip


def version_2(**more: Any) -> Event:
    context = {"stage": "$default", "http": {"method": "POST", "sourceIp": "192.0.2.1"}}
    return {
        "version": "2.0", "rawPath": "/models/iris/predict", "rawQueryString": "a=%20&b",
        "headers": {"content-type": "application/json", "content-length": "20", "host": "a.b"},
        "body": '{"instances": [["\u00e9"]]}', "isBase64Encoded": False, "requestContext": context,
    } | more  # fmt: skip


def of_context(event: Event, **more: Any) -> Event:
    return event | {"requestContext": event["requestContext"] | more}


USUAL = {
    "version 1": version_1(),
    "version 2": version_2(),
    "no body": version_2(body=""),
    "base64": version_2(body=base64.b64encode(b"\xff\x00").decode(), isBase64Encoded=True),
    "percent": version_2(rawPath="/models/%C3%A9%20x/predict"),
    "a key": version_1(headers={"X-API-Key": "secret", "accept": "*/*"}),
    "an authorizer": of_context(version_1(), authorizer={"principalId": "me"}),
    "an authorizer of a JWT": of_context(version_2(), authorizer={"jwt": {"claims": {}}}),
    "no address": of_context(version_1(), identity={}),
    "a stage": of_context(version_2(), stage="dev"),
}
UNUSUAL = {
    "GET": version_1(httpMethod="GET"),
    "lists": version_1(multiValueHeaders={"A": ["b", "c"]}),
    "a query": version_1(queryStringParameters={"a": "b"}),
    "cookies": version_2(cookies=["a=b"]),
    "a cookie": version_1(headers={"Cookie": "a=b"}),
    "twice": version_1(headers={"A": "b", "a": "c"}),
    "of another language": version_1(headers={"A": "\u00e9"}),
    "two lines": version_1(headers={"A": "b\r\nc: d"}),
    "a number": version_1(headers={"A": 1}),
    "a path of another language": version_1(path="/\u00e9"),
    "a balancer": of_context(version_1(), elb={"targetGroupArn": "a"}),
}


class Echo:
    """An app that keeps its environ, and answers what it is told to."""

    def __init__(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.environ: dict[str, Any] = {}
        self._answer = status, headers, body

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.environ = {**environ, "wsgi.input": environ["wsgi.input"].read()}
        status, headers, body = self._answer
        start(status, list(headers))
        return [body[:1], body[1:]]


RIGHT = (
    "200 OK",
    [("Content-Type", "application/json"), ("X-Request-Id", "7")],
    b'{"a": "\xc3\xa9"}',
)
ANSWERS = {
    "right": RIGHT,
    "refused": ("422 UNPROCESSABLE ENTITY", [("Content-Type", "application/problem+json")], b"{}"),
    "binary": ("200 OK", [("Content-Type", "application/octet-stream")], b"\xff\x00"),
    "compressed": ("200 OK", [*RIGHT[1], ("Content-Encoding", "gzip")], b"\x1f\x8b"),
    "empty": ("200 OK", RIGHT[1], b""),
    "a name twice": ("200 OK", [*RIGHT[1], ("Vary", "a"), ("vary", "b")], b"{}"),
}


@pytest.mark.parametrize("strips", ["", "yes"])
@pytest.mark.parametrize("event", USUAL.values(), ids=USUAL)
def test_an_event_is_read_as_serverless_wsgi_reads_it(
    event: Event, strips: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIP_STAGE_PATH", strips)
    quick, whole = Echo(*RIGHT), Echo(*RIGHT)
    event = repaired(event)

    answered = quick_events.answer(quick, copy.deepcopy(event), CONTEXT)
    expected = serverless_wsgi().handle_request(whole, copy.deepcopy(event), CONTEXT)

    assert answered == expected
    # Werkzeug adds one of its own.
    added = {key: whole.environ.pop(key) for key in whole.environ.keys() - quick.environ.keys()}
    assert quick.environ == whole.environ
    assert all(key.startswith("werkzeug.") for key in added)


@pytest.mark.parametrize("given", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_written_as_serverless_wsgi_writes_it(given: Any) -> None:
    for event in (repaired(version_1()), repaired(version_2())):
        answered = quick_events.answer(Echo(*given), event, CONTEXT)

        assert answered == serverless_wsgi().handle_request(Echo(*given), event, CONTEXT)
        assert list(answered or ()) == list(
            serverless_wsgi().handle_request(Echo(*given), event, CONTEXT)
        )


@pytest.mark.parametrize("event", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_event_is_left_to_it(event: Event) -> None:
    echo = Echo(*RIGHT)

    assert quick_events.answer(echo, event, CONTEXT) is None
    assert echo.environ == {}
