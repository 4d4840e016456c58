"""The tensors that a graph is fed with, gathered from a table's blocks, cell by cell if need be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from onnxlet.function import deadline
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.numpy_later import np

CHARACTERS = {"float64": "d", "int64": "lq"}  # of NumPy's types
DTYPES = {"string": "O"}  # of tensors, where NumPy calls them something else


class Feed(NamedTuple):
    """One input tensor of the graph, gathered from the blocks."""

    name: str  # in the graph
    dtype: str  # of the tensor
    at: Sequence[tuple[int, int]]  # of each of its columns the block, and the position there
    # For each block that has some of the columns, which.
    positions: tuple[tuple[int, slice | list[int]], ...]
    order: list[int] | None  # of the columns so gathered; None where it is the tensor's already
    shape: tuple[int, ...] | None = None  # of the tensor, -1 for the rows; None for (rows, columns)
    nested: bool = False  # each row has an array already, all of one shape
    # The block that is this tensor as it is; None where there is more to do.
    whole: int | None = None

    def gather(self, blocks: Sequence[Array]) -> Array:
        """Take this tensor's columns out of the table's arrays."""
        if self.whole is not None and blocks[self.whole].dtype.char in CHARACTERS.get(
            self.dtype, ""
        ):
            return np.ascontiguousarray(blocks[self.whole])  # as most models are fed
        parts = [blocks[block][:, columns] for block, columns in self.positions]
        if self.nested:
            return np.stack(parts[0][:, 0].tolist()).astype(DTYPES.get(self.dtype, self.dtype))
        array = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        if self.order is not None:
            array = array[:, self.order]
        if self.shape is not None:
            array = array.reshape(self.shape)
        return np.ascontiguousarray(array, dtype=DTYPES.get(self.dtype, self.dtype))


def feed_of(
    tensor: Mapping[str, Any], at: Sequence[tuple[int, int]], nested: bool, widths: Sequence[int]
) -> Feed:
    """The feed of a manifest's graph input: `name`, `dtype`, `shape` if it is not (rows, columns).

    For each of its columns `at` has the block, of so many columns each, and the position there. The
    only column of a nested one has nested lists as cells.
    """
    by_block = sorted(range(len(at)), key=lambda index: at[index])
    positions = []
    for block, members in groupby(by_block, key=lambda index: at[index][0]):
        positions.append((block, run_of([at[index][1] for index in members])))
    order = sorted(range(len(at)), key=by_block.__getitem__)  # where each column is gathered to
    shape = tuple(tensor["shape"]) if "shape" in tensor else None
    first = positions[0][0]
    every = positions == [(first, slice(0, widths[first]))]
    plain = every and shape is None and not nested and order == sorted(order)
    return Feed(
        str(tensor["name"]),
        str(tensor["dtype"]),
        at,
        tuple(positions),
        None if order == sorted(order) else order,
        shape,
        nested,
        first if plain else None,
    )


def each_cell(
    cells: Sequence[Any],
    column: str,
    read: Callable[[Any], Any],
    refusal: type[Exception],
    why: Callable[[Exception], str] = str,
    first: int = 0,
) -> list[Any]:
    """What `read` makes of each cell of a column, within the request's time.

    Raises InvalidRows with every row for whose cell `read` raises a `refusal`, and `why`; `first`
    is the index of the first row.
    """
    found, problems = list[Any](), list[Problem]()
    for row, cell in enumerate(cells):
        deadline.check()  # one may take a second by itself
        try:
            found.append(read(cell))
        except refusal as error:
            problems.append(Problem(first + row, column, why(error)))
    if problems:
        raise InvalidRows(problems)
    return found


def run_of(positions: list[int]) -> slice | list[int]:
    """Consecutive positions as a slice, which copies nothing."""
    run = list(range(positions[0], positions[0] + len(positions)))
    return slice(run[0], run[-1] + 1) if positions == run else positions
