"""docs/reference/harvest.md: what became of the gallery's models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tools.harvest.judging import Judged
from tools.harvest.made_rows import ROWS

FILE = Path(__file__).resolve().parent.parent.parent / "docs" / "reference" / "harvest.md"
RESULTS = ("served", "refused", "transductive", "not built in time", "differs", "traceback")


def summary(judged: Sequence[Judged]) -> str:
    """How many came to what, in a line."""
    models = [one for one in judged if one.result in RESULTS]
    counts = Counter(one.result for one in models)
    by_row = [one for one in models if one.result != "transductive"]
    share = counts["served"] / len(by_row) if by_row else 0.0
    listed = ", ".join(f"{counts[result]} {result}" for result in RESULTS)
    return f"{len(models)} models: {listed}; {share:.1%} of those that answer row by row are served"


def document(judged: Sequence[Judged]) -> str:
    """The page, as Markdown."""
    return "\n".join([*_lines(judged), ""])


def _lines(judged: Sequence[Judged]) -> Iterator[str]:
    yield "# Models that others wrote\n"
    yield f"{summary(judged)}.\n"
    yield f"`make harvest` writes this page. It runs the example gallery of scikit-learn {version('scikit-learn')},"
    yield "catches each estimator that an example fits, builds it in a process of its own with a time"
    yield f"limit of 60 s, and compares what is served with scikit-learn on {ROWS} made rows in and around"
    yield "the range of the rows that it was fitted on. Data that an example would fetch is made: similar"
    yield "columns, other values.\n"
    skipped = [one for one in judged if one.result not in RESULTS]
    yield f"{len(skipped)} examples did not run to their end: no similar data, or another package is needed.\n"
    yield "| example | estimators | result | why |"
    yield "| --- | --- | --- | --- |"
    for one in judged:
        if one.result in RESULTS and one.result != "served":
            yield f"| {one.example} | {one.shown} | {one.result} | {_short(one.detail)} |"


def _short(detail: str) -> str:
    """The reason: of a refusal by parity the first line that gives one."""
    text = " ".join(detail.split(" | ")[0].split())
    return text.replace("|", "¦")[:300]
