"""Curves of two-class models: ROC, precision and recall, calibration, the threshold's costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from onnxlet.convert.report import Findings
from onnxlet.convert.report.drawing.plot import (
    SMALL,
    Plot,
    colour,
    percent_ticks,
    plot,
    titles,
)
from onnxlet.convert.report.wording import number, share

MARGINS = (28, 16, 42, 46)
HEIGHT = 340
DESCRIBED = 11  # points of a curve that its description has
COSTS = {
    "precision": ("other", (5, 2), "precision: of those selected, how many are right"),
    "recall": ("model", (1, 0), "recall: of those there are, how many are selected"),
    "selected": ("plain", (1.5, 1.5), "selected: of all rows, how many"),
    "false_positive_rate": ("third", (6, 1.5, 1.5, 1.5), "false alarms: of the others, how many"),
}


def roc(found: Findings) -> Plot | None:
    """True against false positives."""
    if not found.get("roc"):
        return None
    points = found["roc"]["points"]

    def draw(axes: Any) -> None:
        _square(axes)
        axes.plot([0, 1], [0, 1], color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        axes.plot(_at(points, 0), _at(points, 1), color=colour("model"), linewidth=2.25)
        _mark(axes, points, found)
        titles(axes, "false alarms (false positive rate)", "found (true positive rate)")

    description = "; ".join(
        f"{share(p[1])} found at {share(p[0])} false alarms" for p in _some(points)
    )
    legend = (("line-model", "this model"), ("line-plain", "guessing"), *_diamond(found))
    return plot("roc-plot", "ROC curve", f"{description}.", HEIGHT, draw, MARGINS, legend)


def precision_recall(found: Findings) -> Plot | None:
    """Precision against recall."""
    if not found.get("precision_recall"):
        return None
    points = found["precision_recall"]["points"]
    base = found["precision_recall"].get("share")  # of the positive label among the test rows

    def draw(axes: Any) -> None:
        _square(axes)
        if base is not None:
            axes.axhline(base, color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        axes.plot(_at(points, 0), _at(points, 1), color=colour("model"), linewidth=2.25)
        _mark(axes, points, found)
        titles(axes, "found (recall)", "right among the selected (precision)")

    description = "; ".join(
        f"precision {share(p[1])} at recall {share(p[0])}" for p in _some(points)
    )
    guess = () if base is None else (("line-plain", f"guessing, {share(base)}"),)
    legend = (("line-model", "this model"), *guess, *_diamond(found))
    title = "Precision and recall"
    return plot("precision-recall-plot", title, f"{description}.", HEIGHT, draw, MARGINS, legend)


def calibration(found: Findings) -> Plot | None:
    """What was said against what came true."""
    if not found.get("calibration"):
        return None
    bins = [each for each in found["calibration"]["bins"] if each["rows"]]
    if not bins:
        return None
    chosen = _chosen(found)
    top = found["calibration"].get("of") == "top"
    promise = "share of right answers" if top else "share that came true"

    def draw(axes: Any) -> None:
        _square(axes)
        axes.plot([0, 1], [0, 1], color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        for each in bins:
            ends = [each["observed_low"], each["observed_high"]]
            if None not in ends:
                axes.plot([each["predicted"]] * 2, ends, color=colour("model"), linewidth=2)
        axes.plot(
            [each["predicted"] for each in bins],
            [each["observed"] for each in bins],
            "-o",
            color=colour("model"),
            linewidth=1.25,
            markersize=6,
        )
        if chosen is not None:
            axes.axvline(chosen, color=colour("other"), linewidth=1.5, dashes=(6, 2, 1.5, 2))
        titles(axes, "probability that the model gave", promise)

    description = "; ".join(
        f"said {share(b['predicted'])}, came true {share(b['observed'])} of {b['rows']}"
        for b in bins
    )
    legend = [("line-model", "this model, 95\u202f% intervals"), ("line-plain", "perfect")]
    if chosen is not None:
        legend.append(("line-other false_positive_rate", f"threshold {number(chosen)}"))
    title = "Calibration"
    return plot("calibration-plot", title, f"{description}.", HEIGHT, draw, MARGINS, tuple(legend))


def threshold(found: Findings) -> Plot | None:
    """What moving the threshold costs."""
    table = (found.get("threshold") or {}).get("table")
    if not table:
        return None
    chosen = found["threshold"]["chosen"]
    at = [row["threshold"] for row in table]

    def draw(axes: Any) -> None:
        _square(axes)
        for key, (paint, dashes, _) in COSTS.items():
            values = [float("nan") if row.get(key) is None else row[key] for row in table]
            axes.plot(at, values, color=colour(paint), linewidth=2.1, dashes=dashes)
        if chosen is not None:
            axes.axvline(chosen, color=colour("ink"), linewidth=1)
            near = "right" if chosen > 0.75 else "left"
            side = -5 if chosen > 0.75 else 5
            axes.annotate(
                f"chosen: {number(chosen)}", (chosen, 1), xytext=(side, 3),
                textcoords="offset points", ha=near, va="bottom", fontsize=SMALL,
                color=colour("ink"), annotation_clip=False,
            )  # fmt: skip
        titles(axes, "threshold on the probability")

    description = "; ".join(
        f"at {number(row['threshold'])} precision {share(row['precision'])}, recall "
        f"{share(row['recall'])}, selected {share(row['selected'])}"
        for row in _some(table)
    )
    legend = tuple((f"line-{paint} {key}", words) for key, (paint, _, words) in COSTS.items())
    title = "What moving the threshold changes"
    return plot("threshold-plot", title, f"{description}.", HEIGHT, draw, MARGINS, legend)


def _square(axes: Any) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    percent_ticks(axes.xaxis)
    percent_ticks(axes.yaxis)


def _at(points: Sequence[Sequence[float]], index: int) -> list[float]:
    return [point[index] for point in points]


def _some(items: Sequence[Any]) -> Sequence[Any]:
    """About DESCRIBED of them, the ends among them."""
    if len(items) <= DESCRIBED:
        return items
    return [items[round(i * (len(items) - 1) / (DESCRIBED - 1))] for i in range(DESCRIBED)]


def _mark(axes: Any, points: Sequence[Sequence[Any]], found: Findings) -> None:
    """Mark the point of the chosen threshold."""
    chosen = _chosen(found)
    near = [p for p in points if p[2] is not None]
    if chosen is None or not near:
        return
    x, y, _ = min(near, key=lambda p: abs(p[2] - chosen))
    axes.plot([x], [y], "D", color=colour("other"), markersize=9, clip_on=False)


def _chosen(found: Findings) -> float | None:
    chosen: float | None = (found.get("threshold") or {}).get("chosen")
    return chosen


def _diamond(found: Findings) -> tuple[tuple[str, str], ...]:
    chosen = _chosen(found)
    return () if chosen is None else (("diamond-other", f"threshold {number(chosen)}"),)
