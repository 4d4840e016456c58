"""A browser, and the servers that it opens."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT, running_server
from tests.page.answering import build_answering
from tests.page.pictured import build_pictured
from tests.page.sites import build_more, build_tasks

SCREENSHOTS = ROOT / "build" / "screenshots"
KEY = "open sesame"
DIGEST = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"


BuildOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory) -> BuildOnce:
    """Gives a folder of models, which the first of pytest's workers fills while others wait."""
    base = tmp_path_factory.getbasetemp()
    folders = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder_of(name: str, fill: Callable[[Path], object]) -> Path:
        folder, unready = folders / name, folders / f"{name}-unready"
        with (folders / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                shutil.rmtree(unready, ignore_errors=True)
                fill(unready / "models")
                unready.rename(folder)
        return folder / "models"

    return folder_of


@pytest.fixture(scope="session")
def more_models(request: pytest.FixtureRequest, build_once: BuildOnce) -> Path:
    def fill(folder: Path) -> None:
        shutil.copytree(request.getfixturevalue("models"), folder)
        build_more(folder)

    return build_once("more", fill)


@contextmanager
def serving(models: Path, log: Path, **environ: str) -> Iterator[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ONNXLET_")}
    with running_server(models, {**clean, **environ}, log) as server:
        yield f"http://127.0.0.1:{server.port}/"


@pytest.fixture(scope="session")
def site(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(more_models, tmp_path_factory.mktemp("log") / "stderr") as address:
        yield address


@pytest.fixture(scope="session")
def locked_site(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "stderr"
    with serving(more_models, log, ONNXLET_API_KEYS=f"tester:{DIGEST}") as address:
        yield address


def site_of(name: str, fill: Callable[[Path], object]) -> Any:
    """A fixture: the address of a server of the models that are built so."""

    @pytest.fixture(scope="session")
    def address(build_once: BuildOnce, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        with serving(build_once(name, fill), tmp_path_factory.mktemp("log") / "stderr") as address:
            yield address

    return address


tasks_site = site_of("tasks", build_tasks)
pictured_site = site_of("pictured", build_pictured)
answering_site = site_of("answering", build_answering)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "needs Debian's chromium: apt-get install chromium"
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        # For tests/page/test_sites.py: a name of another site's that is this machine's.
        names = "--host-resolver-rules=MAP evil.example 127.0.0.1"
        camera = "--use-fake-device-for-media-stream"
        flags = [names, camera, *sandbox]
        launched = playwright.chromium.launch(executable_path=program, args=flags)
        yield launched
        launched.close()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    """Opens pages, and holds each to its word: no error, and no request to anybody else.

    What a page predicts when it opens is there once it is given.
    """
    contexts, complaints = [], []

    def opened(address: str, model: str = "", refused: bool = False, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        origin = urlsplit(address).netloc

        def on_console(message: Any) -> None:
            expected = refused and "Failed to load resource" in message.text
            if message.type in ("error", "warning") and not expected:
                complaints.append(message.text)

        def on_request(request: Any) -> None:
            parts = urlsplit(request.url)
            if parts.scheme != "data" and parts.netloc != origin:
                complaints.append(f"asked {request.url}")

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", on_request)
        page.goto(f"{address}#{model}" if model else address)
        page.wait_for_selector("main:not([aria-busy]) .card")
        page.wait_for_selector("#answer[aria-busy]", state="detached")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def keep_screenshot(page: Any, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def predict(page: Any) -> str:
    """Press the button; the prediction, once its reasons are there too, or why there are none."""
    page.click("button.main")
    page.wait_for_selector("#answer:not([aria-busy]) #prediction")
    page.wait_for_selector("#pushes:not([hidden]) li, #why .heat, #why > .sum:not([id])")
    text: str = page.inner_text("#prediction")
    return text
