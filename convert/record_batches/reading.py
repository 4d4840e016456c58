"""Record batches checked against a signature as rows of JSON are, a column at a time.

What is surely right is taken as it is; every row with anything odd in it is checked by
`cell_validation`, so that what is refused, and why, is the same. A property test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from onnxlet.convert.record_batches.arrays import booleans, floats, integers, lists, spread, texts
from onnxlet.convert.record_batches.kinds import cells, simple, typed, values
from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs import nested
from onnxlet.function.inputs.batches import LeftOut, good_rows
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.signature import Block, Signature
from onnxlet.function.inputs.validation import CheckedBatch, outside, read_rows

Faults = Mapping[int, str]


class ArrowColumn(NamedTuple):
    """A column as it came."""

    array: Any  # one of Arrow's
    column: Column  # of the signature
    fields: bool  # it holds fields of CSV

    def typed(self) -> tuple[Any, Array]:
        """The array of a type that fits the column, and which cells have none."""
        if self.fields:
            return typed(self.array, self.column)
        return self.array, np.zeros(len(self.array), bool)

    def cells(self, rows: Array) -> list[Any]:
        """Some rows' cells as JSON has them."""
        some = self.array.take(rows)
        return (cells if self.fields else values)(some, self.column)


class Layout(NamedTuple):
    """How a block is held, so that its graph input is made with the fewest copies."""

    dtype: Any  # of its array; float32 where the graph gets nothing else of it
    # A row's cells lie side by side, as in the one tensor that has them; else a column's do, so
    # that a tensor of one column is no copy.
    by_row: bool

    def empty(self, rows: int, columns: int) -> Array:
        """An array of shape (rows, columns)."""
        if self.by_row:
            return np.empty((rows, columns), self.dtype)
        return np.empty((columns, rows), self.dtype).T


class Reader:
    """Reads record batches by a signature; safe from several threads at once.

    Columns may hold fields of CSV; numbers may be held in 64 bits whatever the graph gets (`wide`);
    and one column of lists may have all values of a row (`whole`).
    """

    def __init__(
        self,
        signature: Signature,
        fields: bool = False,
        wide: bool = False,
        whole: str | None = None,
    ) -> None:
        self._signature, self._fields, self._whole = signature, fields, whole
        self._columns = [column for column in signature.columns if column.required]
        self._layouts = [
            _layout(signature, number, block, wide) for number, block in enumerate(signature.blocks)
        ]

    def table(self, batch: Any, left_out: LeftOut, faults: Faults) -> CheckedBatch:
        """The good rows of a record batch; `left_out` takes those that are wrong, and why.

        A column that may be absent may be missing. `faults` are rows that are broken already, and
        why.
        """
        if self._whole is not None:
            columns, unlike = spread(batch.column(self._whole), self._signature)
            batch, faults = pa.record_batch(columns), {**unlike, **faults}
        given = self.given(batch)
        arrays, odd = self.read(given, batch.num_rows)
        odd[list(faults)] = True
        if not odd.any():
            left_out.kept = list(range(batch.num_rows))
            return CheckedBatch(batch.num_rows, arrays)
        return _checked(given, self._signature, arrays, np.flatnonzero(odd), left_out, faults)

    def given(self, batch: Any) -> dict[str, ArrowColumn]:
        """The columns that the model takes, by name."""
        index = {name: number for number, name in enumerate(batch.schema.names)}
        return {
            column.name: ArrowColumn(simple(batch.column(index[column.name])), column, self._fields)
            for column in self._columns
            if column.name in index
        }

    def read(self, given: Mapping[str, ArrowColumn], rows: int) -> tuple[list[Array], Array]:
        """The blocks' arrays, and which rows have something odd in them: not right yet."""
        odd, columns = np.zeros(rows, bool), dict[str, Any]()
        for name, each in given.items():
            columns[name], strange = each.typed()
            odd |= strange
        arrays = []
        for block, layout in zip(self._signature.blocks, self._layouts, strict=True):
            array, strange = _block(block, layout, columns, rows)
            arrays.append(array)
            odd |= strange
        if len(self._signature.nested) > 1 and not odd.all():
            looked = np.flatnonzero(~odd)
            some = [array[looked] for array in arrays]
            unlike = nested.disagreements(some, self._signature.nested)
            odd[[looked[row] for row, _, _ in unlike]] = True
        return arrays, odd


def _layout(signature: Signature, number: int, block: Block, wide: bool) -> Layout:
    dtype = object if block.dtype == "string" else block.dtype
    whole = ((number, slice(0, len(block.columns))),)
    feeds = [each for each in signature.feeds if any(at == number for at, _ in each.positions)]
    if len(feeds) != 1 or feeds[0].positions != whole or feeds[0].order is not None:
        return Layout(dtype, by_row=False)
    narrow = (dtype, feeds[0].dtype) == ("float64", "float32") and not signature.step_feeds
    return Layout("float32" if narrow and not wide else dtype, by_row=True)


def _block(
    block: Block, layout: Layout, columns: Mapping[str, Any], rows: int
) -> tuple[Array, Array]:
    """A block's array of shape (rows, columns), and which rows have something odd in it."""
    if block.nested:
        return _lists(block, columns, rows)
    whole = layout.empty(rows, len(block.columns))
    if block.columns[0].image or (block.dtype == "string") != (block.type == "string"):
        return whole, np.ones(rows, bool)
    odd = np.zeros(rows, bool)
    with np.errstate(over="ignore"):  # what a float32 does not hold is odd
        for position, column in enumerate(block.columns):
            given = columns.get(column.name)
            whole[:, position], strange = _column(block, position, column, given, rows)
            odd |= strange
    return whole, odd


def _lists(block: Block, columns: Mapping[str, Any], rows: int) -> tuple[Array, Array]:
    column = block.columns[0]
    if column.name not in columns or pa.types.is_string(columns[column.name].type):
        return np.empty((rows, 1), object), np.ones(rows, bool)
    cells, odd = lists(columns[column.name], column)
    return cells.reshape(-1, 1), odd


def _column(
    block: Block, position: int, column: Column, array: Any, rows: int
) -> tuple[Array, Array]:
    if array is None:  # it may be absent
        return _absent(block, rows)
    if block.type == "string":
        return texts(array, column)
    if block.type == "bool":
        return booleans(array)
    if pa.types.is_dictionary(array.type):
        array = simple(array.dictionary_decode())
    if block.dtype == "int64":
        found, odd = integers(array)
    else:
        found, odd = floats(array, whole=block.type == "int64")
    return found, _out_of_bounds(found, odd, block, position)


def _absent(block: Block, rows: int) -> tuple[Array, Array]:
    if block.type == "string":
        return np.full(rows, MISSING_TEXT, object), np.zeros(rows, bool)
    if block.dtype == "float64":
        return np.full(rows, np.nan), np.zeros(rows, bool)
    return np.zeros(rows, block.dtype), np.ones(rows, bool)


def _out_of_bounds(found: Array, odd: Array, block: Block, position: int) -> Array:
    """Which numbers are not surely answered, besides those that are odd already."""
    low, high, _ = block.bounds[position]
    column = block.columns[position]
    if len(found) and not (found.min() >= low and found.max() <= high):  # NaN is neither
        odd = odd | outside(found, low, high, column.nullable and block.dtype == "float64")
    if column.categories is not None:
        odd = odd | ~np.isin(found, list(column.categories))
    return odd


def _checked(
    given: Mapping[str, ArrowColumn],
    signature: Signature,
    arrays: Sequence[Array],
    odd: Array,
    left_out: LeftOut,
    faults: Faults,
) -> CheckedBatch:
    """The table of all rows that are right, those among them that looked odd."""
    rows = _as_rows(given, odd)
    broken = {n: faults[row] for n, row in enumerate(odd.tolist()) if row in faults}
    read, kept, problems = good_rows(rows, broken, partial(read_rows, signature))
    found = odd.tolist()
    left_out.problems.add([each._replace(row=found[each.row or 0]) for each in problems])
    keep = np.ones(len(arrays[0]) if arrays else 0, bool)
    keep[odd] = False
    good = odd[kept]
    keep[good] = True
    for whole, some in zip(arrays, read, strict=bool(read)):
        whole[good] = some
    left_out.kept = np.flatnonzero(keep).tolist()
    return CheckedBatch(len(left_out.kept), [array[keep] for array in arrays])


def _as_rows(given: Mapping[str, ArrowColumn], rows: Array) -> list[dict[str, Any]]:
    """Rows as objects by column name, as JSON has them."""
    objects: list[dict[str, Any]] = [{} for _ in rows]
    for name, each in given.items():
        for row, cell in zip(objects, each.cells(rows), strict=True):
            row[name] = cell
    return objects
