"""Large answers, compressed as clients ask; over HTTP, and as Lambda's events."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.http.body import LARGE_ANSWER, coding
from onnxlet.function.http.slim_flask import Response, compress
from tests.conftest import Client, app_of
from tests.events import CONTEXT, make_alb_event, make_v1_event, make_v2_event
from tests.function.serving.test_predict import SHOP

pytestmark = pytest.mark.every_transport

PATH = "/models/shop/predict"
MANY = json.dumps({"instances": [SHOP] * 2000}).encode()
JSON = {"Content-Type": "application/json"}


def unpacked(body: bytes, encoding: str | None) -> bytes:
    return zlib.decompress(body, {"gzip": 31, "deflate": 15}[encoding]) if encoding else body


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("deflate", "deflate"),
        ("GZIP ; Q=1.0", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0, *", "deflate"),
        ("gzip;q=0.5, deflate;q=0.9", "deflate"),
        ("identity;q=0.5, gzip;q=1.0", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("*;q=0", None),
        ("gzip;q=x", None),
        ("identity", None),
        ("br, zstd", None),
        (",,;;", None),
        ("", None),
    ],
)
def test_what_a_client_likes_best(accept: str, expected: str | None) -> None:
    assert coding(accept) == expected


@pytest.mark.parametrize("accept", ["gzip", "deflate", "identity", ""])
def test_the_same_answer_in_fewer_bytes(flask_client: Callable[..., Client], accept: str) -> None:
    client = flask_client()
    plain = client.post(PATH, MANY)
    assert len(plain.body) > LARGE_ANSWER
    assert "content-encoding" not in plain.headers

    answer = client.post(PATH, MANY, headers={"Accept-Encoding": accept})

    encoding = answer.headers.get("content-encoding")
    assert encoding == (accept if accept in ("gzip", "deflate") else None)
    assert unpacked(answer.body, encoding) == plain.body
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert len(answer.body) < len(plain.body) / 2 or encoding is None
    assert answer.headers["vary"] == "Accept-Encoding"


def test_small_answers_go_as_they_are(client: Client) -> None:
    answer = client.post(PATH, {"instances": [SHOP]}, headers={"Accept-Encoding": "gzip"})

    assert answer.status == 200
    assert "content-encoding" not in answer.headers
    assert "vary" not in answer.headers


def _event(make: Callable[..., dict[str, Any]], headers: Mapping[str, str], **more: Any) -> Any:
    return make(method="POST", path=PATH, headers={**JSON, **headers}, body=MANY, **more)


@pytest.mark.parametrize("make", [make_v2_event, make_alb_event])
@pytest.mark.parametrize("name", ["Accept-Encoding", "accept-encoding"])
def test_lambda_sends_it_as_base64(models: Path, make: Any, name: str) -> None:
    app = app_of(models)

    answer = respond(app, _event(make, {name: "gzip, deflate"}), CONTEXT)

    assert answer["isBase64Encoded"] is True
    assert answer["headers"]["Content-Encoding"] == "gzip"
    body = json.loads(unpacked(base64.b64decode(answer["body"]), "gzip"))
    assert body["prediction"] == [True] * 2000


@pytest.mark.parametrize("name", ["Accept-Encoding", "accept-encoding"])
def test_a_rest_api_gets_text_unless_it_is_set_up_for_more(models: Path, name: str) -> None:
    """What has no binary media types would hand the base64 on to the client."""
    app = app_of(models)

    text = respond(app, _event(make_v1_event, {name: "gzip"}), CONTEXT)
    binary = respond(app, _event(make_v1_event, {name: "gzip"}, binary=True), CONTEXT)

    assert text["isBase64Encoded"] is False
    assert json.loads(text["body"])["prediction"] == [True] * 2000
    assert binary["isBase64Encoded"] is True
    packed = base64.b64decode(binary["body"])
    assert json.loads(unpacked(packed, "gzip")) == json.loads(text["body"])


@pytest.mark.parametrize(
    ("body", "headers", "encoding"),
    [
        (b"0.125, " * 3000, {}, "gzip"),
        (np.random.default_rng(1).bytes(20_000), {}, None),
        (b"0.125, " * 3000, {"Content-Encoding": "br"}, "br"),
    ],
)
def test_what_does_not_shrink_or_is_packed_stays_as_it_is(
    body: bytes, headers: dict[str, str], encoding: str | None
) -> None:
    response = Response(body, headers=headers)

    compress(response, "gzip")

    assert response.headers.get("Content-Encoding") == encoding
    assert (response.get_data() == body) == (encoding != "gzip")
    assert response.headers["Vary"] == "Accept-Encoding"
