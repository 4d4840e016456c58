"""The same rows give the same figures, whichever way they come and wherever they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.service.drift_reports import summary
from onnxlet.edge.update.status import drift_of
from tests.conftest import Client, app_of, running_server, through_socket
from tests.edge.forward.endpoint import wait_until
from tests.edge.mqtt.broker import Broker, Peer
from tests.edge.mqtt.conftest import Start, set_for
from tests.edge.service.drifting import calm, drifted
from tests.edge.service.test_serve import CLEAN

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


def test_a_server_in_every_protocol_and_its_device_s_status(
    models: Path, tmp_path: Path, expected: Figures
) -> None:
    paths = DevicePaths(tmp_path)
    paths.state.mkdir(parents=True)
    paths.environment.parent.mkdir(parents=True)
    environ = {**ONE_WORKER, "STATE_DIRECTORY": str(paths.state)}
    with running_server(models, environ, tmp_path / "log") as server:
        paths.environment.write_text(f"ONNXLET_DEVICE_PORT={server.port}\n")
        client = Client(through_socket(server.port))
        for number, rows in enumerate(REQUESTS):
            # What is no number has no form in all of them.
            in_protocol = _native if rows == WRONG else PROTOCOLS[number % len(PROTOCOLS)]
            path, body, kind = in_protocol(rows)
            assert client.post(path, body, kind=kind).status == (422 if rows == WRONG else 200)
        found = client.get("/models/iris/drift").json()
        scraped = client.get("/metrics").body.decode()
        status = drift_of(paths, ["iris"])

    assert same(summary(found)) == same(status["iris"]) == expected
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
