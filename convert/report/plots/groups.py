"""Figures of fairness: by group, and their differences before and after a mitigation."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.drawing.plot import Plot
from onnxlet.convert.report.drawing.rows import LABEL, Row, draw_rows
from onnxlet.convert.report.sentences import neutral
from onnxlet.convert.report.wording import fitting, headed, name, number, share

# What groups are compared in, the first that has values; how it is written.
MEASURES = {
    "selection_rate": ("Selected", share),
    "accuracy": ("Right answers", share),
    "mean_absolute_error": ("Mean absolute error", number),
}
MOST_GROUPS = 12


def groups(index: int, each: Findings) -> Plot | None:
    """One measure by group."""
    for measure, (title, write) in MEASURES.items():
        rows = [
            Row(
                f"{name(group['group'], 24)}{' (few rows)' if group['small'] else ''}",
                {"value": group[measure]},
                "plain" if group["small"] else "model",
                "s" if group["small"] else "o",
            )
            for group in each["groups"][:MOST_GROUPS]
            if group.get(measure) is not None
        ]
        if rows:
            key, about = f"groups-{index}", f"{title} by {name(each['column'], 60)}"
            return draw_rows(key, about, rows, title.lower(), 0, write, True)
    return None


def differences(index: int, each: Findings) -> Plot | None:
    """The differences between groups, with the mitigation's beside them."""
    after = {d["measure"]: d for d in (each.get("mitigation") or {}).get("differences", [])}
    rows = []
    for difference in each["differences"]:
        if difference["value"] is None or neutral(difference):
            continue  # ratios are in the table: they have another scale
        rows.append(Row(fitting(headed(difference["title"]), LABEL + 12), difference))
        mitigated = after.get(difference["measure"])
        if mitigated and mitigated["value"] is not None:
            rows.append(Row("\u2192 with the mitigation", mitigated, "other", "D"))
    if not rows:
        return None
    about = f"Differences between groups of {name(each['column'], 60)}"
    return draw_rows(f"differences-{index}", about, rows, "largest difference between groups", 0)
