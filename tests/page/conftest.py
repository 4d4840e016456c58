"""A browser, and the servers that it opens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from onnxlet.convert.build import build
from onnxlet.convert.imported.import_onnx import import_onnx
from tests.conftest import ROOT, quiet, start_server, stop_server
from tests.convert.imported import onnx_files
from tests.estimators import every_task
from tests.page.pictured import build_pictured
from tests.page.sites import before_references, build_more, in_float32

SCREENSHOTS = ROOT / "build" / "screenshots"
KEY = "open sesame"
DIGEST = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb"


@pytest.fixture(scope="session")
def more_models(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page") / "models"
    shutil.copytree(models, folder)
    build_more(folder)
    return folder


@contextmanager
def serving(models: Path, log: Path, **environ: str) -> Iterator[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("ONNXLET_")}
    server = start_server(models, {**clean, **environ}, log)
    try:
        yield f"http://127.0.0.1:{server.port}/"
    finally:
        stop_server(server)


@pytest.fixture(scope="session")
def site(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(more_models, tmp_path_factory.mktemp("log") / "stderr") as address:
        yield address


@pytest.fixture(scope="session")
def locked_site(more_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "stderr"
    with serving(more_models, log, ONNXLET_API_KEYS=f"tester:{DIGEST}") as address:
        yield address


@pytest.fixture(scope="session")
def tasks_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("tasks")
    for name, source in every_task().items():
        build(source, name, folder / "models", quiet)
    build(in_float32(), "in-float32", folder / "models", quiet)
    before_references(folder / "models" / "in-float32" / "1", folder / "models" / "older" / "1")
    import_onnx(onnx_files.save(folder, onnx_files.linear()), "net", folder / "models", quiet)
    with serving(folder / "models", folder / "stderr") as address:
        yield address


@pytest.fixture(scope="session")
def pictured_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("pictured")
    build_pictured(folder / "models")
    with serving(folder / "models", folder / "stderr") as address:
        yield address


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
    """Opens pages, and holds each to its word: no error, and no request to anybody else."""
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
