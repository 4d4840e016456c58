"""What the model leans on: importance of columns, and how answers move with the first of them."""

from __future__ import annotations

from typing import Any

from onnxlet.convert.report import Findings
from onnxlet.convert.report.drawing.plot import Plot, colour, plot, span, ticks, titles
from onnxlet.convert.report.drawing.rows import LABEL, Row, draw_rows
from onnxlet.convert.report.wording import fitting, name, number

MOST_BARS = 12
MOST_POINTS = 10  # of a category


def importance(found: Findings) -> Plot | None:
    """The columns that matter most."""
    columns = (found.get("importance") or {}).get("columns")
    if not columns:
        return None
    rows = [Row(fitting(each["column"], LABEL), each) for each in columns[:MOST_BARS]]
    axis = "how much worse the score gets with the column shuffled"
    return draw_rows("importance-plot", "Importance of columns", rows, axis, 0, bars=True)


def dependence(found: Findings) -> list[Plot | None]:
    """A plot for each of the first columns."""
    return [
        _category(index, each) if each["kind"] == "category" else _number(index, each)
        for index, each in enumerate(found.get("dependence") or [])
    ]


def _category(index: int, each: Findings) -> Plot | None:
    rows = [Row(fitting(point["at"], LABEL), point) for point in each["points"][:MOST_POINTS]]
    return draw_rows(
        f"dependence-{index}", f"Answer by {name(each['column'], 60)}", rows, _answer(each)
    )


def _number(index: int, each: Findings) -> Plot | None:
    points = [p for p in each["points"] if None not in (p["at"], p["value"])]
    if not points:
        return None
    at = [point["at"] for point in points]
    spans = [span(point) for point in points]

    def draw(axes: Any) -> None:
        lows, highs = [low for _, low, _ in spans], [high for _, _, high in spans]
        axes.fill_between(at, lows, highs, color=colour("model"), alpha=0.2, linewidth=0)
        mark = "-o" if len(at) < 30 else "-"
        axes.plot(at, [s[0] for s in spans], mark, color=colour("model"), markersize=4.5)
        ticks(axes)
        titles(axes, fitting(each["column"], 44), _answer(each))

    description = "; ".join(f"{number(point['at'])}: {number(point['value'])}" for point in points)
    title = f"Answer by {name(each['column'], 60)}"
    return plot(
        f"dependence-{index}",
        title,
        f"{_answer(each)}. {description}.",
        240,
        draw,
        (28, 16, 42, 58),
    )


def _answer(each: Findings) -> str:
    return fitting(each["answer"], 44) if each.get("answer") else "average answer"
