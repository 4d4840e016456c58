"""Which rows scikit-learn answers: all are asked about at once, and in halves where that raises."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from onnxlet.convert.reference.inputs import Cells

PART = 256  # groups that are looked through by themselves where some of all raise
# Its library writes to the process's standard error itself, then it raises.
WRITES_STDERR = "lightgbm"
SAMPLED = 2  # halvings before which some are asked singly: do all raise?


class Unanswered(Exception):
    """scikit-learn raises for some of the rows: whether each is answered by itself."""

    def __init__(self, answered: Sequence[bool]) -> None:
        super().__init__(f"{answered.count(False)} of {len(answered)} rows")
        self.answered = answered


@contextmanager
def without_stderr() -> Iterator[None]:
    """Nothing is written to the process's standard error meanwhile, if LightGBM is loaded."""
    if WRITES_STDERR not in sys.modules:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def is_answered(answer: Callable[[Any], Any], data: Any) -> bool:
    """Whether a function of scikit-learn's answers these data, rather than raising."""
    try:
        with without_stderr():
            answer(data)
    except Exception:  # whatever it raises, it does not answer
        return False
    return True


def which_are_answered(
    groups: Sequence[list[Cells]],
    answers: Callable[[list[Cells]], bool],
    raised: bool = False,
) -> list[bool]:
    """Whether each group of rows is answered; all at once, and in halves where that raises.

    Rows of a group are only asked about together. `raised` says that it is known that not all
    groups are answered at once.
    """
    if not groups or (not raised and answers(_joined(groups))):
        return [True] * len(groups)
    if len(groups) == 1 and not raised:
        return [False]
    if len(groups) > PART:  # few raise as a rule: halves of all rows would be many rows
        parts = (groups[start : start + PART] for start in range(0, len(groups), PART))
        return [found for part in parts for found in which_are_answered(part, answers)]
    return _in_halves(groups, answers, SAMPLED)


def _in_halves(
    groups: Sequence[list[Cells]], answers: Callable[[list[Cells]], bool], samples: int
) -> list[bool]:
    """The same for groups that raise together; so many times it is seen whether perhaps all do."""
    if len(groups) == 1:  # it may not raise by itself
        return [answers(groups[0])]
    ends = {0, len(groups) // 2, len(groups) - 1}
    if samples and len(groups) > 3 and not any(answers(groups[end]) for end in ends):
        return [number not in ends and answers(group) for number, group in enumerate(groups)]
    middle = len(groups) // 2
    first = _half(groups[:middle], answers, samples - 1)
    if all(first):  # then it is the second half that raises
        return first + _in_halves(groups[middle:], answers, max(samples - 1, 0))
    return first + _half(groups[middle:], answers, samples - 1)


def _half(
    groups: Sequence[list[Cells]], answers: Callable[[list[Cells]], bool], samples: int
) -> list[bool]:
    if len(groups) > 1 and answers(_joined(groups)):
        return [True] * len(groups)
    return _in_halves(groups, answers, max(samples, 0))


def _joined(groups: Sequence[list[Cells]]) -> list[Cells]:
    return [row for group in groups for row in group]
