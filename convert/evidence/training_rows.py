"""Training rows as rows that might have been held out: with values of the test set's own types.

One gap makes floats of a column of whole numbers: training rows may differ from a small test set
in a type, and not in what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.convert.spacing import every_nth
from onnxlet.function.arrays import LARGEST_INTEGER
from onnxlet.function.inputs.columns import ColumnType

MOST_TRAINING_ROWS = 2000  # that rows are drawn from, beside those held out
NUMBERS = (bool, int, float)


def like_held_out(
    columns: Sequence[InputColumn],
    held_out: Sequence[Cells],
    trained: Sequence[InputColumn],
    rows: Sequence[Cells],
) -> list[Cells]:
    """Some of the training rows, evenly spaced, with cells of the types that the test set holds.

    Where a cell has no value of its column's type, one of the held-out rows' stands in. The
    training rows' own columns (`trained`) have the same names.
    """
    some = every_nth(rows, MOST_TRAINING_ROWS)
    by_column = list(zip(*some, strict=True))
    for position, (mine, theirs) in enumerate(zip(columns, trained, strict=True)):
        if some and (mine.type != theirs.type or theirs.unserved):
            by_column[position] = tuple(
                _fitted(mine.type, cell, held_out[row % len(held_out)][position])
                for row, cell in enumerate(by_column[position])
            )
    return [list(row) for row in zip(*by_column, strict=True)]


def _fitted(kind: ColumnType, cell: Any, instead: Any) -> Any:
    if cell is None or kind == "string":
        return cell if cell is None or isinstance(cell, str) else instead
    return FITTED[kind](cell, instead) if isinstance(cell, NUMBERS) else instead


def _whole(cell: float, instead: Any) -> Any:
    whole = abs(cell) <= LARGEST_INTEGER and cell == int(cell)
    return int(cell) if whole and abs(int(cell)) <= LARGEST_INTEGER else instead


def _single(cell: float, instead: Any) -> float:
    with np.errstate(over="ignore"):  # a column that takes no infinity leaves the row out
        return float(np.float32(cell))


FITTED: Mapping[str, Callable[[float, Any], Any]] = {
    "float64": lambda cell, instead: float(cell),
    "float32": _single,
    "int64": _whole,
    "bool": lambda cell, instead: bool(cell) if cell in (0, 1) else instead,
}
