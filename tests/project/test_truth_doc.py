"""docs/how-to/truth.md: its commands run, and its figures are what comes of them."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.predictions.performance import BLOCK, HALF
from onnxlet.edge.predictions.prediction_store import PredictionStore
from onnxlet.edge.predictions.readers import MOST_CLASSES
from onnxlet.edge.service.app import make_app
from onnxlet.function.app import SERVICE
from onnxlet.function.settings import Settings
from tests.conftest import ROOT, client_of, running_server
from tests.edge.service.test_serve import CLEAN

TEXT = (ROOT / "docs" / "how-to" / "truth.md").read_text()
START, PREDICT, REPORT = re.findall(r"```sh\n(.*?)\n```", TEXT, re.DOTALL)
ANSWER, FIGURES = map(json.loads, re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL))


def shell(command: str, port: int) -> Any:
    command = command.replace(":8080", f":{port}")
    return json.loads(subprocess.check_output(["sh", "-c", command], text=True, timeout=30))


def test_the_commands(models: Path, tmp_path: Path) -> None:
    [(name, value)] = re.findall(r"^export (\w+)=(.*)$", START, re.MULTILINE)
    with running_server(models, {**CLEAN, name: str(tmp_path / value)}, tmp_path / "log") as server:
        assert len(shell(PREDICT, server.port)["prediction"]) == 2
        assert shell(REPORT, server.port) == ANSWER
    assert (tmp_path / value).is_file()


def body_of(command: str) -> Any:
    found = re.search(r"-d '(.*)'", command, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_figures(models: Path, tmp_path: Path) -> None:
    keep = PredictionStore(tmp_path / "kept.db", 100, 90)
    app = make_app(models, settings=Settings(models, owned=True, reload_seconds=0), keep=keep)
    client = client_of(app)
    realised = []
    for sale in range(10):
        name = f"sale-{sale}"
        truths = body_of(REPORT)["truth"][:2]
        client.post("/models/house-prices/predict", body_of(PREDICT), {"X-Request-Id": name})
        client.post("/truth", {"truth": [{**each, "id": name} for each in truths]})
        realised.append(client.get("/models/house-prices/drift").json()["realised"])
    assert realised[:9] == [None] * 9
    report = keep.report(app.extensions[SERVICE].repository.choose("house-prices"))
    keep.stop()

    assert report is not None
    for got, shown in ((report, FIGURES), (report["total"], FIGURES["total"])):
        assert list(got) == list(shown)
        assert got["rows"] == shown["rows"] == 20
        assert got["estimated"] == pytest.approx(shown["estimated"], rel=1e-3)
        errors = ("mean_absolute_error", "root_mean_squared_error")
        assert got.get("tests") == shown.get("tests")
        assert got["large_errors"] == shown["large_errors"]
        assert [got[each] for each in errors] == pytest.approx([shown[e] for e in errors], rel=1e-3)


def test_the_numbers_in_the_text() -> None:
    usual = Settings()
    assert f"`ONNXLET_KEEP_MB` megabytes ({usual.keep_mb})" in TEXT
    assert f"`ONNXLET_KEEP_DAYS` days ({usual.keep_days})" in TEXT
    assert f"the last {HALF:,} to {2 * HALF:,} truths" in TEXT
    assert f"counted in blocks of {BLOCK}," in TEXT
    assert f"of up to {MOST_CLASSES} they are" in TEXT
