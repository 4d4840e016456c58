"""Why rows were refused, in words that have nothing of the rows."""

from __future__ import annotations

from collections.abc import Sequence

from onnxlet.function.errors import Problem
from onnxlet.function.models.model import Model

LONGEST_REASON = 80  # characters
FORM = "other columns than the model's"
# By words that a problem's detail has beside what came, which stands before some of them.
REASONS = {
    "not one of the known categories": "unknown category",
    "does not fit": "out of range",
    "entries as '": "sizes that disagree",
    "and the model does not take one": "missing or infinite",
    "missing column": "missing",
    "is the most": "too long",
    "is the longest side": "too large",
    "are the most": "too large",
    "can't be decoded": "damaged",
}


def reasons(problems: Sequence[Problem], model: Model) -> list[str]:
    """Why each row was refused: its first problem, without anything of what came."""
    found: dict[int | None, str] = {}
    for problem in problems:
        if problem.row not in found:
            known = problem.column in model.signature.names  # other names are the client's
            found[problem.row] = f"{problem.column}: {_why(problem.detail)}" if known else FORM
    return list(found.values())


def _why(detail: str) -> str:
    """What is wrong with a cell, in words that have nothing of it."""
    if why := next((why for words, why in REASONS.items() if words in detail), ""):
        return why
    expected = detail.startswith("expected")
    return detail.partition(", got ")[0][:LONGEST_REASON] if expected else "not taken"
