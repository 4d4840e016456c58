"""Batches of a part: of one size, wherever readers and files are cut."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from onnxlet.convert.score import part
from onnxlet.convert.score.storage import LocalFolder
from onnxlet.convert.score.tasks import Options, ScoreTask
from onnxlet.convert.tables import formats
from onnxlet.convert.tables.csv_parts import cuts

ROWS = 1000
TABLE = pa.table({"a": np.arange(ROWS).astype(str), "b": [f"t\n{n}" for n in range(ROWS)]})


def task(file: Path, kind: Any, start: int, end: int, first: int, batch: int) -> ScoreTask:
    found = file.stat()
    return ScoreTask(
        "part", str(file.parent), file.name, kind, found.st_size, found.st_mtime_ns,
        formats.Span(start, end, first, 1), None, (), ("a", "b"), "model", "graph",
        Options(batch_rows=batch), "out", "csv",
    )  # fmt: skip


def read(given: ScoreTask) -> list[formats.RowBatch]:
    return list(part.batches(given, LocalFolder(given.source), ["b", "a"]))


def check(found: list[formats.RowBatch], batch: int) -> None:
    full, last = divmod(ROWS, batch)
    assert [each.rows.num_rows for each in found] == [batch] * full + [last] * bool(last)
    assert all(each.rows.schema.names == ["b", "a"] for each in found)
    whole = pa.Table.from_batches([each.rows for each in found])
    assert whole.to_pydict() == TABLE.select(["b", "a"]).to_pydict()


@pytest.mark.parametrize("batch", [1, 7, 250, 999, 1000, 5000])
@pytest.mark.parametrize("group", [90, 1000])
def test_parquet(group: int, batch: int, tmp_path: Path) -> None:
    parquet.write_table(TABLE, tmp_path / "in.parquet", row_group_size=group)
    groups = -(-ROWS // group)
    found = read(task(tmp_path / "in.parquet", "parquet", 0, groups, 5, batch))
    check(found, batch)
    assert [each.number(0) for each in found] == list(range(5, ROWS + 5, batch))


@pytest.mark.parametrize("sizes", [[10, 1, 0, 30, 2], [3] * 9, [100], []])
def test_whatever_sizes_a_reader_gives(sizes: list[int]) -> None:
    rows = pa.RecordBatch.from_pydict({"a": np.arange(sum(sizes))})
    ends = np.cumsum([0, *sizes]).tolist()
    given = [
        formats.RowBatch(rows.slice(start, size), {}, formats.counting(start))
        for start, size in zip(ends, sizes, strict=False)
    ]
    found = list(formats.of_size(iter(given), 7))
    assert [each.rows.num_rows for each in found[:-1]] == [7] * len(found[:-1])
    pairs = [
        (x, each.number(n)) for each in found for n, x in enumerate(each.rows["a"].to_pylist())
    ]
    assert pairs == [(number, number) for number in range(sum(sizes))]


@pytest.mark.parametrize("batch", [1, 7, 250, 1000, 5000])
def test_packed_csv_is_read_in_blocks(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = zip(TABLE["a"].to_pylist(), TABLE["b"].to_pylist(), strict=True)
    text = "a,b\n" + "".join(f'{a},"{b}"\n' for a, b in rows)
    path = tmp_path / "in.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    monkeypatch.setattr(formats, "cuts", lambda opened, below: cuts(opened, below, 500))
    found = read(task(path, "csv.gz", 0, path.stat().st_size, 1, batch))
    check(found, batch)
    numbers = [each.number(row) for each in found for row in range(each.rows.num_rows)]
    assert numbers == list(range(2, 2 * ROWS + 2, 2))  # each row has two lines
