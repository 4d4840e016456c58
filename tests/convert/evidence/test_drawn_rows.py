"""Rows drawn within the data's range, and what only they show and a conversion is refused for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from onnxlet.convert.build import build
from onnxlet.convert.converters.registry import converts
from onnxlet.convert.evidence.drawn_rows import ROWS, drawing_once, drawn_rows, like_held_out
from onnxlet.convert.evidence.evidence import gather_evidence
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.parity.refusals import NoConversion
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.inputs import Cells, InputColumn, read_inputs
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column
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


def test_a_small_pool_is_shared_with_the_draw_that_judges() -> None:
    columns, table = [Column("text", "string"), Column("flag", "bool")], []
    for place in range(6):
        table.append([f"{'abcdef'[place]} {'uvwxyz'[place]}", place % 2 == 0])
    draws = drawn_rows(columns, table, 3)
    assert [len(rows) for rows in draws] == [33, 17, 8]  # of 66 that are no donors
    assert len({tuple(row) for rows in draws for row in rows}) == sum(map(len, draws))
    assert draws[:2] == drawn_rows(columns, table, 2)


def test_where_no_other_rows_are_between_the_few_they_lie_around_them() -> None:
    columns = [
        Column("number", "float64", minimum=0.0, maximum=2.5),
        Column("count", "int64", minimum=3),
        Column("flag", "bool"),
        Column("city", "string", categories=("Bern", "Genf")),
        Column("text", "string"),
        Column("gap", "float64", nullable=True),
    ]
    draws = drawn_rows(columns, [[2.0, 6, True, "Bern", "a text", None]], 2)
    assert [len(rows) for rows in draws] == [ROWS, ROWS]
    numbers, counts, flags, cities, texts, gaps = (
        set(cells) for cells in zip(*draws[0], *draws[1], strict=True)
    )
    assert 1.0 <= min(numbers) < 1.5
    assert 2.3 < max(numbers) <= 2.5
    assert counts == set(range(3, 10))
    assert {type(count) for count in counts} == {int}
    assert (flags, cities) == ({True, False}, {"Bern", "Genf"})
    assert (texts, gaps) == ({"a text"}, {None})
    assert drawn_rows(columns[4:], [["a text", None]], 2) == [[], []]  # there are no others


def test_whole_numbers_are_looked_over_once_however_many_rows_are_drawn() -> None:
    class Counted(int):
        """A whole number that counts how often it is compared, as min() and max() do."""

        compared = 0

        def __lt__(self, other: Any) -> bool:
            Counted.compared += 1
            return bool(int(self) < other)

        def __gt__(self, other: Any) -> bool:
            Counted.compared += 1
            return bool(int(self) > other)

    table: list[Cells] = [[Counted(9 * n)] for n in random.permutation(5000).tolist()]
    assert len(drawn_rows([Column("count", "int64")], table, 2)[0]) == ROWS
    assert Counted.compared < 10 * len(table)


def test_the_same_rows_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def counted(*arguments: Any) -> list[list[Cells]]:
        asked.append(arguments)
        return drawn_rows(*arguments)

    monkeypatch.setattr("onnxlet.convert.evidence.drawn_rows.drawn_rows", counted)
    draw = drawing_once()
    three = draw(COLUMNS, TABLE, 3, ROWS)
    assert draw(list(COLUMNS), list(TABLE), 2, ROWS) == three[:2]
    assert len(asked) == 1
    bounded = [COLUMNS[0]._replace(maximum=9.0), *COLUMNS[1:]]
    for columns, donors in ((COLUMNS, TABLE[:3]), (bounded, TABLE)):
        assert draw(columns, donors, 2, ROWS) == drawn_rows(columns, donors, 2)
    assert len(asked) == 3


def test_rows_are_drawn_from_training_rows_too_as_far_as_the_signature_allows_them() -> None:
    model = LinearRegression().fit(random.normal(size=(20, 1)), np.arange(20.0))
    (inputs, X), task = read_inputs(np.array([[1.0], [2.0]])), task_of(model)
    columns = [Column("x0", "float64", maximum=8.0)]
    evidence, last = gather_evidence(
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


# Training rows of other types


@pytest.mark.parametrize(
    ("kind", "cells", "expected"),
    [
        ("int64", [3.0, None, 2.5, 1e300, True, "3"], [3, None, 70, 71, 1, 71]),
        ("float64", [3, None, True, "3", 2.5], [3.0, None, 1.0, 71, 2.5]),
        ("float32", [0.1, None, 1], [float(np.float32(0.1)), None, 1.0]),
        ("bool", [1, 0.0, 2, None, True], [True, False, 70, None, True]),
        ("string", ["a", 1, None], ["a", 71, None]),
    ],
)
def test_cells_of_training_rows_become_what_the_test_set_holds(
    kind: Any, cells: Cells, expected: Cells
) -> None:
    given, trained = InputColumn("x", "x", kind), InputColumn("x", "x", "string", unserved="other")
    made = like_held_out([given], [[70], [71]], [trained], [[cell] for cell in cells])
    assert [row[0] for row in made] == expected
    assert [type(row[0]) for row in made] == [type(cell) for cell in expected]


def test_a_gap_in_the_training_rows_does_not_leave_them_out(tmp_path: Path) -> None:
    numbers = pd.DataFrame({"age": [*range(20, 60)], "x": np.linspace(10, 11, 40)})
    trained = pd.concat([pd.DataFrame({"age": [np.nan], "x": [10.5]}), numbers])
    filled = SimpleImputer(strategy="constant", fill_value=0.0)
    model = make_pipeline(filled, Bumped([40.0, 10.5], 1.0), LinearRegression())
    model.fit(trained, np.arange(41.0))
    far = pd.DataFrame({"age": [33], "x": [0.2]})

    built(Source(model, far), tmp_path)
    with pytest.raises(NoConversion, match=r"first on drawn row .* 'bumped' \(Bumped\)"):
        built(Source(model, far, None, trained), tmp_path)


def test_a_model_with_few_rows_to_judge_it_says_so(tmp_path: Path) -> None:
    texts = np.array([f"{'good' if n % 2 else 'bad'} film" for n in range(20)], dtype=object)
    model = make_pipeline(TfidfVectorizer(), LinearRegression()).fit(texts, np.arange(20) % 2)
    lines: list[str] = []

    made = build(Source(model, texts[:1]), "m", tmp_path, lines.append)

    assert made.manifest["parity"]["judging_rows"] == 0
    said = "judged by no other rows: none are left to draw that differ"
    assert [line for line in lines if said in line]
    certificate = "\n".join(certificate_lines("m", 1, made.manifest))
    assert "judged by   no other rows: none are left to draw that differ" in certificate
    assert "X_train" in certificate
