"""Scoring: rows a second beside the bare session, and memory by the number of rows."""

from __future__ import annotations

import subprocess
import sys
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

from bench.load.processes import ROOT
from bench.models import Fitted, breast_cancer_split
from bench.report import Line, comparisons
from onnxlet.convert.score import running
from onnxlet.convert.score.tasks import Options
from onnxlet.function.models.model import load_model

GROUP = 100_000  # rows of a row group, which is a part
GROUPS = {"logistic": 20, "forest": 3}  # that are timed
ROUNDS = 5
BATCH = 10_000
FEW, MANY = 10, 200  # row groups, of which the memory is measured
ABOUT = f"""`onnxlet score` of Parquet with 30 numbers a row, in row groups of {GROUP:,} rows, into
Parquet, by one process: read, checked, answered, written, hashed and brought to disk; beside
`session.run` on the same {BATCH:,} rows at a time, as NumPy has them in memory already. Reading is
what only reading takes. Memory is the highest of a process that scores {MANY} row groups, beside
one that scores {FEW}.
"""
PEAK = """
import resource, sys
from onnxlet.convert.command_line import main
main(sys.argv[1:], standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        beside = [line for name in GROUPS for line in _rates(models, folder, name)]
        peaks = [_peak(models, folder, groups) for groups in (FEW, MANY)]
        beside.append(_memory(*peaks))
    return f"{ABOUT}\n{comparisons('session.run', beside)}"


def _table(folder: Path, groups: int) -> Path:
    """A table of so many equal row groups, but for their ids."""
    path = folder / f"in-{groups}.parquet"
    if path.exists():
        return path
    _, X_test, _, _ = breast_cancer_split()
    repeated = pd.concat([X_test] * (GROUP // len(X_test) + 1), ignore_index=True)[:GROUP]
    # Numbers that all differ, as measured ones do: repeated ones would be read for nothing.
    noise = np.random.default_rng(0).normal(1, 1e-6, repeated.shape)
    table = pa.Table.from_pandas(repeated * noise, preserve_index=False)
    for number in range(groups):
        ids = pa.array(np.arange(number * GROUP, (number + 1) * GROUP))
        some = table.append_column("id", ids)
        if not number:
            writer = parquet.ParquetWriter(path, some.schema)
        writer.write_table(some, row_group_size=GROUP)
    writer.close()
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
    given = session.get_inputs()[0]
    dtype, seconds = np.float32 if "float)" in given.type else np.float64, 0.0
    names = [column.name for column in model.signature.columns]
    with parquet.ParquetFile(source) as file:
        for group in range(file.num_row_groups):
            frame = file.read_row_group(group, names).to_pandas()
            numbers = frame.to_numpy(dtype)
            some = [np.ascontiguousarray(numbers[at : at + BATCH]) for at in range(0, GROUP, BATCH)]
            start = time.perf_counter()
            for each in some:
                session.run(None, {given.name: each})
            seconds += time.perf_counter() - start
    return seconds


def _peak(models: Path, folder: Path, groups: int) -> float:
    """The most memory, in MiB, of a process that scores a table."""
    where = str(models / "logistic"), str(_table(folder, groups)), str(folder / f"of-{groups}")
    words = ["score", *where, "--keep", "id", "--workers", "1"]
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *words], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-1]) / (1 << (10 if sys.platform != "darwin" else 20))


def _memory(few: float, many: float) -> Line:
    what = f"peak memory, {MANY * GROUP:,} rows beside {FEW * GROUP:,}"
    return Line(what, f"{many:,.0f} MiB", f"{few:,.0f} MiB", many / few, 1.1)
