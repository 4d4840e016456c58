"""Which columns go into which tensor of a subject that takes tensors: an ONNX file, or v2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxlet.convert.prove.subject import unmatched
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.function.arrays import Array

NUMBERS = (
    "float16",
    "float32",
    "float64",
    *(f"{u}int{b}" for u in ("", "u") for b in (8, 16, 32, 64)),
)
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
        """The tensor of these rows, of shape (rows, columns), or (rows,) where it is declared so."""
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


def feeds_of(tensors: Sequence[Tensor], columns: Sequence[InputColumn]) -> list[Feed]:
    """Which columns each tensor is made of: by name, else by order and type.

    Raises Unmatched, with both lists, where that is not plain to see.
    """
    for matched in (_by_name, _in_order, _by_type):
        if (found := matched(tensors, columns)) is not None:
            return found
    raise unmatched(
        "the subject's inputs can't be matched to the columns that the estimator was given",
        map(str, tensors[:SHOWN]),
        (f"'{column.name}' ({column.type})" for column in columns[:SHOWN]),
        HINT,
    )


def _by_name(tensors: Sequence[Tensor], columns: Sequence[InputColumn]) -> list[Feed] | None:
    """An input for each column of its name; names that ONNX can't have are written with _."""
    known: Mapping[str, int] = {c.name: at for at, c in enumerate(columns)}
    plain = {re.sub(r"\W", "_", name): at for name, at in known.items()}
    found = [known.get(t.name, plain.get(t.name)) for t in tensors]
    if len({*found}) < len(tensors) or None in found or any(_width(t) != 1 for t in tensors):
        return None
    feeds = [Feed(t, (at,)) for t, at in zip(tensors, found, strict=True) if at is not None]
    fine = all(_takes(feed.tensor, columns[feed.positions[0]]) for feed in feeds)
    return feeds if fine and len(feeds) == len(columns) else None


def _in_order(tensors: Sequence[Tensor], columns: Sequence[InputColumn]) -> list[Feed] | None:
    """Each input takes as many of the columns that are next; one of a free width all of them."""
    start, feeds = 0, list[Feed]()
    for tensor in tensors:
        width = len(columns) if len(tensors) == 1 and _width(tensor) is None else _width(tensor)
        if width is None or start + width > len(columns):
            return None
        feeds.append(Feed(tensor, tuple(range(start, start + width))))
        start += width
    if start < len(columns) or len({t.type for t in tensors}) < len(tensors) > 1 == len(columns):
        return None
    fine = all(_takes(feed.tensor, columns[at]) for feed in feeds for at in feed.positions)
    return feeds if fine else None


def _by_type(tensors: Sequence[Tensor], columns: Sequence[InputColumn]) -> list[Feed] | None:
    """One input for each type, of all columns of this type, in their order."""
    left = dict(enumerate(columns))
    feeds = {}
    for tensor in sorted(tensors, key=lambda each: each.type in NUMBERS[:3]):  # floats take any
        exact = [at for at, column in left.items() if column.type == tensor.type]
        some = exact if len(exact) == _width(tensor) else [
            at for at, column in left.items() if _takes(tensor, column)
        ]  # fmt: skip
        if len(some) != _width(tensor):
            return None
        feeds[tensor.name] = Feed(tensor, tuple(some))
        left = {at: column for at, column in left.items() if at not in some}
    return None if left else [feeds[tensor.name] for tensor in tensors]


def _width(tensor: Tensor) -> int | None:
    return 1 if len(tensor.shape) == 1 else tensor.shape[1] if len(tensor.shape) == 2 else None


def _takes(tensor: Tensor, column: InputColumn) -> bool:
    """Whether a tensor of this type may hold the column's values."""
    if column.type == "string":
        return tensor.type == "string"
    if tensor.type == "bool":
        return column.type == "bool"
    whole = column.type in ("int64", "bool")
    return tensor.type in (NUMBERS if whole else NUMBERS[:3])
