"""docs/reference/lambda.md describes the log's metrics as they are."""

from __future__ import annotations

import json
import re

import pytest

from onnxlet.function import request_log
from onnxlet.function.aws.lambda_log import METRICS, LambdaLog
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "reference" / "lambda.md").read_text()


def test_the_line_that_it_shows(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    form = request_log.form_of({"AWS_LAMBDA_FUNCTION_NAME": "predict"})
    monkeypatch.setattr(request_log, "FORM", form)
    [shown] = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL)]
    added = {"timestamp", "level", "cold", "init_ms", "errors", "cold_starts", "_aws"}
    log = LambdaLog(shown["_aws"]["CloudWatchMetrics"][0]["Namespace"])
    log.ready(shown["init_ms"])
    log.write({key: value for key, value in shown.items() if key not in added})

    written = json.loads(capfd.readouterr().err)
    written["_aws"]["Timestamp"] = shown["_aws"]["Timestamp"]
    written["timestamp"] = shown["timestamp"]
    assert (list(written), written) == (list(shown), shown)


def test_the_metrics_that_it_lists() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (milliseconds|count) \|", TEXT, re.MULTILINE)
    assert [(name, unit.capitalize()) for name, unit in listed] == [*METRICS]
