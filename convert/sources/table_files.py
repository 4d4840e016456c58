"""Tables on disk: held-out rows in CSV or Parquet, and what is wrong with a file of neither."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.function.errors import OnnxletError, WrongUse

SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'", "^": "'^'", "~": "'~'", ":": "':'"}
WINDOWS = "cp1252"
GUESSED = " (Windows' Western letters; is a name wrong, save it in UTF-8)"
DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+(?:[eE][+-]?[0-9]+)?")
DECIMAL_POINT = re.compile(r"[+-]?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?")
PLAIN = (".csv", ".tsv", ".gz")  # whose bytes are looked at; pandas opens other packings
MARKS_OF_UTF16 = (b"\xff\xfe", b"\xfe\xff")
SHOWN_FILES = 5
SOME_LINES = 1000  # that are looked at for commas in numbers


def read_table_file(path: Path, report: Callable[[str], object] = lambda line: None) -> Any:
    """Read CSV (also .gz), whatever separates its fields and encodes its text, or Parquet.

    Args:
        path: of the file.
        report: called with what the reader should know of it.

    Returns:
        A DataFrame of pandas; of Parquet where pandas can't read it, one of polars.

    Raises:
        WrongUse: there is no such file, or it is neither.
    """
    if not path.is_file():
        raise _no_file(path)
    try:
        if path.suffix in (".parquet", ".pq"):
            return _parquet(path)
        if ".csv" in path.suffixes or path.suffix == ".tsv":
            return _csv(path, report)
    except OnnxletError:
        raise
    except pd.errors.EmptyDataError as error:
        raise WrongUse(f"--data: '{path}' is empty", _way_out(path)) from error
    except Exception as error:
        raise WrongUse(
            f"--data: '{path}' can't be read: {shortened(error)}", _way_out(path)
        ) from error
    raise WrongUse(
        f"--data: expected a .csv, .csv.gz or .parquet file, got '{path}'",
        "pandas writes one: frame.to_csv('held_out.csv', index=False).",
    )


def looked_in(path: Path) -> str:
    """Where a file that is not there was looked for; empty where its path says so."""
    return "" if path.is_absolute() else f"Looked for in {Path.cwd()}."


def _no_file(path: Path) -> WrongUse:
    if not path.is_dir():
        return WrongUse(f"--data: there is no file '{path}'", looked_in(path))
    inside = sorted(e.name for e in path.iterdir() if {".csv", ".parquet"} & set(e.suffixes))
    found = f"There are {', '.join(inside[:SHOWN_FILES])} in it." if inside else ""
    return WrongUse(f"--data: '{path}' is a folder", f"Name one file of rows. {found}".rstrip())


def _csv(path: Path, report: Callable[[str], object]) -> pd.DataFrame:
    encoding = _encoding(path)
    header, rows = _lines(path, encoding)
    separator = _separator(header, rows[0] if rows else "")
    decimal = "," if separator != "," and _has_decimal_commas(rows, separator) else "."
    said = []
    if encoding != "utf-8":
        said.append(f"in {encoding}" + GUESSED * (encoding == WINDOWS))
    if separator != ",":
        said.append(f"separated by {SEPARATORS[separator]}")
    if decimal != ".":
        said.append("with decimal commas")
    if said:
        report(f"note: '{path.name}' is read as it is {', '.join(said)}")
    frame = pd.read_csv(path, sep=separator, encoding=encoding, decimal=decimal)
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        report(
            f"note: '{path.name}' has a field more in its rows than in its header: the first of "
            "each row is left out"
        )
    return frame


def _parquet(path: Path) -> Any:
    """Read by what is installed: pandas with PyArrow or fastparquet, or polars into its own."""
    try:
        return pd.read_parquet(path)
    except ImportError as error:
        try:
            import polars
        except ImportError:
            raise WrongUse(
                f"--data: '{path}' needs a Parquet reader", "pip install pyarrow, or polars."
            ) from error
    return polars.read_parquet(path)


def _separator(header: str, first: str) -> str:
    """What separates a header's names, and the row's fields below it; a comma if in doubt."""
    for separator in SEPARATORS:
        count = header.count(separator)
        if count and "," not in header and (not first or first.count(separator) >= count):
            return separator
    return ","


def _has_decimal_commas(lines: Sequence[str], separator: str) -> bool:
    """Whether a field is a number with a comma, and none is one with a point."""
    fields = [field.strip().strip('"') for line in lines for field in line.split(separator)]
    commas = [field for field in fields if DECIMAL_COMMA.fullmatch(field)]
    return bool(commas) and not any(DECIMAL_POINT.fullmatch(field) for field in fields)


def _encoding(path: Path) -> str:
    """The encoding that a file's bytes are of, the most strict first."""
    if path.suffix not in PLAIN:
        return "utf-8"
    content = _opened(path)
    if content.startswith(MARKS_OF_UTF16):
        return "utf-16"
    for encoding in ("utf-8", WINDOWS):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    raise WrongUse(
        f"--data: '{path}' is neither UTF-8 nor UTF-16 nor {WINDOWS}",
        f"pandas.read_csv({str(path)!r}, encoding='…').to_csv('held_out.csv', index=False) "
        "writes it in UTF-8.",
    )


def _opened(path: Path) -> bytes:
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            return file.read()
    return path.read_bytes()


def _lines(path: Path, encoding: str) -> tuple[str, list[str]]:
    """The header, and some rows below it; nothing where the file is packed differently."""
    if path.suffix not in PLAIN:
        return "", []
    text = io.StringIO(_opened(path).decode(encoding).removeprefix("\ufeff"))
    header, *rows = [line.strip("\r\n") for line in islice(text, SOME_LINES)] or [""]
    return header, rows


def _way_out(path: Path) -> str:
    if path.suffix in (".parquet", ".pq"):
        return "Is it a Parquet file? pandas writes one: frame.to_parquet('held_out.parquet')."
    return (
        "Expected a header that names the columns and a row a line, commas between the fields, and "
        'fields that hold commas in quotes: "like, this".'
    )
