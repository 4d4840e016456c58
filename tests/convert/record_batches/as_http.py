"""Record batches answered by HTTP, as the columns of a Scorer have them: the other way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from onnxlet.convert.record_batches.scorer import AnswerOptions, BatchAnswers, Scorer
from onnxlet.function import json_text
from onnxlet.function.app import create_app
from onnxlet.function.errors import Problem
from onnxlet.function.explanation.shapley import EXACT_PLAYERS
from onnxlet.function.models.model import Model
from tests.conftest import Client, client_of


def as_json(cell: Any) -> Any:
    """One of Arrow's values as a JSON body has it."""
    if isinstance(cell, list):
        return [as_json(each) for each in cell]
    if isinstance(cell, Decimal):
        return int(cell) if str(cell).lstrip("-").isdecimal() else float(cell)
    return float(cell) if isinstance(cell, np.floating) else cell


def bodies(batch: Any, names: list[str]) -> list[dict[str, Any]]:
    return [
        {name: as_json(row[name]) for name in names if name in row} for row in batch.to_pylist()
    ]


def answered_by_http(
    client: Client, model: Model, rows: Sequence[Any], wanted: AnswerOptions, schema: Any
) -> tuple[Any, list[Problem], int]:
    """Rows sent to the app, and its answer as columns of a schema; NaN is null in JSON."""
    query = "?on_error=null"
    query += f"&coverage={wanted.coverage!r}" if wanted.coverage else ""
    query += f"&k={wanted.k}" if wanted.k else ""
    query += "&unusual=true" if wanted.unusual else ""
    path = f"/models/{model.name}/versions/{model.version}/predict{query}"
    answer = client.post(path, json.dumps(rows).encode())
    got = answer.json()
    assert answer.status == 200, got
    columns = [pa.array(_entries(got, field), field.type) for field in schema]
    problems = [Problem(e["row"], e["column"], e["detail"]) for e in got.get("errors", [])]
    batch = pa.record_batch(columns, schema=schema)
    return batch, problems, got.get("error_count", 0)


def explained_by_http(
    client: Client, model: Model, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What HTTP answers where it walks the least: each row's contributions by column."""
    body: dict[str, Any] = {"instances": rows}
    if "terms" not in model.manifest["graph"] and len(model.signature.columns) > EXACT_PLAYERS:
        body["permutations"] = 2
    path = f"/models/{model.name}/versions/{model.version}/explain"
    answer = client.post(path, json.dumps(body).encode())
    assert answer.status == 200, answer.body
    got = answer.json()
    return [
        {
            name: value if "classes" not in got else _named(value, got["classes"])
            for name, value in row["contributions"].items()
        }
        for row in got["explanations"]
    ]


def _entries(got: Mapping[str, Any], field: Any) -> list[Any]:
    entries = got[field.name]
    if field.name == "probabilities" and pa.types.is_struct(field.type):
        return [row and _named(row, got["classes"]) for row in entries]
    if field.name == "unusual":
        return [row and json_text.dumps(row).decode() for row in entries]
    if field.name == "interval":
        several = not pa.types.is_struct(field.type)
        return [
            row and ([_ends(each) for each in row] if several else _ends(row)) for row in entries
        ]
    return list(entries)


def _named(row: list[Any], classes: list[Any]) -> dict[str, Any]:
    if isinstance(classes[0], list):
        return {str(n): _named(*pair) for n, pair in enumerate(zip(row, classes, strict=True))}
    names = [json.dumps(label) if not isinstance(label, str) else label for label in classes]
    return dict(zip(names, row, strict=True))


def _ends(interval: list[Any]) -> dict[str, Any]:
    return {"low": interval[0], "high": interval[1]}


def without_nan(value: Any) -> Any:
    """Python's values of a column, as JSON has them: None for what is no finite number."""
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


@lru_cache(4)
def served(models: Path) -> Client:
    return client_of(create_app(models))


def check(model: Model, batch: Any, wanted: AnswerOptions = AnswerOptions()) -> BatchAnswers:  # noqa: B008 - frozen
    """Both ways answer a batch alike, by every value and by every word."""
    scorer = Scorer(model, batch.schema, wanted)
    found = scorer.answer(batch)
    assert model.directory is not None
    expected, problems, count = answered_by_http(
        served(model.directory.parent.parent),
        model,
        bodies(batch, scorer.needed),
        wanted,
        scorer.schema,
    )
    assert found.columns.schema.equals(scorer.schema, check_metadata=True)
    # Digits that are equal have equal bytes in JSON; -0.0 is equal to 0.0, and has others.
    assert repr(without_nan(found.columns.to_pylist())) == repr(without_nan(expected.to_pylist()))
    assert (found.problem_count, list(found.problems[: len(problems)])) == (count, problems)
    assert found.bad == sorted({problem.row or 0 for problem in found.problems})
    return found
