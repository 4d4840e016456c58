"""Tables on disk: held-out rows in CSV or Parquet, and what is wrong with a file of neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.convert.progress import Report
from onnxlet.convert.tables.rows_file import Opened, no_file, no_rights
from onnxlet.function.csv.form import form_of
from onnxlet.function.errors import OnnxletError, WrongUse

WHAT = "--data"
FIRST_LEFT_OUT = (
    "has a field more in its rows than in its header: the first of each row is left out"
)


def read_table_file(path: Path, report: Report = lambda line: None) -> Any:
    """Read CSV (also .gz), whatever separates its fields and encodes its text, or Parquet.

    WrongUse where there is no such file, or it is neither.
    """
    if not path.is_file():
        raise no_file(path, WHAT)
    try:
        if path.suffix in (".parquet", ".pq"):
            # PyArrow, which only such tables need: `make run` does without
            from onnxlet.convert.tables.parquet_file import read_parquet

            return read_parquet(path, WHAT)
        if ".csv" in path.suffixes or path.suffix == ".tsv":
            return _csv(path, report)
    except (OnnxletError, ModuleNotFoundError):
        raise
    except pd.errors.EmptyDataError as error:
        raise WrongUse(f"{WHAT}: '{path}' is empty", way_out(path)) from error
    except PermissionError as error:
        raise no_rights(path, WHAT) from error
    except Exception as error:
        raise WrongUse(
            f"{WHAT}: '{path}' can't be read: {shortened(error)}", way_out(path)
        ) from error
    raise WrongUse(
        f"{WHAT}: expected a .csv, .csv.gz or .parquet file, got '{path}'",
        "pandas writes one: frame.to_csv('held_out.csv', index=False).",
    )


def _csv(path: Path, report: Report) -> pd.DataFrame:
    opened = Opened(path, path.name, WHAT)
    form = form_of(opened.open, str(path), WHAT, opened.limits)
    if said := form.said():
        report(f"note: '{path.name}' is read as it is {said}")
    with opened.open() as file:
        frame: pd.DataFrame = pd.read_csv(file, **form.for_pandas())
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        report(f"note: '{path.name}' {FIRST_LEFT_OUT}")
    return frame


def way_out(path: Path) -> str:
    """What a file of rows should look like."""
    if path.suffix in (".parquet", ".pq"):
        return "Is it a Parquet file? pandas writes one: frame.to_parquet('held_out.parquet')."
    return (
        "Expected a header that names the columns and a row a line, commas between the fields, and "
        'fields that hold commas in quotes: "like, this".'
    )
