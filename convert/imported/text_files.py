"""`--sample` and `--expected` of texts: a line each, a column of CSV, or an array."""

from __future__ import annotations

import csv
from pathlib import Path

from onnxlet.convert.imported.sample import read_arrays
from onnxlet.function.errors import WrongUse

FORMS = "Give a .txt file with a text in each line, a .csv file with a header, or an .npz file."


def read_texts(path: Path, option: str, column: str) -> list[str]:
    """The texts of a file.

    Args:
        path: of the file; its suffix says how it is read.
        option: that names it, for messages.
        column: of CSV, or array, that has the texts; the only one may have any name.

    Raises:
        WrongUse: there is no such file, or it has no texts.
    """
    if not path.is_file():
        raise WrongUse(f"{option}: there is no file '{path}'")
    try:
        texts = READERS[path.suffix.lower()](path, option, column)
    except KeyError:
        raise WrongUse(f"{option}: '{path}': expected .txt, .csv or .npz", FORMS) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise WrongUse(f"{option}: '{path}' is not text in UTF-8: {error}", FORMS) from error
    if not texts:
        raise WrongUse(f"{option}: '{path}' has no texts", FORMS)
    return texts


def _lines(path: Path, option: str, column: str) -> list[str]:
    """Lines end with a line feed; a text may have any other character that ends lines."""
    lines = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    return lines[:-1] if not lines[-1] else lines


def _csv_column(path: Path, option: str, column: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names, *rows = list(csv.reader(file)) or [[]]
    name = _only(names, column, option, path)
    at = names.index(name)
    if len(names) == 1:  # then an empty line is an empty text
        rows = [row or [""] for row in rows]
    odd = [number for number, row in enumerate(rows) if len(row) != len(names)]
    if odd:
        got = len(rows[odd[0]])
        raise WrongUse(
            f"{option}: '{path}': row {odd[0]}: expected {len(names)} fields, got {got}", FORMS
        )
    return [row[at] for row in rows]


def _array(path: Path, option: str, column: str) -> list[str]:
    arrays = read_arrays(path, option)
    array = arrays[_only(list(arrays), column, option, path)]
    if array.dtype.kind != "U" or not array.ndim or array.size != len(array):
        raise WrongUse(
            f"{option}: '{path}': expected an array of text, one entry a row, got {array.dtype} of "
            f"{array.shape}",
            "np.savez('FILE.npz', text=np.array(texts)).",
        )
    return list(array.reshape(-1).tolist())


def _only(names: list[str], wanted: str, option: str, path: Path) -> str:
    if wanted in names:
        return wanted
    if len(names) == 1:
        return names[0]
    got = ", ".join(names) or "none"
    raise WrongUse(f"{option}: '{path}': expected a column '{wanted}', got {got}", FORMS)


READERS = {".txt": _lines, ".csv": _csv_column, ".npz": _array}
