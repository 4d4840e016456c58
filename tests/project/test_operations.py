"""docs/reference/log-and-metrics.md describes the log and the metrics as they are."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from onnxlet.edge.reload.reloader import Reloader
from onnxlet.edge.service.app import RequestMeter, make_app
from onnxlet.function import request_log
from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_log import LambdaLog
from onnxlet.function.http.body import LARGE_ANSWER
from onnxlet.function.models.repository import Repository
from onnxlet.function.monitoring.watches import Watches
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, app_of
from tests.edge.aggregation.links import Links
from tests.edge.service.drifting import drifted
from tests.edge.service.test_drift_metrics import REPORT, text_of
from tests.function.serving.test_predict import HOUSE

REFERENCE = ROOT / "docs" / "reference"
TEXT = (REFERENCE / "log-and-metrics.md").read_text()
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL)]


def test_the_line_that_it_shows(models: Path, capfd: pytest.CaptureFixture[str]) -> None:
    client = app_of(models, owned=True).test_client()
    client.post(EXAMPLES[0]["path"], json={"instances": [HOUSE]})

    line = json.loads(capfd.readouterr().err)
    assert list(line) == list(EXAMPLES[0])
    assert list(line["stages"]) == list(EXAMPLES[0]["stages"])
    told = {"time", "ms", "stages", "request_id"}
    assert {k: v for k, v in line.items() if k not in told} == {
        k: v for k, v in EXAMPLES[0].items() if k not in told
    }


def test_the_members_that_it_lists(
    models: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a worker's lines and Lambda's: a request that is answered, one refused, one of a block."""
    monkeypatch.setattr(request_log, "ORIGIN", '"worker":1,')
    log, settings = LambdaLog(None), Settings(models, api_keys={"me": sha256(b"key").digest()})
    watches = Watches(logged=True)
    client = create_app(models, None, settings, log=log.write, watches=watches).test_client()
    headers = {"X-API-Key": "key", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"}
    log.ready(init_ms=1.5)
    client.post(EXAMPLES[0]["path"], json=[HOUSE], headers=headers)
    log.restored()
    client.post(EXAMPLES[0]["path"], json=["no row"], headers=headers)
    client.post("/models/iris/predict", json=drifted(), headers=headers)

    written = {
        member for line in capfd.readouterr().err.splitlines() for member in json.loads(line)
    }
    cells = re.findall(r"^\| (`\w+`.*?) \|", TEXT.split("## Metrics")[0], re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == written


def test_the_metrics_that_it_lists(models: Path) -> None:
    meter = RequestMeter()
    meter.reloader = Reloader(Repository(models))
    meter.reloader.refused["iris", 2] = "altered"
    settings = Settings(models, owned=True)
    client = create_app(models, None, settings, meter, counts=meter.requests).test_client()
    client.post("/models/house-prices/predict", json={"instances": [HOUSE]})
    client.post("/models/iris/predict", json=drifted())
    client.post("/models/iris/predict", json=[["no number"]])
    client.get("/nope")
    text = client.get("/metrics").text
    with_truth = text_string_to_metric_families(text_of(REPORT))
    realised = [family for family in with_truth if "realised" in family.name]
    worker = make_app(
        models, settings=Settings(models, owned=True, reload_seconds=0), link=Links().join()
    ).test_client()
    workers = [
        family
        for family in text_string_to_metric_families(worker.get("/metrics").text)
        if "worker" in family.name
    ]
    families = [*text_string_to_metric_families(text), *realised, *workers]

    exposed = {
        family.name: {label for sample in family.samples for label in sample.labels} - {"le"}
        for family in families
        if family.name.startswith("onnxlet_")
    }
    rows = re.findall(r"^\| `(onnxlet_\w+?)(?:_total)?` \| (.*?) ?\|", TEXT, re.MULTILINE)
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows} == exposed


def test_the_size_from_which_answers_are_compressed() -> None:
    text = (REFERENCE / "operations.md").read_text()
    assert f"more than {LARGE_ANSWER:,} bytes" in text
