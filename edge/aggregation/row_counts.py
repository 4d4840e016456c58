"""What one or several workers have counted of a model's rows, as a value that adds up.

Each worker has a window of its own. The window of all has rows of one time: the window of the
worker that has counted last, and what the others have counted since that began. A worker that was
asked little does not bring last week's rows into it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import chain
from operator import add, attrgetter
from typing import Any, NamedTuple

from onnxlet.edge.aggregation import json_values
from onnxlet.function.arrays import Array
from onnxlet.function.monitoring.watch import (
    HALF_ROWS,
    HISTORY,
    BinCounts,
    Figures,
    Half,
    Watch,
    is_block,
)
from onnxlet.function.numpy_later import np

LASTING = 4  # pieces of workers that have ended; older ones are in no window any more


class Piece(NamedTuple):
    """Rows of some time."""

    since: float  # of their first block, in seconds since 1970
    until: float  # of their last one
    seen: BinCounts  # of a window at most two pieces; or those of a block that is not full
    # Rows of such a block by the key that asked; empty where that does not matter.
    asked: Mapping[str, int] = {}


class RowCounts(NamedTuple):
    """What was counted."""

    figures: Figures  # as a watch has them; of several workers their window is that of all
    pieces: Sequence[Piece]  # of the windows, in any order
    block: Piece  # rows that are too few to be shown


def read_watch(watch: Watch) -> RowCounts:
    """What a watch has counted at this moment."""
    figures, found = watch.pieces()
    *halves, block = [Piece(*each) for each in found]
    return RowCounts(figures, [each for each in halves if each.seen.rows], block)


def add_up(parts: Sequence[RowCounts]) -> RowCounts:
    """The sum of one part at least, all of the same bins."""
    pieces = [piece for part in parts for piece in part.pieces]
    figures = [part.figures for part in parts]
    total = reduce(add, (each.total for each in figures))
    refused: Counter[str] = Counter()
    for each in figures:
        refused.update(each.refused)
    history = sorted((half for each in figures for half in each.history), key=attrgetter("until"))
    window = _window([part.pieces for part in parts], np.zeros(len(total.counts), np.uint32))
    since = min(each.since for each in figures)
    blocks = [part.block for part in parts]
    block = Piece(
        min(each.since for each in blocks),
        max(each.until for each in blocks),
        reduce(add, (each.seen for each in blocks)),
        reduce(add, (Counter(each.asked) for each in blocks)),
    )
    latest, waiting = tuple(history[-HISTORY:]), block.seen.rows
    found = Figures(since, total, window, dict(refused), latest, waiting)
    return RowCounts(found, pieces, block)


def _window(windows: Sequence[Sequence[Piece]], nothing: Array) -> BinCounts:
    """Of the pieces of each worker's window those that are of one time, HALF_ROWS at least."""
    last, *others = sorted(windows, key=lambda pieces: -max((p.until for p in pieces), default=0))
    pieces = [*last, *sorted(chain(*others), key=lambda piece: -piece.until)]
    rows, since = 0, float("inf")
    for number, piece in enumerate(pieces):
        if number < len(last) or rows < HALF_ROWS:
            rows, since = rows + piece.seen.rows, min(since, piece.since)
    return reduce(add, (each.seen for each in pieces if each.until >= since), BinCounts(0, nothing))


def absorbed(parts: Sequence[RowCounts], keys: int = 0) -> RowCounts:
    """The sum of what workers that have ended had counted; their blocks become one.

    A block has to have rows of so many keys.
    """
    found = add_up(parts)
    pieces = sorted(found.pieces, key=attrgetter("until"))
    if is_block((block := found.block).seen.rows, block.asked, keys):
        pieces.append(block)
        figures = found.figures._replace(total=found.figures.total + block.seen)
        nothing = BinCounts(0, np.zeros_like(block.seen.counts))
        found = RowCounts(figures, pieces, block._replace(seen=nothing, asked={}))
    return found._replace(pieces=pieces[-LASTING:])


def state(counted: RowCounts) -> dict[str, Any]:
    """For JSON."""
    figures = counted.figures
    return {
        "since": figures.since,
        "total": json_values.written(list(figures.total)),
        "refused": figures.refused,
        "history": [[half.until, half.rows, half.expected] for half in figures.history],
        "pieces": [
            [each.since, each.until, json_values.written(list(each.seen)), each.asked]
            for each in (*counted.pieces, counted.block)
        ],
    }


def read(state: Mapping[str, Any]) -> RowCounts:
    """What `state` was of; the window is made anew."""
    *pieces, block = [
        Piece(since, until, BinCounts(*json_values.read(seen)), asked)
        for since, until, seen, asked in state["pieces"]
    ]
    total = BinCounts(*json_values.read(state["total"]))
    history = tuple(Half(*each) for each in state["history"])
    figures = Figures(state["since"], total, block.seen, state["refused"], history)
    return add_up([RowCounts(figures, pieces, block)])
