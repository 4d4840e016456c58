"""DuckDB's functions, held against a Scorer on the same vectors, and what SQL can get wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from onnxlet import register_duckdb
from onnxlet.convert.proven_model import ProvenModel
from onnxlet.convert.record_batches.scorer import AnswerOptions, Scorer
from onnxlet.convert.sources.source import Source
from onnxlet.function.errors import WrongUse
from onnxlet.function.models.model import load_model
from tests.function import calibrated

VECTOR = 2048  # rows that DuckDB hands over at a time
EXAMPLES = ("house-prices", "loan-default", "iris", "shop")


@pytest.fixture
def connection() -> Any:
    with duckdb.connect() as made:
        made.execute("SET threads = 1")
        yield made


def rows_of(source: Source, rows: int) -> pa.Table:
    """Test rows, again and again."""
    given = source.X_test
    if isinstance(given, np.ndarray):
        given = pd.DataFrame(given, columns=[f"x{n}" for n in range(given.shape[1])])
    repeated = pd.concat([given] * (rows // len(given) + 1), ignore_index=True).iloc[:rows]
    return pa.Table.from_pandas(repeated, preserve_index=False)


def scored(directory: Path, table: pa.Table) -> pa.Table:
    """What a Scorer answers, in vectors as DuckDB cuts them."""
    scorer = Scorer(load_model(directory), table.schema)
    batches = [
        scorer.answer(table.slice(start, VECTOR).combine_chunks().to_batches()[0]).columns
        for start in range(0, len(table), VECTOR)
    ]
    return pa.Table.from_batches(batches)


@pytest.mark.parametrize("name", EXAMPLES)
def test_rows_are_answered_as_a_scorer_answers_them(
    connection: Any, models: Path, sources: Mapping[str, Source], name: str
) -> None:
    register_duckdb(connection, models / name)
    table = rows_of(sources[name], 5000)
    expected = scored(models / name / "1", table)
    connection.register("t", table)
    found = (
        connection.sql(
            f"SELECT predict('{name}', t) AS prediction, answer('{name}', t) AS answer FROM t"  # noqa: S608
        )
        .arrow()
        .read_all()
    )
    assert found["prediction"].combine_chunks() == expected["prediction"].combine_chunks()
    fields = found["answer"].combine_chunks()
    assert [field.name for field in fields.type] == [*expected.column_names, "problem"]
    assert fields.field("problem").null_count == 5000
    for column in expected.column_names:
        assert fields.field(column) == expected[column].combine_chunks()


@pytest.fixture
def iris(connection: Any, models: Path) -> Any:
    register_duckdb(connection, models / "iris" / "1")
    return connection


def test_columns_come_by_name_or_in_order_whatever_their_types(iris: Any, models: Path) -> None:
    names = [column.name for column in load_model(models / "iris" / "1").signature.columns]
    values = (5.1, 3.5, 1.4, 0.2)
    pairs = [*zip(names, values, strict=True)]
    row, backwards = (", ".join(f"'{n}': {v}" for n, v in some) for some in (pairs, pairs[::-1]))
    floats, small = (
        ", ".join(f"'{n}': {v:.0f}::{kind}" for n, v in pairs) for kind in ("DOUBLE", "UTINYINT")
    )
    (found,) = iris.execute(
        f"""SELECT predict('iris', {{{row}}}), predict('iris/1', {{{backwards}, 'id': 7}}),
        predict('iris', 5.1, 3.5, 1.4, 0.2),
        answer('iris', {{{small}}}) = answer('iris', {{{floats}}}),
        (SELECT count(predict('iris', t)) FROM (SELECT {row.replace("'", '"')}) t WHERE false)"""  # noqa: S608
    ).fetchall()
    assert found[0] == found[1] == found[2]
    assert found[3:] == (True, 0)


def test_rows_that_cannot_be_answered_are_null_and_say_why(
    connection: Any, models: Path, sources: Mapping[str, Source]
) -> None:
    register_duckdb(connection, models / "iris")
    table = rows_of(sources["iris"], 10)
    first = table.column_names[0]
    cells = table[first].to_pylist()
    cells[3], cells[7] = float("inf"), None
    table = table.set_column(0, first, pa.array(cells, pa.float64()))
    connection.register("t", table)
    found = connection.execute(
        "SELECT predict('iris', t), answer('iris', t).prediction, answer('iris', t).problem FROM t"
    ).fetchall()
    answered = Scorer(load_model(models / "iris" / "1"), table.schema).answer(table.to_batches()[0])
    assert answered.bad == [3, 7]
    for row, (prediction, again, problem) in enumerate(found):
        assert prediction == again == answered.columns.column("prediction")[row].as_py()
        expected = [str(p._replace(row=None)) for p in answered.problems if p.row == row]
        assert problem == ("; ".join(expected) or None)
    register_duckdb(connection, models / "iris", on_error="stop")
    with pytest.raises(duckdb.InvalidInputException, match=f"InvalidRows: column '{first}'"):
        connection.execute("SELECT predict('iris', t) FROM t")


def test_what_can_never_be_answered_is_an_error_that_names_it(iris: Any) -> None:
    for query, words in (
        ("predict('iris', {'x0': 'big', 'x1': 1, 'x2': 1})", "column 'x0': expected numbers, got"),
        ("predict('iris', {'x0': 1, 'x1': 1, 'x2': 1})", "column 'x3': missing"),
        ("predict('iris', 1, 2)", "expected a row, or its 4 columns (x0, x1, x2, x3), got 2"),
        ("predict('iris', NULL)", "expected a row, or its 4 columns"),
        ("predict('roses', {'x0': 1})", "there is no model 'roses'"),
    ):
        with pytest.raises(duckdb.Error) as raised:
            iris.execute(f"SELECT {query}")
        assert words in str(raised.value)
    with pytest.raises(duckdb.BinderException):  # which would lose their names
        iris.execute("SELECT predict('iris', x1 := 1, x0 := 2, x2 := 3, x3 := 4)")


def test_each_row_may_name_its_model(
    connection: Any, models: Path, sources: Mapping[str, Source], tmp_path: Path
) -> None:
    from onnxlet import build

    source = sources["iris"]
    other = build(source.estimator, source.X_test[:50], name="other", models=tmp_path, report=list)
    assert isinstance(other, ProvenModel)
    register_duckdb(connection, models / "iris", other)
    table = rows_of(source, 60)
    names = pa.array((["iris", "other", None] * 20)[:60])
    connection.register("t", table.append_column("which", names))
    found = connection.execute("SELECT which, predict(which, t) FROM t").fetchall()
    expected = scored(models / "iris" / "1", table)["prediction"].to_pylist()
    assert found == [
        (name, None if name is None else answer)
        for name, answer in zip(names.to_pylist(), expected, strict=True)
    ]


def test_models_of_other_types_need_functions_of_their_own(connection: Any, models: Path) -> None:
    with pytest.raises(WrongUse, match="predict: expected models that answer in the same type"):
        register_duckdb(connection, models / "house-prices", models / "loan-default")
    register_duckdb(connection, models / "house-prices", predict="price", answer=None)
    register_duckdb(connection, "loan-default", predict="default_of", answer=None, folder=models)
    names = {
        row[0]
        for row in connection.execute("SELECT function_name FROM duckdb_functions()").fetchall()
    }
    assert {"price", "default_of"} <= names
    assert not {"predict", "answer"} & names


def test_intervals_come_with_the_answer(connection: Any, tmp_path: Path) -> None:
    from onnxlet.convert.build import build

    source = calibrated.sources()["line"]
    directory = build(source, "line", tmp_path, lambda line: None).directory
    register_duckdb(connection, directory, coverage=0.8)
    table = rows_of(source, 20)
    connection.register("t", table)

    scorer = Scorer(load_model(directory), table.schema, AnswerOptions(coverage=0.8))
    expected = scorer.answer(table.to_batches()[0]).columns.column("interval").to_pylist()
    found = connection.execute("SELECT answer('line', t).interval FROM t").fetchall()
    assert [row[0] for row in found] == expected


def test_threads_of_duckdb_answer_at_once(
    connection: Any, models: Path, sources: Mapping[str, Source]
) -> None:
    connection.execute("SET threads = 4")
    register_duckdb(connection, models / "iris")
    table = rows_of(sources["iris"], 300_000)
    connection.register("given", table)
    connection.execute("CREATE TABLE t AS SELECT * FROM given")
    expected = scored(models / "iris" / "1", table)["prediction"].value_counts().to_pylist()
    found = connection.execute("SELECT predict('iris', t), count(*) FROM t GROUP BY 1").fetchall()
    assert dict(found) == {each["values"]: each["counts"] for each in expected}


def test_what_is_asked_for_wrongly_is_said(connection: Any, models: Path) -> None:
    with pytest.raises(WrongUse, match="on_error: expected 'null' or 'stop', got 'side'"):
        register_duckdb(connection, models / "iris", on_error="side")
    with pytest.raises(WrongUse, match="expected a model at least, got none"):
        register_duckdb(connection)
    with pytest.raises(WrongUse, match="there is no model 'roses'"):
        register_duckdb(connection, "roses", folder=models)


def test_explanations_come_with_the_answer(
    connection: Any, models: Path, sources: Mapping[str, Source]
) -> None:
    register_duckdb(connection, models / "iris", explain=True)
    table = rows_of(sources["iris"], 20)
    connection.register("t", table)
    scorer = Scorer(load_model(models / "iris" / "1"), table.schema, AnswerOptions(explain=True))
    expected = scorer.answer(table.to_batches()[0]).columns.column("explanation").to_pylist()
    found = connection.execute("SELECT answer('iris', t).explanation FROM t").fetchall()
    assert [row[0] for row in found] == expected
    assert expected[0] is not None


def test_without_a_model_there_is_no_answer(iris: Any) -> None:
    query = "SELECT predict(NULL, t) FROM (SELECT 1.0 AS x0) t"
    assert iris.execute(query).fetchall() == [(None,)]


@pytest.mark.parametrize("first", [0, 1])
def test_rows_without_a_model_beside_others(iris: Any, first: int) -> None:
    name = f"CASE WHEN n = {first} THEN 'iris' END"
    row = "{'x0': 1.0, 'x1': 1.0, 'x2': 1.0, 'x3': 1.0}"
    query = f"SELECT predict({name}, {row}) IS NULL FROM range(2) t(n) ORDER BY n"  # noqa: S608
    assert iris.execute(query).fetchall() == [(first != 0,), (first != 1,)]
