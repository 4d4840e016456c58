"""How good a model is, in words that ask for no statistics: the sentence that a report begins with.

Rates are told of ten, where the rows are enough for that; else in counts. The metric's name and its
number follow in brackets.
"""

from __future__ import annotations

from onnxlet.convert.report.form.findings import Findings, TargetLabels
from onnxlet.convert.report.form.wording import FEW_IN_PART, count, name, number
from onnxlet.convert.report.sections.section import in_unit

TEN = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "all ten")
LABEL = 60  # characters of a label, or of the target's name


def in_plain_words(found: Findings) -> str:
    """The sentence; empty where nothing is known of how right the answers are, or of which."""
    if not found.scores or (found.outputs or 1) > 1:
        return ""
    said = {"binary": _found, "multiclass": _named, "regression": _off}.get(found.task)
    return said(found) if said else ""


def _of_ten(part: int, whole: int) -> str | None:
    """A share in words, of ten; None where that would not be honest: of few, or nearly all."""
    exact = part in (0, whole)
    tenths = round(10 * part / whole) if whole else 0
    if whole < FEW_IN_PART or (tenths in (0, 10) and not exact):
        return None
    return TEN[tenths]


def _found(found: Findings) -> str:
    """Of two classes: how many of the positive ones are found, and how many of those named are."""
    matrix = found.confusion
    if matrix is None or found.positive not in matrix.labels:
        return ""
    at = matrix.labels.index(found.positive)
    hits, there = matrix.counts[at][at], sum(matrix.counts[at])
    chosen = sum(row[at] for row in matrix.counts)
    label = f"\u201c{name(found.positive, LABEL)}\u201d"
    target = f"whose \u201c{name(found.target, LABEL)}\u201d is " if found.target else "that are "
    if not there:
        return f"No test row is {label}, so nothing is known of how many it finds."
    tenths = _of_ten(hits, there)
    said = f"Of ten rows {target}{label} it finds {tenths}"
    if tenths is None:
        rows = "the one test row" if there == 1 else f"the {count(there)} test rows"
        said = f"Of {rows} {target}{label} it finds {count(hits) if hits else 'none'}"
    if not chosen:
        return f"{said}: it names no row (recall {number(hits / there)})."
    tenths = _of_ten(hits, chosen)
    of = "ten" if tenths else f"the {count(chosen)}"
    right = tenths or (count(hits) if hits else "none")
    verb = "is" if right in ("one", "none", "1") else "are"
    measured = f"recall {number(hits / there)}, precision {number(hits / chosen)}"
    return f"{said}; of {of} that it names, {right} {verb} ({measured})."


def _named(found: Findings) -> str:
    """Of more classes: how often the right one is named, and how often by naming one always."""
    score = next((each for each in found.scores or [] if each.metric == "accuracy"), None)
    if score is None or score.model.value is None:
        return ""
    constant = next((each.value for each in score.baselines if each.name == "constant"), None)
    rows = score.rows
    of = f" of \u201c{name(found.target, LABEL)}\u201d" if found.target else ""
    said = (
        f"It names the right one of {count(len(found.classes or []))} classes{of} in "
        f"{_of_rows(score.model.value, rows)}"
    )
    numbers = f"accuracy {number(score.model.value)}"
    if constant is not None:
        said += f", against {_of_rows(constant, rows)} by always saying {_most_frequent(found)}"
        numbers += f" against {number(constant)}"
    return f"{said} ({numbers})."


def _of_rows(value: float, rows: int) -> str:
    right = round(value * rows)
    tenths = _of_ten(right, rows)
    return f"{tenths} of ten rows" if tenths else f"{count(right)} of {count(rows)} rows"


def _most_frequent(found: Findings) -> str:
    """The label that the constant answers, where the table's counts say which."""
    target = found.data and found.data.target
    if not isinstance(target, TargetLabels) or target.other:
        return "the same"
    counts = target.train_counts or target.counts
    return f"\u201c{name(target.labels[counts.index(max(counts))], LABEL)}\u201d"


def _off(found: Findings) -> str:
    """Of numbers: how far off half of the answers are, in the target's unit."""
    score = next((each for each in found.scores or [] if each.metric == "median_ae"), None)
    if score is None or score.model.value is None:
        return ""
    unit = in_unit(found)
    of = f" in \u201c{name(found.target, LABEL)}\u201d" if found.target else ""
    said = f"Typically {number(score.model.value)}{unit} off{of}"
    constant = next((each.value for each in score.baselines if each.name == "constant"), None)
    if constant is not None:
        said += f", against {number(constant)}{unit} by always answering the same"
    within = (found.residuals and found.residuals.within) or []
    wide = max(within, key=lambda each: each.share, default=None)
    worse = ""
    if wide is not None and score.rows >= FEW_IN_PART:
        worse = f"; one answer in {round(1 / (1 - wide.share))} is off by more than "
        worse += f"{number(wide.error)}{unit}"
    return f"{said} (median absolute error){worse}."
