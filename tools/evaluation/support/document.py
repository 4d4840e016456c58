"""docs/reference/coverage.md: what came out for every estimator, library by library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tools.evaluation.support.outcomes import Outcome, Result
from tools.evaluation.support.rows import ON_THRESHOLDS, ROWS
from tools.evaluation.support.samples import GAPS

FILE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "coverage.md"
RESULTS: tuple[Result, ...] = ("exact", "refused", "transductive", "differs")
COLUMNS = "| estimator | result | compared, or why not |\n| --- | --- | --- |"


@dataclass(frozen=True)
class Table:
    """The part of one library."""

    versions: str  # of the library, and of what else the answers depend on
    outcomes: list[Outcome]  # one for each estimator


def document(tables: Mapping[str, Table]) -> str:
    """docs/reference/coverage.md, as Markdown, of tables by the library's name."""
    return "\n".join([*_header(tables), *_sections(tables)])


def tables_in(text: str) -> dict[str, Table]:
    """The tables of a document, by library."""
    found = {}
    for section in text.split("\n## ")[1:]:
        name, _, *lines = section.splitlines()
        rows = [line for line in lines if line.startswith("| ")][2:]
        versions = lines[0].removeprefix("With ").removesuffix(".")
        found[name] = Table(versions, [_outcome(row) for row in rows])
    return found


def row_of(outcome: Outcome) -> str:
    """Its line of the table."""
    return f"| {outcome.name} | {outcome.result} | {outcome.detail.replace('|', '¦')} |"


def _outcome(row: str) -> Outcome:
    name, result, detail = row.removeprefix("| ").removesuffix(" |").split(" | ")
    return Outcome(name, cast(Result, result), detail)


def _sections(tables: Mapping[str, Table]) -> Iterator[str]:
    for name, table in tables.items():
        yield f"## {name}\n\nWith {table.versions}.\n\n{COLUMNS}"
        yield from map(row_of, table.outcomes)
        yield ""


def _summary(tables: Mapping[str, Table]) -> Iterator[str]:
    """A line for each library: how many of its estimators came out how."""
    counts = {name: Counter(o.result for o in table.outcomes) for name, table in tables.items()}
    known = [r for r in RESULTS if r != "differs" or any(c[r] for c in counts.values())]
    yield f"| library | estimators | {' | '.join(known)} |"
    yield f"| --- |{' ---: |' * (len(known) + 1)}"
    for name, table in tables.items():
        label = table.versions.split(",")[0]
        numbers = [len(table.outcomes), *(counts[name][result] for result in known)]
        yield f"| [{label}](#{name}) | {' | '.join(map(str, numbers))} |"
    yield ""


def _header(tables: Mapping[str, Table]) -> Iterator[str]:
    yield "# Every estimator: exact or refused\n"
    yield "Is your estimator served? Look it up by its name; nothing has to be set. These are all"
    yield "public estimators of scikit-learn, and of libraries that plug into it:\n"
    yield from _summary(tables)
    yield "`make coverage` writes this page. It fits each estimator on real data, builds it as"
    yield f"`convert build` does, and compares with the library on {ROWS:,} other rows,"
    yield f"{ON_THRESHOLDS} more that lie exactly halfway between training values, where trees part"
    yield "rows, and the drawn rows and edge cases of every build. Numbers are given in float64 and"
    yield "in float32; where rounding to float32 decides, answers to the same numbers in"
    yield f"float64 are met. Where the estimator takes gaps, {GAPS:.0%} of the values are missing."
    yield "Settings are the library's own, except those that an estimator can't do without and a"
    yield "few smaller sizes (`tools/evaluation/support/`). Other settings, and pipelines, are"
    yield "proven when they are built.\n"
    yield "- exact: every answer equals the library's (tolerance 1e-5), up to where"
    yield "  numbers far beyond the data make its own arithmetic give out; the third column says"
    yield "  which answers, on which data"
    yield "- refused: a build says why and writes nothing; the third column is the reason"
    yield "- transductive: there is nothing to serve for rows that it wasn't fitted on\n"
