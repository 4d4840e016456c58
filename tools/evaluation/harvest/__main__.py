"""`make harvest`: scikit-learn's gallery, or the examples named; docs/reference/harvest.md.

What an example has come to is kept in build/harvest/results, and only judged again where that is
removed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tools.evaluation.harvest.document import FILE, document, summary
from tools.evaluation.harvest.gallery import FOLDER, examples
from tools.evaluation.harvest.judging import Judged

EXAMPLE_SECONDS = 120
PATIENCE = 1800  # seconds for all the models of an example


def main(names: list[str]) -> int:
    """Exit code 1 where anything differs, or ends in a traceback."""
    results = FOLDER / "results"
    results.mkdir(parents=True, exist_ok=True)
    judged: list[Judged] = []
    for example in examples():
        if names and not any(name in str(example) for name in names):
            continue
        file = results / f"{example.parent.name}-{example.stem}.jsonl"
        if names or not file.exists():
            _judge(example, file)
        found = [Judged(**json.loads(line)) for line in file.read_text().splitlines()]
        for one in found if names else ():
            print(f"{one.example}: {one.shown}: {one.result}: {one.detail} [{one.seconds:.1f} s]")
        judged += found
    if not names:
        FILE.write_text(document(judged, len(examples())))
    print(summary(judged))
    wrong = [one for one in judged if one.result in ("differs", "traceback")]
    for one in wrong:
        print(f"{one.example}: {one.shown}: {one.result}: {one.detail}", file=sys.stderr)
    return 1 if wrong else 0


def _judge(example: Path, file: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tools.evaluation.harvest.one_example"]
    part = file.with_suffix(".part")
    command += [os.fspath(example), os.fspath(part), str(EXAMPLE_SECONDS)]
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": os.fspath(Path.cwd())}
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    try:
        subprocess.run(command, env=environment, timeout=PATIENCE, stderr=subprocess.DEVNULL)  # noqa: S603
    except subprocess.TimeoutExpired:
        print(f"{example.name}: left after {PATIENCE} s", file=sys.stderr)
    if part.exists():
        part.rename(file)
    else:
        file.write_text("")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
