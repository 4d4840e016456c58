"""What was proven before it was served, and what serving takes."""

from __future__ import annotations

from collections.abc import Iterator

from onnxlet.convert.report.form.findings import Findings, Serving
from onnxlet.convert.report.form.wording import (
    count,
    listed,
    name,
    number,
    plural,
    seconds,
    share,
    size,
)
from onnxlet.convert.report.sections.section import Section, of_part

COUNTED = {
    "held_out_rows": "Rows it had not learned from",
    "drawn_rows": "Rows drawn in the data\u2019s range",
    "judging_rows": "Rows to judge by",
    "hard_rows": "Edge cases",
    "differing_rows": "Answers that differ",
    "tied_rows": "Ties, either label right",
}
# By label: the member of the served model, and the unit that it is in.
TIMED = {
    "Cold start": ("cold_start_ms", 1e-3),
    "Loading": ("load_ms", 1e-3),
    "One row": ("one_row_us", 1e-6),
}


def parity(found: Findings) -> str:
    """What was proven."""
    about = found.parity
    if not about or about.rows is None:
        return "Nothing proves that what is served answers as the estimator does."
    largest = max((off for off in about.worst.values() if off is not None), default=0)
    exact = "not at all" if not largest else f"by {number(largest, 2)} at most"
    return (
        f"On {plural(about.rows, 'row')}, edge cases among them, the served model\u2019s "
        f"answers differ from scikit-learn\u2019s {exact}."
    )


def proof(found: Findings) -> Iterator[tuple[str, str]]:
    """The certificate's facts: label and value."""
    about = found.parity
    if about is None:
        return
    for key, label in COUNTED.items():
        if (rows := getattr(about, key)) is not None:
            yield label, count(rows)
    for output, value in about.worst.items():
        unit = " of the value" if about.measure.get(output) == "relative" else ""
        label = f"Largest difference, {name(output, 40)}"
        yield label, f"{number(value, 2)}{unit}" if value else "none"
    if about.tolerance is not None:
        yield "Allowed", number(about.tolerance, 1)
    if about.reference:
        yield "Compared with scikit-learn in", name(about.reference, 120)
    if about.recipe:
        yield "Computed in", name(about.recipe, 120)


@of_part(lambda found: found.serving)
def serving(about: Serving, found: Findings) -> str:
    """Size and speed beside the estimator's."""
    parts = {
        f"takes {size(about.bytes)}": about.bytes,
        f"loads in {seconds(about.load_ms, 1e-3)}": about.load_ms,
        f"answers a row in {seconds(about.one_row_us, 1e-6)}": about.one_row_us,
    }
    known = [words for words, value in parts.items() if value is not None]
    if not known:
        return ""
    said = f"The served model {listed(known)}"
    old, new = about.estimator_one_row_us, about.one_row_us
    if not old or not new:
        return f"{said}."
    times = (
        f"{number(old / new, 2)} times the time"
        if old >= new
        else f"{share(old / new)} of the time"
    )
    return f"{said}; scikit-learn takes {times} for a row."


def measured(found: Findings) -> Iterator[tuple[str, str, str]]:
    """Size and times: label, the served model's, the estimator's."""
    about = found.serving
    if about is not None:
        yield "Size", size(about.bytes), size(about.estimator_bytes)
        for label, (key, unit) in TIMED.items():
            ours, theirs = getattr(about, key), getattr(about, f"estimator_{key}")
            yield label, seconds(ours, unit), seconds(theirs, unit)


PARITY = Section("parity", "Proven before it was served", lambda found: found.parity)
SERVING = Section("serving", "Size and speed", lambda found: found.serving)
