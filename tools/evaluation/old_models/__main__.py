"""`make old-models`: fit, build and compare; docs/reference/old-models.md.

Each model is fitted by some of the versions, so that each version fits models of each family.
With names of models only those are tried, by all versions, and nothing is written.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from onnxlet.convert.older.environment import interpreter_of
from tools.evaluation.old_models.document import FILE, document, summary
from tools.evaluation.old_models.judging import judged_apart, run

VERSIONS = ("1.1.3", "1.2.2", "1.3.2", "1.4.2", "1.5.2", "1.6.1", "1.7.2")
FOLDER = Path(__file__).resolve().parents[3] / "build" / "old-models"
FITTING = Path(__file__).with_name("fitting.py")
EACH = 2  # versions that fit a model
APART = 3  # versions between these


def main(names: list[str]) -> int:
    """Exit code 1 where anything differs, or ends in a traceback."""
    results: list[dict[str, Any]] = []
    for number, version in enumerate(VERSIONS):
        every = models(version)
        turns = {(number - APART * turn) % len(VERSIONS) for turn in range(EACH)}
        some = [name for position, name in enumerate(every) if position % len(VERSIONS) in turns]
        results += judged(version, names or some)
    if not names:
        FILE.write_text(document(results))
    for one in results:
        if one["result"] in ("differs", "traceback") or names:
            print(f"{one['version']} {one['model']}: {one['result']}: {one['why']}")
    print(summary(results))
    return 1 if any(one["result"] in ("differs", "traceback") for one in results) else 0


def models(version: str) -> list[str]:
    """The names of all models, which a version's own Python says."""
    done = run([interpreter_of(version, print), "-I", FITTING, "--list"])
    return done.split()


def judged(version: str, names: list[str]) -> list[dict[str, Any]]:
    """What came of models that a version has fitted."""
    folder = FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    run([interpreter_of(version, print), "-I", FITTING, folder, *names])
    found = judged_apart([folder / f"{name}.joblib" for name in names])
    return [{"version": version, **one} for one in found]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
