"""How far a regression is off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxlet.convert.report.looks.wording import count, listed, number
from onnxlet.convert.report.plots.drawing import Plot, colour, plain_ticks, plot, titles

Findings = Mapping[str, Any]
MARGINS = (28, 14, 42, 58)


def residuals(found: Findings) -> Plot | None:
    """The histogram of errors."""
    if not (found.get("residuals") or {}).get("counts"):
        return None
    edges, counts = found["residuals"]["bins"], found["residuals"]["counts"]

    def draw(axes: Any) -> None:
        axes.stairs(counts, edges, fill=True, color=colour("model"), alpha=0.75)
        axes.axvline(0, color=colour("ink"), linewidth=1)
        plain_ticks(axes.xaxis, 5)
        plain_ticks(axes.yaxis, 4)
        titles(axes, "true value minus prediction", "rows")

    description = (
        f"From {number(edges[0])} to {number(edges[-1])}; rows by bin: "
        f"{listed([count(each) for each in counts], 60)}."
    )
    return plot("residuals-plot", "How the errors are spread", description, 260, draw, MARGINS)


def by_prediction(found: Findings) -> Plot | None:
    """Errors along the predictions: their mean, and where nine in ten lie."""
    bins = [b for b in (found.get("residuals") or {}).get("by_prediction") or [] if b["rows"]]
    if not bins:
        return None
    middle = [(each["low"] + each["high"]) / 2 for each in bins]

    def draw(axes: Any) -> None:
        axes.axhline(0, color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        for at, each in zip(middle, bins, strict=True):
            ends = [each["p05"], each["p95"]]
            axes.plot([at, at], ends, color=colour("model"), linewidth=7, alpha=0.3,
                      solid_capstyle="butt")  # fmt: skip
        axes.plot(middle, [e["mean"] for e in bins], "-o", color=colour("model"), markersize=6)
        plain_ticks(axes.xaxis, 5)
        plain_ticks(axes.yaxis, 5)
        titles(axes, "prediction", "true value minus prediction")

    description = "; ".join(
        f"around {number(at)} on average {number(each['mean'])}, nine in ten between "
        f"{number(each['p05'])} and {number(each['p95'])} ({each['rows']} rows)"
        for at, each in zip(middle, bins, strict=True)
    )
    legend = (
        ("line-model", "mean error"),
        ("band-model", "nine in ten errors"),
        ("line-plain", "no error"),
    )
    title = "Errors along the predictions"
    return plot("by-prediction-plot", title, f"{description}.", 300, draw, MARGINS, legend)
