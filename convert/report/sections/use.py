"""The served model in use: what was proven, what serving takes, how to call it, what to know.

To know is what the figures do not say, blanks for the owner, and what was left out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from onnxlet.convert.report.form.findings import Call, Findings, Serving
from onnxlet.convert.report.form.wording import (
    UNSEEN,
    count,
    few,
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
ADDRESS = "http://127.0.0.1:8080"  # of `onnxlet serve`
# Nothing computes these: title, and what belongs there.
BLANKS = (
    ("Intended use", "Which decision it is for, who uses it, and who checks its answers."),
    ("Not meant for", "Uses for which nobody has tried it."),
    ("Where the data come from", "Source, time span, licence, and whom they leave out."),
    ("People affected", "Who bears a wrong answer, and how they can object."),
    ("Owner and next review", "Name, how to reach them, and when the figures are measured again."),
)


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
            replayed = about.replayed and key == "held_out_rows"
            yield "Rows replayed, which it has learned from" if replayed else label, count(rows)
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


def limits(found: Findings) -> Iterator[str]:
    """What has to be known beside the figures, from what is missing or thin in them."""
    if found.scores:
        yield (
            "The figures hold for rows like the test rows. They say nothing about other sources "
            "or times: /models/N/drift on the server compares what comes in."
        )
    if found.scores and few(found.scores[0].rows):
        yield (
            f"The test set has {plural(found.scores[0].rows, 'row')}: one more or less right "
            "answer moves every figure."
        )
    columns = (found.data and found.data.columns) or []
    if leaks := [name(column.name, 60) for column in columns if column.kind == "leak"]:
        yield (
            f"{listed(leaks)}: left out, since it gives the target away. If you know it before the "
            "answer, train with it."
        )
    for each in found.fairness or []:
        if small := [name(group.group, 40) for group in each.groups if group.small]:
            yield f"Groups of {name(each.column, 60)} with few rows: {listed(small)}."
    if not found.fairness:
        yield (
            "Fairness was not measured: no sensitive column was named. That is no proof that "
            "groups are treated alike."
        )
    if found.importance or found.dependence:
        yield "What the model leans on is what it uses, not what causes the target."


def curl(call: Call) -> str:
    """A command for a shell."""
    cells = [f"{_json(name)}: {_json(value)}" for name, value in call.row.items()]
    body = '{"instances": [{\n  ' + ",\n  ".join(cells) + "\n}]}"
    return f"""\
curl -s {shlex.quote(ADDRESS + call.path)} \\
  -H 'Content-Type: application/json' \\
  -d {shlex.quote(body)}"""


def python(call: Call) -> str:
    """A script that needs nothing but Python."""
    cells = "".join(f"    {name!r}: {value!r},\n" for name, value in call.row.items())
    return f"""\
import json
import urllib.request

row = {{
{cells}}}
request = urllib.request.Request(
    {ADDRESS + call.path!r},
    json.dumps({{"instances": [row]}}).encode(),
    {{"Content-Type": "application/json"}},
)
print(urllib.request.urlopen(request).read().decode())"""


def _json(value: Any) -> str:
    """JSON; escaped where a character can't be seen or encoded."""
    written = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if UNSEEN.search(written) else written


PARITY = Section("parity", "Proven before it was served", lambda found: found.parity)
SERVING = Section("serving", "Size and speed", lambda found: found.serving)
USE = Section("use", "Intended use and limits", lambda found: True)
CALL = Section("call", "How to call it", lambda found: found.call)
NOTES = Section("notes", "Left out, and why", lambda found: found.notes)
