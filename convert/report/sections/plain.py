"""How good a model is, in words that ask for no statistics: the sentence that a report begins with.

Rates are told of ten, where the rows are enough for that; else in counts. The metric's name and its
number follow in brackets.
"""

from __future__ import annotations

from onnxlet.convert.report.form.figures import Score
from onnxlet.convert.report.form.findings import Findings, TargetLabels
from onnxlet.convert.report.form.wording import FEW_IN_PART, count, name, number
from onnxlet.convert.report.sections.section import in_unit

TEN = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "all ten")
LABEL = 60  # characters of a label, or of the target's name


def in_plain_words(found: Findings) -> str:
    """The sentence; empty where nothing is known of how right the answers are, or of which."""
    if not found.scores or (found.outputs or 1) > 1:
        return ""
    if found.task == "binary":
        return _found(found)
    named = "accuracy" if found.task == "multiclass" else "median_ae"
    score = next((each for each in found.scores if each.metric == named), None)
    if score is None or score.model.value is None:
        return ""
    constant = next((each.value for each in score.baselines if each.name == "constant"), None)
    say = _named if found.task == "multiclass" else _off
    return say(found, score, score.model.value, constant)


def _of_ten(part: int, whole: int) -> str | None:
    """A share in words, of ten; None where that would not be honest: of few, or nearly all."""
    tenths = round(10 * part / whole) if whole else 0
    if whole < FEW_IN_PART or (tenths in (0, 10) and part not in (0, whole)):
        return None
    return TEN[tenths]


def _quoted(text: object) -> str:
    return f"\u201c{name(text, LABEL)}\u201d"


def _found(found: Findings) -> str:
    """Of two classes: how many of the positive ones are found, and how many of those named are."""
    matrix = found.confusion
    if matrix is None or found.positive not in matrix.labels:
        return ""
    at, label = matrix.labels.index(found.positive), _quoted(found.positive)
    hits, there = matrix.counts[at][at], sum(matrix.counts[at])
    chosen = sum(row[at] for row in matrix.counts)
    if not there:
        return f"No test row is {label}, so nothing is known of how many it finds."
    are = f"whose {_quoted(found.target)} is {label}" if found.target else f"that are {label}"
    tenths, few = _of_ten(hits, there), count(hits) if hits else "none"
    of = "ten rows" if tenths else f"the {count(there)} test rows"
    said = f"Of {of if there > 1 else 'the one test row'} {are} it finds {tenths or few}"
    if not chosen:
        return f"{said}: it names no row (recall {number(hits / there)})."
    tenths = _of_ten(hits, chosen)
    of, right = "ten" if tenths else f"the {count(chosen)}", tenths or few
    verb = "is" if right in ("one", "none", "1") else "are"
    measured = f"recall {number(hits / there)}, precision {number(hits / chosen)}"
    return f"{said}; of {of} that it names, {right} {verb} ({measured})."


def _named(found: Findings, score: Score, value: float, constant: float | None) -> str:
    """Of more classes: how often the right one is named, and how often by naming one always."""

    def of_rows(share: float) -> str:
        right, rows = round(share * score.rows), score.rows
        tenths = _of_ten(right, rows)
        return f"{tenths} of ten rows" if tenths else f"{count(right)} of {count(rows)} rows"

    of = f" of {_quoted(found.target)}" if found.target else ""
    classes = f"{count(len(found.classes or []))} classes{of}"
    said = f"It names the right one of {classes} in {of_rows(value)}"
    if constant is None:
        return f"{said} (accuracy {number(value)})."
    target, always = found.data and found.data.target, "the same"
    if isinstance(target, TargetLabels) and not target.other:
        counts = target.train_counts or target.counts
        always = _quoted(target.labels[counts.index(max(counts))])
    return (
        f"{said}, against {of_rows(constant)} by always saying {always} "
        f"(accuracy {number(value)} against {number(constant)})."
    )


def _off(found: Findings, score: Score, value: float, constant: float | None) -> str:
    """Of numbers: how far off half of the answers are, in the target's unit."""
    unit = in_unit(found)
    said = f"Typically {number(value)}{unit} off"
    said += f" in {_quoted(found.target)}" if found.target else ""
    if constant is not None:
        said += f", against {number(constant)}{unit} by always answering the same"
    said += " (median absolute error)"
    within = (found.residuals and found.residuals.within) or []
    if within and score.rows >= FEW_IN_PART:
        wide = max(within, key=lambda each: each.share)
        rare = round(1 / (1 - wide.share))
        said += f"; one answer in {rare} is off by more than {number(wide.error)}{unit}"
    return f"{said}."
