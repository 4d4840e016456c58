"""Rows drawn within the data's range, and what a conversion is refused for that they show alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from convert.answers import task_of
from convert.converters import converts
from convert.drawn_rows import ROWS, drawn_rows
from convert.evidence import NoConversion
from convert.gathering import gathered
from convert.inputs import Cells, read_inputs
from convert.reference import Reference
from convert.source import Source
from function.signature import Column
from tests.convert.helpers import built, probed

random = np.random.default_rng(4)
COLUMNS = [
    Column("number", "float64", nullable=True),
    Column("count", "int64"),
    Column("flag", "bool"),
    Column("text", "string", nullable=True),
    Column("closed", "float64", categories=(1.0, 2.0)),
]
TABLE: list[Cells] = [
    [0.5, 3, True, "a red car", 1.0],
    [None, 7, False, "one", 2.0],
    [9.5, 2**62 + 1, True, None, 1.0],
    [float("inf"), -(2**63), False, "blue boats and planes", 2.0],
]


def test_they_lie_within_the_columns_range_and_no_row_is_there_twice() -> None:
    first, second = drawn_rows(COLUMNS, TABLE, 2)
    rows = [tuple(row) for row in [*first, *second]]
    assert len(set(rows)) == len(rows) > 500
    assert not set(rows) & set(map(tuple, TABLE))

    numbers, counts, flags, texts, closed = (set(column) for column in zip(*rows, strict=True))
    finite = {n for n in numbers if n is not None and n != float("inf")}
    assert {None, float("inf"), 0.5, 9.5} <= numbers
    assert (min(finite), max(finite)) == (0.5, 9.5)
    assert len(finite) > 200  # between those that are known
    assert {type(count) for count in counts} == {int}
    assert 2**62 + 1 in counts  # a number that no double holds is not rounded
    assert -(2**63) <= min(counts) < max(counts) <= 2**62 + 1
    assert flags == {True, False}
    assert {None, "one", "a red and planes", "blue boats car"} <= texts
    assert closed == {1.0, 2.0}


def test_they_are_the_same_every_time_however_many_draws_there_are() -> None:
    few, many = drawn_rows(COLUMNS, TABLE, 2), drawn_rows(COLUMNS, TABLE, 3)
    assert few == many[:2]
    assert many[0] != many[1] != many[2] != many[0]


def test_where_rows_differ_there_are_a_thousand() -> None:
    table = random.normal(size=(5, 3)).tolist()
    columns = [Column(name, "float64") for name in "abc"]
    assert [len(rows) for rows in drawn_rows(columns, table, 2)] == [ROWS, ROWS]
    assert drawn_rows(columns[:1], [[1.0]], 2) == [[], []]  # there are no others


def test_rows_are_drawn_from_training_rows_too_as_far_as_the_signature_allows_them() -> None:
    model = LinearRegression().fit(random.normal(size=(20, 1)), np.arange(20.0))
    (inputs, X), task = read_inputs(np.array([[1.0], [2.0]])), task_of(model)
    columns = [Column("x0", "float64", maximum=8.0)]
    evidence, last = gathered(
        Reference(model, task, inputs), columns, inputs.rows(X), others=[[5.0], [9.0], [None]]
    )
    drawn = [row[0] for row in [*evidence.rows[-evidence.drawn :], *last.rows]]
    assert (evidence.held_out, evidence.drawn, last.drawn) == (
        2,
        len(drawn) - last.drawn,
        len(last.rows),
    )
    assert (min(drawn), max(drawn)) == pytest.approx((1.0, 5.0), abs=0.1)
    assert 2.0 < np.median(drawn) < 5.0


# What they are there for


class Bumped(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """More than the columns at one point; its converter forgets that."""

    def __init__(self, point: Any, width: float) -> None:
        self.point, self.width = point, width

    def fit(self, X: Any, y: Any = None) -> Bumped:
        return self

    def transform(self, X: Any) -> Any:
        distances = ((np.asarray(X) - self.point) ** 2).sum(axis=1, keepdims=True)
        return X + np.exp(-distances / self.width**2)


@converts(Bumped)
def _flat(graph: Any, fitted: Any, table: Any) -> Any:
    return {"transform": graph.matrix(table)}


def bumped(X: Any, point: Any, width: float) -> Source:
    model = make_pipeline(Bumped(point, width), LinearRegression())
    return Source(model.fit(X, X.sum(axis=1)), X)


def test_a_difference_between_few_held_out_rows_is_found(tmp_path: Path) -> None:
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    with pytest.raises(NoConversion, match=r"first on drawn row .* 'bumped' \(Bumped\)"):
        built(bumped(corners, [0.5, 0.5], 0.1), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_was_found_is_judged_by_rows_that_it_was_not_chosen_by(tmp_path: Path) -> None:
    X = random.normal(size=(50, 2))
    columns = list(probed(bumped(X, [9.0, 9.0], 1.0)).values())
    (*_, searched), (*_, last) = drawn_rows(columns, X.tolist(), 2)
    with pytest.raises(NoConversion, match=r"differs on 1 of .* first on drawn row"):
        built(bumped(X, last, 1e-9), tmp_path)
    with pytest.raises(NoConversion, match=r"differs on 1 of .* first on drawn row"):
        built(bumped(X, searched, 1e-9), tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_of_both_draws_are_counted(tmp_path: Path) -> None:
    X = random.normal(size=(5, 2))
    parity = built(Source(LinearRegression().fit(X, X[:, 0]), X), tmp_path).manifest["parity"]
    assert (parity["held_out_rows"], parity["drawn_rows"], parity["judging_rows"]) == (
        5,
        ROWS,
        ROWS,
    )
