"""docs/how-to/drift.md: its command runs, its alarms are those of its story, its numbers ours."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pandas as pd

from onnxlet.convert.directory import expected_performance, reference_statistics
from onnxlet.function.monitoring.watch import BLOCK_ROWS, HALF_ROWS
from tests.conftest import (
    EXAMPLES,
    ROOT,
    Client,
    start_server,
    stop_server,
    through_socket,
)
from tests.edge.service.test_serve import CLEAN

TEXT = (ROOT / "docs" / "how-to" / "drift.md").read_text()
[COMMAND] = re.findall(r"```sh\n(.*?)\n```", TEXT, re.DOTALL)
[ALARMS] = map(json.loads, re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL))


def loans(models: Path) -> list[dict[str, Any]]:
    """2,000 of the example's rows, with the income of a year instead of a month."""
    manifest = json.loads((models / "loan-default" / "1" / "manifest.json").read_text())
    table = pd.read_csv(EXAMPLES / "data" / "credit_data.csv.gz")
    rows = table[[entry["name"] for entry in manifest["signature"]["inputs"]]]
    shifted = rows.sample(2000, random_state=0).assign(Income=lambda frame: frame.Income * 12)
    return [
        {str(name): None if pd.isna(cell) else cell for name, cell in row.items()}
        for row in shifted.astype(object).to_dict("records")
    ]


def test_the_command_and_its_story(models: Path, tmp_path: Path) -> None:
    server = start_server(models, CLEAN, tmp_path / "log")
    try:
        client = Client(through_socket(server.port))
        rows = loans(models)
        for start in range(0, len(rows), 500):
            body = {"instances": rows[start : start + 500]}
            assert client.post("/models/loan-default/predict", body).status == 200
        command = COMMAND.replace(":8080", f":{server.port}")
        got = json.loads(subprocess.check_output(["sh", "-c", command], text=True, timeout=30))
    finally:
        assert stop_server(server) == 0

    shown = [
        {**alarm, "value": round(alarm["value"], 2), "threshold": round(alarm["threshold"], 2)}
        for alarm in got["alarms"][:2]
    ]
    assert shown == ALARMS["alarms"]
    assert got["estimated"]["accuracy"] > 0.97 > got["estimated"]["held_out"]["accuracy"]
    members = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)))
    assert set(got) - {"model", "version"} <= set(members)


def test_the_numbers_in_the_text() -> None:
    assert f"before {BLOCK_ROWS} rows" in TEXT
    assert f"two halves of {HALF_ROWS:,} rows" in TEXT
    assert f"at least {expected_performance.FEWEST_ROWS} held-out rows with `y_test`" in TEXT
    assert f"fewer than {reference_statistics.FEWEST_ROWS} held-out rows" in TEXT
    assert f"At most {reference_statistics.MOST_BYTES // 1000} kB" in TEXT
    assert reference_statistics.BIN_ROWS == 5
