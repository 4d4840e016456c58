"""A browser: the bytes of a first visit, and what a visit, a request and the page's memory take."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from bench.environments import ROOT, convert
from bench.models import Fitted
from bench.report import Line, comparisons

PYTHON = ROOT / ".venv-browser" / "bin" / "python"
MODEL = "logistic"
FIRST_MB, LATER_SECONDS, REQUEST_MS, MEMORY_MB = 13.0, 3.0, 10.0, 250.0
ABOUT = """The bench's models in a folder of `package --target browser`, served by
`python3 -m http.server` and opened by headless Chromium at a phone's size. The first visit is until
all rows whose answers are known are answered; it fetches from this machine, so that no network's
time is in it. A later visit is with a browser that was started anew, the server gone: from the
address to the first answer; the median of 7. One row: the logistic regression's, by `fetch` from
the page; the median of 200. Memory is proportional, of the process that has the page, its service
worker, Python and ONNX Runtime.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    if not PYTHON.exists():
        return "Not measured: make .venv-browser/ready\n"
    rows = fitted[MODEL][1].to_dict(orient="records")[:1]
    with tempfile.TemporaryDirectory() as scratch:
        site, asked = Path(scratch, "site"), Path(scratch, "rows.json")
        asked.write_text(json.dumps(rows))
        convert("package", "--models", models, "--target", "browser", "--out", site)
        files = [each for each in site.rglob("*") if each.is_file()]
        size = sum(each.stat().st_size for each in files if "licences" not in each.parts) / 1e6
        done = subprocess.run(
            [PYTHON, "-m", "bench.browser.visits", site, MODEL, asked],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
    found = json.loads(done.stdout)
    budgets = (
        ("first visit: bytes, of three models", size, FIRST_MB, "MB"),
        ("later visit, to the first answer", found["later"], LATER_SECONDS, "s"),
        ("one row", found["request"], REQUEST_MS, "ms"),
        ("memory", found["memory"], MEMORY_MB, "MB"),
    )
    lines = [
        Line(what, f"{got:.1f} {unit}", f"{most:g} {unit}", got / most, 1.0)
        for what, got, most, unit in budgets
    ]
    first = f"The first visit took {found['first']:.1f} s.\n"
    return f"{ABOUT}\n{first}\n{comparisons('budget', lines)}"
