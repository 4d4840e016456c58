"""`/metrics`: what a server did, in Prometheus' form, with bounded labels."""

from __future__ import annotations

import hashlib
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse

from onnxlet.edge.aggregation.requests import BOUNDS, ServerCounts
from onnxlet.edge.reload.reloader import Reloader
from onnxlet.edge.service.app import RequestMeter, make_app
from onnxlet.edge.service.metrics import request_metrics
from onnxlet.edge.service.serve import _server
from onnxlet.function.app import SERVICE, create_app
from onnxlet.function.errors import SHED
from onnxlet.function.models.repository import Repository
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, app_of
from tests.function.every_protocol import ERRORS, request
from tests.function.serving.test_predict import SHOP

PATH = "/models/shop/predict"
KEYS = {"ci": hashlib.sha256(b"secret").digest()}
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str, read: Any = parse) -> Samples:
    """Values by name and labels; what the process itself uses left out."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in read(text)
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


def at(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


@pytest.fixture
def client(models: Path) -> Any:
    settings = Settings(models, default_model="shop", max_in_flight=7)
    meter = RequestMeter()
    return create_app(models, None, settings, meter, counts=meter.requests).test_client()


def test_what_is_counted(client: Any) -> None:
    for rows in (1, 1, 5):
        assert client.post(PATH, json={"instances": [SHOP] * rows}).status_code == 200
    client.post(PATH, json={"instances": [{}]})
    client.get("/nope")
    client.post(PATH, json={"instances": [SHOP]}, environ_overrides={SHED: True})

    got = client.get("/metrics")

    assert got.content_type.startswith("text/plain; version=")
    found = samples(got.text)
    assert at(found, "onnxlet_requests_total", model="shop", status="200") == 3
    assert at(found, "onnxlet_requests_total", model="shop", status="422") == 1
    assert at(found, "onnxlet_errors_total", model="shop", error="InvalidRows") == 1
    assert at(found, "onnxlet_errors_total", model="", error="NotFound") == 1
    assert at(found, "onnxlet_errors_total", model="", error="Overloaded") == 1
    assert at(found, "onnxlet_rows_total", model="shop") == 7
    assert at(found, "onnxlet_requests_in_flight") == 1
    assert at(found, "onnxlet_requests_in_flight_limit") == 7
    assert at(found, "onnxlet_model_version", model="shop") == 1
    counts = {"decode": 4, "validate": 3, "run": 3, "encode": 3, "total": 4}
    for stage, count in counts.items():
        assert at(found, "onnxlet_request_seconds_count", model="shop", stage=stage) == count
        last = at(found, "onnxlet_request_seconds_bucket", model="shop", stage=stage, le="+Inf")
        assert last == count
        seconds = at(found, "onnxlet_request_seconds_sum", model="shop", stage=stage)
        assert seconds is not None
        assert 0 < seconds < 20
    [build] = [labels for name, labels in found if name == "onnxlet_build_info"]
    assert {name for name, _ in build} == {"python", "numpy", "onnxruntime"}
    assert "process_resident_memory_bytes" in got.text


def test_buckets_hold_what_took_at_most_so_long() -> None:
    counts = ServerCounts()
    for milliseconds in (0.1, BOUNDS[0], BOUNDS[0] + 0.01, 10**6):
        counts.count({"status": 200, "ms": milliseconds})

    *_, times = request_metrics(counts)
    buckets = [s.value for s in times.samples if s.name.endswith("_bucket")]
    assert buckets == [2.0] + [3.0] * (len(BOUNDS) - 1) + [4.0]


def test_open_metrics_on_request(client: Any) -> None:
    client.post(PATH, json={"instances": [SHOP]})

    got = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})

    assert got.content_type.startswith("application/openmetrics-text")
    assert at(samples(got.text, parse_open), "onnxlet_rows_total", model="shop") == 1


def test_clients_cannot_make_labels(client: Any) -> None:
    """As many series after a thousand odd requests as after one of each kind."""

    def ask(number: int) -> None:
        client.get(f"/models/nope{number}")
        client.get(f"/v2/models/nope{number}/versions/{number}")
        client.open(f"/{number}", method=f"M{number}" if number > 1 else "GET")
        client.post(PATH, json={"instances": [{f"column{number}": 1}]})
        client.post("/predict", json={"instances": [], "model": f"nope{number}"})
        for protocol in ERRORS:
            path, body, kind = request(protocol, f"nope{number}", SHOP)
            content = {"data": body} if isinstance(body, bytes) else {"json": body}
            client.post(path, **content, content_type=kind)

    for number in range(2, 4):
        ask(number)
    before = samples(client.get("/metrics").text)
    for number in range(4, 30):
        ask(number)

    after = samples(client.get("/metrics").text)
    assert after.keys() == before.keys() | {
        ("onnxlet_requests_total", frozenset({("model", ""), ("status", "200")})),
    }
    assert not any(re.search(r"nope|column\d", str(labels)) for _, labels in after)


def test_a_failure_of_ours_is_no_label_of_its_own(models: Path) -> None:
    counts = ServerCounts()
    counts.count({"status": 500, "ms": 1.0, "error": "model shop/1: model.onnx was altered"})

    _, errors, *_ = request_metrics(counts)
    assert [sample.labels["error"] for sample in errors.samples] == ["ServerError"]


def test_refused_versions_are_reported(models: Path, client: Any) -> None:
    meter = client.application.extensions[SERVICE].meter
    meter.reloader = Reloader(Repository(models))
    meter.reloader.refused["shop", 9] = "altered"

    found = samples(client.get("/metrics").text)

    assert at(found, "onnxlet_model_refused", model="shop", version="9") == 1


def test_a_key_is_needed_where_keys_are_set(models: Path) -> None:
    settings = Settings(models, api_keys=KEYS)
    client = create_app(models, settings=settings, meter=RequestMeter()).test_client()

    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"X-API-Key": "secret"}).status_code == 200


def test_without_a_meter_it_says_where_they_are(models: Path) -> None:
    answer = app_of(models).test_client().get("/metrics")

    assert answer.status_code == 404
    assert answer.get_json()["detail"] == "no metrics are kept here"
    assert "edge serve" in answer.get_json()["hint"]


def test_the_client_library_waits_for_the_first_scrape() -> None:
    code = "import onnxlet.edge.service.app, sys; print('prometheus_client' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT) == b"False\n"


def test_scrapes_are_answered_at_once_when_the_first_has_imported(models: Path) -> None:
    """Importing may wait for the disk: the server's leading thread must not."""
    app = make_app(models, settings=Settings(models, reload_seconds=0))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _server(app, listener, None)
        prompt = server._prompt
        assert prompt == {"/v2/health/live", "/v2/health/ready", "/ping", "/health"}
        assert app.test_client().get("/metrics").status_code == 200
        assert "/metrics" in prompt
        server._connections.close()
        server._alarm.close()


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        ("application/openmetrics-text; version=abc", "0.0.4"),
        ("application/openmetrics-text; version=1.x.0", "0.0.4"),
        ("application/openmetrics-text; version=99.0.0", "0.0.4"),
        ("application/openmetrics-text; version= 1.0.0", "0.0.4"),
        ("application/openmetrics-text; version=", "0.0.4"),
        ("text/plain; version=abc", "0.0.4"),
        ("application/openmetrics-text; version=abc, application/openmetrics-text", "1.0.0"),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.1",
            "1.0.0",
        ),
        ("application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4,*/*", "0.0.4"),
    ],
)
def test_versions_that_nobody_writes_are_passed_over(
    client: Any, accept: str, version: str
) -> None:
    got = client.get("/metrics", headers={"Accept": accept})

    assert got.status_code == 200
    assert f"version={version}" in got.content_type
    read = parse_open if "openmetrics" in got.content_type else parse
    assert at(samples(got.text, read), "onnxlet_requests_in_flight") == 1


def test_no_accept_header_makes_it_fail(client: Any) -> None:
    parts = ["application/openmetrics-text", "text/plain", ";version=", "; version =", "1.0.0"]
    parts += ["abc", ".", ";escaping=", "=", ";", ",", "\xe4", "*/*", "q=x"]
    random = Random(0)  # noqa: S311 - the same each time
    for _ in range(150):
        accept = "".join(random.choices(parts, k=random.randint(1, 8)))
        assert client.get("/metrics", headers={"Accept": accept}).status_code == 200, accept
