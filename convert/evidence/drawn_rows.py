"""Rows as they might have been held out: drawn within the data's range, and mixed between rows.

Edge cases lie at the ends of what the signature allows, and held-out rows may be few. These lie
where requests will: each column from another row, numbers from between those that were seen, and
rows on the way from one to another, where an estimator of distances has something to say. Where
the data are too few for that, they lie around them, within what the signature allows.

Training rows are such rows, too, with values of the test set's own types: one gap makes floats of a
column of whole numbers, and they may differ from a small test set in a type, not in what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from onnxlet.convert.dates import moments, written
from onnxlet.convert.evidence.images import Blends
from onnxlet.convert.evidence.rows import FLOATS, fits
from onnxlet.convert.reference.inputs import Cells, InputColumn
from onnxlet.convert.spacing import every_nth
from onnxlet.function.arrays import LARGEST_INTEGER, Array
from onnxlet.function.inputs.columns import Column, ColumnType

ROWS = 1000  # of each draw, where so many different ones are found
DRAWN_CELLS = 2_000_000  # of rows that are wide there are fewer
ANSWERED_CELLS = 10_000_000  # numbers in the answers to them
FEWEST_WIDE = 200  # rows, however wide
ENOUGH_ROWS = 100  # where fewer are found between the donors, numbers are drawn around these, too
MORE = 100  # are tried at a time than are wanted
TIMES = 4
LARGEST_DRAWN = 2.0**62  # whole numbers: a float64 at 2**63 may have been rounded up to it


# Draws rows as `drawn_rows` does.
Draw = Callable[[Sequence[Column], Sequence[Cells], int, int], list[list[Cells]]]
MOST_TRAINING_ROWS = 2000  # that rows are drawn from, beside those held out
NUMBERS = (bool, int, float)


@dataclass(frozen=True)
class Donated:
    """One column's cells in the donors; what is known of them is worked out once."""

    column: Column  # what they may hold
    cells: Sequence[Any]  # one of each donor

    @cached_property
    def numbers(self) -> Array:
        """The cells of a column of numbers, NaN for a gap; shape (donors,)."""
        cells = [np.nan if cell is None else cell for cell in self.cells]
        return np.array(cells, dtype=np.float64)

    @cached_property
    def finite(self) -> Array:
        """The finite numbers, in order."""
        return np.sort(self.numbers[np.isfinite(self.numbers)])

    @cached_property
    def blends(self) -> Blends:
        """Of a column of images."""
        return Blends(self.cells)

    @cached_property
    def ends(self) -> tuple[int, int]:
        """The least and the greatest whole number; some double may hold neither."""
        known = [cell for cell in self.cells if cell is not None]
        return min(known), max(known)


def drawing_once() -> Draw:
    """`drawn_rows` for one build, which asks several times: the same draws are made once."""
    kept: list[Any] = []

    def draw(
        columns: Sequence[Column], donors: Sequence[Cells], draws: int, most: int
    ) -> list[list[Cells]]:
        of = [*columns], [*donors], most
        if not kept or kept[0] != of or len(kept[1]) < draws:
            kept[:] = of, drawn_rows(columns, donors, draws, most)
        return list(kept[1][:draws])

    return draw


def most_drawn(width: int, answered: int) -> int:
    """Rows of each draw: fewer where they have many columns, or answers of many numbers."""
    fitting = min(DRAWN_CELLS // max(1, width), ANSWERED_CELLS // max(1, answered))
    return max(min(ROWS, fitting), FEWEST_WIDE)


def drawn_rows(
    columns: Sequence[Column], donors: Sequence[Cells], draws: int, most: int = ROWS
) -> list[list[Cells]]:
    """Rows of several draws, each from a seed of its own, no row twice and none that is a donor.

    Where there are few different ones, each draw leaves half of what it finds to those after it.
    The first draws are the same ones however many there are. Donors are rows that the columns
    allow; `most` is of each draw.
    """
    by_column = zip(*donors, strict=True)
    donated = [Donated(c, cells) for c, cells in zip(columns, by_column, strict=True)]
    seen = set(map(tuple, donors))
    made = []
    for seed in range(draws):
        rows = _found(donated, seen, most, np.random.default_rng((seed, ROWS)))
        if seed < draws - 1:  # it takes long where rows are wide
            seen.update(rows)
        made.append(list(map(list, rows)))
    return made


def _found(
    donated: Sequence[Donated],
    seen: set[tuple[Any, ...]],
    most: int,
    random: np.random.Generator,
) -> list[tuple[Any, ...]]:
    """The rows of one draw: none that was seen, and no more than half of a small pool."""
    rows = dict[tuple[Any, ...], None]()
    for tried, draw in enumerate([_within] * TIMES + [_around] * TIMES):
        if tried == TIMES and len(rows) >= ENOUGH_ROWS:
            break
        found = draw(donated, most + MORE, random)
        rows |= dict.fromkeys(row for row in found if row not in seen)
        if len(rows) >= (2 * most if tried else most):  # there are many more
            return list(rows)[:most]
    return list(rows)[: min(most, (len(rows) + 1) // 2)]


def _within(
    donated: Sequence[Donated], size: int, random: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    """Rows between the donors, the three ways of making one in turn."""
    count = len(donated[0].cells)
    ends, shares = random.integers(0, count, (2, size)), random.random(size)
    with np.errstate(all="ignore"):  # of numbers as far apart as floats can be
        made = [
            _floats(one, ends, shares, random)
            if one.column.type in FLOATS and one.column.categories is None
            else _others(one, ends, shares, random)
            for one in donated
        ]
    return _rows_of(made)


def _rows_of(made: Sequence[Array | list[Any]]) -> Iterator[tuple[Any, ...]]:
    """Rows of columns; NaN in arrays of floats is a gap."""
    arrays = [column for column in made if isinstance(column, np.ndarray)]
    if len(arrays) < len(made) or any(np.isnan(column).any() for column in arrays):
        return zip(*(_with_gaps(column) for column in made), strict=True)
    # A row's numbers lie side by side in memory then: of wide ones all later reading is quicker.
    return map(tuple, np.stack(arrays, axis=1).tolist())


def _with_gaps(cells: Array | list[Any]) -> list[Any]:
    if isinstance(cells, list):
        return cells
    return [None if number != number else number for number in cells.tolist()]


def _around(
    donated: Sequence[Donated], size: int, random: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    """Rows with numbers around those of the donors, as far as the signature allows these."""
    return zip(*(_allowed(one, size, random) for one in donated), strict=True)


def _allowed(one: Donated, size: int, random: np.random.Generator) -> list[Any]:
    column, picks = one.column, random.integers(0, len(one.cells), size)
    cells = [one.cells[row] for row in picks.tolist()]
    closed = (False, True) if column.type == "bool" else column.categories
    if closed:
        chosen = random.integers(0, len(closed), size).tolist()
        return [c if c is None else closed[at] for c, at in zip(cells, chosen, strict=True)]
    if column.image:
        return one.blends.drawn(cells, random)
    if column.type == "string":
        return _dates(one, cells, random) if column.date else cells
    numbers = one.numbers[picks]
    with np.errstate(all="ignore"):  # of numbers as far apart as floats can be
        spread = one.finite[-1] - one.finite[0] if one.finite.size else 0.0
        reach = np.maximum(np.abs(numbers) / 2, spread)
        moved = numbers + random.uniform(-1, 1, size) * np.where(reach > 0, reach, 1.0)
    return [_allowed_number(column, n, c) for n, c in zip(moved.tolist(), cells, strict=True)]


def _allowed_number(column: Column, number: float, cell: Any) -> Any:
    """The number where the column takes it, else the donor's cell."""
    whole = column.type == "int64"
    if cell is None or not abs(number) <= (LARGEST_DRAWN if whole else np.inf):
        return cell
    moved = round(number) if whole else number
    return moved if fits(column, moved) else cell


def _floats(one: Donated, ends: Array, shares: Array, random: np.random.Generator) -> Array:
    """One column, the three ways of making a row in turn; NaN, a gap, stays one."""
    known, size = one.numbers, len(shares)
    mixed, along = known[random.integers(0, len(known), size)], known[ends[0]]
    between = _instead(mixed, _between(one.finite, size, random))
    along = _instead(along, along + shares * (known[ends[1]] - along))
    return np.choose(np.arange(size) % 3, (mixed, between, along))


def _others(one: Donated, ends: Array, shares: Array, random: np.random.Generator) -> list[Any]:
    """One column of whole numbers, of text or of values that no others may stand beside."""
    cells, size = one.cells, len(shares)
    if one.column.image:
        chosen = random.integers(0, len(cells), size).tolist()
        return one.blends.drawn([cells[row] for row in chosen], random)
    picks = random.integers(0, len(cells), (2, size)).tolist()
    mixed, others = ([cells[row] for row in rows] for rows in picks)
    between, along = mixed, [cells[row] for row in ends[0].tolist()]
    if one.column.date:
        between = _dates(one, mixed, random)
    elif one.column.categories is None and one.column.type == "string":
        between = list(map(_spliced, mixed, others))
    elif one.column.categories is None and one.column.type == "int64":
        numbers = _with_gaps(_floats(one, ends, shares, random))
        between = along = [_whole(n, cell, one) for n, cell in zip(numbers, mixed, strict=True)]
    return [(mixed, between, along)[row % 3][row] for row in range(size)]


def _dates(one: Donated, cells: Sequence[Any], random: np.random.Generator) -> list[Any]:
    """Dates from the first to the last of a column, instead of the cells that are not missing."""
    known = moments(one.column, one.cells)
    if not known:
        return list(cells)
    least, whole = known[0], known[-1] - known[0]
    drawn = [least + share * whole for share in random.random(len(cells)).tolist()]
    made = [written(one.column, moment) for moment in drawn]
    return [None if cell is None else text for cell, text in zip(cells, made, strict=True)]


def _between(known: Array, size: int, random: np.random.Generator) -> Array:
    """Numbers between those that are known, as dense as these."""
    if not known.size:
        return np.full(size, np.nan)
    at = random.random(size) * (known.size - 1)
    return np.asarray(np.interp(at, np.arange(known.size), known))


def _instead(cells: Array, numbers: Array) -> Array:
    """These numbers instead of the cells that are numbers themselves."""
    return np.where(np.isfinite(cells) & np.isfinite(numbers), numbers, cells)


def _whole(number: float | None, cell: Any, one: Donated) -> Any:
    """The whole number that is nearest, of those that a column reaches from end to end."""
    if number is None or cell is None:
        return cell
    least, greatest = one.ends
    return max(least, min(greatest, round(number)))


def _spliced(one: Any, other: Any) -> Any:
    """The first words of a text and the last ones of another, no longer than the longer of them."""
    if not isinstance(one, str) or not isinstance(other, str):
        return one
    first, last = one.split(" "), other.split(" ")
    made = " ".join([*first[: (len(first) + 1) // 2], *last[(len(last) + 1) // 2 :]])
    return made if len(made) <= max(len(one), len(other)) else one


def like_held_out(
    columns: Sequence[InputColumn],
    held_out: Sequence[Cells],
    trained: Sequence[InputColumn],
    rows: Sequence[Cells],
) -> list[Cells]:
    """Some of the training rows, evenly spaced, with cells of the types that the test set holds.

    Where a cell has no value of its column's type, one of the held-out rows' stands in. The
    training rows' own columns (`trained`) have the same names.
    """
    some = every_nth(rows, MOST_TRAINING_ROWS)
    by_column = list(zip(*some, strict=True))
    for position, (mine, theirs) in enumerate(zip(columns, trained, strict=True)):
        if some and (mine.type != theirs.type or theirs.unserved):
            by_column[position] = tuple(
                _fitted(mine.type, cell, held_out[row % len(held_out)][position])
                for row, cell in enumerate(by_column[position])
            )
    return [list(row) for row in zip(*by_column, strict=True)]


def _fitted(kind: ColumnType, cell: Any, instead: Any) -> Any:
    if cell is None or kind == "string":
        return cell if cell is None or isinstance(cell, str) else instead
    return FITTED[kind](cell, instead) if isinstance(cell, NUMBERS) else instead


def _as_whole(cell: float, instead: Any) -> Any:
    whole = abs(cell) <= LARGEST_INTEGER and cell == int(cell)
    return int(cell) if whole and abs(int(cell)) <= LARGEST_INTEGER else instead


def _single(cell: float, instead: Any) -> float:
    with np.errstate(over="ignore"):  # a column that takes no infinity leaves the row out
        return float(np.float32(cell))


FITTED: Mapping[str, Callable[[float, Any], Any]] = {
    "float64": lambda cell, instead: float(cell),
    "float32": _single,
    "int64": _as_whole,
    "bool": lambda cell, instead: bool(cell) if cell in (0, 1) else instead,
}
