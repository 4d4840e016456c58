"""docs/reference/lambda.md describes the log's metrics as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.function import request_log
from onnxlet.function.aws.lambda_log import METRICS, OF_MODELS, LambdaLog
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring import deltas
from onnxlet.function.monitoring.gathered import Gathered
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import BinCounts
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "reference" / "lambda.md").read_text()
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL)]


def test_the_line_that_it_shows(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_log, "FORM", request_log.LAMBDA)
    shown, _ = SHOWN
    added = {"timestamp", "level", "cold", "init_ms", "errors", "cold_starts", "_aws"}
    log = LambdaLog(shown["_aws"]["CloudWatchMetrics"][0]["Namespace"])
    log.ready(shown["init_ms"])
    log.write({key: value for key, value in shown.items() if key not in added})

    written = json.loads(capfd.readouterr().err)
    written["_aws"]["Timestamp"] = shown["_aws"]["Timestamp"]
    written["timestamp"] = shown["timestamp"]
    assert (list(written), written) == (list(shown), shown)


def test_the_metrics_that_it_lists() -> None:
    listed = re.findall(r"^\| `(\w+)` \| (milliseconds|count|none) \|", TEXT, re.MULTILINE)
    assert [(name, unit.capitalize()) for name, unit in listed] == [*METRICS, *OF_MODELS]


def test_the_counts_that_it_shows(models: Path) -> None:
    model = Repository(models).choose("iris")
    layout = Layout(model.manifest, model.signature)
    rows = np.tile([[5.1, 3.5, 1.4, 0.2], [6.3, 2.9, 5.6, 1.8]], (50, 1)).tolist()
    prediction = predict(model, native.from_object({"instances": rows}))
    seen = BinCounts(100, layout.count(Gathered(prediction)))
    entry: dict[str, Any] = {}
    deltas.note(entry, model, layout, seen, {"x0: expected a number": 2})

    shown = SHOWN[1]["watched"]
    assert list(entry["watched"]) == list(shown)
    assert {key: type(value) for key, value in entry["watched"].items()} == {
        key: type(value) for key, value in shown.items()
    }
    assert sorted(entry["watched"]["labels"]) == list(shown["labels"])
    section = TEXT.split("## Counts\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(shown)


def test_the_query_names_what_is_in_the_line() -> None:
    [query] = re.findall(r"```text\n(filter .*?)\n```", TEXT, re.DOTALL)
    named = set(re.findall(r"[a-z]+(?:\.\w+)+", query))
    assert named == {"watched.rows", "watched.expected.accuracy", "watched.labels.2"}
    for path in named:
        content = SHOWN[1]
        for name in path.split("."):
            content = content[name]
        assert isinstance(content, int | float)
