"""Engines: DuckDB's function beside the bare session, and two workers of Dask beside one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from bench.models import breast_cancer_split
from bench.report import Line, comparisons
from bench.serving import Fitted
from onnxlet import register_duckdb
from onnxlet.convert.score import running
from onnxlet.convert.score.on_cluster import OnCluster
from onnxlet.convert.score.tasks import Options
from onnxlet.function.models.model import load_model

ROWS = 400_000  # of DuckDB's table: some of each model's, by how long they take
SHARE = {"forest": 0.1, "logistic": 1.0}
VECTOR = 2048  # rows that DuckDB hands over at a time
ROUNDS = 7
GROUPS, GROUP = 24, 100_000  # row groups, and the rows of each
ABOUT = f"""DuckDB: a query that counts `predict('NAME', t)` of {ROWS:,} rows of 30 numbers in
memory (a tenth of them for the forest), on one thread, beside `session.run` on the same {VECTOR:,}
rows at a time as NumPy has them already; and beside a function that looks at nothing, which is
what DuckDB's own way to Python takes. Dask: `onnxlet score --scheduler` of {GROUPS} row groups of
{GROUP:,} rows in Parquet, by workers of one thread, from when each has done its first part.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    lines = [line for name in SHARE for line in duckdb_lines(models / name, name)]
    duck = comparisons("session.run", lines)
    return f"### Engines\n\n{ABOUT}\n{duck}\n{comparisons('one worker', [dask_line(models)])}"


def table_of(rows: int) -> Any:
    """Test rows, again and again."""
    _, X_test, _, _ = breast_cancer_split()
    repeated = pd.concat([X_test] * (rows // len(X_test) + 1), ignore_index=True)
    return pa.Table.from_pandas(repeated.iloc[:rows], preserve_index=False)


def duckdb_lines(directory: Path, name: str) -> Iterator[Line]:
    """One model's function, and one that looks at nothing."""
    import duckdb

    rows = int(ROWS * SHARE[name])
    table = table_of(rows)
    model = load_model(directory / "1")
    kind = model._session.get_inputs()[0].type
    numbers = table.to_pandas().to_numpy(np.float32 if "float" in kind else np.float64)
    batches = [np.ascontiguousarray(numbers[at : at + VECTOR]) for at in range(0, rows, VECTOR)]
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.register("given", table)
        connection.execute("CREATE TABLE t AS SELECT * FROM given")
        register_duckdb(connection, directory)
        connection.create_function(
            "nothing", lambda model, *row: pa.array(np.ones(len(model))), None, "DOUBLE",
            type="arrow", null_handling="special",
        )  # fmt: skip
        calls = {
            "session": partial(_run, model._session, batches),
            "predict": partial(_asked, connection, f"SELECT count(predict('{name}', t)) FROM t"),  # noqa: S608
            "nothing": partial(_asked, connection, f"SELECT count(nothing('{name}', t)) FROM t"),  # noqa: S608
        }
        took = _in_turns(calls)
    rate = {call: rows / seconds for call, seconds in took.items()}
    theirs = f"{rate['session']:,.0f} rows/s"
    for call, what, target in (
        ("predict", f"DuckDB, {name}", 0.5),
        ("nothing", "DuckDB, a function that looks at nothing", None),
    ):
        ours, ratio = f"{rate[call]:,.0f} rows/s", rate[call] / rate["session"]
        yield Line(what, ours, theirs, ratio, target, at_least=True)


def _run(session: Any, batches: list[Any]) -> None:
    name = session.get_inputs()[0].name
    for batch in batches:
        session.run(None, {name: batch})


def _asked(connection: Any, query: str) -> None:
    connection.execute(query).fetchall()


def _in_turns(calls: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """The median seconds of each call; each is tried in each round."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number:  # the first one warms up
                took[name].append(time.perf_counter() - start)
    return {name: median(each) for name, each in took.items()}


def dask_line(models: Path) -> Line:
    """Two workers beside one, on the forest."""
    from tests.convert.workers.dask_processes import cluster

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        parquet.write_table(table_of(GROUP), folder / "group.parquet")
        group = parquet.read_table(folder / "group.parquet")
        with parquet.ParquetWriter(folder / "in.parquet", group.schema) as writer:
            for _ in range(GROUPS):
                writer.write_table(group, row_group_size=GROUP)
        rates = []
        for workers in (1, 2):
            with cluster(folder / f"of{workers}", workers=workers) as started:
                rates.append(_rate(models, folder, started.address, workers))
    one, two = rates
    return Line(
        "Dask, two workers", f"{two:,.0f} rows/s", f"{one:,.0f} rows/s", two / one, 1.8,
        at_least=True,
    )  # fmt: skip


def _rate(models: Path, folder: Path, address: str, workers: int) -> float:
    """Rows a second, once each worker has done a part."""
    ends: list[float] = []

    class Timed(OnCluster):
        def outcomes(self, tasks: Any, tick: Any) -> Iterator[Any]:
            for outcome in super().outcomes(tasks, tick):
                ends.append(time.perf_counter())
                yield outcome

    running.score(
        "forest", str(folder / "in.parquet"), str(folder / f"out{workers}"), Options(),
        models=models, engine=Timed(address),
    )  # fmt: skip
    return (len(ends) - workers) * GROUP / (ends[-1] - ends[workers - 1])
