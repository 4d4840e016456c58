"""A hundred thousand rows in the same batches: the same bytes, whichever way they are answered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from onnxlet import register_duckdb
from onnxlet.convert.record_batches.scorer import AnswerOptions, Scorer
from onnxlet.convert.score import running
from onnxlet.convert.score.tasks import Options
from onnxlet.convert.tables import formats
from onnxlet.function.app import create_app
from onnxlet.function.aws.lambda_events import respond
from onnxlet.function.models.model import Model
from tests.conftest import Client, start_server, stop_server, through_events, through_socket
from tests.convert.record_batches.as_http import answered_by_http, bodies
from tests.convert.score.tables import golden_table, loaded, read_parts, write
from tests.convert.workers.dask_processes import cluster
from tests.edge.service.test_serve import CLEAN
from tests.events import CONTEXT, make_v2_event

pytestmark = pytest.mark.engines
ROWS = 100_000
BATCH = 2048  # as DuckDB cuts a table
ODD: Mapping[str, list[Any]] = {
    "float64": [None, np.inf, -np.inf, 1e300, -1e39, -0.0, 5e-324, 0.1 + 0.2, 1e15, -1.0],
    "int64": [None, 2**53 + 1, 2**62, -(2**63), 0, -1],
    "bool": [None],
    "string": [None, "", "é", "nowhere", "\uffff\ufffe", "a" * 300],
}


def edge_cases(table: Any, model: Model) -> Any:
    """Every twentieth row or so gets an odd cell, in a column after the other."""
    rng = np.random.default_rng(7)
    for column in model.signature.columns:
        number = table.schema.get_field_index(column.name)
        field = table.schema.field(number)
        cells = table.column(number).to_pylist()
        for row in rng.choice(ROWS, ROWS // 20 // len(model.signature.columns), replace=False):
            cells[row] = ODD[column.type][row % len(ODD[column.type])]
        table = table.set_column(number, field, pa.array(cells, field.type))
    return table.combine_chunks()


@pytest.fixture(scope="module", params=["loan-default", "house-prices"])
def model(request: pytest.FixtureRequest, models: Path) -> Model:
    return loaded(models, request.param)


@pytest.fixture(scope="module")
def table(model: Model, models: Path) -> Any:
    return edge_cases(golden_table(models, model.name, ROWS), model)


@pytest.fixture(scope="module")
def expected(model: Model, table: Any) -> Mapping[str, str]:
    """What ONNX Runtime answers to the app in this process, batch by batch."""
    app = create_app(model.directory.parent.parent)  # type: ignore[union-attr] # it was loaded
    return digests(model, _by_http(Client(_flask(app)), model, table))


def _flask(app: Any) -> Any:
    from tests.conftest import _through_flask

    return _through_flask(app)


def _by_http(client: Client, model: Model, table: Any) -> Any:
    scorer = Scorer(model, table.schema, AnswerOptions())
    parts = []
    for batch in table.to_batches(BATCH):
        rows = bodies(batch, scorer.needed)
        parts.append(answered_by_http(client, model, rows, AnswerOptions(), scorer.schema)[0])
    return pa.Table.from_batches(parts)


def leaves(array: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """An array's columns of plain values, those of structs by their names."""
    if pa.types.is_struct(array.type):
        for field, values in zip(array.type, array.flatten(), strict=True):
            yield from leaves(values, f"{name}.{field.name}")
    yield name, array


def digests(model: Model, table: Any) -> Mapping[str, str]:
    """SHA-256 of each column's values, byte for byte, and of which of them JSON has null for."""
    names = Scorer(model, table_schema(model), AnswerOptions()).schema.names
    return {
        path: hashlib.sha256(content(leaf)).hexdigest()
        for name in names
        for path, leaf in leaves(table.column(name).combine_chunks(), name)
    }


def content(leaf: Any) -> bytes:
    """What is null, and what is not, as bytes."""
    null = leaf.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_struct(leaf.type):
        return bytes(null)
    if not (pa.types.is_floating(leaf.type) or pa.types.is_integer(leaf.type)):
        return json.dumps(leaf.to_pylist()).encode()
    numbers = leaf.fill_null(0).to_numpy(zero_copy_only=False).copy()
    null = null | ~np.isfinite(numbers)
    numbers[null] = 0
    return bytes(null) + bytes(numbers)


def table_schema(model: Model) -> Any:
    return pa.schema([(c.name, pa.null()) for c in model.signature.columns])


def by_a_server(model: Model, table: Any, folder: Path) -> Any:
    assert model.directory is not None
    server = start_server(model.directory.parent.parent, CLEAN, folder / "log")
    try:
        return _by_http(Client(through_socket(server.port)), model, table)
    finally:
        stop_server(server)


def by_lambda(model: Model, table: Any, folder: Path) -> Any:
    assert model.directory is not None
    app = create_app(model.directory.parent.parent)

    def send(event: dict[str, Any]) -> dict[str, Any]:
        return json.loads(json.dumps(respond(app, event, CONTEXT)))  # type: ignore[no-any-return] # an object

    return _by_http(Client(through_events(send, make_v2_event)), model, table)


def by_score(model: Model, table: Any, folder: Path, **more: Any) -> Any:
    assert model.directory is not None
    write(table, folder / "in.parquet", 10 * BATCH)
    options = Options(batch_rows=BATCH)
    models, out = model.directory.parent.parent, folder / "out"
    running.score(model.name, str(folder / "in.parquet"), str(out), options, models=models, **more)
    return read_parts(out)


def by_dask(model: Model, table: Any, folder: Path) -> Any:
    with cluster(folder / "cluster", workers=2) as started:
        return by_score(model, table, folder, scheduler=started.address)


def by_duckdb(model: Model, table: Any, folder: Path) -> Any:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        register_duckdb(connection, model.directory)
        connection.register("t", table.drop_columns("id"))
        asked = f"SELECT answer('{model.name}', t) AS answer FROM t"  # noqa: S608 - the test's own
        answers = connection.sql(asked).arrow().read_all()["answer"].combine_chunks()
    fields = [field.name for field in answers.type if field.name != "problem"]
    return pa.table({name: answers.field(name) for name in fields})


WAYS: Mapping[str, Callable[..., Any]] = {
    "server": by_a_server,
    "lambda": by_lambda,
    "score": lambda model, table, folder: by_score(model, table, folder, workers=2),
    "dask": by_dask,
    "duckdb": by_duckdb,
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_bytes(
    model: Model, table: Any, expected: Mapping[str, str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, way: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(formats, "SMALL_GROUP", 1)
    assert digests(model, WAYS[way](model, table, tmp_path)) == expected
