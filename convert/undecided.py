"""Rows on which rounding decides.

Sums (matrix products, distances) come out otherwise in their last digits for one row than for a
batch, on another processor, or with another BLAS. Where a step function follows (a tree's
threshold, a nearest centre), a row can lie so close to the step that these digits decide, in
scikit-learn itself. No conversion can be held to one side of it. Nothing is forgiven where no
such arithmetic comes before a step: trees on raw, imputed, encoded or scaled columns are held to
the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from convert.answers import Answers, Task
from convert.evidence import Evidence
from convert.inputs import Cells
from convert.parity import Comparison, compare
from convert.probe import parts_of
from function.model import Model

MOST = 200  # rows that differ and are looked at; more are no matter of rounding
STEPS = (1, -1, 4, -4, 16, -16)  # units in the last place that the numbers of a row are moved by

Ask = Callable[[Sequence[Cells]], Answers]


def forgive_undecided(
    comparison: Comparison,
    model: Model,
    task: Task,
    evidence: Evidence,
    ask: Ask,
    estimator: Any,
) -> None:
    """Take rows off the list of wrong ones where scikit-learn's answer hangs on rounding.

    A row is forgiven where the answer is scikit-learn's to that row alone, or, provided that
    the estimator rounds before a step, its answer to the row with its numbers moved by a few
    units in the last place.
    """
    wrong = sorted({row for off in comparison.outputs.values() for row in off.wrong})
    if not wrong or len(wrong) > MOST or comparison.refused:
        return
    rows = [evidence.rows[place] for place in wrong]
    left = _unlike(model, task, rows, [_one_by_one(rows, ask)])
    if left and rounds_before_a_step(estimator):
        near = [rows[place] for place in left]
        moved = [ask([_moved(row, step) for row in near]) for step in STEPS]
        left = [left[place] for place in _unlike(model, task, near, moved)]
    forgiven = set(wrong) - {wrong[place] for place in left}
    for off in comparison.outputs.values():
        off.forgive(forgiven)
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


# Their answers are values as they came, or arithmetic that the converters mirror operation by
# operation.
EXACT = frozenset(
    {
        "Binarizer", "ColumnTransformer", "DecisionTreeClassifier", "DecisionTreeRegressor",
        "ExtraTreeClassifier", "ExtraTreeRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
        "FeatureUnion", "FunctionTransformer", "GradientBoostingClassifier",
        "GradientBoostingRegressor", "HistGradientBoostingClassifier",
        "HistGradientBoostingRegressor", "IsolationForest", "KBinsDiscretizer", "MaxAbsScaler",
        "MinMaxScaler", "MissingIndicator", "OneHotEncoder", "OrdinalEncoder", "Pipeline",
        "RandomForestClassifier", "RandomForestRegressor", "RandomTreesEmbedding", "RobustScaler",
        "SimpleImputer", "StandardScaler", "TargetEncoder", "_BinMapper",
    }
)  # fmt: skip


def rounds_before_a_step(estimator: Any) -> bool:
    """Whether some part rounds in a way of its own, and is not a linear model at the end."""
    last = estimator
    while isinstance(last, Pipeline):
        last = last.steps[-1][1]
    return any(
        type(part).__name__ not in EXACT and not hasattr(part, "get_support")
        for part in parts_of(estimator)
        if part is not last or not hasattr(part, "coef_")
    )


def _moved(row: Cells, steps: int) -> Cells:
    """The row with its numbers moved by units in the last place, away from zero or towards it."""
    return [float(cell * (1 + steps * 2**-52)) if isinstance(cell, float) else cell for cell in row]
