"""Rows as clients send them, checked against a signature and turned into arrays.

Most batches are right, so whole blocks are checked first, at C speed. Where anything is odd,
`cell_validation` goes cell by cell: it accepts what the rules allow (3.0 for an integer, null for
a missing value) and says what is wrong with the rest. The quick reading accepts nothing that cell
validation would not, with the same arrays; a property test compares the two.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import partial
from itertools import chain, cycle, starmap
from math import isfinite, nan
from operator import getitem
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.arrays import MISSING_TEXT, Array, Cells, LateArrays
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.inputs import nested
from onnxlet.function.inputs.cell_validation import validate_cells
from onnxlet.function.inputs.columns import Refused
from onnxlet.function.inputs.signature import Block, CellsOf, Signature
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
    from onnxlet.function.inputs.batches import LeftOut


def whole_numbers(cells: Array, dtype: str) -> tuple[Array, Array]:
    """float64 as a block of whole numbers holds them, and which of them are odd.

    Of dtype int64 that is what is not whole, or does not fit; of float64, in which NaN stands for
    a missing one, the same without NaN. No whole number is -0.0.
    """
    cells = cells + 0.0
    with np.errstate(invalid="ignore"):
        odd = ~((np.floor(cells) == cells) & (np.abs(cells) < 2.0**63))
    if dtype == "float64":
        return cells, odd & (cells == cells)
    return np.where(odd, 0.0, cells).astype(np.int64), odd


def outside(numbers: Array, low: Any, high: Any, nullable: Any) -> Array:
    """Which numbers lie beyond bounds that are surely answered; NaN does unless it is nullable."""
    beyond: Array = ~((numbers >= low) & (numbers <= high)) & ~(np.isnan(numbers) & nullable)
    return beyond


def encodes(text: str) -> bool:
    """Whether a text has a UTF-8 form: lone surrogates, which JSON can escape, have none."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


EXACT_TYPES: Mapping[str, frozenset[type]] = {
    "float64": frozenset({int, float, type(None)}),
    "float32": frozenset({int, float, type(None)}),
    "int64": frozenset({int, type(None)}),
    "bool": frozenset({bool}),
    "string": frozenset({str, type(None)}),
}
FEW_CELLS = 500  # so few are checked as fast in lists, and need no NumPy
# Cells that are read together: other requests get their turn between two parts of a batch, and the
# Python objects of only one part are in memory at a time.
CELLS_AT_ONCE = 50_000

Faults = Mapping[int, str]
Prepare = Callable[[Sequence[Any], Faults], tuple[Sequence[Any], Faults]]


class CheckedBatch(NamedTuple):
    """A checked batch."""

    rows: int  # how many instances there are
    # For each block of the signature, an array of shape (rows, the block's columns).
    arrays: Sequence[Array]


def validate_rows(
    rows: Sequence[Any],
    signature: Signature,
    faults: Faults | None = None,
    prepare: Prepare | None = None,
    left_out: LeftOut | None = None,
) -> CheckedBatch:
    """Check every instance: an object by column name or a list in signature order.

    They come all at once, or are `parts`. `faults` are rows already known to be wrong, and why,
    which are reported with the others; `prepare` makes such rows of what came, and may find faults.
    `left_out` takes the rows that are wrong, and why; None has them refused.

    Raises InvalidRows with every problem, located by row and column.
    """
    if not len(rows):
        raise InvalidRows([Problem(None, None, "no instances: expected at least one row")])
    width = len(signature.columns)
    if left_out is None and len(rows) * width <= CELLS_AT_ONCE and not hasattr(rows, "parts"):
        if prepare is not None:
            rows, faults = prepare(rows, faults or {})
        return CheckedBatch(len(rows), read_rows(signature, rows, faults or {}))
    from onnxlet.function.inputs.batches import Gathered, parts_of  # most are small, and right

    gathered, read = Gathered(len(rows), left_out), partial(read_rows, signature)
    for part, part_faults in parts_of(rows, faults or {}, max(1, CELLS_AT_ONCE // width)):
        if prepare is not None:
            part, part_faults = prepare(part, part_faults)
        gathered.read(part, part_faults, read)
    return CheckedBatch(*gathered.table())


def read_rows(signature: Signature, rows: Sequence[Any], faults: Faults) -> Sequence[Array]:
    """The arrays of rows; InvalidRows has every problem."""
    arrays: Sequence[Array] | None = None
    if not faults:
        few = len(rows) * len(signature.columns) <= FEW_CELLS and not signature.nested
        arrays = _read_quickly(rows, signature, few)
    return validate_cells(rows, signature, faults) if arrays is None else arrays


def _are_by_name(rows: Sequence[Any], signature: Signature) -> bool | None:
    """Whether all rows are objects by column name; or all lists; None where anything is odd."""
    form = set(map(type, rows))
    if form == {list} and set(map(len, rows)) == {len(signature.columns)}:
        return False
    return True if form == {dict} and _known_names_alone(rows, signature) else None


def _read_quickly(rows: Sequence[Any], signature: Signature, few: bool) -> Sequence[Array] | None:
    """The blocks, of few rows as cells; None where anything is odd."""
    if (by_name := _are_by_name(rows, signature)) is None:
        return None
    found: list[Array] = []
    try:
        if few:
            flat = (
                list(chain.from_iterable((each.by_name if by_name else each.by_position).of(rows)))
                for each in signature.blocks
            )
            return few_blocks(signature, flat, len(rows))
        for block in signature.blocks:
            array = _array(block, rows, block.by_name if by_name else block.by_position)
            if array is None or not is_plain(block, array := array.reshape(len(rows), -1)):
                return None
            found.append(array)
    except (KeyError, OverflowError, Refused, TypeError):
        return None
    return found if nested.agree(found, signature.nested) else None


def few_blocks(
    signature: Signature, cells: Iterable[list[Any]], rows: int
) -> Sequence[Array] | None:
    """The blocks of few rows, whose cells came row by row; None where any is odd.

    Raises OverflowError for a whole number that is no float64.
    """
    found = []
    for block, flat in zip(signature.blocks, cells, strict=True):
        types = set(map(type, flat))
        values = exact(block, flat, types)
        if values is not None and block.dtype == "float64" and types != {float}:
            values = [nan if cell is None else float(cell) for cell in values]
        if values is None or not _are_plain(block, values):
            return None
        found.append(Cells(values, (rows, len(block.columns)), block.dtype))
    return LateArrays(found)


def exact(block: Block, cells: list[Any], types: Set[type]) -> list[Any] | None:
    """Cells of so many types, texts as a block holds them; None where one is not of its type."""
    if not types <= EXACT_TYPES[block.type]:
        return None
    if block.dtype == "string":
        return texts(cells, type(None) in types, block.longest)
    return None if type(None) in types and block.dtype != "float64" else cells


def _are_plain(block: Block, values: list[Any]) -> bool:
    """The same as `is_plain`, of cells that came row by row."""
    width = len(block.columns)
    for at, known in block.closed:
        if not known.issuperset(values[at::width]):
            return False
    if block.dtype == "string":
        for at, column in block.dated:
            if not all(map(column.takes, set(values[at::width]) - {MISSING_TEXT})):
                return False
        return MISSING_TEXT not in values or all(
            nullable or MISSING_TEXT not in values[at::width]
            for at, (_, _, nullable) in enumerate(block.bounds)
        )
    if block.dtype == "bool":
        return True
    # Between all bounds, most often. A sum is finite only if each number is; of numbers that are
    # not, `min` may be any.
    finite = block.dtype == "int64" or isfinite(sum(values))
    if finite and (
        block.unbounded or (min(values) >= block.lowest and max(values) <= block.highest)
    ):
        return True
    return all(
        low <= value <= high or (nullable and value != value)  # NaN, which is missing
        for value, (low, high, nullable) in zip(values, cycle(block.bounds), strict=False)
    )


def _known_names_alone(rows: Sequence[dict[str, Any]], signature: Signature) -> bool:
    """Whether no row has an unknown column, if it turns out that none lacks a known one."""
    if signature.all_required:
        if sum(map(len, rows)) == len(rows) * len(signature.columns):
            return True
        if not signature.ignored:
            return False
    return signature.names.issuperset(chain.from_iterable(rows))


def _array(block: Block, rows: Sequence[Any], cells: CellsOf) -> Array | None:
    """The block's cells, flat; None where one is not exactly of its type.

    KeyError, OverflowError, Refused and TypeError are raised where that shows only on the way.
    """
    if block.pack is not None:
        try:
            packed = np.frombuffer(b"".join(starmap(block.pack, cells.of(rows))))
        except struct.error:
            pass  # something is no number
        else:
            return None if hides_boolean(packed, rows, cells) else packed
    flat = list(chain.from_iterable(cells.of(rows)))
    if block.nested:
        return nested.packed([nested.parsed(block.columns[0], cell, None) for cell in flat])
    values = exact(block, flat, set(map(type, flat)))
    dtype = object if block.dtype == "string" else block.dtype
    return None if values is None else np.array(values, dtype)


def hides_boolean(packed: Array, rows: Sequence[Any], cells: CellsOf) -> bool:
    """Whether some 0 or 1 was a boolean, which `struct` packs like a number."""
    if len(packed) > FEW_CELLS:
        suspects = np.flatnonzero((packed == 0) | (packed == 1))
        if len(suspects) < len(packed) // 8:
            row, key = (each.tolist() for each in np.divmod(suspects, len(cells.keys)))
            found = map(getitem, map(rows.__getitem__, row), map(cells.keys.__getitem__, key))
            return bool in set(map(type, found))
    return bool in set(map(type, chain.from_iterable(cells.of(rows))))


def texts(cells: list[Any], some_missing: bool, longest: int) -> list[Any] | None:
    """Strings, and what stands for a missing one; None where one may have to be refused."""
    if MISSING_TEXT in cells:
        return None
    if some_missing:
        cells = [MISSING_TEXT if cell is None else cell for cell in cells]
    together = "".join(cells)
    if len(together) > longest and max(map(len, cells)) > longest:
        return None
    return cells if encodes(together) else None


def is_plain(block: Block, array: Array) -> bool:
    """Whether no cell is missing, infinite, too large or of an unknown category unless allowed."""
    if block.nested:
        return True  # its cells were checked as they were read
    if block.dtype == "string":
        return _are_plain(block, array.ravel().tolist())
    if block.closed and not all(
        categories.issuperset(array[:, position]) for position, categories in block.closed
    ):
        return False
    if block.dtype == "bool":
        return True
    # Between all bounds, most often; a missing number makes either comparison false. As Python's: a
    # float32's comparison would round the bound.
    if array.size and array.min().item() >= block.lowest and array.max().item() <= block.highest:
        return True
    return not outside(array, *block.limits).any()
