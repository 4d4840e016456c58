"""Wide models: some columns of each kind are tried, and what is asked grows with the columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from onnxlet.convert.evidence.drawn_rows import FEWEST_WIDE, ROWS, most_drawn
from onnxlet.convert.evidence.edge_cases import edge_cases
from onnxlet.convert.parity.certificate import certificate_lines
from onnxlet.convert.reference import column_groups
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.reference.column_groups import (
    NARROW,
    _shared,
    breadth,
    fewer,
    kinds_of_columns,
    representative_columns,
    representatives,
)
from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.reference.probing import probe_columns
from onnxlet.convert.reference.reference import Reference
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column
from tests.convert.helpers import built, reference_of, served

WIDTH = 30  # columns of what `few` makes a wide model
WIDEST = 16_384  # columns: the pixels of an image of 128 by 128


def numbers(width: int, rows: int = 12) -> Array:
    return np.random.default_rng(0).normal(size=(rows, width))


def ridge(width: int, dtype: Any = np.float64) -> Source:
    X = numbers(width).astype(dtype)
    return Source(Ridge().fit(X, X[:, 0] + X[:, -1]), X)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have eight columns tried of each model of more than ten."""
    monkeypatch.setattr(column_groups, "NARROW", 10)
    monkeypatch.setattr(column_groups, "TRIED_CELLS", 100)
    monkeypatch.setattr(column_groups, "FEWEST_TRIED", 8)
    monkeypatch.setattr(column_groups, "FEWEST_OF_KIND", 2)


class Counting(Reference):
    """A reference that counts the cells that it is asked about."""

    cells = 0

    def answers_to(self, data: Any) -> Any:
        Counting.cells += np.size(data)
        return super().answers_to(data)


def asked(source: Source) -> tuple[int, int]:
    """How many cells probing asks about, and how many the search for edge cases."""
    inputs, X = read_inputs(source.X_test)
    reference, rows = Counting(source.estimator, task_of(source.estimator), inputs), inputs.rows(X)
    Counting.cells = 0
    columns = probe_columns(reference, rows)
    probing = Counting.cells
    edge_cases(columns, rows, reference)
    return probing, Counting.cells - probing


@pytest.mark.long
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_asked_grows_no_faster_than_the_columns(dtype: Any) -> None:
    few, many = asked(ridge(500, dtype)), asked(ridge(2000, dtype))
    assert all(more <= 4.2 * less for less, more in zip(few, many, strict=True))


def test_each_column_of_a_narrow_model_is_tried() -> None:
    inputs, _ = read_inputs(numbers(NARROW))
    assert representative_columns(inputs, Ridge()) == list(range(NARROW))
    assert fewer(12_000, NARROW, 1) == 12_000
    assert most_drawn(NARROW, 1) == ROWS
    assert breadth(NARROW, ridge(NARROW).estimator) == NARROW


@pytest.mark.parametrize("width", [NARROW + 1, 1000, 4096, 16_384])
def test_bounded_many_columns_of_a_wide_model_are_tried(width: int) -> None:
    some = representatives([list(range(width))])
    assert some[0] == 0
    assert some[-1] == width - 1
    assert 32 <= len(some) <= NARROW
    assert len(some) * width <= max(column_groups.TRIED_CELLS, 32 * width)
    assert FEWEST_WIDE <= most_drawn(width, 1) <= ROWS


def test_rows_are_fewer_where_each_is_compared_with_many_points() -> None:
    X = numbers(50, 5000)
    model = KNeighborsClassifier().fit(X, X[:, 0] > 0)
    assert (
        breadth(50, model) == (5000 * 50 + column_groups.COMPARING) // column_groups.KEPT_OF_COLUMN
    )
    assert breadth(50, KNeighborsClassifier().fit(X[:900], X[:900, 0] > 0)) == 50


def mixed() -> Source:
    """A wide frame in which columns of one type go four ways, and some of them none."""
    X = pd.DataFrame(numbers(WIDTH), columns=[f"c{n}" for n in range(WIDTH)])
    X["colour"] = ["red", "blue"] * 6
    columns = make_column_transformer(
        (SimpleImputer(), [f"c{n}" for n in range(0, 10, 2)]),
        ("passthrough", [f"c{n}" for n in range(1, 10, 2)]),
        (FunctionTransformer(np.expm1), [f"c{n}" for n in range(10, 20)]),
        (OneHotEncoder(sparse_output=False), ["colour"]),
    )
    model = make_pipeline(columns, Ridge()).fit(X, X["c0"] + X["c1"])
    return Source(model, X)


def each_by_itself(source: Source, monkeypatch: pytest.MonkeyPatch) -> list[Column]:
    reference, rows = reference_of(source)
    with monkeypatch.context() as patch:
        patch.setattr(column_groups, "NARROW", 10_000)
        return probe_columns(reference, rows)


def test_columns_that_go_the_same_way_are_of_one_kind() -> None:
    source = mixed()
    inputs, _ = read_inputs(source.X_test)
    kinds = kinds_of_columns(inputs, source.estimator)
    assert sorted(map(len, kinds)) == [1, 5, 5, 10, 10]
    assert next(kind for kind in kinds if 0 in kind)[:2] == [0, 2]


@pytest.mark.pipelines  # hundreds of columns, one by one
@pytest.mark.usefixtures("few")
def test_a_wide_frame_is_probed_as_if_each_column_were(monkeypatch: pytest.MonkeyPatch) -> None:
    source = mixed()
    reference, rows = reference_of(source)
    found, expected = probe_columns(reference, rows), each_by_itself(source, monkeypatch)
    for one, other in zip(found, expected, strict=True):
        alike_but_bounds = one._replace(minimum=other.minimum, maximum=other.maximum)
        assert alike_but_bounds == other
        # Where sums overflow the last magnitude that is tried lies below what is answered.
        for mine, own in ((one.minimum, other.minimum), (one.maximum, other.maximum)):
            assert mine == own or (mine is not None and abs(mine) <= abs(own or np.inf))


def positive_in_one(X: Array) -> Array:
    """A step that raises for values which only one column refuses."""
    values = np.asarray(X)
    if np.isnan(values[:, 7]).any():
        raise ValueError("no gaps in the eighth column")
    filled: Array = np.nan_to_num(values)
    return filled


@pytest.mark.usefixtures("few")
def test_a_column_that_nobody_tried_and_that_is_not_alike_is_found() -> None:
    X = numbers(WIDTH)
    step = FunctionTransformer(positive_in_one)
    model = make_pipeline(step, Ridge()).fit(X, X[:, 0])
    assert 7 not in representative_columns(read_inputs(X)[0], model)
    reference, rows = reference_of(Source(model, X))
    columns = probe_columns(reference, rows)
    assert [p for p, column in enumerate(columns) if not column.nullable] == [7]


def test_columns_whose_sums_overflow_at_several_magnitudes_share_a_lower_one() -> None:
    some = [Column("a", "float64", maximum=1e300), Column("b", "float64", maximum=1e250)]
    shared = _shared([*some, Column("c", "float64", infinite=True)])
    assert shared == Column("", "float64", maximum=1e150)
    assert _shared([Column("a", "float64", maximum=3.0), *some]) is None
    assert _shared([Column("a", "string", categories=("x",))]) is None


def test_the_certificate_has_how_many_columns_were_probed(tmp_path: Path) -> None:
    width = 2 * NARROW
    manifest = built(ridge(width), tmp_path).manifest
    probed = len(representatives([list(range(width))]))
    assert manifest["parity"]["probed_columns"] == probed
    lines = list(certificate_lines("m", 1, manifest))
    assert f"  columns     {probed} probed; the others are treated alike" in lines


@pytest.mark.pipelines  # a build of ten seconds; above some columns of as many are chosen
def test_ten_rows_of_16_384_columns_are_answered_as_json(tmp_path: Path) -> None:
    source = ridge(WIDEST)
    parity = built(source, tmp_path).manifest["parity"]
    assert parity["probed_columns"] == len(representatives([list(range(WIDEST))]))
    rows = [
        {f"x{n}": cell for n, cell in enumerate(row)} for row in source.X_test[:10].tolist()
    ]  # the longest form: each cell with its column's name
    answer = served(tmp_path).post("/predict", json={"instances": rows})
    assert answer.status_code == 200
    assert np.allclose(answer.json["prediction"], source.estimator.predict(source.X_test[:10]))


TEXTS = [f"words and more words {n}" for n in range(40)]


def test_a_million_hashed_columns_before_a_linear_model_are_served(tmp_path: Path) -> None:
    model = make_pipeline(HashingVectorizer(), SGDClassifier(random_state=0))
    made = built(Source(model.fit(TEXTS, [0, 1] * 20), TEXTS), tmp_path)
    assert made.manifest["parity"]["differing_rows"] == 0


@pytest.mark.long
def test_a_forest_on_a_wide_array_gets_rows_at_its_thresholds(tmp_path: Path) -> None:
    X = numbers(600, 60)
    made = built(Source(RandomForestClassifier(5, random_state=0).fit(X, X[:, 9] > 0), X), tmp_path)
    assert made.manifest["parity"]["hard_rows"] > 1000
