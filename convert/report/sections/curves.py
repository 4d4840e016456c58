"""Curves: of two-class models (ROC, calibration, what the threshold costs), and of learning."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from onnxlet.convert.report.form.figures import (
    Calibration,
    PrecisionRecall,
    Roc,
    Threshold,
    ThresholdRow,
)
from onnxlet.convert.report.form.findings import Findings, Learning
from onnxlet.convert.report.form.plot import (
    SMALL,
    Plot,
    colour,
    curve_with_band,
    percent_ticks,
    plot,
    titles,
)
from onnxlet.convert.report.form.wording import count, name, number, plural, share
from onnxlet.convert.report.sections.section import (
    Section,
    inside,
    metric_of,
    of_part,
    positive,
    with_interval,
)

DESCRIBED = 11  # points of a curve that its description has
COSTS = {
    "precision": ("other", (5, 2), "precision: of those selected, how many are right"),
    "recall": ("model", (1, 0), "recall: of those there are, how many are selected"),
    "selected": ("plain", (1.5, 1.5), "selected: of all rows, how many"),
    "false_positive_rate": ("third", (6, 1.5, 1.5, 1.5), "false alarms: of the others, how many"),
}
# Of a learning curve, by whether more data helps.
ENDS = {
    True: "and still improves: more data would probably help",
    False: "and has levelled off: more data of this kind would hardly help",
    None: "which is too little to tell whether more data would help",
}
square_plot = partial(plot, height=340, margins=(28, 16, 42, 46))  # of shares by shares


@of_part(lambda found: found.roc)
def roc(about: Roc, found: Findings) -> str:
    """What the area means."""
    return (
        f"Of two rows, one {positive(found)} and one not, the model ranks the first higher in "
        f"{share(about.auc.value)} of all pairs{with_interval(about.auc, share)}; guessing would "
        "in half."
    )


@of_part(lambda found: found.roc, None)
def roc_plot(about: Roc, found: Findings) -> Plot | None:
    """True against false positives."""
    points = about.points

    def draw(axes: Any) -> None:
        _shares(axes)
        axes.plot([0, 1], [0, 1], color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        _curve(axes, points, found)
        titles(axes, "false alarms (false positive rate)", "found (true positive rate)")

    description = "; ".join(
        f"{share(p[1])} found at {share(p[0])} false alarms" for p in _some(points)
    )
    legend = (("line-model", "this model"), ("line-plain", "guessing"), *_diamond(found))
    return square_plot("roc-plot", "ROC curve", f"{description}.", draw=draw, legend=legend)


@of_part(lambda found: found.precision_recall)
def precision_recall(about: PrecisionRecall, found: Findings) -> str:
    """The average precision beside guessing's."""
    average = about.average_precision
    return (
        f"The area below the curve, the average precision, is {number(average.value)}"
        f"{with_interval(average)}: further up and to the right is better."
    )


@of_part(lambda found: found.precision_recall, None)
def precision_recall_plot(about: PrecisionRecall, found: Findings) -> Plot | None:
    """Precision against recall."""
    points, base = about.points, about.share

    def draw(axes: Any) -> None:
        _shares(axes)
        if base is not None:
            axes.axhline(base, color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        _curve(axes, points, found)
        titles(axes, "found (recall)", "right among the selected (precision)")

    description = "; ".join(
        f"precision {share(p[1])} at recall {share(p[0])}" for p in _some(points)
    )
    guess = () if base is None else (("line-plain", f"guessing, {share(base)}"),)
    legend = (("line-model", "this model"), *guess, *_diamond(found))
    title = "Precision and recall"
    return square_plot("precision-recall-plot", title, f"{description}.", draw=draw, legend=legend)


@of_part(lambda found: found.calibration)
def calibration(about: Calibration, found: Findings) -> str:
    """Whether probabilities can be taken at their word, and where not."""
    off = [
        each
        for each in about.bins
        if each.rows
        and each.observed_low is not None
        and each.observed_high is not None
        and not each.observed_low <= each.predicted <= each.observed_high
    ]
    begun = f"On average the probabilities are off by {share(about.error)}"
    if not off:
        return f"{begun}; no bin is off by more than chance would explain."
    worst = max(off, key=lambda each: abs(each.predicted - each.observed))
    # Of two classes a probability is the positive one's, else that of the answer itself.
    so = "were answered rightly" if about.of == "top" else "came true"
    return (
        f"{begun}; furthest around {share(worst.predicted)}, where {share(worst.observed)} "
        f"of {plural(worst.rows, 'row')} {so}."
    )


@of_part(lambda found: found.calibration, None)
def calibration_plot(about: Calibration, found: Findings) -> Plot | None:
    """What was said against what came true."""
    bins = [each for each in about.bins if each.rows]
    if not bins:
        return None
    chosen = _chosen(found)
    promise = "share of right answers" if about.of == "top" else "share that came true"

    def draw(axes: Any) -> None:
        _shares(axes)
        axes.plot([0, 1], [0, 1], color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        for each in bins:
            ends = [each.observed_low, each.observed_high]
            if None not in ends:
                axes.plot([each.predicted] * 2, ends, color=colour("model"), linewidth=2)
        x, y = [each.predicted for each in bins], [each.observed for each in bins]
        axes.plot(x, y, "-o", color=colour("model"), linewidth=1.25, markersize=6)
        if chosen is not None:
            axes.axvline(chosen, color=colour("other"), linewidth=1.5, dashes=(6, 2, 1.5, 2))
        titles(axes, "probability that the model gave", promise)

    description = "; ".join(
        f"said {share(b.predicted)}, came true {share(b.observed)} of {b.rows}" for b in bins
    )
    legend = [("line-model", "this model, 95\u202f% intervals"), ("line-plain", "perfect")]
    if chosen is not None:
        legend.append(("line-other false_positive_rate", f"threshold {number(chosen)}"))
    return square_plot(
        "calibration-plot", "Calibration", f"{description}.", draw=draw, legend=tuple(legend)
    )


@of_part(lambda found: found.threshold)
def threshold(about: Threshold, found: Findings) -> str:
    """What the chosen threshold does, and what a lower one would."""
    chosen = about.chosen
    if not about.table or chosen is None:
        return ""
    row = min(about.table, key=lambda row: abs(row.threshold - chosen))
    precision = "none of them counted" if row.precision is None else (
        f"{share(row.precision)} of them rightly"
    )  # fmt: skip
    why = f", chosen for its {inside(name(about.metric))}" if about.metric else ""
    return (
        f"At {number(chosen)}{why}, "
        f"{share(row.selected)} of the rows are selected, {precision}, and "
        f"{share(row.recall)} of those that are {positive(found)} are found."
    )


@of_part(lambda found: found.threshold and found.threshold.table, None)
def threshold_plot(table: list[ThresholdRow], found: Findings) -> Plot | None:
    """What moving the threshold costs."""
    chosen = _chosen(found)
    at = [row.threshold for row in table]

    def draw(axes: Any) -> None:
        _shares(axes)
        for key, (paint, dashes, _) in COSTS.items():
            rates = [getattr(row, key) for row in table]
            values = [float("nan") if rate is None else rate for rate in rates]
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
        f"at {number(row.threshold)} precision {share(row.precision)}, recall "
        f"{share(row.recall)}, selected {share(row.selected)}"
        for row in _some(table)
    )
    legend = tuple((f"line-{paint} {key}", words) for key, (paint, _, words) in COSTS.items())
    title = "What moving the threshold changes"
    return square_plot("threshold-plot", title, f"{description}.", draw=draw, legend=legend)


def _shares(axes: Any) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    percent_ticks(axes.xaxis)
    percent_ticks(axes.yaxis)


def _some(items: Sequence[Any]) -> Sequence[Any]:
    """About DESCRIBED of them, the ends among them."""
    if len(items) <= DESCRIBED:
        return items
    return [items[round(i * (len(items) - 1) / (DESCRIBED - 1))] for i in range(DESCRIBED)]


def _curve(axes: Any, points: Sequence[Sequence[Any]], found: Findings) -> None:
    """The curve, and on it the point of the chosen threshold."""
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    axes.plot(xs, ys, color=colour("model"), linewidth=2.25)
    chosen = _chosen(found)
    near = [p for p in points if p[2] is not None]
    if chosen is not None and near:
        x, y, _ = min(near, key=lambda p: abs(p[2] - chosen))
        axes.plot([x], [y], "D", color=colour("other"), markersize=9, clip_on=False)


def _chosen(found: Findings) -> float | None:
    return found.threshold.chosen if found.threshold else None


def _diamond(found: Findings) -> tuple[tuple[str, str], ...]:
    chosen = _chosen(found)
    return () if chosen is None else (("diamond-other", f"threshold {number(chosen)}"),)


@of_part(lambda found: found.learning)
def learning(about: Learning, found: Findings) -> str:
    """Whether more data would help."""
    if not about.points:
        return ""
    first, last = about.points[0], about.points[-1]
    return (
        f"From {count(first.rows)} to {plural(last.rows, 'row')} the "
        f"{metric_of(found, about)} went from {number(first.value)} to "
        f"{number(last.value)}, {ENDS[about.more_data_helps]}."
    )


@of_part(lambda found: found.learning, None)
def learning_plot(about: Learning, found: Findings) -> Plot | None:
    """The score by the number of training rows."""
    points = [point for point in about.points or [] if point.value is not None]
    if not points:
        return None
    description = "; ".join(f"{count(p.rows)} rows: {number(p.value)}" for p in points)
    rows = [point.rows for point in points]
    return curve_with_band(
        "learning-plot", "Learning curve", f"{description}.", 280, rows, points,
        ("training rows", about.title or about.metric), (28, 18, 42, 58),
        ends=(0, max(rows) * 1.04),
        legend=(("line-model", "score on rows kept apart"), ("band-model", "95\u202f% interval")),
    )  # fmt: skip


SECTION = Section(
    "curves",
    "Curves and threshold",
    lambda found: found.roc or found.precision_recall or found.calibration or found.threshold,
)
LEARNING = Section("learning", "Would more data help?", lambda found: found.learning)
