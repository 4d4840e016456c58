"""docs/how-to/retrain.md: its script publishes what is better, and refuses what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import EXAMPLES, ROOT, ran
from tests.edge.service.test_serve import CLEAN
from tests.project.test_device_docs import blocks

TEXT = (ROOT / "docs" / "how-to" / "retrain.md").read_text()
COLUMNS = ["Seniority", "Records", "Income", "Amount", "Price", "Job", "Status"]


def retrained(folder: Path, rows: str) -> subprocess.CompletedProcess[str]:
    """Run the command that is shown, on a table."""
    python, *words = next(b for b in blocks(TEXT, "sh") if "retrain.py" in b).split()
    assert (python, words) == (".venv/bin/python", ["retrain.py", "rows.csv", "latest.csv"])
    command = [sys.executable, words[0], rows, words[2]]
    return ran(command, cwd=folder, env={**CLEAN, "PYTHONPATH": str(ROOT)}, timeout=300)


def served(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((folder / "models/credit/aliases.json").read_text())
    return found


@pytest.mark.training  # three searches, proofs and reports
def test_what_is_better_is_published_and_what_is_worse_is_refused(tmp_path: Path) -> None:
    [script, *_] = blocks(TEXT, "python")
    (tmp_path / "retrain.py").write_text(script.replace("seconds=60", "seconds=20"))
    table = pd.read_csv(EXAMPLES / "data" / "credit_data.csv.gz")[COLUMNS]
    table = table.sample(1500, random_state=0)
    learned, latest = table[:1000], table[1000:]
    latest.to_csv(tmp_path / "latest.csv", index=False)
    learned.to_csv(tmp_path / "rows.csv", index=False)
    mixed = learned["Status"].sample(frac=1, random_state=1).to_numpy()
    learned.assign(Status=mixed).to_csv(tmp_path / "mixed.csv", index=False)

    first = retrained(tmp_path, "mixed.csv")
    assert (first.returncode, served(tmp_path)) == (0, {"stable": 1}), first.stderr
    better = retrained(tmp_path, "rows.csv")
    assert (better.returncode, served(tmp_path)) == (0, {"stable": 2}), better.stderr
    assert "published credit/2" in better.stdout
    worse = retrained(tmp_path, "mixed.csv")
    assert (worse.returncode, served(tmp_path)) == (1, {"stable": 2}), worse.stderr
    assert worse.stderr.endswith("refused credit/3: version 2 stays\n")
    assert (tmp_path / "models" / "credit" / "3" / "report.html").is_file()
