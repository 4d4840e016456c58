"""Plots of one row for each thing: its name, its value with the interval, a dot and a whisker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from onnxlet.convert.report.form.figures import Ranged
from onnxlet.convert.report.form.plot import (
    SMALL,
    TEXT,
    Plot,
    colour,
    plain_ticks,
    plot,
    span,
    titles,
)
from onnxlet.convert.report.form.wording import interval, number

HIGH = 40  # pixels of a row
TOP, BOTTOM, SIDE = 6, 40, 14
LABEL = 32  # characters, beside the value


class Row(NamedTuple):
    """One row of such a plot."""

    label: str  # as `wording.name` gives it, LABEL characters at most
    of: Ranged
    colour: str = "model"  # of the palette
    marker: str = "o"  # of matplotlib's: colour is never all that tells rows apart
    strong: bool = False  # the one that matters


def draw_rows(
    key: str,
    title: str,
    rows: Sequence[Row],
    axis: str,
    zero: float | None = None,
    write: Callable[[float | None], str] = number,
    bars: bool = False,
) -> Plot | None:
    """Draw rows that have a value, the first one on top; None where none has.

    A line is drawn at `zero`, such as at no difference, and bars begin there.
    """
    rows = [row for row in rows if row.of.value is not None]

    def draw(axes: Any) -> None:
        spans = [span(row.of) for row in rows]
        least, most = _limits(spans, zero)
        axes.set_xlim(least, most)
        axes.set_ylim(len(rows) - 0.72, -0.95)
        if zero is not None:
            axes.axvline(zero, color=colour("edge"), linewidth=1, zorder=1)
        for y, (row, (value, low, high)) in enumerate(zip(rows, spans, strict=True)):
            paint = colour(row.colour)
            if bars and zero is not None:
                axes.barh(y, value - zero, 0.22, zero, color=paint, alpha=0.28, linewidth=0)
            axes.plot([low, high], [y, y], color=paint, linewidth=2.5, solid_capstyle="butt")
            axes.plot([value], [y], row.marker, color=paint, markersize=8 if row.strong else 7)
            # Above its bar, where it has the whole width: names are long, screens narrow.
            tone, large = ("ink", TEXT) if row.strong else ("soft", SMALL)
            _write(axes, (0, y), row.label, "left", tone, large)
            _write(axes, (1, y), write(value), "right", "ink", SMALL + row.strong)
        axes.set_yticks([])
        axes.grid(False)
        axes.grid(True, axis="x", color=colour("line"), linewidth=1)
        plain_ticks(axes.xaxis, 5, write)
        titles(axes, axis)

    if not rows:
        return None
    description = "; ".join(_described(row, write) for row in rows)
    height = TOP + HIGH * len(rows) + BOTTOM
    return plot(key, title, f"{axis}. {description}.", height, draw, (TOP, SIDE, BOTTOM, SIDE))


def _described(row: Row, write: Callable[[float | None], str]) -> str:
    between = interval(row.of)
    return f"{row.label}: {write(row.of.value)}" + (f" ({between})" if between else "")


def _write(
    axes: Any, at: tuple[float, float], text: str, side: str, tone: str, fontsize: float
) -> None:
    """Write at a share of the width, a little above a row."""
    axes.annotate(
        text, at, xycoords=("axes fraction", "data"), xytext=(0, 7), textcoords="offset points",
        color=colour(tone), fontsize=fontsize, ha=side, va="bottom", annotation_clip=False,
    )  # fmt: skip


def _limits(spans: Sequence[tuple[float, float, float]], zero: float | None) -> tuple[float, float]:
    ends = [end for each in spans for end in each] + ([] if zero is None else [zero])
    least, most = min(ends), max(ends)
    room = (most - least) * 0.06 or abs(most) * 0.1 or 1.0
    return least - (0 if least == zero else room), most + room
