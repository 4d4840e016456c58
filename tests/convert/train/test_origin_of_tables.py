"""Where rows come from: the table's own bytes, those of the test set, a folder of images."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from onnxlet.convert.train.preparing import Options, inspect_table
from onnxlet.convert.train.table import rows_of
from tests.convert.helpers import quiet


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_trained_table_is_named_by_its_bytes(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": range(60), "b": [n % 7 for n in range(60)]}).assign(y=1)
    rows["y"] = rows["a"] * 2.0 + rows["b"]
    table, test = tmp_path / "rows.csv", tmp_path / "later.csv"
    rows.to_csv(table, index=False)
    rows[:30].to_csv(test, index=False)

    inspected = inspect_table(str(table), "y", Options(test=str(test)), quiet)
    of_a_frame = inspect_table(rows, "y", Options(), quiet)

    assert inspected.origin == {
        "tables": [{"file": "rows.csv", "sha256": sha256(table)}],
        "held_out": [{"file": "later.csv", "sha256": sha256(test)}],
    }
    assert of_a_frame.origin == {}


def test_a_folder_of_images_is_one_entry(tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/1.png", "dog/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    files = ["cat/1.png", "dog/1.png", "dog/2.png"]
    listing = "".join(f"{sha256(tmp_path / name)}  {name}\n" for name in files)

    rows = rows_of(str(tmp_path), "label", 0, quiet)

    digest = hashlib.sha256(listing.encode()).hexdigest()
    assert list(rows.files) == [{"file": tmp_path.name, "files": 3, "sha256": digest}]
