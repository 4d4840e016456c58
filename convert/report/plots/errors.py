"""How far a regression is off."""

from __future__ import annotations

from typing import Any

from onnxlet.convert.report import Findings
from onnxlet.convert.report.drawing.plot import Plot, colour, histogram, plot, ticks, titles
from onnxlet.convert.report.wording import number

MARGINS = (28, 14, 42, 58)


def residuals(found: Findings) -> Plot | None:
    """The histogram of errors."""
    if not (found.get("residuals") or {}).get("counts"):
        return None
    edges, counts = found["residuals"]["bins"], found["residuals"]["counts"]

    title, x = "How the errors are spread", "true value minus prediction"
    return histogram("residuals-plot", title, edges, counts, 260, MARGINS, x, 0)


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
        ticks(axes)
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
