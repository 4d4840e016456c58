"""API keys: who comes in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from onnxlet.function.app import create_app
from onnxlet.function.settings import Settings
from tests.function.serving.test_predict import SHOP

KEYS = {
    "old": hashlib.sha256(b"first key").digest(),
    "new": hashlib.sha256("zweiter Schlüssel".encode()).digest(),
}
PATH = "/models/shop/predict"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "wrong"},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic Zmlyc3Qga2V5"},
        {"Authorization": "Bearer"},
        {"X-API-Key": hashlib.sha256(b"first key").hexdigest()},
    ],
)
def test_without_a_known_key_nobody_comes_in(flask_client: Any, headers: dict[str, str]) -> None:
    client = flask_client(api_keys=KEYS)

    for answer in (
        client.post(PATH, {"instances": [SHOP]}, headers),
        client.get("/models", headers),
        client.get("/nope", headers),
    ):
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "first key"},
        {"Authorization": "Bearer first key"},
        {"Authorization": "bearer first key"},
        {"X-API-Key": "zweiter Schlüssel"},  # as a Lambda event has it
        {"X-API-Key": "zweiter Schlüssel".encode().decode("latin-1")},  # as WSGI has UTF-8
    ],
)
def test_each_way_of_sending_a_key(flask_client: Any, headers: dict[str, str]) -> None:
    client = flask_client(api_keys=KEYS)

    assert client.post(PATH, {"instances": [SHOP]}, headers).status == 200


def test_the_log_names_the_key_of_who_may_not_predict(models: Path) -> None:
    lines: list[dict[str, Any]] = []
    reader = {"reader": hashlib.sha256(b"reads").digest()}
    settings = Settings(models, api_keys=KEYS, reader_keys=reader)
    client = create_app(models, settings=settings, log=lines.append).test_client()

    answer = client.post(PATH, json={"instances": [SHOP]}, headers={"X-API-Key": "reads"})

    assert answer.status_code == 403
    assert [(line["status"], line["key"]) for line in lines] == [(403, "reader")]


def test_health_is_open(flask_client: Any) -> None:
    client = flask_client(api_keys=KEYS)

    assert client.get("/v2/health/live").status == 200
    assert client.get("/v2/health/ready").status == 200


@pytest.mark.parametrize(
    ("method", "path", "headers", "takes"),
    [
        ("POST", PATH, {"HTTP_X_API_KEY": "first key"}, True),
        ("POST", "/models/shop/explain", {"HTTP_X_API_KEY": "first key"}, True),
        ("POST", "/nope", {"HTTP_X_API_KEY": "first key"}, True),
        ("POST", PATH, {}, False),
        ("POST", PATH, {"HTTP_X_API_KEY": "wrong"}, False),
        ("POST", PATH, {"HTTP_X_API_KEY": "first key", "HTTP_ORIGIN": "http://x"}, False),
        ("GET", "/models", {"HTTP_X_API_KEY": "first key"}, False),
        ("GET", "/ping", {}, False),
        ("POST", "/ping", {}, False),
        ("OPTIONS", PATH, {}, False),
    ],
)
def test_whose_body_is_worth_reading(
    models: Path, method: str, path: str, headers: dict[str, str], takes: bool
) -> None:
    app = create_app(models, settings=Settings(models, api_keys=KEYS))
    asked = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": "localhost"}

    assert app.takes_body({**asked, **headers}) == takes
