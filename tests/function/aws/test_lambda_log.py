"""Lambda's log lines: the first is marked, and metrics are named in them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from onnxlet.function import request_log
from onnxlet.function.aws.lambda_log import METRICS, LambdaLog
from tests.log_lines import without_time

ENTRY = {"method": "POST", "status": 200, "ms": 1.5, "rows": 3, "model": "shop", "version": 1}


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return without_time(capfd.readouterr().err)


@pytest.mark.parametrize("restored", [False, True])
def test_without_a_namespace_only_the_first_line_has_more(
    capfd: pytest.CaptureFixture[str], restored: bool
) -> None:
    log = LambdaLog(None)
    log.ready(12.3456)
    if restored:
        log.restored()
    log.write(ENTRY)
    log.write(ENTRY)

    more: dict[str, Any] = {"restored": True} if restored else {"init_ms": 12.346}
    assert lines(capfd) == [{**ENTRY, "cold": True, **more}, ENTRY]


def test_the_embedded_metric_format(capfd: pytest.CaptureFixture[str]) -> None:
    log = LambdaLog("onnxlet-dev")
    log.ready(12.0)
    before = int(time.time() * 1000)
    log.write(ENTRY)
    log.write({"method": "GET", "status": 404, "ms": 0.1, "error": "NotFound"})

    first, second = lines(capfd)
    assert before <= first["_aws"].pop("Timestamp") <= time.time() * 1000
    assert first == {
        **ENTRY,
        "cold": True,
        "init_ms": 12.0,
        "errors": 0,
        "cold_starts": 1,
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "onnxlet-dev",
                    "Dimensions": [[], ["model"]],
                    "Metrics": [{"Name": name, "Unit": unit} for name, unit in METRICS],
                }
            ]
        },
    }
    [told] = second["_aws"]["CloudWatchMetrics"]
    assert told["Dimensions"] == [[]]
    assert [metric["Name"] for metric in told["Metrics"]] == ["ms", "errors", "cold_starts"]
    assert (second["errors"], second["cold_starts"]) == (1, 0)
    for line in (first, second):
        [told] = line["_aws"]["CloudWatchMetrics"]
        assert all(type(line[metric["Name"]]) in (int, float) for metric in told["Metrics"])
        assert all(isinstance(line[name], str) for names in told["Dimensions"] for name in names)


def test_the_first_line_of_an_instance_is_written_though_few_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    request_log.choose("all", 100)
    log = LambdaLog("onnxlet-dev")
    try:
        for _ in range(2):
            log.restored()
            log.write(ENTRY)
            log.write(ENTRY)
    finally:
        request_log.choose("all", 1)

    colds = [line["cold_starts"] for line in lines(capfd)]
    assert colds == [1, 0, 1]
