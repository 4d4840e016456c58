"""scikit-learn as the reference: an estimator that answers rows, in one precision.

Which rows it answers is asked of all at once, and in halves where that raises.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial, update_wrapper
from itertools import islice
from typing import Any, Literal

import numpy as np
from scipy.sparse import issparse

from onnxlet.convert.older.elsewhere import Elsewhere
from onnxlet.convert.reference.answers import TRANSFORMATION, Answers, Task
from onnxlet.convert.reference.estimators import (
    begins_in_float32,
    in_float64,
    of_steps,
    parts_of,
)
from onnxlet.convert.reference.inputs import Cells, Data, Inputs
from onnxlet.function.arrays import Array

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


Outcome = Answers | Exception
FINEST = ("probabilities", "score", "prediction")  # the output that shows a change first


@dataclass(frozen=True)
class Reference:
    """What conversions are compared with."""

    estimator: Any  # scikit-learn's
    task: Task  # what it is asked for
    inputs: Inputs  # the form that it is given rows in
    wide: bool = False  # it is given in float64 what it was fitted on in float32
    answered_by: Elsewhere | None = None  # is asked in its stead: the scikit-learn that fitted it

    @cached_property
    def precision(self) -> Literal["float32", "float64"]:
        """What it computes in, some step at least."""
        narrow = self.inputs.narrow or begins_in_float32(self.estimator)
        return "float32" if narrow and not self.wide else "float64"

    def in_float64(self) -> Reference:
        """The same numbers, of rows and of what was fitted, held in float64: none is rounded again.

        It is scikit-learn's own arithmetic on the very state that fit has left, without the
        rounding to float32 after each operation.
        """
        widened, there = in_float64(self.estimator), self.answered_by
        return replace(
            self, estimator=widened, inputs=self.inputs.in_float64(), wide=True,
            answered_by=there and there.in_float64(),
        )  # fmt: skip

    def of_part(self, part: Any) -> Reference:
        """What steps inside make, asked here: they show which rows are worth asking about."""
        return replace(self, estimator=part, task=TRANSFORMATION, answered_by=None)

    def of_first(self, steps: int) -> Reference:
        """What the first steps of a Pipeline make, asked where it is."""
        part, there = of_steps(type(self.estimator), self.estimator.steps[:steps]), self.answered_by
        return replace(self.of_part(part), answered_by=there and there.first(steps))

    def answers(self, rows: Sequence[Cells]) -> Answers:
        """Its answers to rows in signature order; it raises what scikit-learn raises."""
        parts = self.inputs.by_dtypes(rows)
        if len(parts) == 1:
            return self.answers_to(self.inputs.data(rows))
        made = [self._answers_of_group([rows[n] for n in part], rows) for part in parts]
        back = np.argsort(np.concatenate(parts))
        return {name: np.concatenate([m[name] for m in made])[back] for name in made[0]}

    def _answers_of_group(self, some: Sequence[Cells], rows: Sequence[Cells]) -> Answers:
        """Answers rows of one kind.

        IterativeImputer computes nothing where all of a batch is missing: in a test set such rows
        stand beside others, so one of these is asked with them.
        """
        asked = list(some)
        if all(cell is None for row in some for cell in row):
            others = (row for row in rows if any(cell is not None for cell in row))
            asked += islice(others, 1)
        answers = self.answers_to(self.inputs.data(asked))
        return {name: answer[: len(some)] for name, answer in answers.items()}

    def answers_to(self, data: Data) -> Answers:
        """Its answers to what no rows can say, such as an index, or columns that are left out."""
        return self.task.answers(self.answered_by or self.estimator, data)

    def outcome(self, data: Data) -> Outcome:
        """Its answers to some data, or what it raises for them."""
        try:
            return self.answers_to(data)
        except Exception as error:  # whatever it raises, it does not answer
            return error

    def takes(self, data: Data) -> bool:
        """Whether it answers all of the data, rather than raising."""
        return is_answered(self.answers_to, data)

    def takes_rows(self, rows: Sequence[Cells]) -> bool:
        """Whether it answers all of the rows, rather than raising."""
        return is_answered(self.answers, rows)

    def answered(self, rows: Sequence[Cells], raised: bool = False) -> list[bool]:
        """Which of the rows it answers, each by itself; `raised` where not all are at once."""
        if self.task.one_by_one:  # a batch is no quicker, and halves would ask many times
            return [self.takes_rows([row]) for row in rows]
        return which_are_answered([[row] for row in rows], self.takes_rows, raised)

    def answers_where_answered(self, rows: Sequence[Cells]) -> tuple[list[bool], Answers]:
        """Which of the rows it answers, and its answers to these.

        Where rows are not answered together, such as those that make sums overflow, each counts
        by what it is answered in a smaller batch.
        """
        try:
            return [True] * len(rows), self.answers(rows)
        except Exception:  # some row is one that scikit-learn raises for: find which
            found = self.answered(rows, raised=True)
        return found, self._in_parts([r for r, is_one in zip(rows, found, strict=True) if is_one])

    def _in_parts(self, rows: Sequence[Cells]) -> Answers:
        """Answers to rows that are answered one by one, in the largest halves that are."""
        try:
            return self.answers(rows)
        except Exception:
            if len(rows) <= 1:
                raise
        middle = len(rows) // 2
        first, second = self._in_parts(rows[:middle]), self._in_parts(rows[middle:])
        return {name: np.concatenate([array, second[name]]) for name, array in first.items()}

    def finest_answers(self, rows: Sequence[Cells], needed: int | None = None) -> Array:
        """The answer that shows a change first: probabilities, scores, or predictions.

        Nothing else is asked for: bisection comes sixty times. Raises Unanswered where scikit-learn
        raises for some of the rows. Where so many are `needed`, the first ones, a row behind them
        that it raises for leaves their answers.
        """
        name = next(name for name in FINEST if name in self.task.methods)
        only = replace(self.task, methods={name: self.task.methods[name]})
        asked = replace(self, task=only)
        if needed is not None and needed < len(rows):
            with suppress(Exception):
                return asked.answers(rows)[name]
        found, answers = asked.answers_where_answered(rows[:needed])
        if not all(found):
            raise Unanswered(found)
        return answers[name]


def given_sparse(reference: Reference, rows: Sequence[Cells]) -> frozenset[int]:
    """The ids of XGBoost's estimators that are seen to be given a sparse matrix for these rows.

    What the steps before them make depends on their fit (`sparse_threshold`), never on the rows.
    """
    every = parts_of(reference.estimator)  # FrozenEstimator hands on what its own one has
    boosters = [part for part in every if hasattr(type(part), "get_booster")]
    if not boosters:
        return frozenset()
    names = ("predict", "predict_proba")
    methods = [(part, name) for part in boosters for name in names if hasattr(part, name)]
    found: set[int] = set()
    for part, name in methods:
        asked = partial(_asked, part, name, found)
        vars(part)[name] = update_wrapper(asked, getattr(type(part), name))
    with suppress(Exception):  # it raises for these rows
        replace(reference, answered_by=None).answers(rows)
    for part, name in methods:
        vars(part).pop(name, None)
    return frozenset(found)


def _asked(part: Any, name: str, found: set[int], X: Any, *others: Any, **options: Any) -> Any:
    """What an estimator answers; it is noted where it is given a sparse matrix."""
    found.update([id(part)] if issparse(X) else [])
    return getattr(type(part), name)(part, X, *others, **options)
