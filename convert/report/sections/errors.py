"""Where answers are wrong: the confusion matrix, residuals, the worst rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnxlet.convert.report.form.figures import (
    Confusion,
    OverTime,
    PredictionBin,
    Residuals,
    Within,
    WorstRow,
)
from onnxlet.convert.report.form.findings import Findings
from onnxlet.convert.report.form.plot import Plot, colour, histogram, plot, ticks, titles
from onnxlet.convert.report.form.wording import (
    FEW_IN_PART,
    count,
    few,
    listed,
    name,
    number,
    plural,
    share,
)
from onnxlet.convert.report.sections.section import Section, in_unit, inside, of_part

MARGINS = (28, 14, 42, 58)


@of_part(lambda found: found.confusion)
def confusion(matrix: Confusion, found: Findings) -> str:
    """What is right, and what is most often taken for what."""
    counts, labels = matrix.counts, matrix.labels
    total = sum(map(sum, counts))
    if not total:
        return ""
    # Where the rarest labels are lumped, an answer of one for another of them lies on the diagonal.
    end = len(labels) - (1 if matrix.other else 0)
    right = sum(counts[k][k] for k in range(end))
    wrong = [(counts[a][b], a, b) for a in range(len(labels)) for b in range(len(labels)) if a != b]
    said = f"{share(right / total)} of {plural(total, 'row')} are on the diagonal"
    said += ", without the lumped labels" if matrix.other else ", where the answer is right"
    most, a, b = max(wrong, default=(0, 0, 0))
    if not most:
        return f"{said}; no two labels are taken for each other."
    mistake = f"{name(labels[b], 60)} for {name(labels[a], 60)}"
    return f"{said}; the most frequent mistake is {mistake}, {plural(most, 'time')}."


def matrix(about: Confusion) -> Iterator[tuple[Any, list[int]]]:
    """By true label, how often it is answered as which; ValueError where one of them lacks."""
    return zip(about.labels, about.counts, strict=True)


@of_part(lambda found: found.over_time)
def over_time(about: OverTime, found: Findings) -> str:
    """Whether the latest test rows are answered as the earliest."""
    metric = inside(found.metric.title) if found.metric else "score"
    regions = "intervals" if found.task == "regression" else "sets"
    covered = ""
    if about.first.coverage is not None and about.last.coverage is not None:
        covered = (
            f" {round(100 * about.asked)}\u202f% {regions} by the errors before hold the truth of "
            f"{share(about.first.coverage)} of the first and {share(about.last.coverage)} of the "
            "last ones; truths that are sent to the server make them wider or narrower."
        )
    return (
        f"In the order of time the {metric} is {number(about.first.value)} for the first fifth of "
        f"the test rows and {number(about.last.value)} for the last.{covered}"
    )


@of_part(lambda found: found.residuals and found.residuals.within)
def residuals(within: list[Within], found: Findings) -> str:
    """How far off half and most answers are."""
    parts = [
        f"{round(100 * each.share)}\u202f% are off by at most {number(each.error)}{in_unit(found)}"
        for each in within
    ]
    return f"Of the answers {listed(parts)}."


def _bins(found: Findings) -> list[PredictionBin]:
    return [b for b in (found.residuals and found.residuals.by_prediction) or [] if b.rows]


@of_part(_bins)
def by_prediction(bins: list[PredictionBin], found: Findings) -> str:
    """Where errors are widest, and whether they lean to one side."""
    widest = max(bins, key=lambda each: each.p95 - each.p05)
    thin = " (few rows)" if few(widest.rows, FEW_IN_PART) else ""
    return (
        f"Errors spread most where the prediction is {number(widest.low)} to "
        f"{number(widest.high)}: nine in ten lie between {number(widest.p05)} and "
        f"{number(widest.p95)}{thin}."
    )


@of_part(lambda found: found.worst)
def worst(rows: list[WorstRow], found: Findings) -> str:
    """What the list of the worst rows is for."""
    first = rows[0]
    most = f"{number(first.error)}{in_unit(found)}, in {place(found, first)}"
    every = (
        f" All test rows with their answers are in {found.rows_file}." if found.rows_file else ""
    )
    return (
        f"The largest error is {most}: look these up in your own table; often it is the table that "
        f"is wrong.{every}"
    )


def place(found: Findings, row: WorstRow) -> str:
    """Where a row stands, inside a sentence."""
    if row.place is None:
        return f"row {count(row.row)} of the test rows, counted from 0"
    of = f" of {name(found.worst_file, 60)}" if found.worst_file else ", counted from 1"
    unit, _, rest = (found.worst_unit or "row").partition(" ")
    return f"{unit} {count(row.place)}{f' {rest}' if rest else ''}{of}"


def placed(found: Findings) -> tuple[str, list[int]]:
    """What the places of the worst rows count, and these."""
    rows = found.worst or []
    if any(row.place is None for row in rows):
        return "test row", [row.row for row in rows]
    return found.worst_unit or "row", [row.place for row in rows if row.place is not None]


@of_part(lambda found: found.residuals, None)
def residuals_plot(about: Residuals, found: Findings) -> Plot | None:
    """The histogram of errors."""
    if not about.counts:
        return None
    title, x = "How the errors are spread", "true value minus prediction"
    return histogram("residuals-plot", title, about.bins, about.counts, 260, MARGINS, x, 0)


@of_part(_bins, None)
def by_prediction_plot(bins: list[PredictionBin], found: Findings) -> Plot | None:
    """Errors along the predictions: their mean, and where nine in ten lie."""
    middle = [(each.low + each.high) / 2 for each in bins]

    def draw(axes: Any) -> None:
        axes.axhline(0, color=colour("plain"), linewidth=1.5, dashes=(4, 3))
        for at, each in zip(middle, bins, strict=True):
            axes.plot([at, at], [each.p05, each.p95], color=colour("model"), linewidth=7, alpha=0.3,
                      solid_capstyle="butt")  # fmt: skip
        axes.plot(middle, [e.mean for e in bins], "-o", color=colour("model"), markersize=6)
        ticks(axes)
        titles(axes, "prediction", "true value minus prediction")

    description = "; ".join(
        f"around {number(at)} on average {number(each.mean)}, nine in ten between "
        f"{number(each.p05)} and {number(each.p95)} ({each.rows} rows)"
        for at, each in zip(middle, bins, strict=True)
    )
    legend = (
        ("line-model", "mean error"),
        ("band-model", "nine in ten errors"),
        ("line-plain", "no error"),
    )
    title = "Errors along the predictions"
    return plot("by-prediction-plot", title, f"{description}.", 300, draw, MARGINS, legend)


SECTION = Section("errors", "Errors", lambda found: found.confusion or found.residuals)
WORST = Section("worst", "The worst rows", lambda found: found.worst)
