"""Two real workers, one of which is killed or stopped: one answer, whichever is asked."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sklearn.datasets import load_iris

from tests.conftest import start_server, stop_server
from tests.edge.forward.endpoint import listening, wait_until
from tests.edge.service.test_metrics import at, samples
from tests.edge.service.test_reloading import Asking, another
from tests.edge.service.test_serve import CLEAN
from tests.edge.workers.test_workers import WORKERS, Started, stop

__all__ = ["another"]
FLOWERS = load_iris(return_X_y=True)[0].tolist()
COLLECTED_SECONDS = 1.5  # after which the supervisor knows what a worker has counted
JSON = {"Content-Type": "application/json"}
IRIS = "/models/iris/predict"


class Asked:
    """A connection to one worker.

    Attributes:
        worker: its number.
    """

    def __init__(self, started: Started) -> None:
        ASKED.append(self)
        self._connection = started.connect()
        name = uuid4().hex
        self.ask("GET", "/v2", None, name)
        wait_until(lambda: started.lines(request_id=name))
        self.worker: int = started.lines(request_id=name)[0]["worker"]

    def ask(self, method: str, path: str, body: Any = None, name: str = "") -> Any:
        content = None if body is None else json.dumps(body)
        self._connection.request(
            method, path, content, {**JSON, "X-Request-Id": name or uuid4().hex}
        )
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        is_json = answer.headers["Content-Type"] == "application/json"
        return json.loads(text) if is_json else text.decode()

    def metrics(self) -> Mapping[Any, float]:
        return samples(self.ask("GET", "/metrics"))

    def drift(self) -> Any:
        return self.ask("GET", "/models/iris/drift")

    def close(self) -> None:
        self._connection.close()


ASKED: list[Asked] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()


def close_all() -> None:
    """Close the connections of a test."""
    while ASKED:
        ASKED.pop().close()


def both(started: Started) -> list[Asked]:
    """A connection to each of two workers, by their numbers."""
    found: dict[int, Asked] = {}
    kept: list[Asked] = []
    for _ in range(50):
        kept.append(Asked(started))
        found.setdefault(kept[-1].worker, kept[-1])
        if len(found) == 2:
            for each in kept:
                if each not in found.values():
                    each.close()
            return [found[0], found[1]]
    raise AssertionError("every connection came to the same worker")


@pytest.fixture
def started(own: Path, tmp_path: Path) -> Iterator[Started]:
    environ = {
        **CLEAN, **WORKERS, "ONNXLET_KEEP": str(tmp_path / "kept.db"),
        "ONNXLET_RELOAD_SECONDS": "1",
    }  # fmt: skip
    server = start_server(own, environ, tmp_path / "log")
    started = Started(server, tmp_path / "log")
    yield started
    for pid in started.workers():
        os.kill(pid, signal.SIGCONT)
    assert stop_server(server) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def add_version(own: Path, another: Path) -> None:
    """Version 2, which answers otherwise than the first, in one step."""
    another.rename(own / "iris" / "2")


def kill(started: Started, worker: int) -> None:
    """Kill -9, and wait for another one."""
    time.sleep(COLLECTED_SECONDS)
    pids = started.workers()
    os.kill(pids[worker], signal.SIGKILL)
    wait_until(lambda: started.lines(event="worker", worker=worker, state="serves"))


def test_counts_drift_and_truth_are_of_both_and_outlive_one(started: Started) -> None:
    one, two = both(started)
    right: list[int] = one.ask("POST", IRIS, {"instances": FLOWERS * 2}, "one")["prediction"]
    two.ask("POST", IRIS, {"instances": FLOWERS}, "two")
    crossed = [(one, "two", 150), (two, "one", 300)]
    for asked, name, rows in crossed:  # each truth comes to the worker that has not answered
        entries = [{"id": name, "row": row, "value": right[row]} for row in range(rows)]
        joined = {"kept": rows, "joined": rows, "again": 0, "taken": 0, "unknown": 0}
        assert asked.ask("POST", "/truth", {"truth": entries}) == joined

    def shown(asked: Asked) -> dict[str, Any]:
        report, found = asked.drift(), asked.metrics()
        [stats] = asked.ask("GET", "/v2/models/iris/stats")["model_stats"]
        return {
            "drift": report,
            "stats": stats,
            "metrics": {
                name: at(found, name, model="iris")
                for name in (
                    "onnxlet_rows_total", "onnxlet_drift_rows_total", "onnxlet_drift_window_rows",
                    "onnxlet_drift_alarms", "onnxlet_model_version",
                )
            },
            "accuracy": at(
                found, "onnxlet_realised_performance", model="iris", metric="accuracy"
            ),
        }  # fmt: skip

    # One that does not say within a second what it has counted is shown with what was known of it.
    wait_until(lambda: shown(one) == shown(two) and shown(one)["stats"]["inference_count"] == 450)
    before = shown(one)
    assert before["metrics"]["onnxlet_rows_total"] == 450
    assert before["metrics"]["onnxlet_drift_rows_total"] == 450
    assert before["drift"]["realised"]["total"]["rows"] == 440
    assert before["accuracy"] == before["drift"]["realised"]["accuracy"] == 1.0
    assert before["stats"]["inference_count"] == 450
    processor = at_process(one)

    kill(started, 0)
    one.close()
    again, other = both(started)
    for asked in (again, other):
        wait_until(lambda asked=asked: shown(asked) == before)  # type: ignore[misc]
        found = asked.metrics()
        assert at(found, "onnxlet_workers") == 2
        assert at(found, "onnxlet_workers_ended_total") == 1
    assert at_process(again) >= processor
    again.ask("POST", IRIS, {"instances": FLOWERS * 2}, "three")
    wait_until(lambda: other.drift()["rows"] == again.drift()["rows"] == 750)
    entries = [{"id": "three", "row": row, "value": 7} for row in range(20)]
    assert other.ask("POST", "/truth", {"truth": entries})["joined"] == 20
    wait_until(lambda: again.drift()["realised"] == other.drift()["realised"])
    assert again.drift()["realised"]["total"]["rows"] == 460


@pytest.mark.workers
def test_a_worker_that_is_ended_by_a_signal_of_its_own_loses_no_counts(started: Started) -> None:
    """A second's worth of them is what the supervisor has not asked for yet."""
    for number in range(3):
        one, two = both(started)
        gone = started.workers()[one.worker]
        for _ in range(7):
            one.ask("POST", IRIS, {"instances": FLOWERS})
        os.kill(gone, signal.SIGTERM)
        wait_until(lambda gone=gone: gone not in (now := started.workers()) and len(now) == 2)  # type: ignore[misc]
        wait_until(lambda two=two: at(two.metrics(), "onnxlet_workers") == 2)  # type: ignore[misc]
        expected = 7 * len(FLOWERS) * (number + 1)
        assert at(two.metrics(), "onnxlet_rows_total", model="iris") == expected
        assert two.drift()["rows"] == expected
        close_all()


def at_process(asked: Asked) -> float:
    lines = asked.ask("GET", "/metrics").splitlines()
    found = [line for line in lines if line.startswith("process_cpu_seconds_total ")]
    return float(found[0].split()[1])


@pytest.mark.workers
def test_both_switch_or_none(started: Started, own: Path, another: Path) -> None:
    """A stopped worker holds a switch up; no client sees a version go back."""
    for each in both(started):
        each.close()
    clients = [Asking(started.port) for _ in range(6)]
    pids = started.workers()
    stop(pids[1])
    asking = Asking(started.port)  # accepted by the other one
    asking.start()
    wait_until(lambda: asking.answers)
    add_version(own, another)
    time.sleep(4)
    assert [answer[:2] for answer in asking.answers] == [(200, 1)]
    assert started.lines(event="reload") == []
    os.kill(pids[1], signal.SIGCONT)
    for client in clients:
        client.start()
    wait_until(lambda: started.lines(event="reload", version=2, state="served"))
    one, two = both(started)
    for worker in (one, two):
        assert worker.ask("POST", IRIS, FLOWERS[:1])["version"] == 2
    for client in (asking, *clients):
        wait_until(lambda client=client: client.failed or client.answers[-1:])  # type: ignore[misc]
    time.sleep(0.5)
    for client in (asking, *clients):
        wait_until(lambda client=client: client.failed or client.answers[-1][1] == 2)  # type: ignore[misc]
        client.stopped.set()
        client.join()
        assert client.failed is None
        versions = [version for _, version, _ in client.answers]
        assert versions in ([1, 2], [2])
    assert len(started.lines(event="reload")) == 1


@pytest.mark.workers
def test_a_worker_that_dies_holds_nothing_up_and_begins_with_what_is_served(
    started: Started, own: Path, another: Path
) -> None:
    pids = started.workers()
    stop(pids[1])
    add_version(own, another)
    time.sleep(3)
    os.kill(pids[1], signal.SIGKILL)
    wait_until(lambda: started.lines(event="reload", version=2, state="served"))
    (own / "iris" / "3").mkdir()
    for file in (own / "iris" / "2").iterdir():
        shutil.copy(file, own / "iris" / "3")
    (own / "iris" / "3" / "model.onnx").write_bytes(b"broken")  # no start could load it
    wait_until(lambda: started.lines(event="reload", version=3, state="refused"))
    wait_until(lambda: started.lines(event="worker", worker=1, state="serves"))
    kill(started, 0)
    for asked in both(started):
        assert asked.ask("POST", IRIS, FLOWERS[:1])["version"] == 2
        assert asked.ask("GET", "/models/iris")["versions"] == [1, 2]
    time.sleep(2.5)
    assert len(started.lines(event="reload", version=3)) <= 2, "once, and once by a new worker"


@pytest.mark.long
def test_one_queue_and_one_sender(models: Path, tmp_path: Path) -> None:
    """Each answered prediction arrives once, whichever worker has kept it, and one is killed."""
    with listening(None) as endpoint:
        environ = {
            **CLEAN, **WORKERS,
            "ONNXLET_DEVICE_FORWARD_URL": endpoint.url,
            "ONNXLET_DEVICE_FORWARD_SECONDS": "1",
            "ONNXLET_DEVICE_QUEUE": str(tmp_path / "state" / "queue.db"),
        }  # fmt: skip
        server = start_server(models, environ, tmp_path / "log")
        started = Started(server, tmp_path / "log")
        answered: set[str] = set()
        asked = both(started)
        for number in range(40):
            name = f"r{number}"
            if number == 20:
                os.kill(started.workers()[0], signal.SIGKILL)
                wait_until(lambda: started.lines(event="worker", state="serves"))
                asked = both(started)
            with suppress(OSError, http.client.HTTPException):
                asked[number % 2].ask("POST", IRIS, FLOWERS[:3], name)
                answered.add(name)
        assert len(answered) == 40
        wait_until(lambda: answered <= {r["prediction"]["id"] for r in endpoint.records})
        sent = [record["prediction"]["id"] for record in endpoint.records]
        assert sorted(sent) == sorted(answered)

        def arrived() -> bool:
            found = asked[0].metrics()
            return at(found, "onnxlet_forward_sent_total") == 40

        wait_until(arrived)
        assert at(asked[1].metrics(), "onnxlet_forward_keeping") == 1
        assert stop_server(server) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()
