"""The rows that a conversion is compared on, with scikit-learn's answers to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells


@dataclass(frozen=True)
class Evidence:
    """Rows and scikit-learn's answers to them: held-out rows, edge cases, drawn rows.

    Attributes:
        rows: in signature order.
        expected: by output name.
        held_out: how many rows are held-out ones; they come first.
        raising: rows that each cell was allowed for, and that scikit-learn raised for.
        drawn: how many were drawn within the data's range; they come last.
    """

    rows: list[Cells]
    expected: Answers
    held_out: int
    raising: Sequence[Cells] = ()
    drawn: int = 0

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


def changed(row: Cells, positions: Sequence[int], values: Iterable[Any]) -> Cells:
    """The row with other values at some positions."""
    made = list(row)
    for position, value in zip(positions, values, strict=True):
        made[position] = value
    return made
