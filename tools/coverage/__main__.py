"""`make coverage`: sweep over all estimators, or those named; docs/reference/coverage.md."""

from __future__ import annotations

import sys
import warnings
from collections import Counter

from tools.coverage.document import FILE, document
from tools.coverage.estimators import cases
from tools.coverage.sweep import sweep
from tools.coverage.verdicts import Verdict


def main(names: list[str]) -> int:
    """Exit code 1 where anything differs."""
    warnings.simplefilter("ignore")
    verdicts: list[Verdict] = []
    for verdict, seconds in sweep(names or [case.name for case in cases()]):
        verdicts.append(verdict)
        print(f"{verdict.name}: {verdict.result}: {verdict.detail} [{seconds:.1f} s]", flush=True)
    if not names:
        FILE.write_text(document(verdicts))
    counts = Counter(verdict.result for verdict in verdicts)
    print(", ".join(f"{count} {result}" for result, count in counts.items()))
    wrong = [verdict.name for verdict in verdicts if verdict.result == "differs"]
    if wrong:
        print(f"error: these differ: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
