"""Estimated and true accuracy on slices of real tables, where columns' distributions shift."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from bench.report import Figure, figures, table
from bench.training import OF
from bench.watch_tables import estimator, read_table
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from tests.function.monitoring.models import answered, built, report, some

FOLDS = 5
MANY = 20  # different numbers: columns of more are sliced
NEAR, GOOD = 0.02, 9  # of the ten slices
TABLES = [name for name, of in OF.items() if of.task == "binary"]
ABOUT = f"""**Estimates.** Boosted trees of all columns, over {FOLDS} folds: three train, one
calibrates, one is estimated. A slice is the rows at most the median of a column, or above it. The
ten slices are those of the first column of more than {MANY} different numbers in each table whose
target has two classes; the others are of every such column.
"""


class Answered(NamedTuple):
    """What a fold's model answers to rows that it has not seen.

    Attributes:
        rows: of the table.
        right: which of the answers are.
        whole: the answers.
        model: that gave them.
    """

    rows: Array
    right: Array
    whole: Prediction
    model: Model


class Slice(NamedTuple):
    """A slice of a table, and what accuracy the model has on it.

    Attributes:
        table: its name.
        where: the column, and which side of its median.
        rows: how many.
        true: accuracy.
        estimated: accuracy.
        first: it is of the table's first column of many numbers.
    """

    table: str
    where: str
    rows: int
    true: float
    estimated: float
    first: bool

    @property
    def difference(self) -> float:
        """Of the estimate from the truth."""
        return self.estimated - self.true


def slices_section(folder: Path) -> str:
    """Measure, and return this part of the section as Markdown."""
    found = [each for name in TABLES for each in _slices(name, folder)]
    ten = [each for each in found if each.first]
    near = sum(abs(each.difference) <= NEAR for each in ten)
    of_all = sum(abs(each.difference) <= NEAR for each in found)
    worst = max(abs(each.difference) for each in found)
    within = f"slices whose estimated accuracy is within {NEAR} of the true one"
    lines = [
        Figure(f"{within}, of the {len(ten)}", near, GOOD, at_least=True),
        Figure(f"{within}, of all {len(found)}", of_all),
        Figure("the largest difference of all", worst, digits=4),
    ]
    rows = [
        f"| {each.table} | {each.where} | {each.rows:,} | {each.true:.4f} | {each.estimated:.4f} | "
        f"{each.difference:+.4f} |"
        for each in ten
    ]
    head = ["table", "slice", "rows", "true accuracy", "estimated", "difference"]
    return "\n".join([ABOUT, figures(lines), table(head, rows)])


def _slices(name: str, folder: Path) -> Iterator[Slice]:
    X, y = read_table(name)
    folds = list(_folds(name, X, y, folder))
    columns = [str(c) for c in X.select_dtypes("number") if X[c].nunique() > MANY]
    for column in columns:
        middle = X[column].median()
        sides = {"at most": X[column] <= middle, "above": X[column] > middle}
        for side, chosen in sides.items():
            true, estimated = _accuracy(folds, chosen.to_numpy())
            where = f"{column} {side} {middle:g}"
            yield Slice(name, where, int(chosen.sum()), true, estimated, column == columns[0])


def _folds(name: str, X: pd.DataFrame, y: Array, folder: Path) -> Iterator[Answered]:
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(X, y)
    parts = [rows for _, rows in splits]
    for number, rows in enumerate(parts):
        calibrates = parts[(number + 1) % FOLDS]
        trains = np.concatenate([parts[(number + ahead) % FOLDS] for ahead in (2, 3, 4)])
        fitted = estimator(name).fit(X.iloc[trains], y[trains])
        source = Source(fitted, X.iloc[calibrates], y[calibrates], X.iloc[trains])
        model = built(source, folder, f"{name}-{number}")
        whole = answered(model, X.iloc[rows])
        yield Answered(rows, whole.outputs["prediction"] == y[rows], whole, model)


def _accuracy(folds: list[Answered], chosen: Array) -> tuple[float, float]:
    """True and estimated accuracy of the chosen rows, over all folds."""
    rows, right, expected = 0, 0, 0.0
    for fold in folds:
        of_fold = chosen[fold.rows]
        count = int(of_fold.sum())
        estimated = report(fold.model, some(fold.whole, of_fold.nonzero()[0]))["estimated"]
        expected += count * estimated["accuracy"]
        rows, right = rows + count, right + int(fold.right[of_fold].sum())
    return right / rows, expected / rows
