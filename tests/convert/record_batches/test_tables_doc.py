"""docs/reference/tables.md: its types, and its snippets run on answers in Parquet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from onnxlet.convert.record_batches.kinds import misfit
from onnxlet.convert.record_batches.scorer import AnswerOptions, Scorer
from onnxlet.convert.sources.source import Source
from onnxlet.function.inputs.columns import Column
from onnxlet.function.models.model import load_model
from tests.conftest import ROOT
from tests.convert.record_batches.test_scorer import given

PAGE = (ROOT / "docs" / "reference" / "tables.md").read_text()


@pytest.fixture
def answers(
    models: Path, sources: Mapping[str, Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    model = load_model(models / "loan-default" / "1")
    batch = given(sources["loan-default"]).slice(0, 20)
    found = Scorer(model, batch.schema, AnswerOptions(coverage=0.8, explain=True)).answer(batch)
    monkeypatch.chdir(tmp_path)
    pq.write_table(pa.Table.from_batches([found.columns]), "answers.parquet")
    return found.columns


def test_the_snippets_run(answers: Any) -> None:
    [code], [query] = (
        re.findall(rf"```{kind}\n(.*?)```", PAGE, re.S) for kind in ("python", "sql")
    )
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - that is what the page is for

    shares = [row["good"] for row in answers["probabilities"].to_pylist()]
    assert names["yes"].tolist() == shares
    expected = [
        (row["prediction"], row["probabilities"]["good"])
        for row in answers.to_pylist()
        if _age(row) > 0
    ]
    assert duckdb.sql(query).fetchall() == expected
    assert set(answers.schema.names) <= set(re.findall(r"`(\w+)`", PAGE))


def _age(row: Mapping[str, Any]) -> float:
    return float(row["explanation"]["Age"]["good"])


def test_types_are_taken_and_refused_as_the_page_says() -> None:
    number, date = pa.decimal128(9, 2), pa.timestamp("ms")
    lists, text = pa.list_(pa.list_(number, 2), 3), pa.dictionary(pa.int8(), pa.string())
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    taken = [
        (Column("a", "float64"), number),
        (Column("a", "int64"), pa.float16()),
        (Column("a", "bool"), pa.bool_()),
        (Column("a", "string"), text),
        (Column("a", "string"), pa.binary_view()),
        (Column("a", "string", date=True), date),
        (Column("a", "string", date=True), pa.date32()),
        (Column("a", "string", date=True, zone="UTC"), pa.timestamp("ns", "Europe/Berlin")),
        (Column("a", "string", image=True), picture),
        (Column("a", "float32", cell=(3, 2)), lists),
        (Column("a", "float32", cell=(3, 2)), pa.fixed_shape_tensor(pa.float32(), (6,))),
        (Column("a", "int64", cell=("n",)), pa.int8()),
        (Column("a", "int64"), pa.null()),
    ]
    refused = [
        (Column("a", "float64"), pa.bool_(), "expected numbers, got bool"),
        (Column("a", "int64"), text, "expected whole numbers, got dictionary<"),
        (Column("a", "bool"), pa.int8(), "expected booleans, got int8"),
        (Column("a", "string"), pa.int64(), "expected text, got int64"),
        (Column("a", "string"), pa.date32(), "expected text, got date32[day]"),
        (Column("a", "string", date=True), pa.timestamp("ms", "UTC"), "without a time zone"),
        (Column("a", "string", date=True, zone="UTC"), date, "with a time zone, got timestamp[ms]"),
        (Column("a", "string", image=True), pa.struct([("path", pa.string())]), "expected images"),
        (
            Column("a", "float32", cell=("n", 2)),
            pa.list_(number),
            "expected lists of n by 2 numbers",
        ),
        (Column("a", "bool", cell=("n",)), pa.list_(number), "expected lists of n booleans, got"),
    ]

    assert [misfit(column, kind) for column, kind in taken] == [None] * len(taken)
    for column, kind, why in refused:
        assert why in str(misfit(column, kind))
