"""Two releases of one folder, the browser, and what a visitor sees and asks there."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.releases import releases, unpacked
from tests.browser.servers import FaultyServer, WebServer, faulty_server, web_server
from tests.conftest import Client, app_of, client_of

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PATIENCE = 60  # seconds until what has not happened never will
PROVEN = "are answered as where the models were packaged"

ASK = """async ([method, path, type, body]) => {
  const sent = body === null ? {} : { body, headers: { "Content-Type": type } };
  const reply = await fetch(path, { method, ...sent });
  return [reply.status, reply.headers.get("Content-Type"), await reply.text()];
}"""


@pytest.fixture(scope="session")
def made() -> Path:
    """`models-1`, `models-2`, `release-1` and `release-2`."""
    return releases()


@pytest.fixture(scope="session")
def first(made: Path) -> Path:
    return made / "release-1"


@pytest.fixture(scope="session")
def second(made: Path) -> Path:
    return made / "release-2"


@pytest.fixture(scope="session")
def native(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The function itself, on what the first release publishes."""
    return client_of(app_of(unpacked(first, tmp_path_factory.mktemp("native"))))


@pytest.fixture
def served(first: Path, tmp_path: Path) -> Iterator[WebServer]:
    """The first release by `python -m http.server`, in a folder that a test may change."""
    folder = tmp_path / "site"
    shutil.copytree(first, folder)
    with web_server(folder) as server:
        yield server


@pytest.fixture
def faulty() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


Launch = Callable[..., Any]


@pytest.fixture
def launch(playwright: Any, tmp_path: Path) -> Iterator[Launch]:
    """Starts the browser on this test's profile, as often as it is closed.

    What it asks of other hosts is nothing: that holds for all its requests.
    """
    contexts: list[Any] = []
    hosts: set[str | None] = set()
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "needs Debian's chromium: apt-get install chromium"
    sandbox = [] if os.getuid() else ["--no-sandbox"]

    def launched(*flags: str, **options: Any) -> Any:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=program, args=[*flags, *sandbox], **options
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        context.on("request", lambda request: hosts.add(_host(request.url)))
        return context

    yield launched
    for context in contexts:
        context.close()
    assert hosts <= {"localhost", "site.example", None}


def _host(url: str) -> str | None:
    parts = urlsplit(url)
    return parts.hostname if parts.scheme in ("http", "https", "ws", "wss") else None


def until(page: Any, happened: Callable[[], Any], what: Callable[[], Any]) -> Any:
    """Wait for something, with the browser's events meanwhile; what it was."""
    end = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert time.monotonic() < end, f"never came: {what()}"
        page.wait_for_timeout(20)
    return found


def said(page: Any) -> str:
    """What the page of this device says."""
    text: str = page.text_content("#said")
    return text


def until_said(page: Any, *parts: str) -> str:
    """Wait until the page says all that; what it says."""
    until(page, lambda: all(part in said(page) for part in parts), lambda: (parts, said(page)))
    return said(page)


def visit(context: Any, address: str) -> Any:
    """A page of the folder, once all its models are proven."""
    page = context.new_page()
    page.goto(f"{address}index.html")
    until_said(page, PROVEN)
    return page


def asked(page: Any, path: str, body: Any = None, kind: str = "application/json") -> Any:
    """The status and the JSON of what the page's own folder answers; text where it is none."""
    content = body if body is None or isinstance(body, str) else json.dumps(body)
    method = "GET" if body is None else "POST"
    status, given, text = page.evaluate(ASK, [method, path, kind, content])
    return status, json.loads(text) if "json" in (given or "") else text


RENT = {"instances": [{"area": 50, "floor": 2}]}


def rent_of(page: Any) -> tuple[int, int]:
    """The version that answers, and its answer: release 2 asks for more."""
    status, answer = asked(page, "models/rent/predict", RENT)
    assert status == 200, answer
    return answer["version"], round(answer["prediction"][0])


RENTS: dict[int, tuple[int, int]] = {1: (1, 606), 2: (2, 756)}  # by release
