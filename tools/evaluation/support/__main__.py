"""`make coverage`: sweep over all estimators, or those named; docs/reference/coverage.md.

A name is an estimator's or a library's. The tables of libraries that are swept whole are written
anew; the page keeps the others.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import onnxlet.environment  # noqa: F401 - before NumPy
from tools.evaluation.support.document import FILE, Table, document, tables_in
from tools.evaluation.support.outcomes import Outcome
from tools.evaluation.support.sweep import cases_of, installed, sweep, versions_of


def main(names: list[str]) -> int:
    """Exit code 1 where anything differs, 2 where a name is unknown."""
    warnings.simplefilter("ignore")
    known = {library: [case.name for case in cases_of(library)] for library in installed()}
    if unknown := set(names).difference(known, *known.values()):
        print(f"error: no estimator or library {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    wanted = [
        (library, name)
        for library, every in known.items()
        for name in every
        if not names or library in names or name in names
    ]
    tables: dict[str, list[Outcome]] = defaultdict(list)
    for (library, _), (outcome, seconds) in zip(wanted, sweep(wanted), strict=True):
        tables[library].append(outcome)
        came = f"{outcome.result}: {outcome.detail} [{seconds:.1f} s]"
        print(f"{library}: {outcome.name}: {came}", flush=True)
    _written({name: t for name, t in tables.items() if len(t) == len(known[name])}, list(known))
    return _judged([(name, one) for name, table in tables.items() for one in table])


def _written(whole: Mapping[str, list[Outcome]], order: Sequence[str]) -> None:
    """Write the page with the tables that were swept whole."""
    swept = {name: Table(versions_of(name), outcomes) for name, outcomes in whole.items()}
    if swept:
        tables = {**tables_in(FILE.read_text()), **swept}
        listed = [name for name in dict.fromkeys([*order, *tables]) if name in tables]
        FILE.write_text(document({name: tables[name] for name in listed}))


def _judged(outcomes: Sequence[tuple[str, Outcome]]) -> int:
    counts = Counter(outcome.result for _, outcome in outcomes)
    print(", ".join(f"{count} {result}" for result, count in counts.items()))
    wrong = [f"{name}'s {one.name}" for name, one in outcomes if one.result == "differs"]
    if wrong:
        print(f"error: these differ: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
