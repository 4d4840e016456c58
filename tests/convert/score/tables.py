"""Tables to score, and the answers of the app to the same rows: the other way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from onnxlet.function.app import create_app
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.settings import Settings
from tests.conftest import Client, client_of

JOURNAL = "_journal.jsonl"


def golden_table(models: Path, name: str, rows: int, seed: int = 0) -> Any:
    """Golden rows, drawn again and again, with the column `id`."""
    golden = json.loads((models / name / "1" / "golden.json").read_bytes())
    names = [column.name for column in loaded(models, name).signature.columns]
    found = [
        row if isinstance(row, dict) else dict(zip(names, row, strict=True))
        for row in golden["instances"]
    ]
    chosen = np.random.default_rng(seed).integers(0, len(found), rows)
    table = pa.Table.from_pylist(found).take(pa.array(chosen))
    return table.append_column("id", pa.array(np.arange(rows)))


def with_years(table: Any, years: Mapping[int, float]) -> Any:
    """House prices in which the years of some rows are others, and not whole."""
    cells: list[Any] = table["Year_Built"].to_pylist()
    for row, year in years.items():
        cells[row] = year
    at = table.schema.get_field_index("Year_Built")
    return table.set_column(at, "Year_Built", pa.array(cells, pa.float64()))


def write(table: Any, path: Path, group: int = 1 << 20) -> str:
    """Write a table by what its name ends with; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    else:
        parquet.write_table(table, path, row_group_size=group)
    return str(path)


def read_parts(out: Path) -> Any:
    """All parts of a folder, in the order of their names."""
    files = sorted(out.rglob("*.parquet"))
    return pa.concat_tables(
        parquet.read_table(file) for file in files if "_bad" not in file.parts
    ).combine_chunks()


def client_of_all(models: Path) -> Client:
    return client_of(create_app(models, settings=Settings(models=models)))


def predictions_of_app(client: Client, name: str, table: Any, batch: int, extra: str = "") -> Any:
    """The app's `prediction` for each row, in batches of so many rows."""
    found: list[Any] = []
    columns = [each for each in table.schema.names if each != "id"]
    for start in range(0, table.num_rows, batch):
        rows = table.select(columns).slice(start, batch).to_pylist()
        answer = client.post(f"/models/{name}/predict?on_error=null{extra}", rows)
        assert answer.status == 200, answer.body
        found += answer.json()["prediction"]
    return found


def journal(work: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work / JOURNAL).read_text().splitlines()]


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for the journal."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != JOURNAL
    }


def loaded(models: Path, name: str) -> Model:
    return load_model(models / name / "1")
