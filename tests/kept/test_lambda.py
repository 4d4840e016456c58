"""Lambda's part of the kept bundle answers as today's function does, from the same models."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.events import CONTEXT, make_v2_event
from tests.kept.device import LIVE
from tests.kept.sources import NAMES
from tools.deploy.bundle import read_bundle

TODAY = "onnxlet.function.handler"
# As Lambda's runtime does it: the zip's folder on the path, the handler by its dotted name.
RUNTIME = """
import importlib, json, sys
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
handler = importlib.import_module(sys.argv[2]).handler
events, context = json.load(sys.stdin)
json.dump([handler(event, SimpleNamespace(**context)) for event in events], sys.stdout)
"""


def events_of(models: Path, name: str) -> list[Any]:
    """Golden rows over an HTTP API and as direct invocations, and what is refused."""
    rows = json.loads((models / name / "1" / "golden.json").read_bytes())["instances"]
    body = {"instances": rows}
    over_http = partial(
        make_v2_event,
        method="POST",
        path=f"/models/{name}/predict",
        headers={"content-type": "application/json"},
    )
    return [
        over_http(body=json.dumps(body).encode()),
        over_http(body=b'{"instances": [[null, "odd"]]}'),
        {"model": name, **body},
        {"model": name, "instances": [{}]},
    ]


@pytest.fixture(scope="module")
def handler(bundle: Path) -> str:
    """The module that a bundle of the release names to Lambda; the oldest has another."""
    with zipfile.ZipFile(bundle) as opened:
        oldest = "function/handler.py" in opened.namelist()
    return "function.handler" if oldest else TODAY


@pytest.fixture(scope="module")
def answers(
    models: Path, bundle: Path, handler: str, python: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> list[dict[str, Any]]:  # fmt: skip
    """What the kept handler answers to every event of every model."""
    folder = tmp_path_factory.mktemp("lambda")
    with zipfile.ZipFile(bundle) as opened:
        opened.extractall(folder, json.loads(opened.read("bundle.json"))["files"])
    events = [event for name in NAMES for event in events_of(models, name)]
    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", RUNTIME, folder, handler],
        input=json.dumps([events, vars(CONTEXT)]),
        env=LIVE,
        cwd=folder,  # as Lambda does
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def told(answer: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """The status of an answer, and what was predicted; how a refusal is worded may change."""
    status = answer.get("statusCode", answer.get("status", 200))
    body = json.loads(answer["body"]) if "body" in answer else answer
    return status, body if status == 200 else {}


def test_every_answer_is_today_s(
    models: Path, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONNXLET_MODELS", str(models))
    monkeypatch.delitem(sys.modules, TODAY, raising=False)
    today = importlib.import_module(TODAY).handler
    events = [event for name in NAMES for event in events_of(models, name)]
    kept = [told(answer) for answer in answers]
    assert kept == [told(json.loads(json.dumps(today(event, CONTEXT)))) for event in events]
    assert [status for status, _ in kept] == [200, 422, 200, 422] * len(NAMES)
    assert all(len(body["prediction"]) >= 8 for status, body in kept if status == 200)


def test_a_deployment_names_the_handler_that_the_bundle_has(
    bundle: Path, handler: str, tmp_path: Path
) -> None:
    assert read_bundle(bundle).params()["handler"] == f"{handler}.handler"

    about = {"format": 1, "python": "3.13", "arch": "aarch64", "models": {"iris": 1}}
    about["files"] = {"onnxlet/function/handler.py": ""}
    with zipfile.ZipFile(tmp_path / "today.zip", "w") as archive:
        archive.writestr("bundle.json", json.dumps(about))
    assert read_bundle(tmp_path / "today.zip").params()["handler"] == f"{TODAY}.handler"
