"""Tables on disk: held-out rows in CSV or Parquet, and what is wrong with a file of neither."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from onnxlet.convert.errors import shortened
from onnxlet.function.errors import WrongUse

SEPARATORS = {";": "';'", "\t": "tabs", "|": "'|'"}
MARKS_OF_UTF16 = (b"\xff\xfe", b"\xfe\xff")
SHOWN_FILES = 5


def read_table_file(
    path: Path, report: Callable[[str], object] = lambda line: None
) -> pd.DataFrame:
    """Read CSV (also .gz) or Parquet.

    Args:
        path: of the file.
        report: called with what the reader should know of it.

    Raises:
        WrongUse: there is no such file, or it is neither.
    """
    if not path.is_file():
        raise _no_file(path)
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        if ".csv" in path.suffixes:
            return _csv(path, report)
    except ImportError as error:
        raise WrongUse(f"--data: '{path}' needs a Parquet reader", "pip install pyarrow") from error
    except WrongUse:
        raise
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
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
    _check_separator(path)
    frame = pd.read_csv(path)
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        report(
            f"note: '{path.name}' has a field more in its rows than in its header: the first of "
            "each row is left out"
        )
    return frame


def _check_separator(path: Path) -> None:
    """Refuse a header that something other than commas separates."""
    header, first = _lines(path)
    for separator, name in SEPARATORS.items():
        count = header.count(separator)
        if count and "," not in header and (not first or first.count(separator) >= count):
            comma = ", decimal=','" if separator != "\t" and "," in first else ""
            raise WrongUse(
                f"--data: '{path}' is separated by {name}, expected commas: its header is "
                f"{header[:200]!r}",
                f"pandas.read_csv({str(path)!r}, sep={separator!r}{comma})"
                ".to_csv('held_out.csv', index=False) writes it with commas.",
            )


def _opened(path: Path) -> bytes:
    if path.suffix == ".gz":
        with gzip.open(path) as file:
            return file.read()
    return path.read_bytes()


def _lines(path: Path) -> tuple[str, str]:
    """The header, and the row below it; both empty where the file is packed otherwise."""
    if path.suffix not in (".csv", ".gz"):
        return "", ""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        header, first = file.readline(), file.readline()
    return header.decode("utf-8-sig").strip("\r\n"), first.decode().strip("\r\n")


def _not_utf8(path: Path) -> WrongUse:
    """Which line is in another encoding, and how it is read."""
    content = _opened(path)
    if content.startswith(MARKS_OF_UTF16):
        encoding, fault = "utf-16", "it is UTF-16"
    else:
        encoding, fault = "latin-1", "it is not"
        for number, line in enumerate(content.split(b"\n"), start=1):
            shown = line.decode("utf-8", "replace").strip()
            if "\ufffd" in shown:
                fault = f"line {number} is not: {shown[:80]!r}"
                break
    return WrongUse(
        f"--data: expected '{path}' in UTF-8, {fault}",
        f"If it is {encoding}, pandas.read_csv({str(path)!r}, encoding={encoding!r})"
        ".to_csv('held_out.csv', index=False) writes it in UTF-8.",
    )


def _way_out(path: Path) -> str:
    if path.suffix == ".parquet":
        return "Is it a Parquet file? pandas writes one: frame.to_parquet('held_out.parquet')."
    return (
        "Expected a header that names the columns and a row a line, commas between the fields, and "
        'fields that hold commas in quotes: "like, this".'
    )
