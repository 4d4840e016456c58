"""Pages of other sites in a real browser: what they can ask of a server that is open."""

from __future__ import annotations

import re
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.page.test_page import wait_until

pytestmark = pytest.mark.page

# Each way that a page can send a request that its browser does not ask leave for.
WAYS = {
    "JSON without a type": (
        "fetch(site + 'predict', {method: 'POST', mode: 'no-cors', body: new Blob(['[]'])})"
    ),
    "JSON as text": (
        "fetch(site + 'v2/models/iris/infer', {method: 'POST', mode: 'no-cors', body: '{}'})"
    ),
    "a beacon": "navigator.sendBeacon(site + 'truth', new Blob(['{}']))",
    "an answer that is read": "fetch(site + 'models')",
    "a script": (
        "new Promise(done => {const s = document.createElement('script'); s.src = site + 'models';"
        "s.onerror = s.onload = done; document.head.append(s)})"
    ),
}


class Other(BaseHTTPRequestHandler):
    """A page of another site, with a link."""

    site = ""

    def do_GET(self) -> None:
        """The page, whatever its path."""
        content = f"<!doctype html><a href='{self.site}'>a model</a>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def other(site: str) -> Iterator[int]:
    """The port of another site."""
    kind = type("Here", (Other,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """One that nobody holds to its word."""
    page = browser.new_page()
    yield page
    page.close()


def counted(site: str) -> dict[str, float]:
    """Requests answered so far, by status; those that ask for this number left out."""
    with urllib.request.urlopen(site + "metrics", timeout=20) as answer:  # noqa: S310 - ours
        lines = answer.read().decode()
    found: dict[str, float] = {}
    pattern = r'^onnxlet_requests_total\{model="[^"]*",status="(\d+)"\} (.*)$'
    for status, count in re.findall(pattern, lines, re.MULTILINE):
        found[status] = found.get(status, 0) + float(count)
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
@pytest.mark.parametrize("way", WAYS)
def test_another_sites_page_asks_in_vain(
    page: Any, site: str, other: int, host: str, way: str
) -> None:
    """On this machine's own names, too: another port is another origin."""
    if way == "a script" and host == "127.0.0.1":
        pytest.skip("a tag's request to the same site names no origin, and its page reads nothing")
    page.goto(f"http://{host}:{other}/")
    before = counted(site)
    page.evaluate(f"async site => {{ try {{ await {WAYS[way]}; }} catch {{}} }}", site)
    new: dict[str, float] = {}

    def asked() -> bool:  # a beacon goes when the browser likes, and a request is counted later
        after = counted(site)
        new.update({k: n - before.get(k, 0) for k, n in after.items() if n > before.get(k, 0)})
        return {"200", "403"} <= new.keys()

    wait_until(page, asked)
    assert new.pop("200") >= 1  # of asking for these numbers
    assert new == {"403": 1}


def test_a_link_of_another_site_opens_the_page(page: Any, site: str, other: int) -> None:
    page.goto(f"http://evil.example:{other}/")
    page.click("a")
    page.wait_for_selector("main:not([aria-busy]) .card")
    assert page.url.startswith(site)


def test_a_name_pointed_here_reads_nothing(page: Any, site: str) -> None:
    """For the browser that page is of this very origin."""
    answer = page.goto(f"http://evil.example:{urlsplit(site).port}/models")
    assert answer.status == 403
    assert "evil.example" in page.content()
