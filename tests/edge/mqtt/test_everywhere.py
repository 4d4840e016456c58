"""The same rows give the same figures, whichever way they come and wherever they are read."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.service.drift_reports import summary
from onnxlet.edge.update.status import drift_of
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring import drift
from onnxlet.function.monitoring.layout import Layout
from tests.conftest import Client, app_of, running_server, through_socket
from tests.edge.forward.endpoint import wait_until
from tests.edge.mqtt.broker import Broker, Peer
from tests.edge.mqtt.conftest import Start, set_for
from tests.edge.service.drifting import calm, drifted
from tests.edge.service.test_serve import CLEAN
from tests.events import CONTEXT, make_v2_event
from tools.deploy.drift import deltas_of, figures_of

# Each of several workers has rows of its own that are too few to be shown yet.
ONE_WORKER = {**CLEAN, "ONNXLET_DEVICE_WORKERS": "1"}
WRONG: list[Any] = [[1.0, 2.0, 3.0, "no number"]]
# Two requests of many rows, many of one row, and one that is refused.
REQUESTS: list[Any] = [calm()[:600], *([row] for row in drifted()[:200]), drifted()[100:750], WRONG]
Figures = dict[str, Any]


def same(found: Mapping[str, Any]) -> Figures:
    """What does not depend on the moment."""
    return {name: value for name, value in found.items() if name != "since"}


@pytest.fixture(scope="module")
def expected(models: Path) -> Figures:
    """By one process that is asked through its app."""
    client = app_of(models, owned=True).test_client()
    for rows in REQUESTS:
        client.post("/models/iris/predict", json={"instances": rows})
    return same(summary(client.get("/models/iris/drift").get_json()))


def test_they_are_worth_comparing(expected: Figures) -> None:
    assert expected["rows"] == 1450
    assert expected["refused"] == 1
    assert expected["alarm_count"] > 3
    assert "x0" in [alarm["column"] for alarm in expected["alarms"]]
    assert 0 < expected["estimated"]["accuracy"] < 1


def test_a_server_in_every_protocol(models: Path, tmp_path: Path, expected: Figures) -> None:
    with running_server(models, ONE_WORKER, tmp_path / "log") as server:
        client = Client(through_socket(server.port))
        for number, rows in enumerate(REQUESTS):
            # What is no number has no form in all of them.
            in_protocol = _native if rows == WRONG else PROTOCOLS[number % len(PROTOCOLS)]
            path, body, kind = in_protocol(rows)
            assert client.post(path, body, kind=kind).status == (422 if rows == WRONG else 200)
        found = client.get("/models/iris/drift").json()
        scraped = client.get("/metrics").body.decode()

    assert same(summary(found)) == expected
    assert 'onnxlet_drift_rows_total{model="iris"} 1450.0' in scraped
    assert f'onnxlet_drift_alarms{{model="iris"}} {expected["alarm_count"]}.0' in scraped


def _native(rows: Any) -> tuple[str, Any, str]:
    return "/models/iris/predict", {"instances": rows}, "json"


def _csv(rows: Any) -> tuple[str, Any, str]:
    lines = ["x0,x1,x2,x3", *(",".join(map(repr, row)) for row in rows)]
    return "/models/iris/predict", "\n".join(lines).encode(), "csv"


def _v1(rows: Any) -> tuple[str, Any, str]:
    return "/v1/models/iris:predict", {"instances": rows}, "json"


def _v2(rows: Any) -> tuple[str, Any, str]:
    flat = [cell for row in rows for cell in row]
    tensor = {"name": "input", "shape": [len(rows), 4], "datatype": "FP64", "data": flat}
    return "/v2/models/iris/infer", {"inputs": [tensor]}, "json"


PROTOCOLS: list[Callable[[Any], tuple[str, Any, str]]] = [_native, _csv, _v1, _v2]


def test_the_log_of_two_instances_on_lambda(
    models: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    expected: Figures,
) -> None:
    monkeypatch.setenv("ONNXLET_MODELS", str(models))
    instances = []
    for _ in range(2):
        sys.modules.pop("onnxlet.function.handler", None)
        instances.append(importlib.import_module("onnxlet.function.handler"))
    try:
        for number, rows in enumerate([WRONG, *REQUESTS[:-1]]):
            # The first instance has the refused row, the large ones and 100 of the single rows.
            instance = instances[int(len(rows) == 1 and number >= 102)]
            if number % 2:
                instance.handler({"model": "iris", "instances": rows}, CONTEXT)
            else:
                body = json.dumps({"instances": rows}).encode()
                headers = {"content-type": "application/json"}
                event = make_v2_event(
                    method="POST", path="/models/iris/predict", headers=headers, body=body
                )
                instance.handler(event, CONTEXT)
    finally:
        sys.modules.pop("onnxlet.function.handler", None)
        app_of(models)  # which chooses the log's lines again

    lines = capfd.readouterr().err.splitlines()
    events = [
        {"eventId": str(number), "timestamp": number, "message": line}
        for number, line in enumerate(lines)
    ]
    model = Repository(models).choose("iris")
    layout = Layout(model.manifest, model.signature)
    [(_, deltas)] = deltas_of(events).items()
    found = drift.report(model, layout, figures_of(deltas, layout, 0.0))
    assert same(summary(found)) == expected


def test_readings_by_mqtt(models: Path, start: Start, broker: Broker, expected: Figures) -> None:
    peer = Peer(broker, "answers", "answers/status", "answers/drift/+")
    settings = set_for(broker, MQTT_MODEL="iris")
    start("tests.edge.mqtt.often", "mqtt", "--models", str(models), **settings)
    peer.wait_for_state("online")
    for number, rows in enumerate(REQUESTS):
        peer.publish(f"readings/{number}", rows)

    def latest() -> Any:
        found = [each for each in list(peer.messages) if each.topic == "answers/drift/iris"]
        return same(found[-1].json()) if found else None

    wait_until(lambda: latest() is not None and latest()["rows"] == expected["rows"])
    wait_until(lambda: latest()["refused"] == expected["refused"])
    assert latest() == expected
    peer.end()


def test_a_device_s_status(models: Path, tmp_path: Path, expected: Figures) -> None:
    paths = DevicePaths(tmp_path)
    paths.state.mkdir(parents=True)
    paths.environment.parent.mkdir(parents=True)
    with running_server(
        models, {**ONE_WORKER, "STATE_DIRECTORY": str(paths.state)}, tmp_path / "log"
    ) as server:
        paths.environment.write_text(f"ONNXLET_DEVICE_PORT={server.port}\n")
        client = Client(through_socket(server.port))
        for rows in REQUESTS:
            client.post("/models/iris/predict", {"instances": rows})
        found = drift_of(paths, ["iris"])

    assert same(found["iris"]) == expected
