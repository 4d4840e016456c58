"""The learning curve: whether more data would help."""

from __future__ import annotations

from onnxlet.convert.report.form.findings import Findings
from onnxlet.convert.report.form.plot import Plot, curve_with_band
from onnxlet.convert.report.form.wording import count, number, plural
from onnxlet.convert.report.sections.section import Section, metric_of, said

ENDS = {
    True: "and still improves: more data would probably help",
    False: "and has levelled off: more data of this kind would hardly help",
    None: "which is too little to tell whether more data would help",
}


def learning(found: Findings) -> str:
    """Whether more data would help."""
    about = found.learning
    if not about or not about.points:
        return ""
    first, last = about.points[0], about.points[-1]
    return (
        f"From {count(first.rows)} to {plural(last.rows, 'row')} the "
        f"{metric_of(found, about)} went from {number(first.value)} to "
        f"{number(last.value)}, {ENDS[about.more_data_helps]}."
    )


def learning_plot(found: Findings) -> Plot | None:
    """The score by the number of training rows."""
    about = found.learning
    points = [point for point in about.points or [] if point.value is not None] if about else []
    if not about or not points:
        return None
    description = "; ".join(f"{count(p.rows)} rows: {number(p.value)}" for p in points)
    rows = [point.rows for point in points]
    return curve_with_band(
        "learning-plot", "Learning curve", f"{description}.", 280, rows, points,
        ("training rows", about.title or about.metric), (28, 18, 42, 58),
        ends=(0, max(rows) * 1.04),
        legend=(("line-model", "score on rows kept apart"), ("band-model", "95\u202f% interval")),
    )  # fmt: skip


SECTION = Section("learning", "Would more data help?", lambda found: found.learning, said(learning))
