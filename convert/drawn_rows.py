"""Rows as they might have been held out: drawn within the data's range, and mixed between rows.

Edge cases lie at the ends of what the signature allows, and held-out rows may be few. These lie
where requests will: each column from another row, numbers from between those that were seen, and
rows on the way from one to another, where an estimator of distances has something to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from convert.inputs import Cells
from function.signature import Array, Column

ROWS = 1000  # of each draw, where so many different ones are found
TRIED = 1100  # at a time
TIMES = 4
FLOATS = ("float64", "float32")


def drawn_rows(columns: Sequence[Column], donors: Sequence[Cells], draws: int) -> list[list[Cells]]:
    """Rows of several draws, each from a seed of its own, no row twice and none that is a donor.

    Args:
        columns: what each position of a row may hold.
        donors: rows that these allow.
        draws: how many; the first of them are the same ones however many there are.
    """
    seen = set(map(tuple, donors))
    made = []
    for seed in range(draws):
        random, rows = np.random.default_rng((seed, ROWS)), dict[tuple[Any, ...], None]()
        for _ in range(TIMES):
            if len(rows) < ROWS:
                rows |= dict.fromkeys(r for r in _drawn(columns, donors, random) if r not in seen)
        seen.update(rows)
        made.append(list(map(list, rows))[:ROWS])
    return made


def _drawn(
    columns: Sequence[Column], donors: Sequence[Cells], random: np.random.Generator
) -> Iterator[tuple[Any, ...]]:
    ends, shares = random.integers(0, len(donors), (2, TRIED)), random.random(TRIED)
    made = [
        _floats(cells, ends, shares, random)
        if column.type in FLOATS and column.categories is None
        else _others(column, cells, ends, shares, random)
        for column, cells in zip(columns, zip(*donors, strict=True), strict=True)
    ]
    return zip(*made, strict=True)


def _floats(
    cells: Sequence[Any], ends: Array, shares: Array, random: np.random.Generator
) -> list[Any]:
    """One column, the three ways of making a row in turn; gaps stay gaps."""
    known = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    mixed, along = known[random.integers(0, len(known), TRIED)], known[ends[0]]
    between = _instead(mixed, _between(known, random))
    with np.errstate(all="ignore"):  # of numbers as far apart as floats can be
        along = _instead(along, along + shares * (known[ends[1]] - along))
    rows = np.choose(np.arange(TRIED) % 3, (mixed, between, along))
    return [None if number != number else number for number in rows.tolist()]


def _others(
    column: Column, cells: Sequence[Any], ends: Array, shares: Array, random: np.random.Generator
) -> list[Any]:
    """One column of whole numbers, of text or of values that no others may stand beside."""
    picks = random.integers(0, len(cells), (2, TRIED)).tolist()
    mixed, others = ([cells[row] for row in rows] for rows in picks)
    between, along = mixed, [cells[row] for row in ends[0].tolist()]
    if column.categories is None and column.type == "string":
        between = list(map(_spliced, mixed, others))
    elif column.categories is None and column.type == "int64":
        numbers = _floats(cells, ends, shares, random)
        between = along = [_whole(n, cell, cells) for n, cell in zip(numbers, mixed, strict=True)]
    return [(mixed, between, along)[row % 3][row] for row in range(TRIED)]


def _between(numbers: Array, random: np.random.Generator) -> Array:
    """Numbers between those that are known, as dense as these."""
    known = np.sort(numbers[np.isfinite(numbers)])
    if not known.size:
        return np.full(TRIED, np.nan)
    at = random.random(TRIED) * (known.size - 1)
    return np.asarray(np.interp(at, np.arange(known.size), known))


def _instead(cells: Array, numbers: Array) -> Array:
    """These numbers in place of the cells that are numbers themselves."""
    return np.where(np.isfinite(cells) & np.isfinite(numbers), numbers, cells)


def _whole(number: float | None, cell: Any, cells: Sequence[Any]) -> Any:
    """The whole number that is nearest, of those that a column reaches from end to end."""
    if number is None or cell is None:
        return cell
    known = [c for c in cells if c is not None]
    return max(min(known), min(max(known), round(number)))


def _spliced(one: Any, other: Any) -> Any:
    """The first words of a text and the last ones of another, no longer than the longer of them."""
    if not isinstance(one, str) or not isinstance(other, str):
        return one
    first, last = one.split(" "), other.split(" ")
    made = " ".join([*first[: (len(first) + 1) // 2], *last[(len(last) + 1) // 2 :]])
    return made if len(made) <= max(len(one), len(other)) else one
