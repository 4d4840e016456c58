"""The table, what each column was taken for, and how the target is spread."""

from __future__ import annotations

from typing import Any

from onnxlet.convert.report.form.figures import Estimate
from onnxlet.convert.report.form.findings import Data, Findings, TargetBins, TargetLabels
from onnxlet.convert.report.form.plot import LABEL, Plot, Row, draw_rows, histogram
from onnxlet.convert.report.form.wording import (
    FEW_IN_PART,
    count,
    few,
    fitting,
    name,
    number,
    plural,
    share,
)
from onnxlet.convert.report.sections.section import Section, of_part

MOST_LABELS = 12


def _spread(found: Findings) -> TargetBins | TargetLabels | None:
    spread = found.data.target if found.data else None
    return spread if spread and spread.counts else None


@of_part(lambda found: found.data)
def data(about: Data, found: Findings) -> str:
    """The table in one sentence."""
    columns = about.columns or []
    used = sum(each.used for each in columns)
    of = f" of {plural(len(columns), 'column')}" if used != len(columns) else ""
    what = f", from which it learned with {count(used)}{of}" if of else ""
    with_all = f" and {plural(used, 'column')}" if columns and not of else ""
    return f"The table has {plural(about.rows, 'row')}{with_all}{what}.{_refitted(about)}"


def _refitted(about: Data) -> str:
    """Whether the model that is served has learned from the test rows as well."""
    if about.refitted_rows is not None:
        return (
            f" Once it was measured, the model was fitted again on all "
            f"{plural(about.refitted_rows, 'row')}: that one is served, and every score here is of "
            "the one before, which had not seen the test rows."
        )
    if about.unrefitted is None:
        return ""
    return f" It has not learned from the test rows: {about.unrefitted}."


@of_part(_spread)
def target(spread: TargetBins | TargetLabels, found: Findings) -> str:
    """How even, or how wide, the target is."""
    total = sum(spread.counts)
    if not total:
        return ""
    if isinstance(spread, TargetBins):
        most = spread.counts.index(max(spread.counts))
        low, high, *_ = map(number, spread.bins[most : most + 2])
        ends = f"{number(spread.bins[0])} and {number(spread.bins[-1])}"
        return (
            f"{share(spread.counts[most] / total)} of the values lie between {low} and {high}, "
            f"more than in any other bin; all between {ends}."
        )
    pairs = _by_frequency(spread)
    (most, label), (least, rare) = pairs[0], pairs[-1]
    if spread.other:
        return f"The most frequent label, {name(label)}, has {share(most / total)} of the rows."
    if len(pairs) == 1:
        return f"Every row has the label {name(label)}."
    thin = " (few rows)" if few(least, FEW_IN_PART) else ""
    return (
        f"The most frequent label, {name(label)}, has {share(most / total)} of the rows, the "
        f"rarest, {name(rare)}, {share(least / total)}{thin}."
    )


def _by_frequency(spread: TargetLabels) -> list[tuple[int, Any]]:
    """Counts and labels, without the one for all rare ones, which would dwarf the rest."""
    pairs = list(zip(spread.counts, spread.labels, strict=True))
    return sorted(pairs[:-1] if spread.other else pairs, key=lambda pair: -pair[0])


@of_part(_spread, None)
def target_plot(spread: TargetBins | TargetLabels, found: Findings) -> Plot | None:
    """How the target is spread over the test rows."""
    key = "target-plot"
    if isinstance(spread, TargetBins):
        title, margins = "How the target is spread", (28, 14, 40, 44)
        return histogram(key, title, spread.bins, spread.counts, 230, margins, "target")
    pairs = _by_frequency(spread)
    shown = [Row(fitting(label, LABEL), Estimate(value=n)) for n, label in pairs[:MOST_LABELS]]
    more = len(pairs) > MOST_LABELS or spread.other
    axis = f"rows; the {MOST_LABELS} most frequent labels" if more else "rows"
    write = lambda value: number(value, 12)  # noqa: E731 - counts in full
    return draw_rows(key, "How often each label occurs", shown, axis, 0, write, True)


SECTION = Section("data", "Data and target", lambda found: found.data)
