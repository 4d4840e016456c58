"""Scikit-learn as the one that is right: an estimator that answers rows, in one precision."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from scipy import sparse

from onnxlet.convert.errors import Refusal
from onnxlet.convert.evidence.evidence import shortened
from onnxlet.convert.parity.rounding import begins_in_float32
from onnxlet.convert.reference.answers import Answers, Task
from onnxlet.convert.reference.inputs import Cells, Inputs
from onnxlet.convert.reference.probing import is_answered, parts_of, which_are_answered

TOGETHER_HINT = (
    "A row's answer depends on the rows beside it, perhaps by the dtype that a column has "
    "only without gaps: turn columns into floats first."
)
NARROW = (np.float16, np.float32)


@dataclass(frozen=True)
class Reference:
    """What conversions are held against.

    Attributes:
        estimator: scikit-learn's.
        task: what it is asked for.
        inputs: the form that it is given rows in.
        wide: it is given in float64 what it was fitted on in float32.
    """

    estimator: Any
    task: Task
    inputs: Inputs
    wide: bool = False

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
        widened = in_float64(self.estimator)
        return replace(self, estimator=widened, inputs=self.inputs.in_float64(), wide=True)

    def ask(self, rows: Sequence[Cells]) -> Answers:
        """Its answers.

        Raises:
            Exception: whatever scikit-learn raises for these rows.
        """
        return self.task.answers(self.estimator, self.inputs.data(rows))

    def which(self, rows: Sequence[Cells]) -> list[bool]:
        """Which of the rows it answers, each for itself."""
        ask = partial(self.task.answers, self.estimator)
        groups = [[row] for row in rows]
        return list(
            which_are_answered(groups, lambda some: is_answered(ask, self.inputs.data(some)))
        )

    def answers(self, rows: Sequence[Cells]) -> tuple[list[bool], Answers]:
        """Which of the rows it answers, and its answers to these.

        Raises:
            Refusal: it answers each of them by itself, but not all of them together.
        """
        try:
            return [True] * len(rows), self.ask(rows)
        except Exception:  # some row is one that scikit-learn raises for: find which
            found = self.which(rows)
        try:
            return found, self.ask([row for row, is_one in zip(rows, found, strict=True) if is_one])
        except Exception as error:
            raise Refusal(
                "the estimator answers rows one by one that it does not answer together: "
                f"{type(error).__name__}: {shortened(error)}",
                TOGETHER_HINT,
            ) from error


def in_float64(estimator: Any) -> Any:
    """A copy in which every float32 number that a part has kept is held in float64."""
    copy = deepcopy(estimator)
    for part in list(parts_of(copy)):
        for name, value in vars(part).items():
            vars(part)[name] = _widened(value)
    return copy


def _widened(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic) or sparse.issparse(value):
        return value.astype(np.float64) if value.dtype in NARROW else value
    if type(value) in (list, tuple):
        return type(value)(map(_widened, value))
    if type(value) is dict:
        return {key: _widened(held) for key, held in value.items()}
    return value
