"""Held-out rows for `build`: a file of a table as one frame of pandas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.convert.progress import Report
from onnxlet.convert.tables.json_rows import JSON
from onnxlet.convert.tables.places import Places
from onnxlet.convert.tables.rows_file import (
    BY_ITSELF,
    HowRead,
    Opened,
    json_frame,
    no_file,
    no_rights,
)
from onnxlet.convert.tables.totals import without_totals
from onnxlet.convert.tables.units import SIGN, bare, unit_in
from onnxlet.convert.tables.workbook import WORKBOOKS
from onnxlet.function.csv.layout import decimal_in
from onnxlet.function.csv.numbers import written_number
from onnxlet.function.errors import OnnxletError, WrongUse

WHAT = "--data"


def read_table_file(
    path: Path, report: Report = lambda line: None, how: HowRead = BY_ITSELF
) -> Any:
    """Read CSV (also .gz), whatever separates its fields and encodes its text, Parquet, a workbook.

    WrongUse where there is no such file, or it is neither.
    """
    if not path.is_file():
        raise no_file(path, WHAT)
    try:
        if path.suffix in (".parquet", ".pq"):
            # PyArrow, which only such tables need: `make run` does without
            from onnxlet.convert.tables.parquet_file import read_parquet

            return read_parquet(path, WHAT)
        if {".csv", ".tsv", *WORKBOOKS, *JSON} & set(path.suffixes):
            return _csv(path, report, how)
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
        f"{WHAT}: expected a .csv, .csv.gz, .parquet, .xlsx or .json file, got '{path}'",
        "pandas writes one: frame.to_csv('held_out.csv', index=False).",
    )


def _csv(path: Path, report: Report, how: HowRead) -> pd.DataFrame:
    opened = Opened(path, path.name, WHAT, how=how)
    if opened.json:
        return json_frame(opened)
    form = opened.form
    for note in opened.notes():
        report(f"note: {note}")
    grouped = opened.grouped()
    with opened.plain() as file:
        frame: pd.DataFrame = pd.read_csv(
            file,
            decimal="," if form.decimal == "," else ".",
            dtype=dict.fromkeys([*grouped, *how.texts], "str"),
        )
    rows = Places.of_rows(np.arange(len(frame)), path.name)
    left, kept = without_totals(frame, rows, True, lambda text: report(f"note: {text}"))
    texts = frame[[*how.texts]].iloc[kept.numbers - 1].reset_index(drop=True)
    frame = left.assign(**texts)
    if not form.is_plain:
        for name in frame.columns.difference(texts.columns, sort=False):
            frame[name] = _numbers(frame[name], "," if name in grouped else form.decimal)
    return frame


def _numbers(column: pd.Series[Any], decimal: str) -> pd.Series[Any]:
    """A column of text as numbers, where all of it is numbers as people write them."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return column
    texts = [str(text) for text in column.dropna().unique()]
    unit = unit_in(texts)
    if unit and unit not in SIGN:  # an estimator of one's own may take it as text: 36 months
        return column
    plain = {text: bare(text, unit) for text in texts}
    comma = (decimal_in(list(plain.values())) or decimal) == ","
    read = {text: written_number(number, comma) for text, number in plain.items()}
    if not read or any(isinstance(number, str) for number in read.values()):
        return column
    return column.map(read).astype(float)


def way_out(path: Path) -> str:
    """What a file of rows should look like."""
    if path.suffix in (".parquet", ".pq"):
        return "Is it a Parquet file? pandas writes one: frame.to_parquet('held_out.parquet')."
    return (
        "Expected a header that names the columns and a row a line, commas between the fields, and "
        'fields that hold commas in quotes: "like, this".'
    )
