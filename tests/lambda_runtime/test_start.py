"""Cold starts: the log's first line, models that can't be loaded, wrong settings."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.events import (
    make_bridge_event,
    make_s3_event,
    make_schedule_event,
    make_sqs_event,
    make_v2_event,
)
from tests.function.serving.test_predict import SHOP
from tests.lambda_runtime.harness import Runtime
from tests.lambda_runtime.machines import Machine

pytestmark = pytest.mark.lambda_runtime

Start = Callable[..., Runtime]
PREFIXES = {"ONNXLET_SCORE_FROM": "s3://rows/come/", "ONNXLET_SCORE_TO": "s3://rows/go/"}
ROW = {"instances": [SHOP], "model": "shop"}
# ONNX Runtime says so on arm64 Lambda, too, where there is no list of processors.
OF_PROCESSORS = ("Error in cpuinfo: ", "onnxruntime cpuid_info warning: ", "onnxruntime warning: ")


@pytest.fixture
def start(native: Machine, unpacked: Callable[[Machine], Path], tmp_path: Path) -> Start:
    """Starts the bundle with further settings."""

    def make(**more: Any) -> Runtime:
        logs = tmp_path / "logs"
        logs.mkdir()
        return Runtime(unpacked(native), native, logs, **more)

    return make


def test_the_log_is_json_line_by_line_and_the_first_is_cold(
    machine: Machine, unpacked: Callable[[Machine], Path], tmp_path: Path
) -> None:
    with Runtime(unpacked(machine), machine, tmp_path) as runtime:
        for event in (ROW, make_v2_event(path="/v2/health/live"), ROW):
            runtime.invoke(event)
        written = runtime.log(3)

    lines = [json.loads(line) for line in written if not line.startswith(OF_PROCESSORS)]
    assert [(line["method"], line.get("cold", False)) for line in lines] == [
        ("invoke", True),
        ("GET", False),
        ("invoke", False),
    ]
    assert lines[0]["init_ms"] > 10
    assert len({line["request_id"] for line in lines}) == 3


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "model shop/1: model.onnx"),
        ({"ONNXLET_MODELS": "/var/task/function"}, "no models in /var/task/function"),
        ({**PREFIXES, "ONNXLET_SCORE_TO": "s3://rows/come/out/"}, "neither within the other"),
        ({"ONNXLET_MAX_ROWS": "none"}, "ONNXLET_MAX_ROWS: expected a whole number"),
    ],
)
def test_what_can_not_serve_ends_the_process(
    start: Start, altered: Path, environ: dict[str, str], told: str
) -> None:
    with start(models=altered, environ=environ, own_api=True) as runtime:
        answer = runtime.invoke(ROW)
        calls = runtime.process()["calls"]
        said = "".join(runtime.log())

    assert answer.status == 502
    assert calls == ["init/error", "exit 1"]
    assert told in said


def test_each_further_event_meets_a_new_process_that_fails(start: Start, altered: Path) -> None:
    with start(models=altered) as runtime:
        answers = [runtime.invoke(ROW).status for _ in range(3)]
        said = runtime.platform_log.read_text()

    assert answers == [502, 502, 502]
    assert len(re.findall(r"Process runtime-\d+ exited: exit status 1", said)) == 3


def test_only_the_model_that_is_loaded_late_fails(start: Start, altered: Path) -> None:
    with start(models=altered, environ={"ONNXLET_LOAD": "first-use"}) as runtime:
        shop = runtime.invoke(ROW).json()
        iris = runtime.invoke({"instances": [[5.1, 3.5, 1.4, 0.2]], "model": "iris"}).json()

    assert shop["status"] >= 500
    assert iris["prediction"] == [0]


def test_metrics_are_in_the_lines(start: Start) -> None:
    with start(environ={"ONNXLET_EMF_NAMESPACE": "shop/models"}) as runtime:
        runtime.invoke(ROW)
        lines = [json.loads(line) for line in runtime.log(1) if line.startswith("{")]

    [told] = lines[0]["_aws"]["CloudWatchMetrics"]
    assert told["Namespace"] == "shop/models"
    assert {"ms", "rows", "errors", "cold_starts"} <= {m["Name"] for m in told["Metrics"]}
    assert {m["Name"] for m in told["Metrics"]} <= lines[0].keys()


def test_a_schedule_warms_every_model(runtime: Runtime) -> None:
    warm = runtime.invoke(make_schedule_event()).json()

    assert warm == {"warm": ["house-prices", "iris", "loan-default", "shop"]}


def test_a_batch_fails_whole_where_answers_can_go_nowhere(runtime: Runtime) -> None:
    error = runtime.invoke(make_sqs_event([json.dumps(ROW)])).json()

    assert error["errorType"] == "SettingsError"
    assert "ONNXLET_ANSWERS_QUEUE is not set" in error["errorMessage"]


def test_objects_are_raised_for_where_they_can_go_nowhere(runtime: Runtime) -> None:
    for make in (make_s3_event, make_bridge_event):
        error = runtime.invoke(make("come/some.csv", "e")).json()

        assert error["errorType"] == "SettingsError"
        assert "ONNXLET_SCORE_FROM and ONNXLET_SCORE_TO are not set" in error["errorMessage"]


def test_the_bundle_leaves_boto3_to_the_runtime(start: Start) -> None:
    """AWS's has one; its client in these tests has none, so that what is asked for shows."""
    with start(environ=PREFIXES) as runtime:
        error = runtime.invoke(make_s3_event("come/some.csv", "e", bucket="rows")).json()
        answer = runtime.invoke(ROW).json()

    assert "there is no boto3 here" in error["errorMessage"]
    assert answer["prediction"] == [True]


def test_the_memory_of_the_smallest_function_is_enough(start: Start) -> None:
    with start() as runtime:
        for _ in range(100):
            runtime.invoke(ROW)
        peak_kib = runtime.process()["peak_kib"]

    assert peak_kib * 1024 < 110e6


def test_nothing_runs_beside_the_function(start: Start) -> None:
    with start() as runtime:
        runtime.invoke(ROW)
        time.sleep(0.5)  # what is not to be there may come late
        end = time.monotonic() + 60
        while (threads := runtime.process()["threads"]) < 2 and time.monotonic() < end:
            time.sleep(0.01)

    # The client waits for each event in a new one; ONNX Runtime's telemetry would have a third.
    assert threads == 2
