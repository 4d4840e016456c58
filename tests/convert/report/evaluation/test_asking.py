"""Answers to rows that were moved, some of which the model raises for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.report.evaluation.evaluation import Evaluation
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs.validation import CheckedBatch
from onnxlet.function.models.model import Model
from tests.convert.report.evaluation import figures


class Raising(Model):
    """Raises for rows whose size is marked, as a graph does that flags rows."""

    marked = -1e6

    def run(self, table: CheckedBatch, *more: Any, **most: Any) -> Mapping[str, Array]:
        found = np.flatnonzero(table.arrays[self.block][:, self.position] == self.marked).tolist()
        if found:
            raise InvalidRows([Problem(row, None, "marked") for row in found])
        return super().run(table, *more, **most)

    @property
    def block(self) -> int:
        return self.signature.positions["size"][0]

    @property
    def position(self) -> int:
        return self.signature.positions["size"][1]


def raising(case: Evaluation) -> tuple[Evaluation, Raising]:
    """The same evaluation, of a model that raises for marked rows."""
    model = Raising("m", 1, case.model.manifest, lambda: case.model._session)
    return replace(case, measured=replace(case.measured, model=model)), model


def marked(case: Evaluation, model: Raising, rows: list[int]) -> CheckedBatch:
    arrays = [array.copy() for array in case.table.arrays]
    arrays[model.block][rows, model.position] = model.marked
    return CheckedBatch(case.table.rows, arrays)


@pytest.mark.parametrize("kind", [figures.binary, figures.regression, figures.multiclass])
@pytest.mark.parametrize("rows", [[], [3], [0, 1, 5], [238, 239], [*range(100, 200)]])
def test_only_rows_that_are_answered_are_good(kind: Any, rows: list[int]) -> None:
    case, model = raising(figures.of(kind()))

    answered, good = case.ask(marked(case, model, rows))

    assert np.flatnonzero(~good).tolist() == rows
    for found, own in zip(answered, case.answered, strict=True):
        if found is not None and own is not None:
            assert found.shape == own.shape
            assert found[good].tolist() == own[good].tolist()
    for row in rows:  # a neighbour's: of the last answered row before it, or the first
        before = [n for n in range(row) if n not in rows] or [min(set(range(240)) - {*rows})]
        for found in answered:
            assert found is None or found[row].tolist() == found[before[-1]].tolist()


def test_where_no_row_is_answered_none_is_good() -> None:
    case, model = raising(figures.of(figures.regression()))

    answered, good = case.ask(marked(case, model, [*range(case.table.rows)]))

    assert not good.any()
    assert [None if a is None else a.shape for a in answered] == [
        None if a is None else a.shape for a in case.answered
    ]
