"""`python -m tools.deploy drift`, on a log that instances have written here, and an emulator's."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from onnxlet.function.app import create_app
from onnxlet.function.models.model import load_model
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.settings import Settings
from tests.conftest import ROOT
from tests.deploy.conftest import bundle_of
from tests.deploy.emulator import Emulator, post
from tests.deploy.test_deployments import endpoint
from tests.events import CONTEXT
from tools.deploy.drift import added_up, counted, deltas_of, in_words, manifests_of
from tools.deploy.errors import DeployFailed
from tools.deploy.options import read_plan

SINGLE = 20  # golden rows by which a deployment is timed

X = load_iris().data
NOW = 1_767_225_600.0  # 2026-01-01
FAR = X + np.array([0, 0, 3.0, 0])  # one column in another unit


@pytest.fixture
def log(
    models: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Any]:
    """Has an instance answer requests, and gives its log's events, a second apart."""
    monkeypatch.setenv("ONNXLET_MODELS", str(models))
    monkeypatch.setenv("ONNXLET_READER_KEYS", f"reader:{sha256(b'KEY').hexdigest()}")

    def written(*batches: Any, stream: str = "one") -> tuple[Any, list[dict[str, Any]]]:
        sys.modules.pop("onnxlet.function.handler", None)
        instance = importlib.import_module("onnxlet.function.handler")
        for rows in batches:
            instance.handler({"model": "iris", "instances": np.asarray(rows).tolist()}, CONTEXT)
        messages = capfd.readouterr().err.splitlines()
        return instance, [
            {"timestamp": int(1000 * (NOW + n)), "message": message, "logStreamName": stream}
            for n, message in enumerate(messages)
        ]

    yield written
    sys.modules.pop("onnxlet.function.handler", None)


def report_of(events: Sequence[Any], models: Path, model: str = "") -> dict[str, Any]:
    told: list[str] = []
    where = manifests_of(read_plan({"MODELS": str(models), "STAGE": "no-such"}))
    [found] = added_up(deltas_of(events, model), where, NOW, told.append)
    assert told == []
    return found


def without_moments(report: dict[str, Any]) -> dict[str, Any]:
    history = [
        {k: v for k, v in each.items() if k != "until"} for each in report["estimated"]["history"]
    ]
    estimated = {**report["estimated"], "history": history}
    return {k: v for k, v in report.items() if k != "since"} | {"estimated": estimated}


def test_of_one_instance_the_log_says_what_its_route_does(log: Any, models: Path) -> None:
    instance, events = log(*([row] for row in X), *[X] * 30, [["x", 1, 2, 3]], *[FAR] * 5)
    client = instance.APP.test_client()

    report = report_of(events, models)
    assert report["rows"] == 36 * 150
    assert report["estimated"]["history"]
    assert report["refused"] != {}
    assert report["alarms"][0]["column"] == "x2"
    assert without_moments(report) == without_moments(
        client.get("/models/iris/drift", headers={"X-API-Key": "KEY"}).json
    )
    assert report["since"] == "2026-01-01T00:00:00+00:00"


def test_several_instances_are_as_one(log: Any, models: Path) -> None:
    _, first = log(*([row] for row in X[:100]), X, X)
    _, second = log(FAR, X, stream="two")
    rows = np.concatenate([X[:100], X, X, FAR, X]).tolist()
    client = create_app(models, settings=Settings(models, owned=True)).test_client()
    client.post("/models/iris/predict", json={"instances": rows})

    report = report_of(first + second, models)
    assert report["rows"] == report["window"] == 700
    there: Any = client.get("/models/iris/drift").json
    assert without_moments(report) == without_moments(there)


def test_the_window_is_the_newest_rows_of_all_instances(log: Any, models: Path) -> None:
    _, old = log(*[X] * 20)
    _, new = log(*[FAR] * 20, stream="two")
    later = [{**event, "timestamp": event["timestamp"] + 60_000} for event in new]

    moved = report_of(later + old, models)
    calm = report_of(
        [*new, *({**event, "timestamp": event["timestamp"] + 60_000} for event in old)], models
    )
    assert [(each["rows"], each["window"]) for each in (moved, calm)] == [(6000, 1800)] * 2
    assert moved["columns"][0]["total"] == calm["columns"][0]["total"]
    assert moved["alarms"] != []
    assert calm["alarms"] == []


def test_no_event_is_added_twice(log: Any, models: Path) -> None:
    _, events = log(X, X)

    assert report_of(events * 2, models)["rows"] == 300


def test_lines_of_other_kinds_are_passed_over(log: Any, models: Path) -> None:
    _, events = log(X, X[:5])
    others = ["START RequestId: x", "{", "[]", '{"watched":5}', '{"watched":{"rows":9}}', "null"]
    noise = [{"timestamp": 0, "message": message} for message in others]

    assert report_of(noise + events, models)["rows"] == 150
    assert deltas_of(events, "shop") == {}


def test_a_log_without_counts() -> None:
    with pytest.raises(DeployFailed, match="no counts") as caught:
        added_up({}, {}, NOW, print)
    assert "hundred rows" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"layout": "0" * 12}, "they were counted by another build of it (its hash 000000000000)"),
        ({"counts": "1,2"}, "counts, got 2"),
        ({"counts": "1,-2"}, "expected a delta, got something else"),
    ],
)
def test_what_can_t_be_compared(log: Any, models: Path, change: dict[str, Any], why: str) -> None:
    _, [event] = log(X)
    line = json.loads(event["message"])
    line["watched"] |= change
    told: list[str] = []
    where = {"here": manifests_of(read_plan({"MODELS": str(models)}))[str(models)]}

    with pytest.raises(DeployFailed, match="see above"):
        added_up(deltas_of([{**event, "message": json.dumps(line)}]), where, NOW, told.append)
    assert len(told) == 1
    assert told[0].startswith("iris/1: 150 rows can't be compared: ")
    assert why in told[0]


def test_a_version_whose_manifest_is_away_does_not_hide_the_others(log: Any, models: Path) -> None:
    _, [event] = log(X)
    away = {**event, "message": event["message"].replace('"version":1', '"version":9')}
    where = {"here": manifests_of(read_plan({"MODELS": str(models)}))[str(models)]}
    told: list[str] = []

    [found] = added_up(deltas_of([event, away]), where, NOW, told.append)
    assert found["version"] == 1
    assert told == ["iris/9: 150 rows can't be compared: its manifest is not in here"]


def test_the_manifest_is_the_bundle_s(log: Any, models: Path, tmp_path: Path) -> None:
    bundle = bundle_of(models / "iris" / "1" / "manifest.json", tmp_path / "bundle.zip")
    _, events = log(X)
    where = manifests_of(read_plan({"BUNDLE": str(bundle), "MODELS": str(tmp_path)}))

    assert list(where) == [str(bundle), str(tmp_path)]
    [found] = added_up(deltas_of(events), where, NOW, print)
    assert found["rows"] == 150


def test_what_is_printed(log: Any, models: Path) -> None:
    _, calm = log(X)
    _, moved = log([["x", 1, 2, 3]], FAR, stream="two")

    first = list(in_words(report_of(calm, models)))
    text = list(in_words(report_of(moved, models)))
    assert first[:2] == [
        "iris/1: 150 rows since 2026-01-01T00:00:00+00:00; the newest 150 against 75 of X_test",
        "  alarms: none",
    ]
    assert text[1].startswith("  alarms: ")
    assert text[2].startswith("    x2: ")
    assert "expected at most" in text[2]
    moved_most = text[text.index("  moved most:") + 1]
    assert moved_most.startswith("    x2: population stability index 3.602; above 5.85 was 10.7%")
    assert any(line.startswith("  expected: accuracy 0.") for line in text)
    assert text[-2:] == ["  refused: 1", "    1 for x0: expected a number"]


def test_an_answer_is_called_one_though_a_column_has_its_name(log: Any, models: Path) -> None:
    _, moved = log(FAR)
    report = report_of(moved, models)
    alarm = {"measure": "value", "statistic": "missing", "value": 0.3, "threshold": 0.1}
    alarm["sentence"] = "30 % of recent rows have no prediction."
    of_output = {**alarm, "column": "prediction", "output": "prediction"}
    alarms = [{**alarm, "column": "prediction"}, of_output, {**of_output, "index": 1}]
    text = list(in_words({**report, "alarms": alarms}))

    assert [line.partition(":")[0] for line in text[2:5]] == [
        "    prediction", "    answer prediction", "    answer prediction[1]",
    ]  # fmt: skip
    assert any(line.startswith("    answer prediction: population") for line in text[5:])


def test_what_the_document_shows(log: Any, models: Path) -> None:
    document = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
    [shown] = re.findall(r"^```text\n(iris/1: .*?)\n```", document, re.M | re.S)
    _, events = log(X, *([row] for row in X), [["x", 1, 2, 3]], FAR, FAR, FAR)

    def shape(line: str) -> str:
        return re.sub(r"(\d+ to|above|at most) |[\d.]+%?", "#", line)

    printed = list(in_words(report_of(events, models)))
    assert [shape(line) for line in printed] == [shape(line) for line in shown.split("\n")]


@pytest.mark.deploy
def test_what_is_deployed(emulator: Emulator, first: Path) -> None:
    at = {"STAGE": "drift", "BUNDLE": str(first)}
    told = emulator.up(OPEN="1", **at)
    early = emulator.command("drift", **at)
    # The emulator may keep a line until the next comes: that of the last row has no counts yet.
    for rows in (X, *([row] for row in X), FAR, FAR, FAR, X[:1]):
        assert post(endpoint(told), {"instances": np.asarray(rows).tolist()}).status == 200

    done = emulator.command("drift", JSON="1", MINUTES="10", **at)
    assert done.returncode == 0, done.stderr
    [report] = [json.loads(line) for line in done.stdout.splitlines()]
    text = emulator.command("drift", **at).stdout
    other = emulator.command("drift", **at, MODEL="shop")
    assert early.returncode == other.returncode == 1
    assert "the log has no counts of that time" in early.stderr
    # The emulator hands no client context on, which has Lambda count no golden row.
    assert report["rows"] == report["window"] == 750 + 24 + SINGLE
    assert report["alarms"][0]["column"] == "x2"
    assert text.startswith(f"iris/1: {report['rows']} rows since ")
    assert emulator.command("remove", STAGE="drift").returncode == 0


@pytest.mark.parametrize(
    "broken", [{"rows": 5}, {"rows": 5, "counts": "1,2"}, {"rows": "x", "counts": ""}, 5, None]
)
def test_what_is_no_delta(models: Path, broken: Any) -> None:
    model = load_model(models / "iris" / "1")

    with pytest.raises(ValueError, match=r"expected|invalid"):
        counted(broken, Layout(model.manifest, model.signature))
