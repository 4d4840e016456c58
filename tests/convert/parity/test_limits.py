"""Bounds for columns where a model's arithmetic gives out far beyond all numbers that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxlet.convert.evidence.evidence import Evidence
from onnxlet.convert.parity.comparison import Comparison, Difference
from onnxlet.convert.parity.limits import limited, narrowed
from onnxlet.convert.parity.rounding import MOST_FORGIVEN
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.inputs.columns import Column

COLUMNS = [
    Column("a", "float64"),
    Column("b", "float64", minimum=-5.0),
    Column("n", "int64"),
    Column("word", "string"),
]
USUAL: Cells = [2.0, 50.0, 7, "x"]


def narrower(
    wrong: Sequence[Cells],
    others: int = 0,
    kinds: Sequence[Sequence[int]] = (),
    narrow: Sequence[int] = (),
) -> Any:
    """By name, the bounds of columns after these rows differ, and so many usual ones."""
    rows = [USUAL, *wrong, *[USUAL] * others]
    columns = after(COLUMNS, rows, kinds, narrow)
    return None if columns is None else limited(COLUMNS, columns)


def after(columns: list[Column], rows: Sequence[Cells], *more: Any) -> list[Column] | None:
    """Columns once all rows but the first differ."""
    off = Difference(np.zeros(len(rows)), np.zeros(len(rows)), list(range(1, len(rows))))
    comparison = Comparison({"prediction": off}, np.zeros(len(rows), dtype=bool))
    evidence = Evidence([*rows], {"prediction": np.zeros(len(rows))}, 1)
    return narrowed(columns, evidence, comparison, *more)


def test_the_column_of_the_largest_number_gets_bounds() -> None:
    """Halfway, in powers of ten, between the number and a thousand times the usual."""
    assert narrower([[1e12, 50.0, 7, "x"]]) == {"a": (-1e7, 1e7)}
    assert narrower([[3e3, -1e20, 7, "x"]]) == {"b": (-5.0, 1e12)}
    assert narrower([[2.0, 50.0, 10**14, "x"]]) == {"n": (-(10**8), 10**8)}


def test_where_most_columns_give_out_all_of_them_get_bounds() -> None:
    found = narrower([[1e12, 50.0, 7, "x"], [2.0, 50.0, 7 * 10**10, "x"]])
    assert found == {"a": (-1e7, 1e7), "b": (-5.0, 1e8), "n": (-(10**7), 10**7)}


def test_rows_of_usual_numbers_get_none() -> None:
    assert narrower([USUAL]) == {}
    assert narrower([[1e12, 50.0, 7, "x"]], others=MOST_FORGIVEN) == {"a": (-1e7, 1e7)}
    assert narrower([[1e12, 50.0, 7, "x"]], others=MOST_FORGIVEN + 1) is None


def test_columns_that_one_stands_for_get_its_bounds() -> None:
    found = narrower([[1e12, 50.0, 7, "x"]], kinds=[[0, 1], [2], [3]])
    assert found == {"a": (-1e7, 1e7), "b": (-5.0, 1e9)}


def test_whole_numbers_are_far_where_floats_or_their_few_bits_end() -> None:
    assert narrower([[2.0, 50.0, 100, "x"]], narrow=[2]) == {"n": (-10, 10)}
    assert narrower([[2.0, 50.0, 100, "x"]]) == {}
    large = [Column("n", "int64"), Column("m", "int64"), Column("k", "int64")]
    rows: list[Cells] = [[10**15, 2**60, 7], [2**54, 2**60, 7]]
    assert limited(large, after(large, rows) or []) == {"n": (-(10**16), 10**16)}


def test_no_bound_lies_beyond_64_bits() -> None:
    columns = [Column("n", "int64"), Column("a", "float64")]
    rows: list[Cells] = [[2**62, 1.0], [2**62, 1e30]]
    found = after(columns[::-1], [r[::-1] for r in rows])
    assert found is not None
    assert all(abs(column.maximum or 0) <= 2**63 - 1 for column in found if column.type == "int64")
