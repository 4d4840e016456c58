"""A look at the models' folder that never comes back: said in the log, in health and in metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.reload.reloader import RefusedVersion, Reloader
from onnxlet.edge.service.app import RequestMeter
from onnxlet.function import request_log
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.settings import Settings
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_metrics import at, samples
from tests.log_lines import without_time


class Silent:
    """Other processes that don't come back, as a disk does that has stalled."""

    described: bytes | None = None

    def __init__(self) -> None:
        self.asked, self.let_go = threading.Event(), threading.Event()

    def propose(self, described: bytes) -> None:
        self.asked.set()
        self.let_go.wait()

    def refused(self) -> list[RefusedVersion]:
        return []

    def leads(self) -> bool:
        self.let_go.wait()
        return True


@pytest.fixture
def silent() -> Iterator[Silent]:
    silent = Silent()
    yield silent
    silent.let_go.set()


def test_a_look_that_stands_still_is_reported(
    own: Path, silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not `capfd`: its readouterr() reads, then truncates, and loses a line written in between.
    written: list[bytes] = []
    monkeypatch.setattr(request_log, "put", written.append)
    meter = RequestMeter()
    client: Any = create_app(own, settings=Settings(own), meter=meter).test_client()
    repository = client.application.extensions[SERVICE].repository
    meter.reloader = reloader = Reloader(repository, silent, still=0.05)
    assert client.get("/v2/health/ready").json == {"ready": True}
    assert at(samples(client.get("/metrics").text), "onnxlet_reload_still_seconds") == 0

    reloader.start(0.01)
    silent.asked.wait()
    wait_until(lambda: "reload" in client.get("/v2/health/ready").json)
    health: Any = client.get("/v2/health/ready")
    assert health.status_code == 200
    assert health.json["ready"] is True
    assert health.json["reload"].startswith("a look at the models' folder is not done after ")
    value = at(samples(client.get("/metrics").text), "onnxlet_reload_still_seconds")
    assert value is not None
    assert value >= 0.05

    def logged() -> list[dict[str, Any]]:
        return without_time(b"".join(written).decode())

    why = "the models' folder: not done after 0.05 s; what is loaded answers as before"
    line = {"event": "reload", "error": why}
    wait_until(lambda: line in logged())

    silent.let_go.set()
    wait_until(lambda: "reload" not in client.get("/v2/health/ready").json)
    reloader.stop()
    # Once for each that stands still, however often it is looked at.
    assert logged().count(line) == 1
