"""Fairness by group: rates, their differences, and what a mitigation would bring and cost."""

from __future__ import annotations

from onnxlet.convert.report.form.figures import Difference, Estimate, Fairness
from onnxlet.convert.report.form.plot import LABEL, Plot, Row, draw_rows
from onnxlet.convert.report.form.wording import count, fitting, headed, name, number, plural, share
from onnxlet.convert.report.sections.section import Section, clear_of, inside, with_interval

# By group: member, title, how it is written.
MEASURES = (
    ("selection_rate", "Selected", share),
    ("true_positive_rate", "Found", share),
    ("false_positive_rate", "False alarms", share),
    ("accuracy", "Right", share),
    ("mean_error", "Mean error", number),
    ("mean_absolute_error", "Mean absolute error", number),
)
# What the plot compares groups in: the first that has values.
PLOTTED = {
    "selection_rate": ("Selected", share),
    "accuracy": ("Right answers", share),
    "mean_absolute_error": ("Mean absolute error", number),
}
MOST_GROUPS = 12


def fairness(each: Fairness) -> str:
    """The largest difference that is beyond chance."""
    known = [d for d in each.differences if d.value is not None]
    small = sum(group.small for group in each.groups)
    figures = "its figures" if small == 1 else "their figures"
    verb = "has" if small == 1 else "have"
    thin = f" {plural(small, 'group')} {verb} few rows: {figures} say little." if small else ""
    if not known:
        return f"No difference between groups can be computed.{thin}"
    sure = [d for d in known if clear_of(d, d.neutral)]
    if not sure:
        return f"No difference between groups is beyond chance.{thin}"
    plain = [d for d in sure if not d.neutral]
    largest = max(plain or sure, key=lambda d: abs((d.value or 0.0) - d.neutral))
    between = " and ".join(f"\u201c{name(group, 40)}\u201d" for group in largest.between or [])
    pair = f", between {between}" if between else ""
    more = f", {count(len(sure))} of {count(len(known))} measures differ beyond chance"
    value = f"{number(largest.value)}{with_interval(largest)}"
    return f"{headed(name(largest.title))}: {value}{pair}{more}.{thin}"


def mitigation(each: Fairness) -> str:
    """What the mitigation brings and costs."""
    about = each.mitigation
    if not about:
        return ""
    before = {d.measure: d.value for d in each.differences}
    parts = [
        f"{inside(name(d.title))}, from {number(before[d.measure])} to {number(d.value)}"
        for d in about.differences
        if None not in (d.value, before.get(d.measure)) and not d.neutral
    ]
    old, new = about.scores.before, about.scores.after
    cost = (
        f"the {inside(name(about.title or about.metric))} goes from "
        f"{number(old.value)} to {number(new.value)}{with_interval(new)}"
    )
    brought = f" What it brings: {'; '.join(parts[:3])}." if parts else ""
    return f"Fitted beside it: {name(about.how)}.{brought} What it costs: {cost}."


def after(each: Fairness) -> dict[str, Difference]:
    """The mitigation's differences by measure."""
    return {d.measure: d for d in each.mitigation.differences} if each.mitigation else {}


def groups_plot(index: int, each: Fairness) -> Plot | None:
    """One measure by group."""
    for measure, (title, write) in PLOTTED.items():
        rows = [
            Row(
                f"{name(group.group, 24)}{' (few rows)' if group.small else ''}",
                Estimate(value=value),
                "plain" if group.small else "model",
                "s" if group.small else "o",
            )
            for group in each.groups[:MOST_GROUPS]
            if (value := getattr(group, measure)) is not None
        ]
        if rows:
            key, about = f"groups-{index}", f"{title} by {name(each.column, 60)}"
            return draw_rows(key, about, rows, title.lower(), 0, write, True)
    return None


def differences_plot(index: int, each: Fairness) -> Plot | None:
    """The differences between groups, with the mitigation's beside them."""
    mitigated, rows = after(each), []
    for difference in each.differences:
        if difference.value is None or difference.neutral:
            continue  # ratios are in the table: they have another scale
        rows.append(Row(fitting(headed(difference.title), LABEL + 12), difference))
        other = mitigated.get(difference.measure)
        if other and other.value is not None:
            rows.append(Row("\u2192 with the mitigation", other, "other", "D"))
    if not rows:
        return None
    about = f"Differences between groups of {name(each.column, 60)}"
    return draw_rows(f"differences-{index}", about, rows, "largest difference between groups", 0)


SECTION = Section("fairness", "Fairness", lambda found: found.fairness)
