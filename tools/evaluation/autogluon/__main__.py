"""`make autogluon`: fit predictors, build and compare them; docs/reference/autogluon.md.

With names of predictors only those are tried, and nothing is written.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from onnxlet.convert.older.environment import Needed, python_of
from tools.evaluation.autogluon.document import FILE, document, summary
from tools.evaluation.old_models.judging import judged_apart, run

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "build" / "autogluon"
FITTING = Path(__file__).with_name("fitting.py")
VERSION = "1.6.2"
PACKAGES = f"autogluon.tabular[catboost,lightgbm,xgboost]=={VERSION}"
TO_FIT = Needed(f"AutoGluon {VERSION}", (PACKAGES,), (3, 10), (3, 13), "-to-fit")


def main(names: list[str]) -> int:
    """Exit code 1 where anything differs, or ends in a traceback."""
    python = python_of(TO_FIT, print)
    FOLDER.mkdir(parents=True, exist_ok=True)
    tried = names or run([python, "-I", FITTING, "--list"]).split()
    if missing := [name for name in tried if not (FOLDER / f"{name}.json").exists()]:
        run([python, "-I", FITTING, ROOT / "convert" / "examples" / "data", FOLDER, *missing])
    times = json.loads(run([python, "-I", FITTING, "--time", FOLDER, *tried]))
    results: list[dict[str, Any]] = []
    for one, there in zip(judged_apart([FOLDER / name for name in tried]), times, strict=True):
        fitted = json.loads((FOLDER / f"{one['model']}.json").read_text())
        results.append({**fitted, **one, "there": there})
        print(f"{one['model']}: {one['result']} {one['why']}", flush=True)
    if not names:
        FILE.write_text(document(results, VERSION))
    print(summary(results))
    return 1 if any(one["result"] in ("differs", "traceback") for one in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
