"""`make coverage`: sweep over all estimators, or those named; docs/reference/coverage.md."""

from __future__ import annotations

import sys
import warnings
from collections import Counter

import onnxlet.environment  # noqa: F401 - before NumPy
from tools.coverage.document import FILE, document
from tools.coverage.estimators import cases
from tools.coverage.outcomes import Outcome
from tools.coverage.sweep import sweep


def main(names: list[str]) -> int:
    """Exit code 1 where anything differs."""
    warnings.simplefilter("ignore")
    outcomes: list[Outcome] = []
    for outcome, seconds in sweep(names or [case.name for case in cases()]):
        outcomes.append(outcome)
        print(f"{outcome.name}: {outcome.result}: {outcome.detail} [{seconds:.1f} s]", flush=True)
    if not names:
        FILE.write_text(document(outcomes))
    counts = Counter(outcome.result for outcome in outcomes)
    print(", ".join(f"{count} {result}" for result, count in counts.items()))
    wrong = [outcome.name for outcome in outcomes if outcome.result == "differs"]
    if wrong:
        print(f"error: these differ: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
