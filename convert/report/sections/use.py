"""What the figures do not say, from what is missing or thin in them; and blanks for the owner."""

from __future__ import annotations

from collections.abc import Iterator

from onnxlet.convert.report import Findings
from onnxlet.convert.report.wording import few, listed, name, plural

# Nothing computes these: title, and what belongs there.
BLANKS = (
    ("Intended use", "Which decision it is for, who uses it, and who checks its answers."),
    ("Not meant for", "Uses for which nobody has tried it."),
    ("Where the data come from", "Source, time span, licence, and whom they leave out."),
    ("People affected", "Who bears a wrong answer, and how they can object."),
    ("Owner and next review", "Name, how to reach them, and when the figures are measured again."),
)


def limits(found: Findings) -> Iterator[str]:
    """What has to be known beside the figures, a sentence each."""
    scores, about = found.get("scores") or [], found.get("data") or {}
    if scores:
        yield (
            "The figures hold for rows like the test rows. They say nothing about other sources "
            "or times: /models/N/drift on the server compares what comes in."
        )
    if scores and few(scores[0]["rows"]):
        yield (
            f"The test set has {plural(scores[0]['rows'], 'row')}: one more or less right answer "
            "moves every figure."
        )
    leaks = [name(c["name"], 60) for c in about.get("columns") or [] if c["kind"] == "leak"]
    if leaks:
        yield (
            f"{listed(leaks)}: left out, since it gives the target away. If you know it before the "
            "answer, train with it."
        )
    for each in found.get("fairness") or []:
        small = [name(g["group"], 40) for g in each["groups"] if g["small"]]
        if small:
            yield f"Groups of {name(each['column'], 60)} with few rows: {listed(small)}."
    if not found.get("fairness"):
        yield (
            "Fairness was not measured: no sensitive column was named. That is no proof that "
            "groups are treated alike."
        )
    if found.get("importance") or found.get("dependence"):
        yield "What the model leans on is what it uses, not what causes the target."
