"""All examples built once, a server of them, and their bundle."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from onnxlet.convert.bundle import archive
from onnxlet.convert.examples.__main__ import BuiltExample, make, names
from onnxlet.function.errors import OnnxletError
from tests.conftest import quiet, start_server, stop_server
from tests.convert.bundle import conftest as bundles
from tests.edge.service.test_serve import CLEAN
from tests.gallery.document import sections
from tests.page.conftest import browser, open_page  # noqa: F401 - fixtures

# In the bundle, with nothing else on the path: each request as an HTTP API's event.
RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
from onnxlet.function.handler import handler
answers = {}
for name, (path, query, kind, body) in json.load(sys.stdin).items():
    got = handler({
        "version": "2.0", "rawPath": path, "rawQueryString": query,
        "headers": {"content-type": kind, "host": "localhost"},
        "requestContext": {"stage": "$default", "http": {"method": "POST", "path": path}},
        "body": body, "isBase64Encoded": True,
    }, None)
    answers[name] = [got["statusCode"], got["body"]]
print(json.dumps(answers))
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of model directories."""
    return tmp_path_factory.mktemp("gallery") / "models"


@pytest.fixture(scope="session")
def gallery(folder: Path) -> Mapping[str, BuiltExample]:
    """Each example, built."""
    made = {}
    for name in names():
        try:
            made[name] = make(name, folder, quiet)
        except OnnxletError as error:
            pytest.fail(f"{name}: {error.message}", pytrace=False)
    return made


@pytest.fixture(scope="session")
def address(
    gallery: Mapping[str, BuiltExample], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where a server of them listens."""
    server = start_server(folder, CLEAN, tmp_path_factory.mktemp("log") / "stderr")
    yield f"http://127.0.0.1:{server.port}"
    assert stop_server(server) == 0


@pytest.fixture(scope="session")
def from_bundle(
    gallery: Mapping[str, BuiltExample], folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """By example, status and body of the answer that a bundle of all of them gives."""
    place = tmp_path_factory.mktemp("bundle")
    kept, archive.LEVEL = archive.LEVEL, 1  # zipping as small as it goes takes long
    try:
        bundles.make("lambda", folder, place / "bundle.zip")
    finally:
        archive.LEVEL = kept
    subprocess.run([sys.executable, "-m", "zipfile", "-e", "bundle.zip", "all"], cwd=place)
    events = {}
    for name, section in sections().items():
        path, _, query = section.request.path.partition("?")
        body = base64.b64encode(section.request.body).decode()
        events[name] = [path, query, section.request.kind, body]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RUN, str(place / "all")],
        input=json.dumps(events),
        capture_output=True,
        text=True,
        timeout=120,
        cwd="/",
    )
    assert done.returncode == 0, done.stderr
    answered: dict[str, Any] = json.loads(done.stdout)
    return answered
