"""Spans of requests, as a collector of the published protocol has them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseError

from onnxlet.edge.aggregation.link import Link
from onnxlet.edge.service.app import make_app, start_tracing
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.tracing.exporter import SEND_SECONDS, Exporter
from onnxlet.folders import VERSION
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of, ran, running_server, through_socket
from tests.edge.aggregation.links import Links
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_metrics import at, samples
from tests.edge.service.test_serve import CLEAN
from tests.edge.tracing.collector import Collector, read
from tests.function.serving.test_predict import SHOP

PATH = "/models/shop/predict"
ROUTE = "/models/<name>/predict"
ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["decode", "validate", "run", "encode"]
CANARY = "canary-7f3a"


class Here:
    """An app in this process whose requests are traced, and what it logs."""

    def __init__(self, models: Path, collector: Collector, link: Link | None = None) -> None:
        tracing = start_tracing(collector.environ)
        assert tracing
        self.tracing: Exporter = tracing
        self.lines: list[dict[str, Any]] = []
        self.secret = Secret()
        settings = Settings(models, owned=True, reload_seconds=0)
        app = make_app(
            models, secret=self.secret, log=self.lines.append, settings=settings, link=link,
            tracing=tracing,
        )  # fmt: skip
        self.client = client_of(app)


@pytest.fixture
def here(models: Path, collector: Collector) -> Iterator[Here]:
    here = Here(models, collector)
    yield here
    here.tracing.stop()


def test_a_request_and_its_stages(here: Here, collector: Collector) -> None:
    before = time.time_ns()
    headers = {"Traceparent": f"00-{ID}-{PARENT}-01", "X-Request-Id": "mine"}
    assert here.client.post(PATH, {"instances": [SHOP, SHOP]}, headers).status == 200
    after = time.time_ns()
    here.tracing.stop()

    request, *stages = collector.spans
    assert collector.path == "/v1/traces"
    assert collector.tries[0]["content-type"] == "application/json"
    assert (request["traceId"], request["parentSpanId"]) == (ID, PARENT)
    assert (request["name"], request["kind"], request["status"]) == (f"POST {ROUTE}", 2, {})
    assert request["attributes"] == {
        "http.request.method": "POST",
        "http.route": ROUTE,
        "http.response.status_code": 200,
        "url.path": PATH,
        "url.scheme": "http",
        "onnxlet.model": "shop",
        "onnxlet.model.version": 1,
        "onnxlet.rows": 2,
        "onnxlet.request_id": "mine",
    }
    assert request["resource"]["service.name"] == "onnxlet"
    assert json.loads(collector.bodies[0])["resourceSpans"][0]["scopeSpans"][0]["scope"] == {
        "name": "onnxlet", "version": VERSION,
    }  # fmt: skip
    assert [stage["name"] for stage in stages] == STAGES
    assert {stage["kind"] for stage in stages} == {1}
    assert {stage["traceId"] for stage in stages} == {ID}
    assert {stage["parentSpanId"] for stage in stages} == {request["spanId"]}
    assert len({span["spanId"] for span in (request, *stages)} | {PARENT}) == 6
    began, ended = int(request["startTimeUnixNano"]), int(request["endTimeUnixNano"])
    assert before <= began < ended <= after
    moments = [int(s[f"{e}TimeUnixNano"]) for s in stages for e in ("start", "end")]
    assert began <= moments[0] < moments[-1] <= ended
    assert all(a <= b for a, b in pairwise(moments))
    [line] = here.lines
    took = [(b - a) / 1e6 for a, b in zip(moments[::2], moments[1::2], strict=True)]
    assert took == pytest.approx(list(line["stages"].values()), abs=1e-3)


def test_a_trace_that_begins_here_is_in_the_log(here: Here, collector: Collector) -> None:
    for header in ("", "nonsense", f"ff-{ID}-{PARENT}-01", f"00-{ID}-{PARENT}-00"):
        here.client.get("/models", {"Traceparent": header})
    here.tracing.stop()

    spans = collector.spans
    assert all("parentSpanId" not in span for span in spans)
    assert [line["trace_id"] for line in here.lines] == [s["traceId"] for s in spans] + [ID]
    assert len({span["traceId"] for span in spans} - {ID}) == 3


def test_refusals_failures_and_odd_requests(
    here: Here, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.client.post(PATH, {"instances": [{}]})
    here.client.request("BREW", "/nope/%22%5C%00%FF" + "y" * 500)
    here.client.get("/models/shop", {"X-Request-Id": here.secret.request_id})
    here.client.get("/v1/models/shop/versions/1")

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("onnxlet.function.serving.service.predict", fail)
    here.client.post(PATH, {"instances": [SHOP]})
    here.tracing.stop()

    refused, odd, status, failed = [span for span in collector.spans if span["kind"] == 2]
    assert refused["attributes"]["http.response.status_code"] == 422
    assert refused["attributes"]["onnxlet.error"] == "InvalidRows"
    assert (refused["status"], "error.type" in refused["attributes"]) == ({}, False)
    assert odd["name"] == "HTTP"
    assert odd["attributes"]["http.request.method"] == "_OTHER"
    assert "url.path" not in odd["attributes"]  # there is no such route
    assert "http.route" not in odd["attributes"]
    assert status["name"] == "GET /v1/models/<name>/versions/<version>"
    assert failed["status"] == {"code": 2}
    assert failed["attributes"]["error.type"] == "500"
    assert CANARY not in b"".join(collector.bodies).decode()


def test_nothing_of_the_rows_is_sent(here: Here, collector: Collector) -> None:
    for row in ({**SHOP, "色": CANARY}, {**SHOP, CANARY: 1}, {**SHOP, "Preis (€)": CANARY}):
        here.client.post(f"{PATH}?{CANARY}=1", {"instances": [row]}, {"X-More": CANARY})
        here.client.post(PATH, {"instances": [row]}, {"Cookie": CANARY})
    here.tracing.stop()

    assert len([span for span in collector.spans if span["kind"] == 2]) == 6
    assert CANARY not in b"".join(collector.bodies).decode()


def test_without_an_endpoint_there_is_nothing(models: Path) -> None:
    code = (
        "import sys, threading; from onnxlet.edge.service.app import make_app, start_tracing; "
        f"tracing = start_tracing({{}}); app = make_app({str(models)!r}, tracing=tracing); "
        "assert app.wsgi_app == app._answer; "
        "assert not [name for name in sys.modules if 'edge.tracing' in name]; "
        "assert 'traces' not in [each.name for each in threading.enumerate()]"
    )
    environ = {**CLEAN, "OTEL_SERVICE_NAME": "x"}

    made = ran([sys.executable, "-c", code], env=environ)
    assert made.returncode == 0, made.stderr


@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_sends_what_waits_at_its_end(
    models: Path, collector: Collector, tmp_path: Path, workers: str
) -> None:
    """Each worker sends by itself; a client's requests over one connection have different traces.

    The metrics are their sum.
    """
    environ = {
        **CLEAN, **collector.environ, "ONNXLET_DEVICE_WORKERS": workers,
        "OTEL_SERVICE_NAME": "prices", "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=me",
    }  # fmt: skip
    with running_server(models, environ, tmp_path / "log") as server:
        client = Client(through_socket(server.port))
        for _ in range(20):
            assert client.post(PATH, {"instances": [SHOP]}).status == 200
        wait_until(lambda: len(collector.spans) >= 100)
        name = "onnxlet_tracing_sent_total"
        wait_until(lambda: (at(_scraped(client), name) or 0) >= 100)
        dropped = {"full": 0.0, "failed": 0.0, "refused": 0.0}
        got = {r: at(_scraped(client), "onnxlet_tracing_dropped_total", reason=r) for r in dropped}
        assert got == dropped
        body, kept = json.dumps({"instances": [SHOP]}), HTTPConnection("127.0.0.1", server.port)
        for _ in range(4):  # of one head, which the server remembers
            kept.request("POST", PATH, body, {"Content-Type": "application/json"})
            assert kept.getresponse().read()
        kept.close()

    asked = [span for span in collector.spans if span["name"] == f"POST {ROUTE}"]
    assert len({span["traceId"] for span in asked}) == 24
    assert {span["resource"]["service.name"] for span in asked} == {"prices"}
    assert 1 <= len({span["resource"]["process.pid"] for span in asked}) <= int(workers)
    assert {head["x-tenant"] for head in collector.tries} == {"me"}
    log = (tmp_path / "log").read_text()
    assert set(re.findall(r'"trace_id":"([0-9a-f]{32})"', log)) >= {s["traceId"] for s in asked}


def _scraped(client: Client) -> Any:
    return samples(client.get("/metrics").body.decode())


def test_metrics_are_of_all_workers(models: Path, collector: Collector) -> None:
    links = Links()
    workers = [Here(models, collector, links.join()) for _ in range(2)]
    for dropped, worker in enumerate(workers, 2):
        worker.tracing.counts.add({"full": dropped})

    for worker in workers:
        found = _scraped(worker.client)
        assert at(found, "onnxlet_tracing_dropped_total", reason="full") == 5
        worker.tracing.stop()


@pytest.mark.long
def test_a_collector_that_hangs_holds_up_neither_requests_nor_the_end(
    models: Path, collector: Collector, tmp_path: Path
) -> None:
    collector.says(always=0)
    with running_server(models, {**CLEAN, **collector.environ}, tmp_path / "log") as server:
        client = Client(through_socket(server.port))
        assert client.get("/models").status == 200
        wait_until(lambda: collector.tries)
        began = time.monotonic()
        assert client.post(PATH, {"instances": [SHOP]}).status == 200
    assert time.monotonic() - began < SEND_SECONDS - 1


def test_one_that_can_be_used_partly_says_so_in_the_log(
    models: Path, collector: Collector, tmp_path: Path
) -> None:
    environ = {**CLEAN, **collector.environ, "OTEL_TRACES_SAMPLER": "nonsense"}
    with running_server(models, environ, tmp_path / "log") as server:
        Client(through_socket(server.port)).get("/models")

    assert len(collector.spans) == 1
    first = json.loads((tmp_path / "log").read_text().splitlines()[0])
    assert (first["level"], first["event"]) == ("error", "tracing")
    assert first["error"].startswith("OTEL_TRACES_SAMPLER: expected one of")


def test_the_body_of_an_unpublished_form_is_noticed(here: Here, collector: Collector) -> None:
    here.client.get("/models")
    here.tracing.stop()
    [body] = collector.bodies

    assert len(read(body)) == 1
    for right, wrong in (
        ("spanId", "span_Id"), ('"kind":2', '"kind":"2"'), ('"stringValue"', '"value"'),
        ('"intValue":"200"', '"intValue":200'), ('"traceId":"', '"traceId":"0'),
    ):  # fmt: skip
        assert right in body.decode()
        with pytest.raises((AssertionError, ParseError)):
            read(body.decode().replace(right, wrong, 1).encode())


def test_every_route_has_its_own_name(here: Here) -> None:
    """None is taken for another that is before it."""
    encoder = here.tracing._encoder
    rules = [rule for rule, _ in encoder._rules]
    assert rules
    for rule in rules:
        path = rule.replace("<name>", "shop").replace("<version>", "1")
        assert encoder._route(path) == rule
