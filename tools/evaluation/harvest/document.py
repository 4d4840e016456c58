"""docs/reference/harvest.md: what became of the gallery's models."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tools.evaluation.harvest.catching import ALIKE
from tools.evaluation.harvest.judging import Judged, Result
from tools.evaluation.harvest.made_rows import ROWS

FILE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "harvest.md"
LONGEST = 300  # characters of a reason
RESULTS: tuple[Result, ...] = (
    "served", "refused", "transductive", "not built in time", "differs", "traceback",
)  # fmt: skip


def summary(judged: Sequence[Judged]) -> str:
    """How many came to what, in a line."""
    models = [one for one in judged if one.result in RESULTS]
    counts = Counter(one.result for one in models)
    by_row = [one for one in models if one.result != "transductive"]
    share = counts["served"] / len(by_row) if by_row else 0.0
    listed = ", ".join(f"{counts[result]} {result}" for result in RESULTS)
    return f"{len(models)} models: {listed}; {share:.1%} of those that answer row by row are served"


def document(judged: Sequence[Judged], of: int) -> str:
    """The page: the models, and the examples that ended early, of so many examples."""
    return "\n".join([*_lines(judged, of), ""])


def _lines(judged: Sequence[Judged], of: int) -> Iterator[str]:
    yield "# scikit-learn's example gallery: what is served\n"
    yield f"{summary(judged)}.\n"
    yield (
        "How often does a model that somebody else wrote convert, and what is refused? "
        "`make harvest` writes this page. It runs the example gallery of scikit-learn "
        f"{version('scikit-learn')}, catches each estimator that an example fits, builds it in a "
        "process of its own, which has 60 seconds of a processor, and compares what is served with "
        "scikit-learn on the example's own rows, as they are, and on "
        f"{ROWS} made rows in and around their range. Of models of the same classes on as many "
        f"columns, such as those of a validation curve, {ALIKE} are tried. Data that an example "
        "would fetch from the network is made: similar columns, other values.\n"
    )
    yield "- served: every answer is scikit-learn's, up to ties and rounding as in every build"
    yield "- refused: a build says why; the last column is the reason"
    yield "- transductive: there is nothing to serve for rows that it wasn't fitted on\n"
    skipped = [one for one in judged if one.result not in RESULTS]
    ran = len({one.example for one in judged})
    yield (
        f"{ran} of the gallery's {of} examples were run, and fit something or ended early; "
        f"{len(skipped)} did not run to their end: no similar data is made, another package is "
        "needed, or they take too long. Served and transductive models are counted above and not "
        "listed.\n"
    )
    yield "| example | estimators | result | why |"
    yield "| --- | --- | --- | --- |"
    for one in judged:
        if one.result in RESULTS and one.result not in ("served", "transductive"):
            yield f"| {one.example} | {one.shown} | {one.result} | {_short(one.detail)} |"


def _short(detail: str) -> str:
    """The reason: of a refusal by parity, what speaks against the first recipe."""
    lines = detail.split(" | ")[0].splitlines() or [""]
    reason = lines[1] if len(lines) > 1 and "no conversion answers" in lines[0] else lines[0]
    plain = re.sub(r" at 0x[0-9a-f]+", "", " ".join(reason.split()))
    return plain.replace("|", "¦")[:LONGEST]
