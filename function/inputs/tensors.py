"""Tensors as clients send them, checked against a signature and turned into arrays.

Arrays of numbers never become Python objects where all is well: each block of columns is taken
out of the tensors as it is. Where anything is odd, the tensors become rows for `cell_validation`,
so that both accept the same and say the same. A property test compares the two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from onnxlet.function.arrays import Array, Cells
from onnxlet.function.errors import InvalidRows, MalformedRequest, Problem
from onnxlet.function.inputs import nested
from onnxlet.function.inputs.cell_validation import INTEGERS, Guesses, declared, validate_cells
from onnxlet.function.inputs.columns import Input
from onnxlet.function.inputs.signature import Block, Signature
from onnxlet.function.inputs.validation import (
    CELLS_AT_ONCE,
    CheckedBatch,
    exact,
    few_blocks,
    is_plain,
    whole_numbers,
)
from onnxlet.function.messages import Tensor
from onnxlet.function.numpy_later import np

RAW = "RAW"  # declared of bytes that are a model's only input, whatever its type is


def read_tensors(tensors: Mapping[str, Tensor], signature: Signature) -> CheckedBatch:
    """Check a batch that came as tensors: one for each column, of shape [n] or [n, 1].

    Or it is the one tensor of a model fitted on an array. What the model drops is ignored. A block
    of floats is float32 where its tensors are. InvalidRows has every problem, located;
    MalformedRequest is raised for raw bytes that are not an array of the model's input.
    """
    tensors = unpacked(tensors, signature)
    if signature.image_feeds:
        tensors = _with_images_as_text(tensors, signature)
    problems = _misfits(tensors, signature)
    if problems:
        raise InvalidRows(problems)
    rows = count_rows(tensors, signature)
    if not rows:
        raise InvalidRows([Problem(None, None, "no instances: expected at least one row")])
    few = _read_few(tensors, signature, rows)
    if few is not None:
        return CheckedBatch(rows, few)
    tensors = {name: each._replace(array=each.as_array()) for name, each in tensors.items()}
    at_once = max(1, CELLS_AT_ONCE // len(signature.columns))
    if rows <= at_once:
        return CheckedBatch(rows, _read(tensors, signature, rows))
    if all(tensor.as_array().dtype != object for tensor in tensors.values()):
        arrays = _read_quickly(tensors, signature, rows)
        if arrays is not None:  # NumPy lets others go on
            return CheckedBatch(rows, arrays)
    from onnxlet.function.inputs.batches import Gathered  # most batches are small, or right

    gathered = Gathered(rows)
    at_once = -(-at_once // 4)  # each cell may be wrong, and is an object and a problem then
    for start in range(0, rows, at_once):
        size = min(at_once, rows - start)
        some = {
            each.name: tensors[each.name]._replace(
                array=tensors[each.name].as_array()[start : start + size]
            )
            for each in signature.inputs
            if each.required
        }
        gathered.take(size, partial(_read, some, signature, size))
    return CheckedBatch(*gathered.table())


def _read(tensors: Mapping[str, Tensor], signature: Signature, rows: int) -> Sequence[Array]:
    arrays: Sequence[Array] | None = _read_quickly(tensors, signature, rows)
    if arrays is None:
        arrays = validate_cells(_as_rows(tensors, signature, rows), signature, {})
    return arrays


def count_rows(tensors: Mapping[str, Tensor], signature: Signature) -> int:
    """How many instances tensors hold at most, before they are checked."""
    tensors = unpacked(tensors, signature)
    shapes = [
        tensors[each.name].array.shape
        for each in signature.inputs
        if each.required and each.name in tensors
    ]
    return max((shape[0] for shape in shapes if shape), default=0)


# their form


def unpacked(tensors: Mapping[str, Tensor], signature: Signature) -> Mapping[str, Tensor]:
    """Raw bytes as an array of the model's only input; other tensors as they are.

    Raises MalformedRequest where the model has several inputs, or the bytes are not whole rows.
    """
    raw = tensors.get("")
    if raw is None or raw.datatype != RAW:
        return tensors
    if len(signature.inputs) != 1:
        raise MalformedRequest(
            f"bytes without a header are one input, and the model has {len(signature.inputs)}",
            "Send a JSON header, and its length as Inference-Header-Content-Length.",
        )
    [only] = signature.inputs
    return {only.name: Tensor(_typed(raw.as_array(), only), RAW)}


def _typed(content: Array, only: Input) -> Array:
    if only.type == "string":
        return np.array([bytes(content).decode("utf-8", "surrogateescape")], dtype=object)
    dtype, width = np.dtype(only.type), len(only.columns)
    if only.nested:
        if -1 in only.shape[1:]:
            raise MalformedRequest(
                f"'{only.name}': bytes without a header do not say how long each row is",
                "Send a JSON header, and its length as Inference-Header-Content-Length.",
            )
        width = math.prod(only.shape[1:])
    row = dtype.itemsize * width
    if content.size % row:
        raise MalformedRequest(
            f"'{only.name}': expected rows of {row} bytes ({width} of {only.type}), "
            f"got {content.size} bytes in all"
        )
    if only.type == "bool" and content.size and content.max() > 1:
        raise MalformedRequest(f"'{only.name}': expected bytes 0 and 1, got {content.max()}")
    return content.view(dtype).reshape(-1, *(only.shape[1:] if only.nested else (width,)))


def _misfits(tensors: Mapping[str, Tensor], signature: Signature) -> list[Problem]:
    """Which inputs are missing, unknown, of another shape or of another number of rows."""
    known = {each.name: each for each in signature.inputs}
    guesses = Guesses(known)
    problems = [
        Problem(None, each.name, "missing input")
        for each in signature.inputs
        if each.required and each.name not in tensors
    ]
    problems += [
        Problem(None, name[:100], f"unknown input{guesses[name]}")
        for name in tensors
        if name not in known and name not in signature.ignored
    ]
    first = None
    for name, each in known.items():
        if not each.required or name not in tensors:
            continue
        shape = tensors[name].array.shape
        if not _fits(shape, each):
            problems.append(Problem(None, name, f"{_expected(each)}, got {list(shape)}"))
        elif first is None:
            first = name, shape[0]
        elif shape[0] != first[1]:
            detail = f"expected as many rows as '{first[0]}' has, {first[1]}, got {shape[0]}"
            problems.append(Problem(None, name, detail))
    return problems


def _fits(shape: Sequence[int], each: Input) -> bool:
    width = len(each.columns)
    rest = tuple(shape[1:])
    if each.nested:
        pairs = zip(each.shape[1:], rest, strict=False)
        return len(shape) == len(each.shape) and all(size in (-1, got) for size, got in pairs)
    return len(shape) > 0 and (
        rest in (each.shape[1:], (width,)) or (width == 1 and rest in ((), (1,)))
    )


def _expected(each: Input) -> str:
    inner = ", ".join("any" if size == -1 else str(size) for size in each.shape[1:])
    if each.nested:
        return f"expected shape [n, {inner}]"
    if len(each.columns) == 1:
        return "expected shape [n] or [n, 1]"
    flat = f" or [n, {len(each.columns)}]" if len(each.shape) != 2 else ""
    return f"expected shape [n, {inner}]{flat}"


def _with_images_as_text(
    tensors: Mapping[str, Tensor], signature: Signature
) -> Mapping[str, Tensor]:
    """The tensors with base64 for what is an image's bytes; base64 stays as it is."""
    from onnxlet.function.inputs.image_feed import as_texts  # the feeds have imported it

    images = {column.name for column in signature.columns if column.image}
    return {
        name: tensor._replace(array=as_texts(tensor.as_array()))
        if name in images and tensor.as_array().dtype == object
        else tensor
        for name, tensor in tensors.items()
    }


# the quick readings


def _read_few(
    tensors: Mapping[str, Tensor], signature: Signature, rows: int
) -> Sequence[Array] | None:
    """The blocks of few values that came as text, or None where anything is odd."""
    flat = []
    for sources in signature.sources:
        columns = list[Sequence[Any]]()
        for name, positions in sources:
            cells = tensors[name].array
            if not isinstance(cells, Cells) or signature.nested:
                return None
            width = len(cells.values) // rows
            taken = range(width)[positions] if isinstance(positions, slice) else positions
            columns += [cells.values[at::width] for at in taken]
        flat.append(list(chain.from_iterable(zip(*columns, strict=True))))
    try:
        return few_blocks(signature, flat, rows)
    except OverflowError:
        return None


def _read_quickly(
    tensors: Mapping[str, Tensor], signature: Signature, rows: int
) -> list[Array] | None:
    """The blocks' arrays, or None where anything is odd."""
    arrays = []
    for block, sources in zip(signature.blocks, signature.sources, strict=True):
        parts = []
        if block.nested:
            array = nested.of_tensor(tensors[block.columns[0].name].as_array(), block.columns[0])
            if array is None:
                return None
            arrays.append(array)
            continue
        for name, positions in sources:
            tensor = tensors[name]
            cells = tensor.as_array().reshape(rows, -1)[:, positions]
            part = QUICK[block.type](cells, block, tensor.datatype)
            if part is None:
                return None
            parts.append(part)
        array = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if not is_plain(block, array):
            return None
        arrays.append(array)
    return arrays if nested.agree(arrays, signature.nested) else None


def _numbers(cells: Array, block: Block, datatype: str) -> Array | None:
    if cells.dtype.kind in "iu":
        # 16 bits and fewer fit a float32 exactly.
        return cells.astype(np.float32 if cells.dtype.itemsize <= 2 else np.float64)
    if cells.dtype.kind != "f":
        return None
    return cells.astype(np.float32) if cells.dtype.itemsize == 2 else cells


def _integers(cells: Array, block: Block, datatype: str) -> Array | None:
    kind = cells.dtype.kind
    if kind == "O":
        return _some_missing(cells, datatype) if block.dtype == "float64" else None
    if kind == "f":
        found, odd = whole_numbers(cells.astype(np.float64), block.dtype)
        return None if odd.any() else found
    if kind not in "iu" or (cells.dtype == np.uint64 and cells.max() >= 2**63):
        return None
    return cells.astype(block.dtype)


def _some_missing(cells: Array, datatype: str) -> Array | None:
    """Whole numbers and None, as floats and NaN."""
    limits = INTEGERS.get(datatype)
    flat = cells.ravel().tolist()
    if limits is None or not set(map(type, flat)) <= {int, type(None)}:
        return None
    there = [cell for cell in flat if cell is not None]
    least, most = limits[0], min(limits[1], 2**63 - 1)
    if there and not (least <= min(there) and max(there) <= most):
        return None
    return np.array(flat, dtype=np.float64).reshape(cells.shape)


def _strings(cells: Array, block: Block, datatype: str) -> Array | None:
    if cells.dtype.kind != "O" or datatype not in ("BYTES", RAW):
        return None
    flat = cells.ravel().tolist()
    found = exact(block, flat, set(map(type, flat)))
    return None if found is None else np.array(found, dtype=object).reshape(cells.shape)


QUICK: Mapping[str, Callable[[Array, Block, str], Array | None]] = {
    "float64": _numbers,
    "float32": _numbers,
    "int64": _integers,
    "bool": lambda cells, block, datatype: cells if cells.dtype.kind == "b" else None,
    "string": _strings,
}


# for cell validation


def _as_rows(
    tensors: Mapping[str, Tensor], signature: Signature, rows: int
) -> list[dict[str, Any]]:
    """Objects by column name, of Python's values; Refused where one is not as it is declared."""
    columns: dict[str, list[Any]] = {}
    for each in signature.inputs:
        if not each.required:
            continue
        array, datatype = tensors[each.name].as_array(), tensors[each.name].datatype
        if each.nested:
            if array.dtype == object:
                array = np.frompyfunc(lambda cell, d=datatype: declared(cell, d), 1, 1)(array)
            columns[each.name] = array.tolist()
            continue
        cells = array.reshape(rows, -1)
        if array.dtype == object:
            for name, column in zip(each.columns, cells.T, strict=True):
                columns[name] = [declared(cell, datatype) for cell in column]
        else:
            columns |= zip(each.columns, cells.T.tolist(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
