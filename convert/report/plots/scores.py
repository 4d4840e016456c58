"""The model's score beside those of a constant answer and a linear model; and what is answered."""

from __future__ import annotations

from onnxlet.convert.report import Findings
from onnxlet.convert.report.drawing.plot import Plot, histogram
from onnxlet.convert.report.drawing.rows import LABEL, Row, draw_rows
from onnxlet.convert.report.wording import fitting, headed, number

BASELINES = {
    "constant": ("a constant answer", "plain", "s"),
    "linear": ("a linear model", "other", "D"),
}
MOST_LABELS = 12


def scores(found: Findings) -> Plot | None:
    """The optimised metric with its intervals."""
    if not found.get("scores"):
        return None
    first = found["scores"][0]
    rows = [Row("this model", first["model"], strong=True)]
    for each in first["baselines"]:
        label, paint, marker = BASELINES.get(
            each["name"], (fitting(each["name"], LABEL), "third", "^")
        )
        rows.append(Row(label, each, paint, marker))
    better = "higher" if first["greater_is_better"] else "lower"
    axis = f"{headed(fitting(first['title'], 34))}, {better} is better, with 95\u202f% intervals"
    return draw_rows("scores-plot", f"{first['title']} beside the baselines", rows, axis)


def target(found: Findings) -> Plot | None:
    """How the target is spread over the test rows."""
    spread = (found.get("data") or {}).get("target")
    if not spread or not spread.get("counts"):
        return None
    if "bins" not in spread:
        return _labels(spread)
    key, title, margins = "target-plot", "How the target is spread", (28, 14, 40, 44)
    return histogram(key, title, spread["bins"], spread["counts"], 230, margins, "target")


def _labels(spread: Findings) -> Plot | None:
    pairs = list(zip(spread["counts"], spread["labels"], strict=True))
    if spread.get("other"):
        pairs = pairs[:-1]  # many rare ones, which would dwarf the rest
    pairs.sort(key=lambda pair: -pair[0])
    shown = [Row(fitting(label, LABEL), {"value": rows}) for rows, label in pairs[:MOST_LABELS]]
    more = len(pairs) > MOST_LABELS or spread.get("other")
    axis = f"rows; the {MOST_LABELS} most frequent labels" if more else "rows"
    write = lambda value: number(value, 12)  # noqa: E731 - counts in full
    return draw_rows("target-plot", "How often each label occurs", shown, axis, 0, write, True)
