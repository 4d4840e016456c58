"""Where answers are wrong: matrix, residuals, worst rows."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.wording import (
    FEW_IN_PART,
    count,
    few,
    listed,
    name,
    number,
    plural,
    share,
)


def confusion(found: Findings) -> str:
    """What is right, and what is most often taken for what."""
    table = found.get("confusion")
    if not table or not sum(map(sum, table["counts"])):
        return ""
    counts, labels = table["counts"], table["labels"]
    total = sum(map(sum, counts))
    # Where the rarest labels are lumped, an answer of one for another of them lies on the diagonal.
    end = len(labels) - (1 if table.get("other") else 0)
    right = sum(counts[k][k] for k in range(end))
    wrong = [(counts[a][b], a, b) for a in range(len(labels)) for b in range(len(labels)) if a != b]
    said = f"{share(right / total)} of {plural(total, 'row')} are on the diagonal"
    said += ", without the lumped labels" if table.get("other") else ", where the answer is right"
    most, a, b = max(wrong, default=(0, 0, 0))
    if not most:
        return f"{said}; no two labels are taken for each other."
    mistake = f"{name(labels[b], 60)} for {name(labels[a], 60)}"
    return f"{said}; the most frequent mistake is {mistake}, {plural(most, 'time')}."


def residuals(found: Findings) -> str:
    """How far off half and most answers are."""
    within = (found.get("residuals") or {}).get("within") or []
    if not within:
        return ""
    parts = [
        f"{round(100 * each['share'])}\u202f% are off by at most {number(each['error'])}"
        for each in within
    ]
    return f"Of the answers {listed(parts)}."


def by_prediction(found: Findings) -> str:
    """Where errors are widest, and whether they lean to one side."""
    bins = [b for b in (found.get("residuals") or {}).get("by_prediction") or [] if b["rows"]]
    if not bins:
        return ""
    widest = max(bins, key=lambda each: each["p95"] - each["p05"])
    thin = " (few rows)" if few(widest["rows"], FEW_IN_PART) else ""
    return (
        f"Errors spread most where the prediction is {number(widest['low'])} to "
        f"{number(widest['high'])}: nine in ten lie between {number(widest['p05'])} and "
        f"{number(widest['p95'])}{thin}."
    )


def worst(found: Findings) -> str:
    """What the list of the worst rows is for."""
    rows = found.get("worst") or []
    if not rows:
        return ""
    return (
        f"The largest error is {number(rows[0]['error'])}, in row {count(rows[0]['row'])} of the "
        "test rows, counted from 0: look these up in your own table; often it is the table that is "
        "wrong."
    )
