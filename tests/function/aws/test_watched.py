"""What an instance has counted is in its log, and nothing of anybody's row."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from sklearn.datasets import load_iris

from onnxlet.function.aws.lambda_log import OF_MODELS
from onnxlet.function.aws.native_events import GOLDEN
from onnxlet.function.aws.queue_events import answer_batch
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring import deltas
from onnxlet.function.monitoring.gathered import Gathered
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import LONGEST_REASON, BinCounts
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict
from tests.conftest import app_of
from tests.events import CONTEXT, make_sqs_event, make_v2_event
from tests.function.serving.test_predict import HOUSE, LOAN
from tests.log_lines import without_time

JSON = {"content-type": "application/json"}
ROWS = (
    load_iris().data.round(1) + np.arange(1, 151)[:, None] / 1e6
).tolist()  # nobody else's values
Instance = Callable[..., ModuleType]


@pytest.fixture
def instance(models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Starts one: its module is imported as Lambda imports it."""

    def start(**settings: str) -> ModuleType:
        for name, value in {"MODELS": str(models), **settings}.items():
            monkeypatch.setenv(f"ONNXLET_{name}", value)
        sys.modules.pop("onnxlet.function.handler", None)
        return importlib.import_module("onnxlet.function.handler")

    yield start
    sys.modules.pop("onnxlet.function.handler", None)
    app_of(models)  # which chooses the log's lines again


def over_http(instance: ModuleType, event: dict[str, Any]) -> Any:
    body = json.dumps(event).encode()
    sent = make_v2_event(method="POST", path="/predict", headers=JSON, body=body)
    return json.loads(instance.handler(sent, CONTEXT)["body"])


def directly(instance: ModuleType, event: dict[str, Any]) -> Any:
    return instance.handler(event, CONTEXT)


def through_a_queue(instance: ModuleType, event: dict[str, Any]) -> None:
    records = make_sqs_event([json.dumps(event)])["Records"]
    answer_batch(records, instance.SERVED, lambda entries: [], False, instance.LOG.write)


def ask(instance: ModuleType, rows: Any, send: Any = directly, model: str = "iris") -> Any:
    return send(instance, {"model": model, "instances": rows})


def watched(log: str) -> list[dict[str, Any]]:
    return [line["watched"] for line in without_time(log) if "watched" in line]


def counted_at_once(models: Path, rows: Any) -> list[int]:
    """How many of all these rows are in each bin, without a watch."""
    model = Repository(models).choose("iris")
    layout = Layout(model.manifest, model.signature)
    prediction = predict(model, native.from_object({"instances": rows}))
    counts: list[int] = layout.count(Gathered(prediction)).tolist()
    return counts


def added(lines: list[dict[str, Any]]) -> tuple[int, list[int]]:
    counts = [[int(count or 0) for count in line["counts"].split(",")] for line in lines]
    return sum(line["rows"] for line in lines), np.sum(counts, axis=0).tolist()


@pytest.mark.parametrize("send", [over_http, directly, through_a_queue])
def test_lines_of_two_instances_add_up_to_what_one_process_counts(
    instance: Instance, models: Path, capfd: pytest.CaptureFixture[str], send: Any
) -> None:
    rows = ROWS * 6
    first, second = instance(), instance()
    for row in rows[:250]:
        ask(first, [row], send)
    ask(second, rows[250:850], send)
    ask(first, rows[850:900], send)

    lines = without_time(capfd.readouterr().err)
    bearing = [number for number, line in enumerate(lines) if "watched" in line]
    assert bearing == [99, 199, 250, 251]
    assert [lines[n]["watched"]["rows"] for n in bearing] == [100, 100, 600, 100]
    assert {(lines[n]["model"], lines[n]["version"]) for n in bearing} == {("iris", 1)}
    counts = counted_at_once(models, rows)
    assert added([lines[n]["watched"] for n in bearing]) == (900, counts)


def test_a_line_says_how_many_rows_got_each_label_and_what_is_expected(
    instance: Instance, capfd: pytest.CaptureFixture[str], models: Path
) -> None:
    one = instance()
    answer = ask(one, ROWS)
    model = one.SERVED.repository.choose("iris")
    estimate = model.manifest["estimate"]

    [line] = watched(capfd.readouterr().err)
    assert list(line) == ["number", "rows", "layout", "labels", "expected", "counts"]
    assert line["layout"] == deltas.layout_hash(model.manifest)
    labels = [str(label) for label in answer["prediction"]]
    assert line["labels"] == {label: labels.count(label) for label in line["labels"]}
    assert sum(line["labels"].values()) == line["rows"] == 150
    right = 0.0
    for label, row in zip(answer["prediction"], answer["probabilities"], strict=True):
        steps = estimate["classes"][label]
        right += steps["calibrated"][int(np.sum(row[label] > np.array(steps["edges"])))]
    assert line["expected"] == {"accuracy": pytest.approx(right / 150, abs=1e-6)}


def test_refusals_go_with_the_next_block_and_once(
    instance: Instance, capfd: pytest.CaptureFixture[str]
) -> None:
    one = instance()
    ask(one, [["canary", *ROWS[0][1:]]])
    for _ in range(2):
        ask(one, ROWS[:60])
    ask(one, ROWS[:60], model="house-prices")
    for _ in range(2):
        ask(one, ROWS[:60])

    log = capfd.readouterr().err
    assert "canary" not in log
    first, second = watched(log)
    assert list(first["refused"].values()) == [1]
    assert "refused" not in second


def test_nothing_of_a_row_is_in_the_log(
    instance: Instance, capfd: pytest.CaptureFixture[str]
) -> None:
    one = instance(EMF_NAMESPACE="onnxlet-dev")
    for row in ROWS:
        ask(one, [row])
    ask(one, ROWS)

    log = capfd.readouterr().err
    assert len(watched(log)) == 2
    assert [value for row in ROWS for value in row if str(value) in log] == []


def test_counts_that_come_to_the_same_name_are_added(models: Path) -> None:
    """Reasons are cut, and a label that is a number is written as a text of it is."""
    model = Repository(models).choose("iris")
    layout = Layout(model.manifest, model.signature)
    seen = BinCounts(100, np.zeros(layout.size, np.uint32))
    long = "x" * 2 * LONGEST_REASON
    refused = {f"{long} one": 3, "other": 1, f"{long} two": 4}
    assert deltas.written(model, layout, seen, refused)["refused"] == {long: 7, "other": 1}

    entry = {"measure": "label", "categories": ["1", 1, "b"]}
    labels = SimpleNamespace(features=[SimpleNamespace(entry=entry, bins=slice(0, 5))])
    counts = np.array([5, 6, 7, 8, 9], np.uint32)
    assert deltas._labels(cast(Layout, labels), BinCounts(35, counts)) == {"1": 11, "b": 7}


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({"LOG_SUCCESSES": "1000"}, [100, 100]),
        ({"LOG": "errors"}, []),
        ({"LOG": "off"}, []),
        ({"WATCH": "off"}, []),
    ],
)
def test_lines_that_are_always_written(
    instance: Instance,
    capfd: pytest.CaptureFixture[str],
    settings: dict[str, str],
    rows: list[int],
) -> None:
    one = instance(**settings)
    for row in ROWS + ROWS[:50]:
        ask(one, [row])

    log = capfd.readouterr().err
    assert [line["rows"] for line in watched(log)] == rows
    if "LOG_SUCCESSES" in settings:
        assert len(log.splitlines()) == 4  # its first one, and the first of a thousand others


def test_golden_rows_and_what_keeps_it_warm_are_not_counted(
    instance: Instance, capfd: pytest.CaptureFixture[str]
) -> None:
    one = instance()
    custom = SimpleNamespace(custom={"request_id": GOLDEN})
    proof = SimpleNamespace(aws_request_id="id", client_context=custom)
    one.handler({"model": "iris", "instances": ROWS}, proof)
    one.handler({"model": "iris", "instances": [["canary"]]}, proof)
    for _ in range(100):
        one._warm_up()
        one._before_snapshot()

    watch = one.SERVED.watches.of(one.SERVED.repository.choose("iris"))
    assert (watch.figures().total.rows, watch.figures().refused) == (0, {})
    assert watched(capfd.readouterr().err) == []


def test_no_client_can_have_its_rows_not_counted(
    instance: Instance, capfd: pytest.CaptureFixture[str]
) -> None:
    one = instance()
    body = json.dumps({"model": "iris", "instances": ROWS}).encode()
    headers = {**JSON, "x-request-id": GOLDEN}
    one.handler(make_v2_event(method="POST", path="/predict", headers=headers, body=body), CONTEXT)

    assert [line["rows"] for line in watched(capfd.readouterr().err)] == [150]


def test_an_instance_still_answers_for_itself(instance: Instance) -> None:
    """To keys for reading only: of five clients, too, one instance has seen few rows."""
    digest = hashlib.sha256(b"KEY").hexdigest()
    reading = instance(READER_KEYS=f"me:{digest}")
    ask(reading, ROWS)
    sent = make_v2_event(path="/models/iris/drift", headers={"x-api-key": "KEY"})
    answer = reading.handler(sent, CONTEXT)
    assert json.loads(answer["body"])["rows"] == 150

    names = ",".join(f"{name}:{digest}" for name in "abcde")
    clients = instance(API_KEYS=names, READER_KEYS="")
    assert clients.handler(sent, CONTEXT)["statusCode"] == 403


def test_metrics_of_what_was_counted(instance: Instance, capfd: pytest.CaptureFixture[str]) -> None:
    one = instance(EMF_NAMESPACE="onnxlet-dev")
    ask(one, ROWS)
    ask(one, [HOUSE] * 100, model="house-prices")

    classified, regressed = without_time(capfd.readouterr().err)
    for line, name, value in (
        (classified, "expected_accuracy", classified["watched"]["expected"]["accuracy"]),
        (
            regressed,
            "expected_absolute_error",
            regressed["watched"]["expected"]["mean_absolute_error"],
        ),
    ):
        assert (line["watched_rows"], line[name]) == (line["watched"]["rows"], value)
        assert line["_aws"]["CloudWatchMetrics"][1] == {
            "Namespace": "onnxlet-dev",
            "Dimensions": [["model"]],
            "Metrics": [
                {"Name": each, "Unit": dict(OF_MODELS)[each]} for each in ("watched_rows", name)
            ],
        }


@pytest.mark.parametrize(("model", "row"), [("house-prices", HOUSE), ("loan-default", LOAN)])
def test_a_line_is_small(
    instance: Instance, capfd: pytest.CaptureFixture[str], model: str, row: Any
) -> None:
    ask(instance(), [row] * 1000, model=model)

    [line] = capfd.readouterr().err.splitlines()
    assert '"watched"' in line
    assert len(line) < 4_000
