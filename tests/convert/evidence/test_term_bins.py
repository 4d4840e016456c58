"""Rows in every bin and cell of a sum of terms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from onnxlet.convert.converters.registration import Registration
from onnxlet.convert.converters.registry import converters
from onnxlet.convert.evidence.fitted_values import CELLS, in_bins
from onnxlet.function.inputs.columns import Column


class Terms(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A sum of terms over one column each, and over the first two together, in coarser bins."""

    def __init__(self) -> None:
        self.bins: list[Any] = [np.array([0.0, 1.0, 2.0]), {"x": 1, "y": 2}, np.array([2.5])]

    def terms(self) -> Any:
        alone = [((column,), (self.bins[column],)) for column in range(3)]
        return ["a", "b", "c"], [*alone, ((0, 1), (np.array([1.0]), self.bins[1]))]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(converters()._known, Terms, Registration(terms=Terms.terms))


COLUMNS = [
    Column("c", "int64"), Column("a", "float64", nullable=True), Column("b", "string"),
]  # fmt: skip


def test_each_bin_and_each_cell_of_a_pair_has_a_row() -> None:
    made = in_bins(COLUMNS, [[7, 0.5, "x"]], Terms())
    assert {row[1] for row in made if row[0] == 7 and row[2] == "x"} >= {0.0, 1.0, 2.0, None}
    assert [np.nextafter(1.0, -1), "y"] in [row[1:] for row in made]
    assert {row[0] for row in made} == {7, 2, 3}
    pairs = {(row[1], row[2]) for row in made}
    assert {(1.0, "x"), (1.0, "y"), (None, "y")} <= pairs


def test_there_are_no_more_than_so_many() -> None:
    terms = Terms()
    terms.bins[0] = np.arange(3000.0)
    assert len(in_bins(COLUMNS, [[7, 0.5, "x"]], terms)) == CELLS
