"""Rows as clients send them, checked against a signature and turned into arrays.

Most batches are right, so whole blocks are checked first, at C speed. Where anything is odd, a
careful reading goes cell by cell: it accepts what the rules allow (3.0 for an integer, null for
a missing value) and says what is wrong with the rest. The quick reading accepts nothing that
the careful one would not, with the same arrays; a property test holds them together.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from function.careful import read_carefully
from function.errors import InvalidRows, Problem
from function.signature import MISSING_TEXT, Array, Block, Signature

EXACT_TYPES: Mapping[str, frozenset[type]] = {
    "float64": frozenset({int, float, type(None)}),
    "float32": frozenset({int, float, type(None)}),
    "int64": frozenset({int, type(None)}),
    "bool": frozenset({bool}),
    "string": frozenset({str, type(None)}),
}


@dataclass(frozen=True)
class Table:
    """A checked batch.

    Attributes:
        rows: how many instances there are.
        arrays: for each block of the signature, an array of shape (rows, the block's columns).
    """

    rows: int
    arrays: list[Array]


def read_table(
    rows: Sequence[Any],
    signature: Signature,
    *,
    no_booleans: bool = False,
    faults: Mapping[int, str] | None = None,
) -> Table:
    """Check every instance against the signature.

    Args:
        rows: objects by column name or lists in signature order.
        signature: the model's.
        no_booleans: the caller knows that no cell is true or false; saves looking for them.
        faults: rows already known to be wrong, and why; they are reported with the others.

    Raises:
        InvalidRows: with every problem, located by row and column.
    """
    if not rows:
        raise InvalidRows([Problem(None, None, "no instances: expected at least one row")])
    arrays = None if faults else _read_quickly(rows, signature, no_booleans)
    if arrays is None:
        arrays = read_carefully(rows, signature, faults or {})
    return Table(len(rows), arrays)


def _read_quickly(
    rows: Sequence[Any], signature: Signature, no_booleans: bool
) -> list[Array] | None:
    cells = _cells(rows, signature)
    if cells is None:
        return None
    arrays = []
    for block, values in zip(signature.blocks, cells, strict=True):
        array = _array(block, values, no_booleans)
        if array is None:
            return None
        array = array.reshape(len(rows), len(block.columns))
        if not _plain(block, array):
            return None
        arrays.append(array)
    return arrays


def _cells(rows: Sequence[Any], signature: Signature) -> list[list[Any]] | None:
    """The cells of each block, row after row; None where a row is not of the usual form."""
    form = set(map(type, rows))
    if form == {list}:
        if set(map(len, rows)) != {len(signature.columns)}:
            return None
        if signature.whole_rows:
            return [list(chain.from_iterable(rows))]
        return [list(chain.from_iterable(map(b.by_position, rows))) for b in signature.blocks]
    if form != {dict}:
        return None
    try:
        cells = [list(chain.from_iterable(map(b.by_name, rows))) for b in signature.blocks]
    except KeyError:
        return None
    if signature.all_required:
        known = sum(map(len, rows)) == len(rows) * len(signature.columns)
    else:
        known = signature.names.issuperset(chain.from_iterable(rows))
    return cells if known else None


def _array(block: Block, cells: list[Any], no_booleans: bool) -> Array | None:
    """One flat array of the block's dtype; None where a cell is not exactly of its type."""
    if no_booleans and block.type in ("float64", "float32"):
        try:
            return np.frombuffer(struct.pack(f"{len(cells)}d", *cells))
        except (struct.error, OverflowError):
            pass
    types = set(map(type, cells))
    if not types <= EXACT_TYPES[block.type]:
        return None
    if block.dtype == "string":
        return _texts(cells, type(None) in types)
    try:
        return np.array(cells, dtype=block.dtype)
    except (OverflowError, TypeError):
        return None


def _texts(cells: list[Any], some_missing: bool) -> Array | None:
    if MISSING_TEXT in cells:
        return None
    if some_missing:
        cells = [MISSING_TEXT if cell is None else cell for cell in cells]
    return np.array(cells, dtype=object) if _encodes("".join(cells)) else None


def _encodes(text: str) -> bool:
    """Lone surrogates pass the standard library's JSON, and have no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(block: Block, array: Array) -> bool:
    """Nothing is missing, infinite, too large or out of its categories where it may not be."""
    if not all(categories.issuperset(array[:, place]) for place, categories in block.closed):
        return False
    if block.dtype == "string":
        return bool(block.nullable.all()) or not (array == MISSING_TEXT)[:, ~block.nullable].any()
    if block.dtype != "float64":
        return True
    odd = ~(np.abs(array) <= block.largest)
    return not odd.any() or not (odd & ~(np.isnan(array) & block.nullable)).any()
