"""Which columns go into which tensor of a subject that takes tensors: an ONNX file, or v2."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnxlet.convert.prove.subject import Given, unmatched
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.function.arrays import Array

FLOATS = ("float16", "float32", "float64")
WHOLE = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
SHOWN = 30  # columns and tensors in a message
HINT = (
    "Convert it with one input of all columns, with an input for each column by its name, or with "
    "inputs that group neighbouring columns of one type."
)


@dataclass(frozen=True)
class Tensor:
    """One input as the subject declares it."""

    name: str
    type: str  # as NumPy has it; `string` for text
    shape: tuple[int | None, ...]  # None where a size is free; the rows come first

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"'{self.name}' ({self.type}, [{sizes}])"


@dataclass(frozen=True)
class Feed:
    """One tensor, and the positions of the columns that it is made of."""

    tensor: Tensor
    positions: tuple[int, ...]

    def array(self, rows: Sequence[Cells]) -> Array:
        """The tensor of these rows, of shape (rows, columns), or (rows,) as it is declared."""
        cells = [[row[position] for position in self.positions] for row in rows]
        if self.tensor.type == "string":
            array = np.array(cells, dtype=object)
        elif self.tensor.type.startswith("float"):
            with np.errstate(over="ignore"):
                array = np.array(cells, dtype=np.float64).astype(self.tensor.type)
        else:
            array = np.array(cells, dtype=self.tensor.type)
        return array[:, 0] if len(self.tensor.shape) == 1 else array

    def unasked(self, row: Cells, columns: Sequence[InputColumn]) -> str:
        """Why the tensor can't hold a row's cells; '' where it can."""
        for position in self.positions:
            if not _holds(self.tensor.type, row[position]):
                what = "a gap" if row[position] is None else "such a number"
                return f"{what} in '{columns[position].name}' has no form in {self.tensor}"
        return ""


def _holds(kind: str, cell: object) -> bool:
    if kind.startswith("float"):
        return True
    if cell is None:
        return False
    if kind in ("string", "bool"):
        return isinstance(cell, str if kind == "string" else bool)
    ends = np.iinfo(kind)
    return isinstance(cell, int) and ends.min <= cell <= ends.max


def feeds_of(tensors: Sequence[Tensor], given: Given) -> list[Feed]:
    """Which columns each tensor is made of: by name, else by order, else by type.

    Columns that the estimator does without may have no tensor. Raises Unmatched, with both lists,
    where that is not plain to see.
    """
    columns, every = given.columns, list(range(len(given.columns)))
    without = [at for at in every if columns[at].name in given.needed]
    for matched in (_by_name, _in_order, _by_type):
        for some in (every, without):
            feeds = matched(tensors, columns, some)
            fed = {at for feed in feeds for at in feed.positions}
            fine = all(_takes(feed.tensor, columns[at]) for feed in feeds for at in feed.positions)
            if fine and len(feeds) == len(tensors) and fed.issuperset(without):
                return feeds
    raise unmatched(
        "the subject's inputs can't be matched to the columns that the estimator was given",
        map(str, tensors[:SHOWN]),
        (f"'{column.name}' ({column.type})" for column in columns[:SHOWN]),
        HINT,
    )


def _by_name(
    tensors: Sequence[Tensor], columns: Sequence[InputColumn], some: Sequence[int]
) -> list[Feed]:
    """An input for each column of its name; names that ONNX can't have are written with _."""
    plain = {re.sub(r"\W", "_", columns[at].name): at for at in some}
    known = {**plain, **{columns[at].name: at for at in some}}
    return [Feed(t, (known[t.name],)) for t in tensors if t.name in known and _width(t) == 1]


def _in_order(
    tensors: Sequence[Tensor], columns: Sequence[InputColumn], some: Sequence[int]
) -> list[Feed]:
    """Each input takes as many of the columns as are next; one of a free width all of them."""
    widths = [len(some) if len(tensors) == 1 and _width(t) is None else _width(t) for t in tensors]
    named = any(isinstance(column.label, str) for column in columns)
    known = [width for width in widths if width is not None]
    if len(known) < len(widths) or sum(known) != len(some):
        return []
    if named and len(tensors) > 1 and {*known} == {1}:
        return []  # they have other names
    ends = np.cumsum(known)[:-1].tolist()
    parts = np.split(np.array(some), ends)
    return [Feed(t, tuple(part.tolist())) for t, part in zip(tensors, parts, strict=True)]


def _by_type(
    tensors: Sequence[Tensor], columns: Sequence[InputColumn], some: Sequence[int]
) -> list[Feed]:
    """One input for each type, of all columns of this type, in their order."""
    left, feeds = list(some), {}
    for tensor in sorted(tensors, key=lambda each: each.type in FLOATS):  # which take any number
        exact = [at for at in left if columns[at].type == tensor.type]
        taken = [at for at in left if _takes(tensor, columns[at])]
        taken = exact if len(exact) == _width(tensor) else taken
        if len(taken) != _width(tensor):
            return []
        feeds[tensor.name] = Feed(tensor, tuple(taken))
        left = [at for at in left if at not in taken]
    return [] if left else [feeds[tensor.name] for tensor in tensors]


def _width(tensor: Tensor) -> int | None:
    return 1 if len(tensor.shape) == 1 else tensor.shape[1] if len(tensor.shape) == 2 else None


def _takes(tensor: Tensor, column: InputColumn) -> bool:
    """Whether a tensor of this type may hold the column's values."""
    if column.type == "string":
        return tensor.type == "string"
    if tensor.type == "bool":
        return column.type == "bool"
    whole = column.type in ("int64", "bool")
    return tensor.type in (*FLOATS, *(WHOLE if whole else ()))
