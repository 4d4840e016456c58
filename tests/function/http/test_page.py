"""The page as it is served; tests/page tries it in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

import onnxlet.function.http
from onnxlet.function.http import pages
from tests.conftest import Client

pytestmark = pytest.mark.every_transport

FOLDER = Path(onnxlet.function.http.__path__[0]) / "page"
BODY = pages.joined()
TEXT = BODY.decode()


def _hash(tag: str) -> str:
    found = re.findall(f"<{tag}>(.*?)</{tag}>", TEXT, re.DOTALL)
    assert len(found) == 1
    return "'sha256-" + base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode() + "'"


def test_it_comes_under_a_policy_that_runs_only_its_own_code(client: Client) -> None:
    answer = client.get("/")

    assert (answer.status, answer.body) == (200, BODY)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].split("; ") == [
        "default-src 'none'",
        f"script-src {_hash('script')}",
        f"style-src {_hash('style')}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_a_browser_that_has_it_gets_304(client: Client, form: str) -> None:
    tag = client.get("/").headers["etag"]

    again = client.get("/", {"If-None-Match": form.format(tag)})

    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert "content-security-policy" in again.headers


def test_it_is_sent_anew_where_it_has_changed(client: Client) -> None:
    assert client.get("/", {"If-None-Match": '"other"'}).status == 200


def test_a_program_that_accepts_anything_gets_that_the_server_is_alive(client: Client) -> None:
    answer = client.get("/", {"Accept": "*/*"})
    browser = client.get("/", {"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})

    assert (answer.status, answer.json()) == (200, {"status": "alive"})
    assert "Accept" in answer.headers["vary"]
    assert browser.body == BODY
    assert "Accept" in browser.headers["vary"]


def test_it_opens_without_a_key_and_the_rest_does_not(
    flask_client: Callable[..., Client],
) -> None:
    client = flask_client(api_keys={"tester": bytes(32)})

    assert client.get("/").status == 200
    assert client.get("/models").status == 401
    assert client.get("/openapi.json").status == 401


def test_it_names_no_other_site() -> None:
    addresses = re.findall(r"(?:https?:)?//[a-z][a-z.0-9]*", TEXT)
    assert set(addresses) <= {"http://www.w3.org"}  # the name of SVG, in the icon
    assert not re.findall(r"\b(?:src|href)=\"(?!#|data:|openapi\.json)", TEXT)
    assert "innerHTML" not in TEXT
    assert not re.findall(r"<[^>]* (?:on\w+|style)=", TEXT.partition("<script>")[0])
    assert not re.findall(r"[{ ]style:|insertAdjacentHTML|outerHTML", TEXT.partition("<script>")[2])


def test_every_file_is_in_it_once_and_none_is_long() -> None:
    assert "{{" not in TEXT
    for file in FOLDER.iterdir():
        content = file.read_text()
        assert content.count("\n") <= 350, file
        if file.name != "index.html":
            assert TEXT.count(content) == 1, file


def test_it_stays_small() -> None:
    assert len(BODY) < 150 * 1024
    assert len(zlib.compress(BODY, 9)) < 46 * 1024  # in every bundle
