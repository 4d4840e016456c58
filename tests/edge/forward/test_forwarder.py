"""What is kept of predictions, truths that come later, and a device server that does it all."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families

from onnxlet.edge.forward import forwarder, monitor
from onnxlet.edge.forward.forwarder import Forwarder, open_queue
from onnxlet.edge.forward.queue import Batch
from onnxlet.edge.forward.records import Clock, this_boot
from onnxlet.edge.forward.sender import DeliveryResult
from onnxlet.edge.service.app import make_app
from onnxlet.edge.settings.device import ForwardOptions, Inputs
from onnxlet.edge.store import database, writer
from onnxlet.function.settings import Settings
from tests.conftest import Client, running_server, start_server, stop_server, through_socket
from tests.edge.forward.endpoint import Endpoint, listening, wait_until
from tests.edge.service.test_serve import CLEAN
from tests.function.http.test_keys import KEYS
from tests.function.serving.test_predict import HOUSE, SHOP

PATH = "/models/shop/predict"
PATIENCE_SECONDS = 60.0  # a disk that others use, too, takes seconds to sync now and then
PATIENT = f"""
from onnxlet.edge.store import writer
from onnxlet.edge.command_line import main
writer.DISK_TIMEOUT_SECONDS = {PATIENCE_SECONDS}
main(prog_name="edge")
"""


class Device:
    """An app that keeps its predictions, and what it has sent."""

    def __init__(self, models: Path, options: ForwardOptions, settings: Settings) -> None:
        self.sent: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.forward = Forwarder(options, self._take, Clock(this_boot()), self.lines.append)
        self.forward.start()
        settings = settings._replace(reload_seconds=0)
        app = make_app(models, forward=self.forward, settings=settings, log=lambda entry: None)
        self.client = app.test_client()

    def _take(self, batch: Batch) -> DeliveryResult:
        self.sent += json.loads(batch.body)["records"]
        return DeliveryResult("arrived")

    def first(self, kind: str = "prediction") -> Any:
        wait_until(lambda: any(kind in record for record in self.sent))
        return next(record[kind] for record in self.sent if kind in record)


Make = Callable[..., Device]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (forwarder, writer):
        monkeypatch.setattr(module, "DISK_TIMEOUT_SECONDS", PATIENCE_SECONDS)


@pytest.fixture
def device(models: Path, tmp_path: Path) -> Iterator[Make]:
    made: list[Device] = []

    def make(inputs: Inputs = "none", path: Path | None = None, **settings: Any) -> Device:
        options = ForwardOptions(
            "https://x", inputs=inputs, seconds=0.02, queue=path or tmp_path / "queue.db"
        )
        made.append(Device(models, options, Settings(models, **settings)))
        return made[-1]

    yield make
    for each in made:
        each.forward.stop()


@pytest.fixture
def kept(device: Make) -> Device:
    return device()


def test_the_answer_is_kept_by_its_request_and_nothing_of_the_rows(kept: Device) -> None:
    answer = kept.client.post(PATH, json={"instances": [SHOP]}, headers={"X-Request-Id": "my-1"})

    assert kept.first() == {"id": "my-1", "rows": 1, **answer.get_json()}


def test_every_protocol_is_kept(kept: Device) -> None:
    for path, body in (
        (PATH, {"instances": [SHOP]}),
        ("/v1/models/shop:predict", {"instances": [SHOP]}),
        ("/invocations", {"dataframe_records": [SHOP], "params": None}),
    ):
        kept.client.post(path, json=body)
    kept.client.post(PATH, json={"instances": [{}]})
    wait_until(lambda: len(kept.sent) >= 2)

    assert all(record["prediction"]["prediction"] == [True] for record in kept.sent)


def test_rows_where_they_are_wanted(device: Make) -> None:
    kept = device("all")
    kept.client.post("/models/house-prices/predict", json={"instances": [HOUSE, HOUSE]})

    assert kept.first()["instances"] == [HOUSE, HOUSE]
    again = kept.client.post(
        "/models/house-prices/predict", json={"instances": kept.first()["instances"]}
    )
    assert again.get_json()["prediction"] == kept.first()["prediction"]


def test_hashes_identify_a_row_only_on_the_same_device(device: Make, tmp_path: Path) -> None:
    kept, other = device("hash"), device("hash", path=tmp_path / "other.db")
    changed = {**HOUSE, "Lot_Area": 1}
    for each in (kept, other):
        each.client.post("/models/house-prices/predict", json=[HOUSE, changed, HOUSE])
    first, second, third = kept.first()["hashes"]

    assert first == third != second
    assert len(first) == 64
    assert not set(other.first()["hashes"]) & {first, second}
    assert "instances" not in kept.first()


def test_refused_rows_keep_their_indices(device: Make) -> None:
    kept = device("all")
    bad = {**HOUSE, "Lot_Area": "secret text"}
    kept.client.post("/models/house-prices/predict?on_error=null", json=[bad, HOUSE, bad])

    assert kept.first()["refused"] == [0, 2]
    assert kept.first()["instances"] == [None, HOUSE, None]
    assert kept.first()["prediction"][::2] == [None, None]
    assert "secret" not in json.dumps(kept.sent)


def test_truth_comes_later_by_request_and_row(kept: Device) -> None:
    truth = [{"id": "my-1", "value": True}, {"id": "my-1", "row": 3, "value": [1, None]}]
    answer = kept.client.post("/truth", json={"truth": truth})

    assert (answer.status_code, answer.get_json()) == (200, {"kept": 2})
    assert kept.first("truth") == [
        {"id": "my-1", "row": 0, "value": True},
        {"id": "my-1", "row": 3, "value": [1, None]},
    ]


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ([], 400, "expected an object with 'truth'"),
        ({"truth": []}, 400, "expected an object with 'truth'"),
        ({"truth": [1], "more": 1}, 400, "expected an object with 'truth'"),
        ({"truth": [{"id": "a", "value": 1}] * 4}, 413, "expected at most 3 entries, got 4"),
    ],
)
def test_no_truth(device: Make, body: Any, status: int, detail: str) -> None:
    answer = device(max_rows=3).client.post("/truth", json=body)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert detail in answer.get_json()["detail"]


def test_every_fault_of_truth_is_located(device: Make) -> None:
    entries = [
        {"id": "a", "value": 1}, 7, {"id": "a"}, {"id": "a b", "value": 1},
        {"id": "a", "row": -1, "value": 1}, {"id": "a", "row": True, "value": 1},
        {"id": "a", "value": 1, "x": 1},
    ]  # fmt: skip
    answer = device().client.post("/truth", json={"truth": entries})

    assert answer.status_code == 422
    body = answer.get_json()
    assert [error["row"] for error in body["errors"]] == [1, 2, 3, 4, 5, 6]
    places = ["entry 1: ", *(f"entry {n} (id 'a" for n in range(2, 7))]
    assert [e["detail"].startswith(p) for e, p in zip(body["errors"], places, strict=True)] == (
        [True] * 6
    )
    assert body["detail"] == "entry 1: expected an object, got a number (and 5 more problems)"


def test_truth_needs_a_key_where_keys_are_set(device: Make) -> None:
    client = device(api_keys=KEYS).client
    body = {"truth": [{"id": "a", "value": 1}]}

    assert client.post("/truth", json=body).status_code == 401
    assert client.post("/truth", json=body, headers={"X-API-Key": "first key"}).status_code == 200


def test_truth_is_in_the_document_and_answered_as_it_says(device: Make) -> None:
    client = device().client
    document = client.get("/openapi.json").get_json()
    validate({**document, "paths": {"/truth": document["paths"]["/truth"]}})  # the rest is others'
    operation = document["paths"]["/truth"]["post"]
    [content] = operation["requestBody"]["content"].values()
    says = OAS31Validator(content["schema"])
    good = {"id": "a", "row": 1, "value": [None]}
    for entry, status in (
        (good, 200), ({"id": "a", "value": 1}, 200), (content["example"]["truth"][0], 200),
        (7, 422), ({"id": "a"}, 422), ({"id": "a b", "value": 1}, 422), ({**good, "x": 1}, 422),
        ({**good, "row": -1}, 422), ({**good, "row": True}, 422), ({**good, "row": 2**31}, 422),
    ):  # fmt: skip
        body = {"truth": [entry]}
        answer = client.post("/truth", json=body)
        assert (answer.status_code, says.is_valid(body)) == (status, status == 200), entry
        assert str(status) in operation["responses"]
    others: list[Any] = [{"truth": []}, {"truth": [good], "x": 1}, []]
    for other in others:
        assert (client.post("/truth", json=other).status_code, says.is_valid(other)) == (400, False)


def test_without_a_disk_predictions_are_answered_and_truth_is_not(
    device: Make, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    away.write_text("")
    kept = device("hash", path=away / "queue.db")
    truth = {"truth": [{"id": "a", "value": 1}]}

    assert kept.client.post(PATH, json={"instances": [SHOP]}).status_code == 200
    answer = kept.client.post("/truth", json=truth)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    found = figures(kept.client.get("/metrics").text)
    assert found["onnxlet_forward_keeping"] == 0
    assert found["onnxlet_forward_late_total"] == 1
    assert "onnxlet_forward_waiting" not in found
    away.unlink()
    wait_until(lambda: bool(kept.sent))
    assert kept.client.post("/truth", json=truth).status_code == 200
    assert "hashes" not in kept.first()


@pytest.mark.long
def test_metrics_do_not_wait_for_a_locked_queue(
    models: Path, tmp_path: Path, endpoint: Endpoint
) -> None:
    """As where another process's commit hangs with the card: it holds the lock meanwhile."""
    with running_server(models, served(endpoint, tmp_path), tmp_path / "log") as server:
        wait_until(lambda: "onnxlet_forward_waiting" in figures(get(server.port, "/metrics")))
        with closing(sqlite3.connect(tmp_path / "q" / "queue.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            asking = threading.Thread(target=ask, args=(server.port, PATH, {"instances": [SHOP]}))
            asking.start()
            start = time.monotonic()
            for path in ("/metrics", "/v2/health/live") * 3:
                get(server.port, path)
            assert time.monotonic() - start < 10, "5 seconds for each /metrics"
            assert "onnxlet_forward_waiting" in figures(get(server.port, "/metrics"))
            asking.join()


def test_where_the_queue_is_locked_hashes_are_waited_for_once(
    device: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(forwarder, "DISK_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", 0.1)
    open_queue(ForwardOptions(queue=tmp_path / "queue.db")).close()
    with closing(sqlite3.connect(tmp_path / "queue.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        kept = device("hash")
        start = time.monotonic()
        for _ in range(3):
            assert kept.client.post(PATH, json={"instances": [SHOP]}).status_code == 200
        assert time.monotonic() - start < 12, "5 seconds for each"
    assert "hashes" not in kept.first()


def get(port: int, path: str) -> str:
    return Client(through_socket(port)).get(path).body.decode()


def test_stale_totals_are_not_reported(kept: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.client.post(PATH, json={"instances": [SHOP]})
    wait_until(lambda: kept.forward.figures().totals is not None)
    monkeypatch.setattr(monitor, "STALE_SECONDS", 0.0)

    assert kept.forward.figures().totals is None
    assert "onnxlet_forward_sent" not in kept.client.get("/metrics").text


def figures(text: str) -> dict[str, float]:
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("onnxlet_forward") and not sample.labels
    }


def test_a_failure_of_ours_is_counted_and_answers_all_the_same(
    kept: Device, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:

    def fail(*arguments: Any) -> Any:
        raise ValueError(f"with {len(arguments)} data")

    monkeypatch.setattr("onnxlet.edge.forward.forwarder.form_of", fail)
    assert kept.client.post(PATH, json={"instances": [SHOP]}).status_code == 200
    assert kept.forward.figures().lost == {"failed": 1}
    assert "with 3 data" not in capfd.readouterr().err
    text = kept.client.get("/metrics").text
    assert 'onnxlet_forward_dropped_total{reason="failed"} 1.0' in text


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with listening(None) as endpoint:
        yield endpoint


def ask(port: int, path: str, body: Any) -> tuple[int, str]:
    answer = Client(through_socket(port)).post(path, body)
    return answer.status, answer.headers["x-request-id"]


def served(endpoint: Endpoint, folder: Path, *more: tuple[str, str]) -> dict[str, str]:
    device = {"FORWARD_URL": endpoint.url, "QUEUE": str(folder / "q" / "queue.db"), **dict(more)}
    return {**CLEAN, **{f"ONNXLET_DEVICE_{name}": value for name, value in device.items()}}


@pytest.mark.parametrize("durable", ["yes", "no"])
def test_a_server_sends_what_it_answered_and_ends_with_everything_on_the_disk(
    models: Path, tmp_path: Path, endpoint: Endpoint, durable: str
) -> None:
    """The endpoint is away at first: what was answered before SIGTERM is sent by the next one."""
    endpoint.mood = lambda: "500"
    environ = served(endpoint, tmp_path, ("FORWARD_SECONDS", "1"), ("FORWARD_DURABLE", durable))
    server = start_server(models, environ, tmp_path / "log", program=("-c", PATIENT))
    asked = [ask(server.port, PATH, {"instances": [SHOP]}) for _ in range(20)]
    assert ask(server.port, "/truth", {"truth": [{"id": asked[0][1], "value": True}]})[0] == 200
    ask(server.port, PATH, {"instances": [SHOP]})
    assert stop_server(server) == 0
    with sqlite3.connect(tmp_path / "q" / "queue.db") as there:
        assert there.execute("SELECT count(*) FROM record").fetchone() == (22,)
    there.close()
    endpoint.behave()
    server = start_server(models, environ, tmp_path / "log")
    wait_until(lambda: len(endpoint.records) == 22)
    assert stop_server(server) == 0

    sent: Sequence[dict[str, Any]] = endpoint.records
    assert [record["prediction"]["id"] for record in sent[:20]] == [name for _, name in asked]
    assert sent[20]["truth"] == [{"id": asked[0][1], "row": 0, "value": True}]
    assert time.time() * 1000 - sent[0]["time_ms"] < 120_000


def test_a_setting_that_cannot_be_used_stops_the_server(models: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ONNXLET_DEVICE_FORWARD_URL: expected https://"):
        start_server(
            models, {**CLEAN, "ONNXLET_DEVICE_FORWARD_URL": "http://example.com/"}, tmp_path / "log"
        )
