"""Cells that are nested lists: an image, a series, the numbers of a text's tokens.

A column whose `cell` is (3, 48, 320) takes lists of lists of lists; one whose `cell` is
("sequence",) takes a list of any length. Each cell becomes one array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from math import prod
from typing import Any

from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column, Refused
from onnxlet.function.numpy_later import np

DTYPES = {"int64": "int64", "bool": "bool"}  # of cells; other numbers are float64
EXACT: dict[str, set[type]] = {"int64": {int}, "bool": {bool}}


def of_tensor(rows: Array, column: Column) -> Array | None:
    """Each row's array, shape (rows, 1), of a tensor; None where anything is odd."""
    kinds = {"int64": "iu", "bool": "b"}.get(column.type, "fiu")
    if rows.dtype.kind not in kinds or rows.dtype == np.uint64:
        return None
    cells = rows.astype(DTYPES.get(column.type, "float64"))
    try:
        check_sizes(column, cells.shape[1:])
        check_values(column, cells)
    except Refused:
        return None
    return packed(list(cells)).reshape(-1, 1)


def packed(entries: Sequence[Any]) -> Array:
    """Entries, such as arrays of any shapes, as the members of an object array."""
    whole = np.empty(len(entries), dtype=object)
    for position, entry in enumerate(entries):
        whole[position] = entry
    return whole


def spread(entries: Iterable[Any], kept: Iterable[int], rows: int) -> Array:
    """Entries at their rows' indices in an object array of so many rows, None elsewhere.

    They stay NumPy's own, so that a float32 is written with as few digits as it is otherwise.
    """
    whole = np.full(rows, None, dtype=object)  # JSON's null, which floats have no value for
    for row, entry in zip(kept, entries, strict=True):
        whole[row] = entry
    return whole


def parsed(column: Column, value: Any, read: Callable[[Any], Any] | None) -> Array:
    """One cell, nested lists, as an array of its sizes.

    A list of all values in order will do where no size varies, and a bare value for a list of one.
    `read` makes a value of the column's type, or raises; None takes only what is one already.
    Refused is raised where it has other sizes, or a value is not of the type.
    """
    sizes, flat = _flattened(column, value)
    if not set(map(type, flat)) <= EXACT.get(column.type, {int, float}):
        if read is None:
            raise Refused("a value of another type")
        flat = [read(each) for each in flat]
    try:
        array = np.array(flat, dtype=DTYPES.get(column.type, "float64")).reshape(sizes)
    except OverflowError as error:
        raise Refused("a number does not fit 64 bits") from error
    check_values(column, array)
    return array


def depth_of(value: Any) -> int:
    """How many lists lie within each other, by the first entry of each."""
    depth = 0
    while type(value) is list and value:
        value = value[0]
        depth += 1
    return depth


def _flattened(column: Column, value: Any) -> tuple[list[int], list[Any]]:
    """The sizes of nested lists, and what is in them."""
    depth = len(column.cell)
    if value is None:
        raise Refused(f"missing value: expected lists of {_shape(column)}")
    if depth == 1 and isinstance(value, int | float):
        value = [value]
    if type(value) is not list:
        kind = "an object" if isinstance(value, dict) else "text or another value"
        raise Refused(f"expected lists of {_shape(column)}, got {kind}")
    if type(value) is list and depth > 1 and value and type(value[0]) is not list:
        fixed = [size for size in column.cell if isinstance(size, int)]
        if len(fixed) == depth and len(value) == prod(fixed):
            return fixed, value
    sizes: list[int] = []
    level = [value]
    for _ in range(depth):
        if set(map(type, level)) != {list}:
            raise Refused(f"expected lists of {_shape(column)}, got other values among them")
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise Refused(
                f"expected lists of {_shape(column)}, got lists of {min(lengths)} and of "
                f"{max(lengths)} side by side"
            )
        sizes += lengths
        level = list(chain.from_iterable(level))
        if not level:
            break
    check_sizes(column, sizes)
    return sizes, level


def check_sizes(column: Column, sizes: Sequence[int]) -> None:
    """Raise Refused for a cell of other sizes than its column's."""
    fits = len(sizes) == len(column.cell) and all(
        got == size if isinstance(size, int) else 1 <= got <= column.longest
        for size, got in zip(column.cell, sizes, strict=True)
    )
    if not fits:
        raise Refused(f"expected lists of {_shape(column)}, got {_by(sizes)}")


def check_values(column: Column, array: Array) -> None:
    """Raise Refused for values that are missing, infinite or beyond bounds where none may be."""
    if array.dtype.kind == "b":
        return
    missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(1, bool)
    if missing.any() and not column.nullable:
        raise Refused("a value is missing, and the model does not take one here")
    rest = array[~missing] if missing.any() else array
    if not rest.size:
        return
    least, most = rest.min(), rest.max()
    if not column.infinite and not (np.isfinite(least) and np.isfinite(most)):
        raise Refused("an infinity, and the model does not take one here")
    if column.minimum is not None and least < column.minimum and np.isfinite(least):
        raise Refused(f"{least!s} does not fit: the minimum is {column.minimum!r}")
    if column.maximum is not None and most > column.maximum and np.isfinite(most):
        raise Refused(f"{most!s} does not fit: the maximum is {column.maximum!r}")


def _shape(column: Column) -> str:
    named = [size if isinstance(size, int) else f"1 to {column.longest}" for size in column.cell]
    return _by(named) + (" values" if len(named) == 1 else "")


def _by(sizes: Sequence[int | str]) -> str:
    return " by ".join(map(str, sizes))


def agree(arrays: Sequence[Array], nested: Mapping[int, Column]) -> bool:
    """Whether each row's sizes of one name are equal."""
    return not nested or next(disagreements(arrays, nested), None) is None


def disagreements(
    arrays: Sequence[Array], nested: Mapping[int, Column]
) -> Iterator[tuple[int, str, str]]:
    """The rows and columns whose sizes differ from another column's, and why.

    Of the blocks' arrays, and the columns of those that hold nested lists, by their positions.
    """
    columns = [(column, arrays[number]) for number, column in nested.items()]
    for row in range(len(arrays[0])):
        known: dict[str, tuple[int, str]] = {}
        for each, array in columns:
            for size, got in zip(each.cell, array[row, 0].shape, strict=True):
                if isinstance(size, int):
                    continue
                wanted, other = known.setdefault(size, (got, each.name))
                if got != wanted:
                    why = f"expected {wanted} entries as '{other}' has ({size}), got {got}"
                    yield row, each.name, why
