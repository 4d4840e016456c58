"""Rows on which scikit-learn's own answer hangs on rounding, and on the rows beside them.

Sums (matrix products, distances) come out in another order for one row than for a batch, so that
their last digits differ. Where a step function follows (a tree's threshold, a nearest centre), a
row can lie so close to the step that scikit-learn answers it in two ways. No conversion can be
held to one of them. Nothing is forgiven where scikit-learn always agrees with itself: trees on
the raw columns are held to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from convert.answers import Answers, Task
from convert.evidence import Evidence
from convert.inputs import Cells
from convert.parity import Comparison, compare
from function.model import Model

MOST = 200  # rows that differ and are looked at; more are no matter of rounding
ALONE = 300  # rows that scikit-learn is asked about one by one, to see whether it agrees
STEPS = (1, -1, 4, -4, 16, -16)  # units in the last place that the numbers of a row are moved by

Ask = Callable[[Sequence[Cells]], Answers]


def forgive_undecided(
    comparison: Comparison, model: Model, task: Task, evidence: Evidence, ask: Ask
) -> None:
    """Take rows off the list of wrong ones where scikit-learn answers both ways itself.

    A row is forgiven where the answer is scikit-learn's to that row alone, or, provided that
    scikit-learn was seen to disagree with itself on some row, its answer to the row with its
    numbers moved by a few units in the last place.
    """
    wrong = sorted({row for off in comparison.outputs.values() for row in off.wrong})
    if not wrong or len(wrong) > MOST or comparison.refused:
        return
    rows = [evidence.rows[place] for place in wrong]
    left = _unlike(model, task, rows, [_one_by_one(rows, ask)])
    if left and not _disagrees(evidence, ask):
        forgiven = set(wrong) - {wrong[place] for place in left}
    else:
        moved = [ask([_moved(row, step) for row in rows]) for step in STEPS] if left else []
        left = [p for p in left if p in _unlike(model, task, rows, moved)]
        forgiven = set(wrong) - {wrong[place] for place in left}
    for off in comparison.outputs.values():
        off.wrong = [row for row in off.wrong if row not in forgiven]
    comparison.undecided = len(forgiven)
    comparison.tied = comparison.tied.copy()
    comparison.tied[list(forgiven)] = True  # never golden


def _unlike(
    model: Model, task: Task, rows: Sequence[Cells], answers: Sequence[Answers]
) -> list[int]:
    """Places of the rows whose answer is none of these."""
    left = set(range(len(rows)))
    for expected in answers:
        comparison = compare(model, task, rows, expected)
        left &= {row for off in comparison.outputs.values() for row in off.wrong}
    return sorted(left)


def _one_by_one(rows: Sequence[Cells], ask: Ask) -> Answers:
    answers = [ask([row]) for row in rows]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}


def _disagrees(evidence: Evidence, ask: Ask) -> bool:
    """Whether scikit-learn answers some row otherwise alone than in a batch."""
    places = list(_evenly(len(evidence.rows), ALONE))
    alone = _one_by_one([evidence.rows[place] for place in places], ask)
    return any(
        not np.array_equal(alone[name], array[places], equal_nan=array.dtype.kind == "f")
        for name, array in evidence.expected.items()
    )


def _evenly(count: int, wanted: int) -> Iterator[int]:
    yield from range(0, count, max(1, count // wanted))


def _moved(row: Cells, steps: int) -> Cells:
    """The row with its numbers moved by units in the last place, away from zero or towards it."""
    return [float(cell * (1 + steps * 2**-52)) if isinstance(cell, float) else cell for cell in row]
