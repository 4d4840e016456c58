"""docs/reference/coverage.md: what came out for every estimator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tools.coverage.outcomes import Outcome, Result
from tools.coverage.rows import ON_THRESHOLDS, ROWS
from tools.coverage.samples import GAPS

FILE = Path(__file__).resolve().parent.parent.parent / "docs" / "reference" / "coverage.md"
TOOLS = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime")  # the same on every Python
RESULTS: tuple[Result, ...] = ("exact", "refused", "transductive", "differs")


def document(outcomes: Sequence[Outcome]) -> str:
    """docs/reference/coverage.md, as Markdown."""
    return "\n".join([*_header(outcomes), *(row_of(outcome) for outcome in outcomes), ""])


def row_of(outcome: Outcome) -> str:
    """Its line of the table."""
    return f"| {outcome.name} | {outcome.result} | {outcome.detail.replace('|', '¦')} |"


def _header(outcomes: Sequence[Outcome]) -> Iterator[str]:
    counts = Counter(outcome.result for outcome in outcomes)
    known = [result for result in RESULTS if result != "differs" or counts[result]]
    yield "# Coverage\n"
    yield (
        f"All {len(outcomes)} estimators of `sklearn.utils.all_estimators()`: "
        + ", ".join(f"{counts[result]} {result}" for result in known)
        + ".\n"
    )
    yield "`make coverage` writes this page. It fits each estimator on real data, builds it as"
    yield f"`convert build` does, and compares with scikit-learn on {ROWS:,} other rows,"
    yield f"{ON_THRESHOLDS} more that lie exactly halfway between training values, where trees part"
    yield "rows, and the drawn rows and edge cases of every build. Numbers are given in float64 and"
    yield "in float32; where rounding to float32 decides, answers to the same numbers in"
    yield f"float64 are met. Where the estimator takes gaps, {GAPS:.0%} of the values are missing."
    yield "Settings are scikit-learn's own, except those that an estimator can't do without and a"
    yield "few smaller sizes (`tools/coverage/estimators.py`). Other settings, and pipelines, are"
    yield "proven when they are built.\n"
    yield "- exact: every answer equals scikit-learn's (tolerance 1e-5), up to where"
    yield "  numbers far beyond the data make its own arithmetic give out; the third column says"
    yield "  which answers, on which data"
    yield "- refused: a build says why and writes nothing; the third column is the reason"
    yield "- transductive: there is nothing to serve for rows that it wasn't fitted on\n"
    yield f"With {', '.join(f'{tool} {version(tool)}' for tool in TOOLS)}.\n"
    yield "| estimator | result | compared, or why not |"
    yield "| --- | --- | --- |"
