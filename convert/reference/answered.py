"""Which rows scikit-learn answers: all are asked about at once, and in halves where that raises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onnxlet.convert.reference.hush import hushed
from onnxlet.convert.reference.inputs import Cells


class Unanswered(Exception):
    """scikit-learn raises for some of the rows.

    Attributes:
        answered: for each row whether it is answered by itself.
    """

    def __init__(self, answered: Sequence[bool]) -> None:
        super().__init__(f"{answered.count(False)} of {len(answered)} rows")
        self.answered = answered


def is_answered(answer: Callable[[Any], Any], data: Any) -> bool:
    """Whether a function of scikit-learn's answers these data, rather than raising."""
    try:
        with hushed():
            answer(data)
    except Exception:  # whatever it raises, it does not answer
        return False
    return True


def which_are_answered(
    groups: Sequence[list[Cells]], answers: Callable[[list[Cells]], bool]
) -> list[bool]:
    """Whether each group of rows is answered; all at once, and in halves where that raises.

    Args:
        groups: rows that are only asked about together.
        answers: whether scikit-learn answers so many rows, all of them.
    """
    if not groups:
        return []
    if answers([row for group in groups for row in group]):
        return [True] * len(groups)
    if len(groups) == 1:
        return [False]
    if len(groups) > 3 and not answers(groups[0]) and not answers(groups[-1]):  # perhaps all raise
        return [False, *map(answers, groups[1:-1]), False]
    middle = len(groups) // 2
    return [
        *which_are_answered(groups[:middle], answers),
        *which_are_answered(groups[middle:], answers),
    ]
