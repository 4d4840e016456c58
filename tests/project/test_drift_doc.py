"""docs/how-to/drift.md: its command runs, its alarms are those of its story, its numbers ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from onnxlet.convert.directory import expected_performance, reference_statistics
from onnxlet.function.monitoring.watch import BLOCK_ROWS, HALF_ROWS
from tests.conftest import (
    ROOT,
    running_server,
)
from tests.edge.service.test_serve import CLEAN

TEXT = (ROOT / "docs" / "how-to" / "drift.md").read_text()
START, COMMAND = re.findall(r"```sh\n(.*?)\n```", TEXT, re.DOTALL)
[SCRIPT] = re.findall(r"```python\n(.*?)\n```", TEXT, re.DOTALL)
[SHOWN] = map(json.loads, re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL))


@pytest.mark.docs
def test_the_commands_and_their_story(models: Path, tmp_path: Path) -> None:
    assert START.splitlines()[0] == "make model EXAMPLE=loan_default"
    with running_server(models, CLEAN, tmp_path / "log") as server:
        script = tmp_path / "loans.py"
        script.write_text(SCRIPT.replace(":8080", f":{server.port}"))
        command = COMMAND.replace(":8080", f":{server.port}")
        said = subprocess.check_output([sys.executable, script], cwd=ROOT, text=True, timeout=60)
        got = json.loads(subprocess.check_output(["sh", "-c", command], timeout=30))

    assert said == "500 answered\n" * 4
    shown = [
        {**alarm, "value": round(alarm["value"], 2), "threshold": round(alarm["threshold"], 2)}
        for alarm in got["alarms"][:2]
    ]
    assert shown == SHOWN["alarms"]
    estimated = got["estimated"]
    assert SHOWN["estimated"] == {
        "accuracy": round(estimated["accuracy"], 2),
        "doubtful": estimated["doubtful"],
    }
    assert estimated["accuracy"] > estimated["held_out"]["accuracy"]
    members = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE)))
    assert set(got) - {"model", "version"} <= set(members)


def test_the_numbers_in_the_text() -> None:
    assert f"before {BLOCK_ROWS} have come" in TEXT
    assert f"two halves of {HALF_ROWS:,} rows" in TEXT
    assert f"at least {expected_performance.FEWEST_ROWS} held-out rows with `y_test`" in TEXT
    assert f"fewer than {reference_statistics.FEWEST_ROWS} held-out rows" in TEXT
    assert f"At most {reference_statistics.MOST_BYTES // 1000} kB" in TEXT
    assert reference_statistics.BIN_ROWS == 5
