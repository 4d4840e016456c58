"""Metrics, statistics and drift of several workers: sums of what each has counted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.secret import Secret
from onnxlet.function.app import SERVICE
from onnxlet.function.monitoring import sample
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of
from tests.edge.aggregation.links import Links, LocalLink
from tests.edge.service.drifting import calm, drifted
from tests.edge.service.test_metrics import at, samples

IRIS = "/models/iris/predict"
FLOWER = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(autouse=True)
def _every_report_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape makes reports for 20 ms, and a busy machine may need that for the first model."""
    monkeypatch.setattr("onnxlet.edge.service.metrics.DRIFT_SECONDS", 60.0)


class Worker:
    """One of several apps, and its client."""

    def __init__(self, models: Path, link: LocalLink | None, **settings: Any) -> None:
        self.link = link
        app = make_app(
            models,
            settings=Settings(models, **{"reload_seconds": 0, "owned": True, **settings}),
            secret=Secret("s" * 32),
            log=lambda entry: None,
            link=link,
        )
        self.service = app.extensions[SERVICE]
        self.client: Client = client_of(app)

    def predict(self, rows: Any, path: str = IRIS) -> None:
        assert self.client.post(path, rows).status == 200

    def metrics(self) -> dict[Any, float]:
        return dict(samples(self.client.get("/metrics").body.decode()))

    def drift(self, query: str = "") -> Any:
        return self.client.get(f"/models/iris/drift{query}").json()


class Workers:
    """Several of them, and their supervisor."""

    def __init__(self, models: Path, many: int = 2) -> None:
        self.links = Links()
        self.all = [Worker(models, self.links.join()) for _ in range(many)]

    def end(self, number: int) -> None:
        gone = self.all.pop(number)
        assert gone.link is not None
        self.links.end(gone.link)


@pytest.fixture
def workers(models: Path) -> Workers:
    return Workers(models, 3)


def seen(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report without its times."""
    return {key: value for key, value in report.items() if key not in ("since", "estimated")}


def some(rows: list[list[float]]) -> list[list[float]]:
    """250 of some rows, at random."""
    return [rows[index] for index in np.random.default_rng(0).permutation(len(rows))[:250]]


def test_metrics_are_sums_and_equal_whichever_worker_answers(workers: Workers) -> None:
    for number, worker in enumerate(workers.all):
        for _ in range(number + 1):
            worker.predict([FLOWER] * 2)
        worker.client.post(IRIS, {"instances": [{}]})

    for already, worker in enumerate(workers.all):
        found = worker.metrics()
        assert at(found, "onnxlet_requests_total", model="iris", status="200") == 6
        assert at(found, "onnxlet_requests_total", model="iris", status="422") == 3
        assert at(found, "onnxlet_errors_total", model="iris", error="InvalidRows") == 3
        assert at(found, "onnxlet_rows_total", model="iris") == 12
        assert at(found, "onnxlet_request_seconds_count", model="iris", stage="run") == 6
        last = at(found, "onnxlet_request_seconds_bucket", model="iris", stage="run", le="+Inf")
        assert last == 6
        scrapes = at(found, "onnxlet_requests_total", model="", status="200") or 0
        assert scrapes == already
        assert at(found, "onnxlet_workers") == 3
        assert at(found, "onnxlet_workers_ended_total") == 0


def test_a_dead_workers_counts_stay(workers: Workers) -> None:
    for worker in workers.all:
        worker.predict([FLOWER] * 120)
    before = workers.all[0].metrics()
    for ended in (1, 2):
        workers.end(1 if ended == 1 else 0)  # the second one has absorbed the first
        found = workers.all[0].metrics()
        assert at(found, "onnxlet_rows_total", model="iris") == 360
        assert at(found, "onnxlet_drift_rows_total", model="iris") == 360
        assert at(found, "onnxlet_drift_window_rows", model="iris") == 360
        assert at(found, "onnxlet_workers") == 3 - ended
        assert at(found, "onnxlet_workers_ended_total") == ended
    [stats] = workers.all[0].client.get("/v2/models/iris/stats").json()["model_stats"]
    assert stats["inference_count"] == 360
    assert stats["execution_count"] == 3
    assert at(before, "onnxlet_rows_total", model="iris") == 360


def test_rows_that_were_compared_are_sums_and_stay(workers: Workers) -> None:
    for worker in workers.all:
        rows = [FLOWER] * 110 + [[1e6, *FLOWER[1:]]] * 10
        assert worker.client.post(f"{IRIS}?unusual=true", rows).status == 200
    for ended in range(3):
        if ended:
            workers.end(1 if ended == 1 else 0)
        found = workers.all[0].metrics()
        assert at(found, "onnxlet_drift_compared_total", model="iris") == 360
        assert at(found, "onnxlet_drift_unusual_total", model="iris") == 30
        report = workers.all[0].client.get("/models/iris/drift").json()
        assert report["unusual"]["total"]["columns"] == {"x0": 30}


def test_blocks_of_ended_workers_have_rows_of_five_keys(models: Path) -> None:
    """Three workers have rows of two keys each; what two of them leave is of four, then of five."""
    keys = {name: sha256(name.encode()).digest() for name in "abcde"}
    links = Links()
    three = [Worker(models, links.join(), owned=False, api_keys=keys) for _ in range(3)]

    def ask(worker: Worker, key: str, rows: int) -> None:
        answer = worker.client.post(IRIS, [FLOWER] * rows, {"X-API-Key": key})
        assert answer.status == 200

    def shown(worker: Worker) -> int:
        rows: int = worker.client.get("/models/iris/drift", {"X-API-Key": "a"}).json()["rows"]
        return rows

    for worker, pair in zip(three, ("ab", "cd", "de"), strict=True):
        for key in pair:
            ask(worker, key, 60)
    last = three[2]
    assert shown(last) == 0
    for gone in three[:2]:
        assert gone.link is not None
        links.end(gone.link)
        assert shown(last) == 0, "what is left is of four keys"

    joined = Worker(models, links.join(), owned=False, api_keys=keys)
    ask(last, "e", 1)
    assert last.link is not None
    links.end(last.link)
    assert shown(joined) == 361


def test_statistics_of_v2_are_of_all(workers: Workers) -> None:
    for number, worker in enumerate(workers.all):
        worker.predict([FLOWER] * (number + 1))
        worker.client.post(IRIS, {"instances": [{}]})
    own = [worker.service.counts.state() for worker in workers.all]

    found = [w.client.get("/v2/models/iris/stats").json()["model_stats"][0] for w in workers.all]
    assert found[0] == found[1] == found[2]
    assert found[0]["inference_count"] == 6
    assert found[0]["execution_count"] == found[0]["inference_stats"]["success"]["count"] == 3
    assert found[0]["inference_stats"]["fail"]["count"] == 3
    runs = sum(round(each["stages"]["run"] * 1e6) for [each] in own)
    assert found[0]["inference_stats"]["compute_infer"]["ns"] == pytest.approx(runs, abs=3)
    assert found[0]["last_inference"] == max(each["last_ms"] for [each] in own)


def test_drift_of_three_workers_is_that_of_one_with_all_rows(
    models: Path, workers: Workers
) -> None:
    one = Worker(models, None)
    rows = calm()[:300] + drifted()[:300]
    random = np.random.default_rng(0)
    for number, part in enumerate(np.array_split(random.permutation(len(rows)), 3)):
        chosen = [rows[index] for index in part]
        one.predict(chosen)
        workers.all[number].predict(chosen)

    expected = one.drift()
    assert expected["alarms"]
    found = [worker.drift() for worker in workers.all]
    assert found[0] == found[1] == found[2]
    assert seen(found[0]) == seen(expected)
    assert found[0]["estimated"] == expected["estimated"]
    assert found[0]["since"] <= expected["since"]
    metrics = [
        {k: v for k, v in worker.metrics().items() if "drift" in k[0] or "performance" in k[0]}
        for worker in (one, *workers.all)
    ]
    assert metrics[0] == metrics[1] == metrics[2] == metrics[3]


def test_refusals_are_of_all(workers: Workers) -> None:
    for worker in workers.all[:2]:
        worker.client.post(IRIS, [[1, 2, 3, "x"]])
    workers.end(0)
    column = next(iter(workers.all[0].drift()["refused"]))
    assert workers.all[1].drift()["refused"] == {column: 2}


def test_rows_of_a_block_that_is_not_full_are_shown_by_nobody(workers: Workers) -> None:
    """Three times sixty are enough for a block, but a difference of two sums might be one row."""
    for worker in workers.all:
        worker.predict([FLOWER] * 60)
    assert [worker.drift()["rows"] for worker in workers.all] == [0, 0, 0]
    assert [worker.drift()["waiting"] for worker in workers.all] == [180, 180, 180]
    workers.all[0].predict([FLOWER] * 40)
    assert [worker.drift()["rows"] for worker in workers.all] == [100, 100, 100]


def test_rows_that_no_block_had_yet_go_on_in_another_worker(workers: Workers) -> None:
    for worker in workers.all[:2]:
        worker.predict([FLOWER] * 60)
    workers.end(0)
    assert workers.all[0].drift()["rows"] == 0
    workers.end(0)
    report = workers.all[0].drift()
    assert report["rows"] == report["window"] == 120
    assert seen(report)["predictions"][0]["total"] == report["predictions"][0]["window"]


def test_the_window_has_rows_of_one_time(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is asked no more does not keep old rows in it."""
    clock = [1_000_000.0]
    monkeypatch.setattr("onnxlet.function.monitoring.watch.time.time", lambda: clock[0])
    workers = Workers(models)

    def send(number: int, rows: list[list[float]], times: int) -> None:
        for _ in range(times):
            clock[0] += 1
            workers.all[number].predict(rows)

    send(0, some(drifted()), 8)
    assert workers.all[1].drift()["window"] == 2000
    send(1, some(calm()), 3)  # too few: the other's most recent half is needed, too
    assert workers.all[0].drift()["window"] == 750 + 1000
    send(1, some(calm()), 1)
    report = workers.all[0].drift()
    assert report["rows"] == 3000
    assert report["window"] == 1000
    assert report["columns"][0]["tests"][0]["alarmed"] is False
    for _ in range(6):  # both in turns
        send(0, some(calm()), 1)
        send(1, some(calm()), 1)
    assert 2000 <= workers.all[0].drift()["window"] <= 4000


def test_the_history_of_estimates_is_in_order_of_time(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr("onnxlet.function.monitoring.watch.time.time", lambda: clock[0])
    monkeypatch.setattr(sample, "BURST", 10**9)  # all rows are looked at
    workers = Workers(models)
    for _ in range(16 * 4):
        for worker in workers.all:
            clock[0] += 1
            worker.predict(some(calm()))
    history = workers.all[0].drift()["estimated"]["history"]
    assert len(history) == 24
    assert [each["until"] for each in history] == sorted(each["until"] for each in history)


def test_a_version_that_only_the_dead_worker_had_loaded_is_still_counted(
    models: Path, tmp_path: Path
) -> None:
    shutil.copytree(models / "iris", tmp_path / "iris")
    shutil.copytree(models / "iris" / "1", tmp_path / "iris" / "2")
    workers = Workers(tmp_path)
    workers.all[0].predict([FLOWER] * 200, "/models/iris/versions/1/predict")
    workers.all[0].predict([FLOWER] * 100)
    assert workers.all[1].drift("?version=1")["rows"] == 200
    workers.end(0)
    assert workers.all[0].drift("?version=1")["rows"] == 200
    assert workers.all[0].drift()["rows"] == 100


def test_counts_of_a_version_that_is_gone_are_forgotten(workers: Workers) -> None:
    workers.all[0].predict([FLOWER] * 200)
    workers.end(0)
    workers.all[0].service.watches.is_served = lambda name, version: False
    assert workers.all[1].drift()["rows"] == 0
    state = json.loads(workers.links.living[0].states["counts"]())
    assert [entry["model"] for entry in state["watches"]] == []


def test_what_processes_use_is_a_sum(workers: Workers) -> None:
    """In one process here: each worker is this process, and its parent the supervisor."""
    text = workers.all[0].client.get("/metrics").body.decode()
    lines = dict(line.split() for line in text.splitlines() if line.startswith("process_"))
    alone = Worker(workers.all[0].service.repository.folders[0], None).client.get("/metrics")
    own = dict(
        line.split() for line in alone.body.decode().splitlines() if line.startswith("process_")
    )
    assert set(lines) == set(own)
    # "<=": a supervisor may have started in the same tick of the clock
    assert float(lines["process_start_time_seconds"]) <= float(own["process_start_time_seconds"])
    assert float(lines["process_resident_memory_bytes"]) > 2.5 * float(
        own["process_resident_memory_bytes"]
    )
    assert float(lines["process_cpu_seconds_total"]) > 2.5 * float(own["process_cpu_seconds_total"])


def test_counting_goes_on_where_one_model_can_not_be_counted(
    workers: Workers, capfd: pytest.CaptureFixture[str]
) -> None:
    broken = workers.all[0].service
    for worker in workers.all[:2]:
        worker.predict([FLOWER] * 100)
    watch = broken.watches.of(broken.repository.choose("iris"))
    watch.figures = lambda: 1 / 0
    for _ in range(2):
        assert at(workers.all[0].metrics(), "onnxlet_rows_total", model="iris") == 200
    assert workers.all[1].drift()["rows"] == 100
    assert capfd.readouterr().err.count('"event":"drift"') == 1
