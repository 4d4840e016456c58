"""Record batches and HTTP, held together on every kind of column and answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from onnxlet.convert.build import build
from onnxlet.convert.record_batches.scorer import METADATA, AnswerOptions, Scorer
from onnxlet.convert.sources.source import Source
from onnxlet.function.app import create_app
from onnxlet.function.errors import Problem, WrongUse
from onnxlet.function.models.model import Model, load_model
from tests import estimators
from tests.conftest import client_of, quiet
from tests.convert.record_batches.as_http import bodies, check, explained_by_http
from tests.function import calibrated
from tests.kept_builds import kept_builds

EXAMPLES = ("house-prices", "loan-default", "iris", "shop")


def given(source: Source) -> Any:
    """A test set as a record batch."""
    rows = source.X_test
    if not isinstance(rows, np.ndarray):
        return pa.RecordBatch.from_pandas(rows, preserve_index=False)
    return pa.record_batch({f"x{n}": rows[:, n] for n in range(rows.shape[1])})


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_table_is_answered_as_http_answers_its_rows(
    models: Path, sources: Mapping[str, Source], name: str
) -> None:
    model = load_model(models / name / "1")

    assert not check(model, given(sources[name])).problems


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Model, Source]]:
    folder = tmp_path_factory.mktemp("others")
    every = {**estimators.every_task(), **calibrated.sources()}
    kept_builds(every, folder)
    return {name: (load_model(folder / name / "1"), source) for name, source in every.items()}


@pytest.mark.parametrize("name", [*estimators.every_task(), *calibrated.sources()])
def test_every_task(others: dict[str, tuple[Model, Source]], name: str) -> None:
    model, source = others[name]
    coverage = 0.8 if "conformal" in model.manifest else None
    marks = "unusual" in model.manifest

    for wanted in (AnswerOptions(coverage=coverage), AnswerOptions(coverage, unusual=marks)):
        assert not check(model, given(source), wanted).problems


def test_unusual_rows_are_marked_and_have_no_interval(
    others: dict[str, tuple[Model, Source]],
) -> None:
    for name in ("line", "two", "classes"):
        model, source = others[name]
        rows = np.array(source.X_test[:50])
        rows[::7, 1] *= 1e6
        batch = pa.record_batch({f"x{n}": rows[:, n] for n in range(3)})
        found = check(model, batch, AnswerOptions(0.9, unusual=True)).columns
        marked = [n for n, text in enumerate(found["unusual"].to_pylist()) if text]
        assert set(range(0, 50, 7)) <= set(marked)
        region = found["set" if name == "classes" else "interval"].to_pylist()
        assert [n for n, each in enumerate(region) if each is None] == marked
    with pytest.raises(WrongUse, match="'unusual': model 'few' was built without"):
        Scorer(others["few"][0], given(others["few"][1]).schema, AnswerOptions(unusual=True))


def test_bad_rows_are_null_and_have_the_words_of_http(models: Path) -> None:
    model = load_model(models / "shop" / "1")
    batch = pa.record_batch(
        {
            "note": pa.array([None, 1, 2, 3, 4]),
            "色": pa.array(["红", "黄", "绿", None, "蓝"]).dictionary_encode(),
            "count": pa.array([1.0, 2.0, 3.5, 4.0, np.nan]),
            "Preis (€)": pa.array([10, None, 10, 11, 12], pa.int16()),
            "new": pa.array([True, False, True, None, True]),
        }
    )

    found = check(model, batch)

    assert found.bad == [1, 2, 3, 4]
    assert found.problems[1] == Problem(
        1, "色", "'黄' is not one of the known categories: '红', '绿', '蓝'"
    )
    assert found.columns["prediction"].null_count == 4


def test_columns_that_do_not_fit_are_named_at_once(models: Path) -> None:
    model = load_model(models / "shop" / "1")
    schema = pa.schema(
        [("Preis (€)", pa.string()), ("Count", pa.int64()), ("new", pa.int8()), ("色", pa.string())]
    )

    with pytest.raises(WrongUse) as caught:
        Scorer(model, schema)

    assert caught.value.message == (
        "the table does not fit model 'shop': column 'Preis (€)': expected numbers, got string; "
        "column 'count': missing; did you mean 'Count'?; column 'new': expected booleans, got int8"
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_explanations_are_those_of_http(
    models: Path, sources: Mapping[str, Source], name: str
) -> None:
    model = load_model(models / name / "1")
    batch = given(sources[name]).slice(3, 3)

    scorer = Scorer(model, batch.schema, AnswerOptions(explain=True))
    found = scorer.answer(batch)

    client = client_of(create_app(models))
    expected = explained_by_http(client, model, bodies(batch, scorer.needed))
    assert found.columns["explanation"].to_pylist() == expected
    assert found.columns.drop_columns(["explanation"]).equals(
        Scorer(model, batch.schema).answer(batch).columns
    )


@pytest.mark.parametrize("name", ["deviation", "scores", "several-outputs", "transformed"])
def test_explanations_of_every_form(others: dict[str, tuple[Model, Source]], name: str) -> None:
    model, source = others[name]
    batch = given(source).slice(0, 3)

    scorer = Scorer(model, batch.schema, AnswerOptions(explain=True))
    found = scorer.answer(batch).columns["explanation"].to_pylist()

    assert model.directory is not None
    client = client_of(create_app(model.directory.parent.parent))
    assert found == explained_by_http(client, model, bodies(batch, scorer.needed))


def test_contributions_and_the_base_value_add_up_to_the_answer(
    models: Path, sources: Mapping[str, Source]
) -> None:
    model = load_model(models / "house-prices" / "1")
    batch = given(sources["house-prices"]).slice(0, 4)

    scorer = Scorer(model, batch.schema, AnswerOptions(explain=True))
    found = scorer.answer(batch).columns

    about = json.loads(scorer.schema.metadata[METADATA])
    assert about["model"] == "house-prices"
    assert about["explanation"]["output"] == "prediction"
    for row in found.to_pylist():
        total = about["explanation"]["base_value"] + sum(row["explanation"].values())
        assert total == pytest.approx(row["prediction"], rel=1e-6)


def test_rows_that_raise_or_can_not_be_explained_leave_the_others(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(120, 3))
    products = make_pipeline(PolynomialFeatures(interaction_only=True), LogisticRegression())
    products.fit(X, X[:, 0] * X[:, 1] > 0)
    model = load_model(build(Source(products, X[:40]), "products", tmp_path, quiet).directory)
    cells = [[1.0, 1e200, 1.7e308, 2.0], [1.0, 1e200, 1e-30, 3.0], [1.0, 1.0, 1e-30, 1.0]]
    batch = pa.record_batch({f"x{n}": column for n, column in enumerate(cells)})

    found = check(model, batch)
    explained = Scorer(model, batch.schema, AnswerOptions(explain=True)).answer(batch)

    assert found.bad == explained.bad == [1]
    assert explained.problems[0] == found.problems[0]
    assert [(each.row, each.column) for each in explained.problems[1:]] == [(2, "explanation")]
    assert explained.columns["prediction"].equals(found.columns["prediction"])
    assert explained.columns["explanation"].is_null().to_pylist() == [False, True, True, False]


def test_several_threads_at_once(models: Path, sources: Mapping[str, Source]) -> None:
    model = load_model(models / "loan-default" / "1")
    batch = given(sources["loan-default"])
    scorer = Scorer(model, batch.schema)
    parts = [batch.slice(start, 7) for start in range(0, 70, 7)]
    expected = [scorer.answer(part).columns for part in parts]

    with ThreadPoolExecutor(4) as pool:
        found = [each.columns for each in pool.map(scorer.answer, parts * 3)]

    assert all(map(pa.RecordBatch.equals, found, expected * 3))


@pytest.mark.parametrize("column", ["Lot_Area", "Neighborhood"])
def test_extensions_whose_values_are_not_their_storage_s(models: Path, column: str) -> None:
    model = load_model(models / "house-prices" / "1")
    fields = {each.name: pa.null() for each in model.signature.columns}
    fields[column] = pa.bool8() if column == "Lot_Area" else pa.uuid()
    with pytest.raises(
        WrongUse, match=rf"column '{column}': expected .*, got extension<arrow\."
    ) as e:
        Scorer(model, pa.schema([*fields.items()]))
    assert "';" not in e.value.message  # nothing else
