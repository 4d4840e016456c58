"""Rows that an imported model is tried with: a sample from .npz files, or made-up ones."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from onnxlet.convert.imported import images
from onnxlet.convert.imported.inputs import InputTensor
from onnxlet.convert.reference.inputs import Cells
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, WrongUse

SAMPLE_KINDS = {"f": "fiu", "i": "iu", "u": "iu", "b": "b", "O": "U"}
MADE_ROWS = 3
MADE_LENGTH = 7  # of what varies
# Beside it, small ones and those that graphs divide by; then the longest.
TRIED_SIZES = (5, 1, 2, 3, 8, 9, 16, 17, 64, 100)


class Sample(NamedTuple):
    """Rows to try a model with."""

    arrays: dict[str, Array]  # by input name, rows first
    made: bool  # they are made-up ones
    # By input name, the encoded pictures that the arrays are of.
    texts: Mapping[str, Sequence[str]] = {}


def made_rows(
    tensors: Sequence[InputTensor], draw: int = 0, numbers: Sequence[float] = (0.0,)
) -> Sample:
    """A few rows of no meaning, to try a model with.

    Draw 0 has usual numbers, another one larger ones, with some that the graph holds among them.
    """
    random = np.random.default_rng(draw)
    made: dict[str, Array] = {}
    texts: dict[str, list[str]] = {}
    for tensor in tensors:
        if tensor.image is not None:
            texts[tensor.name], made[tensor.name] = images.drawn(tensor.image)
            continue
        shape = (MADE_ROWS, *tensor.sizes(MADE_LENGTH))
        if tensor.dtype == "string":
            made[tensor.name] = np.full(shape, "a", dtype=object)
            continue
        array: Array
        if tensor.dtype.startswith("float"):
            array = random.normal(size=shape) * 30.0**draw
        else:
            array = random.integers(0, 2 + 8 * draw, shape)
        if draw:
            array = np.where(random.random(shape) < 0.5, array, random.choice(numbers, shape))
        with np.errstate(all="ignore"):  # what a tensor can't hold is refused
            made[tensor.name] = array.astype(tensor.dtype)
    return Sample(made, True, texts)


def read_arrays(path: Path, option: str) -> dict[str, Array]:
    """The arrays of an .npz file, by name.

    WrongUse: there is no such file, or it holds something else.
    """
    if not path.is_file():
        raise WrongUse(f"{option}: there is no file '{path}'")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in file.files}
    except (ValueError, OSError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise WrongUse(
            f"{option}: '{path}' is not an .npz file of plain arrays: {error}",
            "Save it with np.savez('FILE.npz', NAME=array); text as np.array([...], dtype=str).",
        ) from error


def read_sample(path: Path, tensors: Sequence[InputTensor]) -> Sample:
    """Read a sample, and check it against the inputs.

    WrongUse: it lacks an input, has another, or one is of another shape or type.
    """
    if images.is_pictures(path):
        return _pictures(path, tensors)
    arrays = read_arrays(path, "--sample")
    public = {t.name: t.columns[0] if t.image else t.name for t in tensors}
    check_names(arrays, list(public.values()), f"--sample: '{path}'")
    arrays = {name: arrays[own] for name, own in public.items()}
    texts = {t.name: _texts(t, arrays) for t in tensors if t.image is not None}
    count = len(arrays[tensors[0].name]) if arrays[tensors[0].name].ndim else 0
    lengths: dict[str, int] = {}
    for tensor in tensors:
        array = arrays[tensor.name]
        wanted = f"({', '.join(['rows', *map(str, tensor.dims)])})"
        if array.ndim == 0 or not _fits(array.shape[1:], tensor, lengths):
            longest = f", none longer than {tensor.longest}" if tensor.longest else ""
            raise WrongUse(
                f"--sample: '{tensor.name}': expected the shape {wanted}{longest}, "
                f"got {array.shape}"
            )
        if not count or len(array) != count:
            raise WrongUse(
                f"--sample: '{tensor.name}' has {len(array)} rows, expected {count or 1}"
            )
        wide = np.dtype("O" if tensor.dtype == "string" else tensor.dtype)
        if tensor.image is None and array.dtype.kind not in SAMPLE_KINDS[wide.kind]:
            raise WrongUse(
                f"--sample: '{tensor.name}': expected {tensor.dtype}, got {array.dtype}",
                "Give it as the model takes it.",
            )
    return Sample(arrays, False, texts)


def _pictures(path: Path, tensors: Sequence[InputTensor]) -> Sample:
    [first, *others] = tensors
    if others or first.image is None:
        names = ", ".join(tensor.name for tensor in tensors)
        raise WrongUse(
            f"--sample: '{path}' has only pictures: expected an .npz file with the arrays {names}",
            "A graph with one input takes pictures where --image INPUT=HEIGHTxWIDTH says so; in "
            "an .npz file they are texts of base64.",
        )
    texts, array = images.read_pictures(path, first.image)
    return Sample({first.name: array}, False, {first.name: texts})


def _texts(tensor: InputTensor, arrays: dict[str, Array]) -> list[str]:
    """The pictures of an array of texts, in whose stead is then what the graph takes."""
    texts = [str(text) for text in arrays[tensor.name].ravel().tolist()]
    try:
        arrays[tensor.name] = images.tensor_of(tensor.image or {}, texts)
    except InvalidRows as error:
        raise WrongUse(f"--sample: '{tensor.columns[0]}': {error.problems[0]}") from error
    return texts


def _fits(shape: Sequence[int], tensor: InputTensor, lengths: dict[str, int]) -> bool:
    """Whether a row has a tensor's sizes, and where they vary those of other inputs."""
    return len(shape) == len(tensor.dims) and all(
        got == size
        if isinstance(size, int)
        else 1 <= got <= tensor.longest and got == lengths.setdefault(size, got)
        for got, size in zip(shape, tensor.dims, strict=True)
    )


def varied_sizes(tensors: Sequence[InputTensor]) -> list[dict[str, int]]:
    """Sizes to try a graph with, by the dimension's name: all alike, and each another than all."""
    longest = {size: t.longest for t in tensors for size in t.dims if isinstance(size, str)}
    most = max(longest.values(), default=0)
    tried = dict.fromkeys(min(size, most) for size in (*TRIED_SIZES, most - 1, most))
    alike = [{name: min(size, longest[name]) for name in longest} for size in tried]
    apart = [dict.fromkeys(longest, 5) | {name: 8} for name in longest if len(longest) > 1]
    return [*alike, *apart] if longest else []


def resized(rows: Sample, tensors: Sequence[InputTensor], sizes: Mapping[str, int]) -> Sample:
    """The same rows, cut or repeated to other sizes where they vary."""
    arrays = {}
    for tensor in tensors:
        array = rows.arrays[tensor.name]
        for axis, size in enumerate(tensor.dims, 1):
            if isinstance(size, str):
                array = np.take(array, range(sizes[size]), axis, mode="wrap")
        arrays[tensor.name] = array
    return rows._replace(arrays=arrays)


def check_names(arrays: Mapping[str, Array], names: Sequence[str], option: str) -> None:
    """Refuse arrays with other names than these, by WrongUse."""
    if set(arrays) != set(names):
        raise WrongUse(
            f"{option}: expected the arrays {', '.join(names)}, got {', '.join(arrays) or 'none'}",
            "Save them by name: np.savez('FILE.npz', **{'NAME': array}).",
        )


def instances(rows: Sample, tensors: Sequence[InputTensor]) -> list[Cells]:
    """Sample as clients send them: lists in signature order, None for what is missing."""
    parts = []
    for tensor in tensors:
        array = rows.arrays[tensor.name]
        if tensor.image is not None:
            parts.append([[text] for text in rows.texts[tensor.name]])
        elif tensor.nested:
            parts.append([[_without_nan(row)] for row in array.tolist()])
        else:
            flat = array.reshape(len(array), -1).tolist()
            parts.append([_without_nan(row) for row in flat])
    return [[cell for part in row for cell in part] for row in zip(*parts, strict=True)]


def _without_nan(value: Any) -> Any:
    if type(value) is list:
        return [_without_nan(each) for each in value]
    return None if value != value else value


def with_missing(arrays: Mapping[str, Array], tensors: Sequence[InputTensor]) -> frozenset[str]:
    """Columns in which a sample has missing values: only numbers can."""
    found: list[str] = []
    for tensor in tensors:
        array = arrays[tensor.name]
        if array.dtype.kind == "f" and tensor.image is None:
            positions = np.flatnonzero(np.isnan(array.reshape(len(array), -1)).any(axis=0))
            names = tensor.columns if not tensor.nested else tensor.columns * array[0].size
            found += [names[position] for position in positions.tolist()]
    return frozenset(found)


FORMS = "Give a .txt file with a text in each line, a .csv file with a header, or an .npz file."


def read_texts(path: Path, option: str, column: str) -> list[str]:
    """The texts of a file, whose suffix says how it is read; the option names it in messages.

    The column is that of CSV, or the array, that has the texts; the only one may have any name.
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
