"""What `status` shows of drift, asked from a real server; never a failure."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.device.slots import DevicePaths
from onnxlet.edge.update import status as module
from onnxlet.edge.update.status import drift_line, drift_of, silence
from tests.conftest import (
    WORKERS,
    Client,
    Server,
    ran,
    start_server,
    stop_server,
    through_socket,
)
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.drifting import calm, drifted
from tests.edge.service.test_serve import CLEAN

DIGEST = hashlib.sha256(b"ours").hexdigest()
Serve = Callable[..., Client]


@pytest.fixture
def serve(models: Path, paths: DevicePaths, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server that is this device's."""
    servers: list[Server] = []

    def start(**environ: str) -> Client:
        paths.state.mkdir(exist_ok=True)
        set_to = {**CLEAN, "STATE_DIRECTORY": str(paths.state), **environ}
        servers.append(start_server(models, set_to, tmp_path / "log"))
        paths.environment.write_text(f"ONNXLET_DEVICE_PORT={servers[-1].port}\n")
        return Client(through_socket(servers[-1].port))

    yield start
    for server in servers:
        assert stop_server(server) == 0


def status(paths: DevicePaths, *more: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "edge", "status", "--root", str(paths.root), *more]
    done = ran(command, env=CLEAN)
    assert done.stderr == ""
    return done.returncode, done.stdout


def lines_of_drift(paths: DevicePaths) -> list[str]:
    code, said = status(paths)
    assert code == 0
    return [line for line in said.splitlines() if line.startswith("drift of ")]


def test_a_service_that_is_silent_is_reported(
    serve: Serve, paths: DevicePaths, socket_port: int
) -> None:
    assert silence(DevicePaths(paths.root / "nothing is live here")) == ""
    paths.environment.write_text(f"ONNXLET_DEVICE_PORT={socket_port}\n")
    assert silence(paths) == ""
    with socket.socket() as taken:  # and not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        paths.environment.write_text(f"ONNXLET_DEVICE_PORT={taken.getsockname()[1]}\n")
        assert f"the service gives no answer at {url}: systemctl status" in status(paths)[1]


def test_calm_then_alarms_beside_what_is_expected(serve: Serve, paths: DevicePaths) -> None:
    client = serve()
    assert lines_of_drift(paths) == ["drift of iris: 0 rows so far: figures from 100 on"]
    assert client.post("/models/iris/predict", calm()).status == 200
    [line] = lines_of_drift(paths)
    assert line.startswith("drift of iris: calm in the last 750 rows; expected accuracy 0.9")
    assert line.endswith(", 0.9733 on held-out rows")

    # Each of several workers has a window of its own, out of which the calm rows go in time.
    for sent in range(2, 20):
        assert client.post("/models/iris/predict", drifted()).status == 200
        # The figures of several workers are there once all have said what they counted.
        wait_until(partial(lambda sent: _report(client)["rows"] == 750 * sent, sent))
        report = _report(client)
        if sent >= 4 and len(report["alarms"]) > 3:
            break
    of_answers = {each["output"] for each in report["alarms"] if "output" in each}
    assert of_answers <= {"prediction", "probabilities"}
    said = list(dict.fromkeys(each["sentence"] for each in report["alarms"][:5]))[:3]
    count = len(report["alarms"])
    assert count > 3
    assert WORKERS or report["rows"] == 3000, "one process sees all rows, and is not late"
    [line] = lines_of_drift(paths)
    rows = f"the last {report['window']:,} rows"
    assert line.startswith(f"drift of iris: {count} alarms in {rows}: {' '.join(said)} And ")
    assert " more; expected accuracy " in line
    found = json.loads(status(paths, "--json")[1])["drift"]
    assert list(found) == ["iris"]
    assert (found["iris"]["rows"], found["iris"]["alarm_count"]) == (report["rows"], count)


def _report(client: Client) -> Any:
    return client.get("/models/iris/drift").json()


def test_where_keys_are_set_it_asks_with_the_secret(
    serve: Serve, paths: DevicePaths, tmp_path: Path
) -> None:
    serve(ONNXLET_API_KEYS=f"ci:{DIGEST}")
    assert lines_of_drift(paths) == ["drift of iris: 0 rows so far: figures from 100 on"]
    assert (tmp_path / "log").read_text() == "", "what a device asks itself is in no log"
    for file in paths.state.iterdir():
        file.unlink()
    assert lines_of_drift(paths) == [], "another user, who can't read it"


def test_nothing_where_nothing_is_counted(serve: Serve, paths: DevicePaths) -> None:
    serve(ONNXLET_WATCH="off")
    assert lines_of_drift(paths) == []
    assert json.loads(status(paths, "--json")[1])["drift"] == {}


def test_nothing_where_nobody_answers(paths: DevicePaths, free_tcp_port: int) -> None:
    paths.environment.write_text(f"ONNXLET_DEVICE_PORT={free_tcp_port}\n")
    assert lines_of_drift(paths) == []
    paths.environment.write_text("ONNXLET_DEVICE_PORT=no port\n")
    assert drift_of(paths, ["iris"]) == {}, "the settings are at fault"


@pytest.mark.parametrize("body", [b"[]", b'{"model": 1}', b"<html>", b'{"refused": []}', b"\xff"])
def test_nothing_where_something_else_answers(paths: DevicePaths, body: bytes) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(10_000)
                connection.sendall(head + body)

        thread = threading.Thread(target=answer)
        thread.start()
        paths.environment.write_text(f"ONNXLET_DEVICE_PORT={listener.getsockname()[1]}\n")
        assert drift_of(paths, ["iris"]) == {}
        thread.join(60)


def test_a_service_that_hangs_is_asked_once(
    paths: DevicePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        paths.environment.write_text(f"ONNXLET_DEVICE_PORT={listener.getsockname()[1]}\n")
        assert drift_of(paths, ["iris", "shop"]) == {}
        listener.accept()[0].close()
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()


FOUND: dict[str, Any] = {
    "model": "m", "window": 1500, "waiting": 7, "alarm_count": 0, "alarms": [], "estimated": None,
    "realised": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "calm in the last 1,500 rows"),
        (
            {"alarm_count": 1, "alarms": [{"sentence": "9 % have no area."}]},
            "1 alarm in the last 1,500 rows: 9 % have no area",
        ),
        (
            {
                "alarm_count": 9,
                "alarms": [{"sentence": text} for text in ("A.", "B.", "A.", "C.", "D.")],
            },
            "9 alarms in the last 1,500 rows: A. B. C. And 5 more",
        ),
        (
            {"window": 0, "alarm_count": 1, "alarms": [{"sentence": "68 % were right."}]},
            "1 alarm in what came of predictions: 68 % were right",
        ),
        ({"window": 0, "waiting": 1}, "1 row so far: figures from 100 on"),
        ({"window": 0, "waiting": None}, "not enough rows yet"),
        (
            {
                "estimated": {
                    "mean_absolute_error": 21734.6,
                    "held_out": {"mean_absolute_error": 22735.6},
                }
            },
            "calm in the last 1,500 rows; expected mean absolute error 21,735, "
            "22,736 on held-out rows",
        ),
        (
            {
                "estimated": {"accuracy": None, "held_out": {"accuracy": 0.9}},
                "realised": {"rows": 1200, "accuracy": 0.875},
            },
            "calm in the last 1,500 rows; realised accuracy 0.875 on 1,200 rows",
        ),
    ],
)
def test_the_line(more: dict[str, Any], said: str) -> None:
    assert drift_line({**FOUND, **more}) == f"drift of m: {said}"
