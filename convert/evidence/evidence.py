"""The rows that a conversion is compared on, with the reference's answers to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxlet.convert.evidence.drawn_rows import Draw, drawn_rows, most_drawn
from onnxlet.convert.evidence.edge_cases import edge_cases
from onnxlet.convert.evidence.rows import fits
from onnxlet.convert.progress import advanced
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.column_groups import breadth
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.reference.reference import Reference
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column


@dataclass(frozen=True)
class Evidence:
    """Rows and scikit-learn's answers to them: held-out rows, edge cases, drawn rows."""

    rows: list[Cells]  # in signature order
    expected: Answers  # by output name
    held_out: int  # how many rows are held-out ones; they come first
    raising: Sequence[Cells] = ()  # each cell was allowed for, and scikit-learn raised
    drawn: int = 0  # how many were drawn within the data's range; they come last

    def joined(self, drawn: Evidence) -> Evidence:
        """The same with the rows of one more draw."""
        return Evidence(
            self.rows + drawn.rows,
            {n: np.concatenate([array, drawn.expected[n]]) for n, array in self.expected.items()},
            self.held_out,
            [*self.raising, *drawn.raising],
            self.drawn + drawn.drawn,
        )

    def only(self, kept: Array) -> Evidence:
        """The same with some of the rows only; bool, shape (rows,)."""
        rows = np.flatnonzero(kept)
        return replace(
            self,
            rows=[self.rows[row] for row in rows.tolist()],
            expected={name: array[rows] for name, array in self.expected.items()},
            held_out=int(kept[: self.held_out].sum()),
            drawn=int(kept[len(kept) - self.drawn :].sum()),
        )

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


def gather_evidence(
    reference: Reference,
    columns: Sequence[Column],
    rows: Sequence[Cells],
    draws: int = 1,
    others: Sequence[Cells] = (),
    draw: Draw = drawn_rows,
) -> tuple[Evidence, Evidence]:
    """Held-out rows, edge cases and drawn rows, with the reference's answers.

    The first evidence chooses a recipe; it has so many draws of rows, from those held out and from
    others that are like them, such as the training rows. The second is one more draw, which judges
    the choice.
    """
    odd = edge_cases(columns, rows, reference)
    advanced("drawing rows", 0, 1)
    width = breadth(len(columns), reference.estimator)
    most = most_drawn(width, _answered_numbers(reference, rows))
    *some, last = draw(columns, [*rows, *_allowed(columns, others)], draws + 1, most)
    drawn = [row for rows_of_one in some for row in rows_of_one]
    every = [*rows, *odd, *drawn, *last]
    advanced("asking scikit-learn about all rows", 0, 1)
    found, expected = reference.answers_where_answered(every)
    seen = len(every) - len(last)
    return (
        _evidence(every, found, expected, slice(seen), len(rows), len(drawn)),
        _evidence(every, found, expected, slice(seen, None), 0, len(last)),
    )


def _answered_numbers(reference: Reference, rows: Sequence[Cells]) -> int:
    """How many numbers one row is answered with."""
    try:
        return max(array.size for array in reference.answers(rows[:1]).values())
    except Exception:  # it answers no row by itself: its answers are not wide
        return 1


def _evidence(
    every: Sequence[Cells],
    found: Sequence[bool],
    expected: Answers,
    part: slice,
    held_out: int,
    drawn: int,
) -> Evidence:
    """The evidence of a part of the rows, the last of which were drawn."""
    rows, answered = every[part], found[part]
    before = sum(found[: part.start or 0])
    some = slice(before, before + sum(answered))
    return Evidence(
        [row for row, is_one in zip(rows, answered, strict=True) if is_one],
        {name: array[some] for name, array in expected.items()},
        held_out,
        [row for row, is_one in zip(rows, answered, strict=True) if not is_one],
        sum(answered[len(rows) - drawn :]),
    )


def _allowed(columns: Sequence[Column], rows: Sequence[Cells]) -> Iterator[Cells]:
    """The rows that the signature allows: others may hold values of no held-out row."""
    known = [None if c.categories is None else frozenset(c.categories) for c in columns]
    for row in rows:
        cells = zip(columns, known, row, strict=True)
        if all(not c.required or _may_hold(c, categories, cell) for c, categories, cell in cells):
            yield row


def _may_hold(column: Column, categories: frozenset[object] | None, cell: object) -> bool:
    if cell is None or categories is not None:
        return column.nullable if cell is None else cell in (categories or ())
    if isinstance(cell, str):
        return len(cell) <= column.longest
    return column.type == "bool" or not isinstance(cell, int | float) or fits(column, cell)
