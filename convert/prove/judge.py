"""Asks both sides rows beside the evidence's: for the smallest example, and for the causes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.evidence.rows import changed
from onnxlet.convert.parity.comparison import Comparison, compare
from onnxlet.convert.prove.trial import Trial, answered
from onnxlet.convert.reference.answers import Answers
from onnxlet.convert.reference.inputs import Cells
from onnxlet.convert.spacing import evenly_spaced
from onnxlet.function.arrays import Array

BASES = 200  # held-out rows that are answered equally, among which the nearest is looked for
SAMPLE = 100  # rows that a hypothesis is tried on
STEPS = 60  # of shrinking
FEW = 12  # rows that stand for all where each is asked by itself


@dataclass(frozen=True)
class Example:
    """A row that is answered differently, as few cells as possible from a held-out one."""

    row: Cells
    position: int  # of the held-out row
    changed: tuple[int, ...]  # positions of the cells that are others than there
    base: Cells  # the held-out row
    expected: dict[str, Any]  # by output name
    got: dict[str, Any]  # likewise; empty where it is refused


@dataclass(frozen=True)
class Judge:
    """What a trial has found, and both sides of it."""

    trial: Trial

    def differing(self, rows: Sequence[Cells]) -> Array:
        """Which rows are answered differently, or by the reference only; bool, shape (rows,)."""
        return ~self.equal(rows, rows, or_raised=True)

    def equal(
        self, asked: Sequence[Cells], rows: Sequence[Cells], or_raised: bool = False
    ) -> Array:
        """Which of `asked` the subject answers as the reference does those `rows`; bool, (rows,).

        Where the reference raises, or the subject can't be asked, it is as `or_raised` says.
        """
        reference, matched = self.trial.state.reference, self.trial.matched
        same = np.full(len(rows), or_raised)
        try:
            found, expected = reference.answers_where_answered(rows)
        except Exception:  # it raises for each of them
            return same
        positions = np.flatnonzero(found)
        evidence = Evidence([asked[row] for row in positions.tolist()], expected, 0)
        has_form = np.array([not matched.subject.unasked(row) for row in evidence.rows], bool)
        if not has_form.any():
            return same
        evidence, positions = evidence.only(has_form), positions[has_form]
        comparison = self._compared(evidence)
        if comparison.refused:
            fine = answered(matched.answers, evidence.rows)
            same[positions] = False
            evidence, positions = evidence.only(fine), positions[fine]
            comparison = self._compared(evidence)
        same[positions] = True
        same[positions[comparison.wrong]] = False
        return same

    def _compared(self, evidence: Evidence) -> Comparison:
        floors, task = self.trial.comparison.floors, self.trial.state.reference.task
        rows, expected = evidence.rows, evidence.expected
        return compare(self.trial.matched.answers, task, rows, expected, floors, singles=0)

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return [column.name for column in self.trial.state.reference.inputs.columns]

    @cached_property
    def wrong(self) -> list[Cells]:
        """Some rows that are answered differently, or refused: held-out rows first."""
        evidence, comparison = self.trial.state.evidence, self.trial.comparison
        if not comparison.wrong:
            return self.trial.refused.rows[:SAMPLE]
        return [evidence.rows[row] for row in evenly_spaced(comparison.wrong, SAMPLE)]

    @cached_property
    def fine_by_themselves(self) -> bool:
        """Whether rows that are answered differently are answered equally each by itself."""
        return all(self.equal([row], [row])[0] for row in self.wrong[:FEW])

    @cached_property
    def right(self) -> list[tuple[int, Cells]]:
        """Some held-out rows that are answered equally, with their positions."""
        evidence, wrong = self.trial.state.evidence, set(self.trial.comparison.wrong)
        fine = [row for row in range(evidence.held_out) if row not in wrong]
        return [(row, evidence.rows[row]) for row in evenly_spaced(fine, BASES)]

    def nearest(self, row: Cells) -> tuple[int, Cells]:
        """The held-out row among the right ones that has most cells of this one."""
        return min(self.right, key=lambda one: len(_others(row, one[1])))

    def got(self, rows: Sequence[Cells]) -> tuple[Answers, Answers]:
        """The reference's answers to rows that both answer, and the subject's."""
        return self.trial.state.reference.answers(rows), self.trial.matched.answers(rows)

    def example(self) -> Example | None:
        """The smallest row that is found to differ; None where only rounding speaks against it."""
        if not self.wrong:
            return None
        if not self.right:
            return self._example(self.wrong[0], 0, self.wrong[0])
        made = []
        for row in evenly_spaced(self.wrong, 4):
            position, base = self.nearest(row)
            made.append((self._shrunk(row, base), position, base))
        row, position, base = min(made, key=lambda one: len(_others(one[0], one[2])))
        return self._example(self._plainer(row, base), position, base)

    def step(self, example: Example) -> str:
        """Who reads the cells that make an example differ: parts of a ColumnTransformer.

        '' where none comes first.
        """
        first = self.trial.state.reference.estimator
        while isinstance(first, Pipeline):
            first = first.steps[0][1]
        reads = getattr(first, "_transformer_to_input_indices", {})
        fitted = getattr(first, "named_transformers_", {})
        found = [
            f"'{name}' ({type(fitted[name]).__name__})"
            for name, indices in reads.items()
            if {*example.changed} & {*indices} and name in fitted and hasattr(fitted[name], "fit")
        ]
        return ", ".join(found)

    def _shrunk(self, row: Cells, base: Cells) -> Cells:
        """The row with as many of the base's cells as still differ, by delta debugging."""
        current, parts = list(row), 2
        for _ in range(STEPS):
            others = _others(current, base)
            if len(others) <= 1:
                break
            chunks = [c.tolist() for c in np.array_split(others, min(parts, len(others)))]
            chunks += [sorted(set(others).difference(chunk)) for chunk in chunks]
            tried = [changed(current, chunk, [base[n] for n in chunk]) for chunk in chunks]
            still = np.flatnonzero(self.differing(tried))
            if still.size:
                current = min((tried[at] for at in still), key=lambda one: len(_others(one, base)))
                parts = 2
            elif parts >= len(others):
                break
            else:
                parts *= 2
        return current

    def _plainer(self, row: Cells, base: Cells) -> Cells:
        """The row with its numbers cut to as few digits as still differ."""
        for at in _others(row, base):
            if type(row[at]) is float and np.isfinite(row[at]):
                cut = [float(f"{row[at]:.{digits}g}") for digits in range(1, 8)]
                tried = [changed(row, [at], [number]) for number in cut]
                still = np.flatnonzero(self.differing(tried))
                row = tried[still[0]] if still.size else row
        return row

    def _example(self, row: Cells, position: int, base: Cells) -> Example:
        expected = _one(self.trial.state.reference.answers([row]))
        got = {}
        if answered(self.trial.matched.answers, [row])[0]:
            got = _one(self.trial.matched.answers([row]))
        names = self.trial.matched.names
        return Example(
            row, position, tuple(_others(row, base)), base,
            {name: expected[name] for name in names}, got,
        )  # fmt: skip


def _one(answers: Answers) -> dict[str, Any]:
    return {name: array.tolist()[0] if len(array) else None for name, array in answers.items()}


def _others(row: Cells, base: Cells) -> list[int]:
    """Positions of the cells that are not the base's."""
    pairs = enumerate(zip(row, base, strict=True))
    return [at for at, (one, other) in pairs if one != other or type(one) is not type(other)]
