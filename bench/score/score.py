"""Scoring: rows a second beside the bare session."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from bench.models import Fitted, breast_cancer_split
from bench.report import Line, comparisons
from onnxlet.convert.score import running
from onnxlet.convert.score.tasks import Options
from onnxlet.function.models.model import load_model

GROUP = 100_000  # rows of a row group, which is a part
GROUPS = {"logistic": 20, "forest": 3}  # that are timed
ROUNDS = 5
BATCH = 10_000
ABOUT = f"""`onnxlet score` of Parquet with 30 numbers a row, in row groups of {GROUP:,} rows, into
Parquet, by one process: read, checked, answered, written, hashed and brought to disk; beside
`session.run` on the same {BATCH:,} rows at a time, as NumPy has them in memory already. Reading is
what only reading takes.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    with tempfile.TemporaryDirectory() as made:
        lines = [line for name in GROUPS for line in _rates(models, Path(made), name)]
    return f"{ABOUT}\n{comparisons('session.run', lines)}"


def _table(folder: Path, groups: int) -> Path:
    """A table of so many equal row groups."""
    path = folder / f"in-{groups}.parquet"
    _, X_test, _, _ = breast_cancer_split()
    repeated = pd.concat([X_test] * (GROUP // len(X_test) + 1), ignore_index=True)[:GROUP]
    # Numbers that all differ, as measured ones do: repeated ones would be read for nothing.
    noise = np.random.default_rng(0).normal(1, 1e-6, repeated.shape)
    table = pa.Table.from_pandas(repeated * noise, preserve_index=False)
    with parquet.ParquetWriter(path, table.schema) as writer:
        for _ in range(groups):
            writer.write_table(table, row_group_size=GROUP)
    return path


def _rates(models: Path, folder: Path, name: str) -> Iterator[Line]:
    groups = GROUPS[name]
    source, rows = _table(folder, groups), groups * GROUP
    model = load_model(models / name / "1")
    took: dict[str, list[float]] = {"session": [], "score": [], "read": []}
    for number in range(ROUNDS):
        took["session"].append(_session(model, source))
        start = time.perf_counter()
        running.score(
            str(models / name), str(source), str(folder / f"{name}-{number}"),
            Options(batch_rows=BATCH), workers=1,
        )  # fmt: skip
        took["score"].append(time.perf_counter() - start)
        start = time.perf_counter()
        with parquet.ParquetFile(source, pre_buffer=False) as file:
            for _ in file.iter_batches(BATCH, use_threads=False):
                pass
        took["read"].append(time.perf_counter() - start)
    rate = {what: rows / median(seconds) for what, seconds in took.items()}
    theirs = f"{rate['session']:,.0f} rows/s"
    for what, said, target in (("score", "score", 0.8), ("read", "reading", None)):
        ratio = rate[what] / rate["session"]
        ours = f"{rate[what]:,.0f} rows/s"
        yield Line(f"{said}, {name}", ours, theirs, ratio, target, at_least=True)


def _session(model: Any, source: Path) -> float:
    """The seconds in which the session runs all rows, a row group in memory at a time."""
    session = model._session
    [(given, dtype)] = session.inputs.items()
    seconds = 0.0
    names = [column.name for column in model.signature.columns]
    with parquet.ParquetFile(source) as file:
        for group in range(file.num_row_groups):
            frame = file.read_row_group(group, names).to_pandas()
            numbers = frame.to_numpy(dtype)
            some = [np.ascontiguousarray(numbers[at : at + BATCH]) for at in range(0, GROUP, BATCH)]
            start = time.perf_counter()
            for each in some:
                session.run(None, {given: each})
            seconds += time.perf_counter() - start
    return seconds
