"""The rows that a conversion is compared on, with scikit-learn's answers to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.inputs.columns import Column

FLOATS = ("float64", "float32")


@dataclass(frozen=True)
class Evidence:
    """Rows and scikit-learn's answers to them: held-out rows, edge cases, drawn rows."""

    rows: list[Cells]  # in signature order
    expected: Answers  # by output name
    held_out: int  # how many rows are held-out ones; they come first
    raising: Sequence[Cells] = ()  # each cell was allowed for, and scikit-learn raised
    drawn: int = 0  # how many were drawn within the data's range; they come last

    @property
    def edge_cases(self) -> int:
        """How many rows were made to break conversions."""
        return len(self.rows) - self.held_out - self.drawn

    @property
    def kinds(self) -> dict[str, range]:
        """Positions of the rows of each kind."""
        first, last = self.held_out, len(self.rows) - self.drawn
        return {
            "held-out": range(first),
            "edge-case": range(first, last),
            "drawn": range(last, len(self.rows)),
        }

    @property
    def usual(self) -> list[int]:
        """Positions of the rows that are no edge cases, whose numbers may be of any size."""
        return [*self.kinds["held-out"], *self.kinds["drawn"]]


def float_columns(columns: Sequence[Column]) -> list[int]:
    """Positions of the columns that the model uses and that take any float."""
    return [
        position
        for position, column in enumerate(columns)
        if column.required and column.type in FLOATS and not column.categories
    ]


def changed(row: Cells, positions: Sequence[int], values: Iterable[Any]) -> Cells:
    """The row with other values at some positions."""
    made = list(row)
    for position, value in zip(positions, values, strict=True):
        made[position] = value
    return made
