"""How-to pages on forwarding and MQTT: examples run, tables are what the code reads."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from onnxlet.edge.forward import forwarder
from onnxlet.edge.forward.queue import BATCH_RECORDS
from onnxlet.edge.service.app import make_app
from onnxlet.edge.settings.device import DeviceSettings, ForwardOptions
from onnxlet.edge.store.writer import MEMORY_BYTES
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, ran, start_server, stop_server
from tests.edge.forward.endpoint import wait_until
from tests.edge.mqtt.broker import program
from tests.edge.service.test_serve import CLEAN
from tests.function.serving.test_predict import HOUSE
from tests.project.commands import free_port, wait_for_port

SETTINGS = ROOT / "docs" / "reference" / "settings.md"
FORWARD = (ROOT / "docs" / "how-to" / "forward.md").read_text()
MQTT = (ROOT / "docs" / "how-to" / "mqtt.md").read_text()


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)\n```", text, re.DOTALL)


class Asked(dict[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return default


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_the_variables_that_are_listed(path: Path) -> None:
    """Each that is read stands once, in the reference, and no other does."""
    asked = Asked()
    DeviceSettings.from_environ(asked)
    cells = re.findall(r"^\| (`ONNXLET_DEVICE_[^|]+) \|", path.read_text(), re.MULTILINE)
    listed = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == (sorted(asked.names) if path == SETTINGS else [])


def test_the_defaults_that_are_listed() -> None:
    text = SETTINGS.read_text()
    rows = dict(re.findall(r"^\| `ONNXLET_DEVICE_(\w+)` \|.*\| (.*?) \|$", text, re.MULTILINE))
    usual = ForwardOptions()
    assert rows["FORWARD_MAX_MB"] == str(usual.max_mb)
    assert rows["FORWARD_MAX_DAYS"] == str(usual.max_days)
    assert rows["FORWARD_SECONDS"] == str(usual.seconds)
    assert rows["QUEUE"] == f"`{usual.queue}`"
    assert f"{MEMORY_BYTES // 1_000_000} MB of records stay in memory" in FORWARD
    assert f"up to {BATCH_RECORDS} records or 1 MB" in FORWARD


def test_the_metrics_that_are_listed(models: Path, tmp_path: Path) -> None:
    options = ForwardOptions("https://localhost:9/", queue=tmp_path / "queue.db")
    forward = forwarder.start(options)
    settings = Settings(models, owned=True, reload_seconds=0)
    client = make_app(models, forward=forward, settings=settings).test_client()
    wait_until(lambda: forward.figures().totals is not None, 60)
    families = text_string_to_metric_families(client.get("/metrics").text)
    forward.stop()

    exposed = {
        family.name: {label for sample in family.samples for label in sample.labels}
        for family in families
        if family.name.startswith("onnxlet_forward_")
    }
    rows = re.findall(r"^\| `(onnxlet_\w+?)(?:_total)?` \| (.*?) ?\|", FORWARD, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == exposed


@contextmanager
def running(command: list[str], cwd: Path, environ: Mapping[str, str]) -> Iterator[Any]:
    process = subprocess.Popen(
        command, cwd=cwd, env=dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


def environ_in(block: str, **changed: str) -> dict[str, str]:
    """What a block exports, and what is changed of it."""
    told = dict(re.findall(r"^export (\w+)=(.*)$", block, re.MULTILINE))
    assert set(changed) <= set(told) | {"ONNXLET_DEVICE_QUEUE", "ONNXLET_DEVICE_FORWARD_SECONDS"}
    return {**CLEAN, **told, **changed}


def shell(command: str) -> str:
    return subprocess.check_output(["sh", "-c", command], text=True, timeout=30)


def test_a_device_and_the_collector_that_is_shown(models: Path, tmp_path: Path) -> None:
    port = free_port()
    [collector] = blocks(FORWARD, "python")
    (tmp_path / "collector.py").write_text(collector)
    start, truth = blocks(FORWARD, "sh")
    shown, kept = map(json.loads, blocks(FORWARD, "json"))
    environ = environ_in(
        start,
        ONNXLET_DEVICE_FORWARD_URL=f"http://127.0.0.1:{port}/records",
        ONNXLET_DEVICE_QUEUE=str(tmp_path / "queue.db"),
        ONNXLET_DEVICE_FORWARD_SECONDS="1",
    )
    with running([sys.executable, "collector.py", str(port)], tmp_path, CLEAN):
        server = start_server(models, environ, tmp_path / "log")
        expected = shown["records"][0]["prediction"]
        name = expected["id"]
        body = shlex.quote(json.dumps({"instances": [HOUSE]}))
        shell(
            f"curl -s http://127.0.0.1:{server.port}/models/house-prices/predict "
            f"-H 'X-Request-Id: {name}' -H 'Content-Type: application/json' -d {body}"
        )
        answer = shell(truth.replace(":8080", f":{server.port}"))
        database = tmp_path / "records.db"
        wait_until(lambda: len(collected(database)) == 2, 60)
        assert stop_server(server) == 0

    assert json.loads(answer) == kept
    prediction, came = collected(database)
    assert list(prediction) == list(shown["records"][0])
    assert list(prediction["prediction"]) == list(expected)
    assert prediction["prediction"]["id"] == name
    assert came["truth"] == shown["records"][1]["truth"]


def collected(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as database:
        try:
            rows = database.execute("SELECT form FROM record ORDER BY sequence").fetchall()
        except sqlite3.OperationalError:  # the table is not there yet
            return []
    return [json.loads(row[0]) for row in rows]


def test_the_reading_that_is_shown(models: Path, tmp_path: Path) -> None:
    port = free_port()
    broker, asks = program("mosquitto"), program("mosquitto_rr")
    start, ask = blocks(MQTT, "sh")
    answer, status, drift = map(json.loads, blocks(MQTT, "json"))
    environ = environ_in(start, ONNXLET_DEVICE_MQTT_URL=f"mqtt://localhost:{port}")
    environ["ONNXLET_MODELS"] = str(models)
    command = start.splitlines()[-1].replace(".venv/bin/python", shlex.quote(sys.executable))
    with (
        running([broker, "-p", str(port)], tmp_path, CLEAN),
        running(shlex.split(command), ROOT, environ) as process,
    ):
        listen = [program("mosquitto_sub"), "-p", str(port), "-t", "answers/status", "-C", "1"]
        wait_for_port(port)
        told = subprocess.check_output(listen, text=True, timeout=60)
        listen[listen.index("answers/status")] = f"answers/drift/{drift['model']}"
        begun = subprocess.check_output(listen, text=True, timeout=30)
        words = shlex.split(ask.replace("1883", str(port)))
        got = subprocess.check_output([asks, *words[1:]], text=True, timeout=30)
        assert process.poll() is None

    assert list(json.loads(told)) == list(status)
    assert list(json.loads(begun)) == list(drift)
    assert list(json.loads(begun)["estimated"]) == list(drift["estimated"])
    assert list(json.loads(got)) == list(answer)
    assert json.loads(got)["prediction"] == pytest.approx(answer["prediction"])


def test_the_commands_are_there() -> None:
    done = ran(
        [sys.executable, "-m", "edge", "queue"],
        env={**os.environ, "ONNXLET_DEVICE_QUEUE": "/nowhere/queue.db"},
    )
    assert done.returncode == 1
    assert "error: there is no queue at /nowhere/queue.db" in done.stderr
    assert "hint: ONNXLET_DEVICE_FORWARD_URL switches it on" in done.stderr
