"""How to call the model; what the figures do not say; blanks for the owner; what was left out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from onnxlet.convert.report.form.findings import Call, Findings
from onnxlet.convert.report.form.wording import (
    UNSEEN,
    few,
    listed,
    name,
    plural,
)
from onnxlet.convert.report.sections.section import Section

ADDRESS = "http://127.0.0.1:8080"  # of `onnxlet serve`
# Nothing computes these: title, and what belongs there.
BLANKS = (
    ("Intended use", "Which decision it is for, who uses it, and who checks its answers."),
    ("Not meant for", "Uses for which nobody has tried it."),
    ("Where the data come from", "Source, time span, licence, and whom they leave out."),
    ("People affected", "Who bears a wrong answer, and how they can object."),
    ("Owner and next review", "Name, how to reach them, and when the figures are measured again."),
)


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
    return "\n".join(
        [
            f"curl -s {shlex.quote(ADDRESS + call.path)} \\",
            "  -H 'Content-Type: application/json' \\",
            f"  -d {shlex.quote(body)}",
        ]
    )


def python(call: Call) -> str:
    """A script that needs nothing but Python."""
    cells = [f"    {name!r}: {value!r}," for name, value in call.row.items()]
    return "\n".join(
        [
            "import json",
            "import urllib.request",
            "",
            "row = {",
            *cells,
            "}",
            "request = urllib.request.Request(",
            f"    {ADDRESS + call.path!r},",
            '    json.dumps({"instances": [row]}).encode(),',
            '    {"Content-Type": "application/json"},',
            ")",
            "print(urllib.request.urlopen(request).read().decode())",
        ]
    )


def _json(value: Any) -> str:
    """JSON; escaped where a character can't be seen or encoded."""
    written = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if UNSEEN.search(written) else written


USE = Section("use", "Intended use and limits", lambda found: True)
CALL = Section("call", "How to call it", lambda found: found.call)
NOTES = Section("notes", "Left out, and why", lambda found: found.notes)
