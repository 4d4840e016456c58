"""Drift in `/metrics`: the figures of `GET /models/N/drift`, with bounded labels, made when new."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from sklearn.linear_model import LogisticRegression

from onnxlet.convert.sources.source import Source
from onnxlet.edge.mqtt.service import Responder
from onnxlet.edge.service import drift_reports, metrics
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.drift_reports import MOST_ALARMS, DriftReports, digest, summary
from onnxlet.function.app import SERVICE
from onnxlet.function.monitoring import drift
from onnxlet.function.monitoring.sentences import KS
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of
from tests.edge.service.drifting import calm, drifted
from tests.edge.service.test_metrics import Samples, at, samples
from tests.kept_builds import kept_builds


@pytest.fixture(autouse=True)
def _every_report_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape makes reports for 20 ms, and a busy machine may need that for the first model."""
    monkeypatch.setattr("onnxlet.edge.service.metrics.DRIFT_SECONDS", 60.0)


@pytest.fixture
def app(models: Path) -> Any:
    return make_app(
        models, settings=Settings(models, owned=True, reload_seconds=0, default_model="iris")
    )


@pytest.fixture
def client(app: Any) -> Client:
    return client_of(app)


def scrape(client: Client) -> Samples:
    return samples(client.get("/metrics").body.decode())


def of_drift(found: Samples, model: str) -> dict[str, list[float]]:
    """Values by name, of one model."""
    values: dict[str, list[float]] = {}
    for (name, labels), value in found.items():
        if ("model", model) in labels and ("drift" in name or "performance" in name):
            values.setdefault(name, []).append(value)
    return values


def test_they_are_for_readers(models: Path) -> None:
    """All else is for every key, as it was."""
    keys = {name: {name: sha256(name.encode()).digest()} for name in ("client", "reader")}
    settings = Settings(
        models, reload_seconds=0, api_keys=keys["client"], reader_keys=keys["reader"]
    )
    client = client_of(make_app(models, settings=settings))
    assert client.post("/models/iris/predict", drifted(), CLIENT).status == 200

    shown = client.get("/metrics", CLIENT).body.decode()
    assert at(samples(shown), "onnxlet_rows_total", model="iris") == 750
    assert "drift" not in shown
    assert "performance" not in shown
    read = samples(client.get("/metrics", {"X-API-Key": "reader"}).body.decode())
    assert at(read, "onnxlet_drift_rows_total", model="iris") == 750


CLIENT = {"X-API-Key": "client"}


def test_all_rows_of_a_block_but_one_change_no_metric_of_it(models: Path) -> None:
    """Of five clients, who all read: the first asks for all rows but one."""
    keys = {name: sha256(name.encode()).digest() for name in ("client", "a", "b", "c", "victim")}
    client = client_of(make_app(models, settings=Settings(models, reload_seconds=0, api_keys=keys)))
    assert client.post("/models/iris/predict", drifted(), CLIENT).status == 200
    before = of_drift(samples(client.get("/metrics", CLIENT).body.decode()), "iris")
    victim = {"X-API-Key": "victim"}
    assert client.post("/models/iris/predict", [[5.1, 3.5, 1.4, 0.2]], victim).status == 200

    assert of_drift(samples(client.get("/metrics", CLIENT).body.decode()), "iris") == before
    assert before["onnxlet_drift_rows_total"] == [0]


def test_the_figures_are_those_of_the_route(client: Client) -> None:
    assert client.post("/models/iris/predict", drifted()).status == 200
    assert client.post("/models/iris/predict", drifted()).status == 200
    assert client.post("/models/iris/predict", [[1, 2, 3, "x"]]).status == 422

    found, report = scrape(client), client.get("/models/iris/drift").json()

    assert report["alarms"]
    assert at(found, "onnxlet_drift_rows_total", model="iris") == report["rows"] == 1500
    assert at(found, "onnxlet_drift_window_rows", model="iris") == report["window"]
    assert at(found, "onnxlet_drift_alarms", model="iris") == len(report["alarms"])
    [(reason, count)] = report["refused"].items()
    assert at(found, "onnxlet_drift_refused_total", model="iris", reason=reason) == count == 1
    tests = {
        (entry.get("column", ""), entry.get("output", ""), entry["measure"], test["statistic"]): (
            test["value"], test["threshold"], 1 if test["alarmed"] else None,
        )
        for entry in report["columns"] + report["predictions"]
        for test in entry["tests"]
    }  # fmt: skip
    names = ("column", "output", "measure", "statistic")
    exposed = {
        key: tuple(
            at(found, f"onnxlet_drift_{name}", model="iris", **dict(zip(names, key, strict=True)))
            for name in ("value", "threshold", "alarmed")
        )
        for key in tests
    }
    assert exposed == tests
    by_name = of_drift(found, "iris")
    assert len(by_name["onnxlet_drift_value"]) == len(tests)
    assert len(by_name["onnxlet_drift_alarmed"]) == len(report["alarms"])
    assert at(found, "onnxlet_drift_alarmed", model="iris", column="x0", output="",
              measure="value", statistic=KS) == 1  # fmt: skip
    for name in ("accuracy", "precision", "recall", "f1", "roc_auc"):
        of = {"model": "iris", "metric": name}
        assert at(found, "onnxlet_estimated_performance", **of) == report["estimated"][name]
        held_out = report["estimated"]["held_out"][name]
        assert at(found, "onnxlet_held_out_performance", **of) == held_out


def test_rows_as_at_build_alarm_nothing(client: Client) -> None:
    client.post("/models/iris/predict", calm())

    found = of_drift(scrape(client), "iris")
    assert found["onnxlet_drift_alarms"] == [0]
    assert "onnxlet_drift_alarmed" not in found


def test_off_there_is_none_of_it(models: Path) -> None:
    settings = Settings(models, owned=True, reload_seconds=0, watch=False)
    client = client_of(make_app(models, settings=settings))
    client.post("/models/iris/predict", drifted())

    assert "drift" not in client.get("/metrics").body.decode()


REPORT: Mapping[str, Any] = {
    "model": "m", "version": 1, "since": "2026-11-27T00:00:00+00:00", "rows": 3, "window": 3,
    "waiting": 0, "refused": {}, "alarms": [], "estimated": None,
    "realised": {"rows": 9, "accuracy": 0.5, "roc_auc": None, "estimated": {"accuracy": 0.6},
        "tests": [{"statistic": "coverage 0.9", "value": 0.68, "threshold": 0.86, "side": "below",
            "alarmed": True, "sentence": "68 % lie in their interval."}]},
    "columns": [{"column": "prediction", "measure": "value", "tests": [
        {"statistic": "missing", "value": 0.0, "threshold": 0.1, "alarmed": False}]}],
    "predictions": [
        {"output": "prediction", "measure": "value", "index": index, "tests": [
            {"statistic": "missing", "value": 0.0, "threshold": 0.1, "alarmed": False}]}
        for index in range(2)
    ],
}  # fmt: skip


class Collector:
    """Gives prometheus-client's registry the metrics of some reports."""

    def __init__(self, *reports: Mapping[str, Any]) -> None:
        self._reports = reports

    def collect(self) -> Any:
        return metrics.drift_metrics([digest(each) for each in self._reports])


def text_of(*reports: Mapping[str, Any]) -> str:
    """The metrics of some reports, as they are scraped."""
    registry = CollectorRegistry()
    registry.register(Collector(*reports))
    return generate_latest(registry).decode()


def test_a_column_that_is_called_as_an_output_and_outputs_of_many_numbers_stay_apart() -> None:
    """Prometheus drops a scrape that has a series twice."""
    found = samples(text_of(REPORT))
    labels = [dict(labels) for name, labels in found if name == "onnxlet_drift_value"]
    assert sorted((each["column"], each["output"]) for each in labels) == [
        ("", "prediction"), ("", "prediction[0]"), ("", "prediction[1]"), ("prediction", ""),
    ]  # fmt: skip
    [alarmed] = [dict(labels) for name, labels in found if name == "onnxlet_drift_alarmed"]
    about = {"model": "m", "column": "", "output": "prediction", "measure": "realised"}
    assert alarmed == {**about, "statistic": "coverage 0.9"}


def test_what_came_of_predictions_stands_beside_what_was_expected() -> None:
    found = {
        (metric.name, sample.labels["metric"]): sample.value
        for metric in metrics.drift_metrics([digest(REPORT)])
        for sample in metric.samples
        if "metric" in sample.labels
    }
    assert found == {("onnxlet_realised_performance", "accuracy"): 0.5}


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of as many columns as are counted, and more."""
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(600, 210)), columns=[f"c{i}" for i in range(210)])
    y = X["c0"] + random.normal(size=600) > 0
    source = Source(LogisticRegression().fit(X[:400], y[:400]), X[400:], y[400:], X[:400])
    return kept_builds({"wide": source}, tmp_path_factory.mktemp("wide"))


def test_a_scrape_of_two_hundred_columns_is_fast_and_bounded(wide: Path) -> None:
    """Of the processor's time, since others use it, too; the least of several."""
    client = client_of(make_app(wide, settings=Settings(wide, owned=True, reload_seconds=0)))
    random = np.random.default_rng(1)
    took = []
    for _ in range(4):
        assert client.post("/predict", random.normal(0.3, 1, (1000, 210)).tolist()).status == 200
        start = time.process_time()
        found = of_drift(scrape(client), "wide")
        took.append(time.process_time() - start)

    assert len(found["onnxlet_drift_value"]) <= 200 * 4
    assert found["onnxlet_drift_rows_total"] == [4000]
    assert min(took) < 0.25, took  # 0.06 s on a machine whose cores others use, too


def test_a_report_is_made_once_for_the_same_rows(
    app: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    of = drift.of
    monkeypatch.setattr(drift, "of", lambda *given: made.append(given[1].name) or of(*given))  # type: ignore[func-returns-value] # notes, then goes on
    service, reports = app.extensions[SERVICE], DriftReports()

    first = reports.of(service)
    assert [each.summary["model"] for each in first] == made == list(service.repository.names)
    client.post("/models/iris/predict", [[1, 2, 3, "x"]])
    again = reports.of(service)
    assert len(made) == 4, "a refused row makes no report, but is in it"
    assert [each.summary["refused"] for each in again] == [0, 1, 0, 0]
    client.post("/models/iris/predict", calm())
    assert [each.summary["rows"] for each in reports.of(service)] == [0, 750, 0, 0]
    assert made[4:] == ["iris"]
    monkeypatch.setattr(drift_reports, "OLDEST_SECONDS", 0.0)
    reports.of(service)
    assert len(made) == 9, "what came of predictions may be new"


def test_with_little_time_the_oldest_report_is_made_first(app: Any, client: Client) -> None:
    service, reports = app.extensions[SERVICE], DriftReports()
    lengths = [len(reports.of(service, 0.0)) for _ in range(5)]
    assert lengths == [1, 2, 3, 4, 4]


def test_a_report_that_fails_fails_nothing_else(
    app: Any, client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    of = drift.of

    def fail(service: Any, model: Any) -> Any:
        if model.name == "iris":
            raise ZeroDivisionError
        return of(service, model)

    monkeypatch.setattr(drift, "of", fail)
    found = scrape(client)
    assert of_drift(found, "iris") == {}
    assert at(found, "onnxlet_drift_rows_total", model="shop") == 0
    assert '"event":"drift"' in capfd.readouterr().err


def test_counts_that_fail_fail_nothing_else_and_are_logged_once(
    app: Any, client: Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As of a manifest that is counted, or begun to be, in a way that nobody has thought of."""
    service = app.extensions[SERVICE]
    broken = service.watches.of(service.repository.choose("iris"))
    of = service.watches.of

    def fail(model: Any) -> Any:
        if model.name == "shop":
            raise AttributeError
        return of(model)

    monkeypatch.setattr(broken, "figures", lambda: 1 / 0)
    monkeypatch.setattr(service.watches, "of", fail)
    for _ in range(2):
        assert client.get("/metrics").status == 200
    found = scrape(client)
    assert of_drift(found, "iris") == of_drift(found, "shop") == {}
    assert at(found, "onnxlet_drift_rows_total", model="house-prices") == 0
    assert capfd.readouterr().err.count('"event":"drift"') == 2


def test_what_readings_come_to_is_published_of_the_others(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    responder = Responder(models, Settings(models, reload_seconds=0), None, "iris")
    service = responder._service
    broken = service.watches.of(service.repository.choose("iris"))
    monkeypatch.setattr(broken, "figures", lambda: 1 / 0)

    assert [each["model"] for each in responder.drift()] == [
        name for name in service.repository.names if name != "iris"
    ]


@pytest.mark.parametrize("with_tests", [True, False])
def test_little_is_kept_of_a_report_of_two_hundred_columns(wide: Path, with_tests: bool) -> None:
    app = make_app(wide, settings=Settings(wide, owned=True, reload_seconds=0))
    service = app.extensions[SERVICE]
    rows = np.random.default_rng(1).normal(0.3, 1, (1000, 210)).tolist()
    assert client_of(app).post("/predict", rows).status == 200
    model = service.repository.choose("wide")
    report = drift.of(service, model)
    assert report is not None
    [made] = DriftReports(with_tests).of(service)

    of_report = [
        {name: value for name, value in test.items() if name not in ("side", "sentence")}
        for e in report["columns"] + report["predictions"]
        for test in e["tests"]
    ]
    assert len(of_report) > 600
    assert [
        {"statistic": t.statistic, "value": t.value, "threshold": t.threshold, "alarmed": t.alarmed}
        for t in made.tests
    ] == (of_report if with_tests else [])
    assert made.summary == summary(report)
    kept = len(pickle.dumps(made))
    assert kept < (48_000 if with_tests else 6_000) < len(pickle.dumps(report))


def test_a_summary_is_short_whatever_the_report_holds(client: Client) -> None:
    client.post("/models/iris/predict", drifted())
    report = client.get("/models/iris/drift").json()
    report["alarms"] *= 3
    found = summary(report)

    count = len(report["alarms"])
    assert count > MOST_ALARMS == len(found["alarms"])
    about = {key: report[key] for key in ("model", "version", "since", "rows", "window")}
    assert {key: found[key] for key in about} == about
    assert (found["refused"], found["alarm_count"], found["realised"]) == (0, count, None)
    assert [each["column"] for each in found["alarms"]] == [
        each["column"] for each in report["alarms"][:MOST_ALARMS]
    ]
    assert found["estimated"]["accuracy"] == pytest.approx(report["estimated"]["accuracy"], 1e-4)
    assert "history" not in found["estimated"]
    name = "列" * 10_000
    long = [{**each, "column": name, "sentence": name} for each in report["alarms"] * 50]
    found = summary(
        {**report, "alarms": long, "estimated": {**found["estimated"], "doubtful": [name] * 9}}
    )
    assert len(str(found).encode()) < 8000
    assert summary(REPORT)["realised"] == {"rows": 9, "accuracy": 0.5, "roc_auc": None}
