"""Counts what comes into a model and what goes out, in constant memory.

Rows are gathered until there are enough to be counted together. What was counted is shown, or
logged, only in blocks of at least BLOCK_ROWS rows, so that no figure is of somebody's row. Who may
both ask and read could send all rows of a block but one: where clients read, a block has KEY_ROWS
rows at least of each of some keys. So of whoever holds fewer keys it has as many rows of others.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import Problem
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring import compared
from onnxlet.function.monitoring.layout import Layout

LONGEST_REASON = 80  # characters
FORM = "other columns than the model's"
# By words that a problem's detail has beside what came, which stands before some of them.
UNLIKE = "unlike the training rows"
REASONS = {
    "training row": UNLIKE,
    "not one of the known categories": "unknown category",
    "does not fit": "out of range",
    "entries as '": "sizes that disagree",
    "and the model does not take one": "missing or infinite",
    "missing column": "missing",
    "is the most": "too long",
    "is the longest side": "too large",
    "are the most": "too large",
    "can't be decoded": "damaged",
}


def reasons(problems: Sequence[Problem], model: Model) -> list[str]:
    """Why each row was refused: its first problem, without anything of what came."""
    found: dict[int | None, str] = {}
    for problem in problems:
        if problem.row not in found:
            known = problem.column in model.signature.names  # other names are the client's
            why = _why(problem.detail)
            found[problem.row] = f"{problem.column}: {why}" if known else FORM
            if problem.column is None and why == UNLIKE:
                found[problem.row] = UNLIKE
    return list(found.values())


def _why(detail: str) -> str:
    """What is wrong with a cell, in words that have nothing of it."""
    if why := next((why for words, why in REASONS.items() if words in detail), ""):
        return why
    expected = detail.startswith("expected")
    return detail.partition(", got ")[0][:LONGEST_REASON] if expected else "not taken"


BLOCK_ROWS = 100
KEY_ROWS = 20  # of one key
# The window of recent rows is two halves; the older one goes when the newer one has so many.
HALF_ROWS = 1000
AT_ONCE = 250  # rows that are counted together: a request of so many is, fewer are gathered first
# Of one watch: what is gathered, and sums and edges of its bins.
MOST_BYTES, LEAST_BYTES, BIN_BYTES = 54_000, 5_000, 32
HISTORY = 24  # halves of windows that are remembered
MOST_REASONS = 50  # why rows were refused; further ones count together
OTHER = "other reasons"


class BinCounts(NamedTuple):
    """What was counted."""

    rows: int  # how many
    counts: Array  # of each bin: uint32, but int64 of all rows ever

    def __add__(self, other: Any) -> BinCounts:
        return BinCounts(self.rows + other.rows, self.counts + other.counts)


class Half(NamedTuple):
    """What is remembered of a half of a window."""

    until: float  # when it ended, in seconds since 1970
    rows: int  # how many it had
    expected: Mapping[str, float | None]  # performance, by name


class Figures(NamedTuple):
    """The state of a watch at one moment."""

    since: float  # when it began, in seconds since 1970
    total: BinCounts  # since then
    window: BinCounts  # of the recent rows
    # Rows that got no answer, by the reason; requests of other errors by their kind.
    refused: Mapping[str, int]
    history: Sequence[Half] = ()  # of earlier halves of windows, the latest HISTORY of them
    waiting: int = 0  # rows that are in no block yet


class Piece(NamedTuple):
    """Rows of some time."""

    since: float  # of their first block, in seconds since 1970
    until: float  # of their last one
    seen: BinCounts  # of a window at most two pieces; or those of a block that is not full
    # Rows of such a block by the key that asked; empty where that does not matter.
    asked: Mapping[str, int] = {}

    def is_whole(self, keys: int) -> bool:
        """Whether this block may be shown, to all where its rows are of so many keys."""
        return is_block(self.seen.rows, self.asked, keys)


def is_block(rows: int, asked: Mapping[str, int], keys: int) -> bool:
    """Whether rows may be shown: they are enough, and of so many keys, where that matters.

    Of each key that asked `asked` has how many; `keys` is 0 where that does not matter.
    """
    if rows < BLOCK_ROWS:
        return False
    return not keys or sum(each >= KEY_ROWS for each in asked.values()) >= keys


class Watch:
    """Counts one version of one model; safe from several threads.

    Where it is `logged`, it keeps what is to be logged, until `to_log` takes it, and counts as soon
    as there are BLOCK_ROWS, since an instance may end any moment. A block has to have rows of so
    many `keys`; 0 where that does not matter. Then why rows were refused is not shown: that is of
    single rows.
    """

    def __init__(self, layout: Layout, logged: bool = False, keys: int = 0) -> None:
        self.layout = layout
        self._keys = keys
        self._asked: Counter[str] = Counter()  # rows that are in no block yet, where keys matter
        self._lock = threading.Lock()
        self._since = time.time()
        self._total = BinCounts(0, np.zeros(layout.size, np.int64))
        self._empty = BinCounts(0, np.zeros(layout.size, np.uint32))
        # Rows that were compared with training rows, and are too few to be shown; and who asked.
        self._compared = np.zeros(layout.size - layout.compared.start, np.uint32)
        self._comparing: Counter[str] = Counter()
        self._block = self._newer = self._older = self._empty
        # When the first and the last block of each half came, the older half's first.
        self._spans = [(self._since, self._since)] * 2
        self._logged = logged
        self._to_log = self._block  # an array of its own only where rows are logged
        self._refused: Counter[str] = Counter()
        self._logged_refused: Counter[str] = Counter()
        self._history: deque[Half] = deque(maxlen=HISTORY)
        self._gathered = self._none_gathered()
        self._rows = self._most = 0  # that are gathered, and that are counted together
        self._bytes = max(LEAST_BYTES, MOST_BYTES - layout.size * BIN_BYTES)

    def _none_gathered(self) -> list[bytearray]:
        return [bytearray() for _ in self.layout.dtypes]

    def count(self, prediction: Prediction, key: str = "") -> None:
        """Count the rows that were answered to a key."""
        rows, layout = prediction.table.rows, self.layout
        if prediction.problems:
            self.refuse(reasons(prediction.problems, prediction.model))
        if not rows:
            return
        if prediction.unusual is not None:
            found = compared.counts(prediction.unusual, layout.unlike)
            with self._lock:
                self._compared += found.astype(np.uint32)
                self._comparing[key] += rows
        packed = layout.packed(prediction)
        if rows >= AT_ONCE:
            seen = BinCounts(rows, layout.count(packed, rows).astype(np.uint32))
            with self._lock:
                if self._rows:  # those that are too few to be shown come with these
                    self._count_gathered()
                if self._keys:
                    self._asked[key] += rows
                self._add(seen)
            return
        with self._lock:
            if self._keys:
                self._asked[key] += rows
            for gathered, part in zip(self._gathered, packed, strict=True):
                gathered += part.tobytes()
            self._rows += rows
            if self._rows == rows:
                fitting = max(1, self._bytes * rows // max(1, sum(map(len, self._gathered))))
                self._most = min(fitting, BLOCK_ROWS if self._logged else AT_ONCE)
            if self._rows >= self._most:
                self._count_gathered()

    @property
    def waiting(self) -> int:
        """How many rows are in no block yet."""
        return self._rows + self._block.rows

    def _count_gathered(self) -> None:
        packed = self.layout.unpacked(self._gathered, self._rows)
        seen = BinCounts(self._rows, self.layout.count(packed, self._rows).astype(np.uint32))
        self._gathered = self._none_gathered()
        self._rows = 0
        self._add(seen)

    def add(self, seen: BinCounts, at: float) -> None:
        """Add what was counted elsewhere, by the same layout, at so many seconds since 1970.

        These are BLOCK_ROWS at least.
        """
        with self._lock:
            self._add(seen, at)

    def _add(self, seen: BinCounts, at: float | None = None) -> None:
        block = self._block + seen if self._block.rows else seen
        if not is_block(block.rows, self._asked, self._keys):
            self._block = block
            return
        self._block = self._empty
        self._asked.clear()
        if self._comparing and is_block(self._comparing.total(), self._comparing, self._keys):
            block.counts[self.layout.compared] += self._compared
            self._compared = np.zeros_like(self._compared)
            self._comparing.clear()
        now = time.time() if at is None else at
        if self._newer.rows >= HALF_ROWS:
            expected = self.layout.expected_performance(self._newer.counts)
            self._history.append(Half(now, self._newer.rows, expected))
            self._older, self._newer = self._newer, self._empty
            self._spans[0] = self._spans[1]
        self._spans[1] = (self._spans[1][0] if self._newer.rows else now), now
        self._newer += block
        self._total += block
        if self._logged:
            self._to_log += block

    def refuse(self, reasons: Sequence[str]) -> None:
        """Count rows, or a request, that got no answer."""
        with self._lock:
            for reason in reasons:
                known = reason in self._refused or len(self._refused) < MOST_REASONS
                self._refused[reason if known else OTHER] += 1

    def figures(self) -> Figures:
        """What was counted so far, but for the rows of the last block."""
        with self._lock:
            if self._rows and self.waiting >= BLOCK_ROWS:
                self._count_gathered()
            return self._figures()

    def _figures(self) -> Figures:
        window = self._older + self._newer
        refused = {} if self._keys else dict(self._refused)
        history = tuple(self._history)
        return Figures(self._since, self._total, window, refused, history, self.waiting)

    def pieces(self) -> tuple[Figures, Sequence[Piece]]:
        """The figures, and what they are of: older and newer half; last what is in no block yet.

        The last one must not be shown: it is for another process to go on with.
        """
        with self._lock:
            if self._rows:
                self._count_gathered()
            now = time.time()
            halves = zip(self._spans, (self._older, self._newer), strict=True)
            pieces = [Piece(*span, half) for span, half in halves]
            pieces.append(Piece(now, now, self._block, dict(self._asked)))
            return self._figures(), pieces

    def to_log(self) -> tuple[BinCounts, Mapping[str, int]] | None:
        """What was counted, and refused, since this was asked last; None where no row was counted.

        Rows come here only in blocks; refusals wait for the next block.
        """
        if not self._to_log.rows:
            return None
        with self._lock:
            seen, self._to_log = self._to_log, self._empty
            refused = self._refused - self._logged_refused
            self._logged_refused = self._refused.copy()
        return (seen, refused) if seen.rows else None
