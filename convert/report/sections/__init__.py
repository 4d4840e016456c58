"""The sections of a report, in their order.

Each has a module here, with what it says and draws, `template/ID.html`, its place in the page, and
a part of `template/card.md`. To add one: its part in `findings.py`, what computes it in
`evaluation/`, these three, and this list.
"""

from onnxlet.convert.report.form.findings import Findings
from onnxlet.convert.report.sections import (
    annex,
    curves,
    data,
    errors,
    fairness,
    importance,
    made,
    scores,
    search,
    use,
)

SECTIONS = (
    scores.ANSWER, data.SECTION, scores.SECTION, errors.SECTION, curves.SECTION,
    importance.SECTION, curves.LEARNING, errors.WORST, search.SECTION, fairness.SECTION,
    made.SECTION, use.PARITY, use.SERVING, use.USE, use.CALL, annex.SECTION, use.NOTES,
)  # fmt: skip


def headings(found: Findings) -> dict[str, str]:
    """The sections that these findings fill, by id."""
    return {each.id: each.heading for each in SECTIONS if each.of(found)}
