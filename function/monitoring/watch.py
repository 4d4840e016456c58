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
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function.arrays import Array
from onnxlet.function.errors import Problem
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring import compared
from onnxlet.function.monitoring.gathered import Gathered
from onnxlet.function.monitoring.sample import Sample
from onnxlet.function.numpy_later import np

if TYPE_CHECKING:
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
GATHERED_BYTES = 80_000  # of memory, as much as which gathered rows take before they are counted
HISTORY = 24  # halves of windows that are remembered
MOST_REASONS = 50  # why rows were refused; further ones count together
OTHER = "other reasons"


class BinCounts(NamedTuple):
    """What was counted."""

    rows: int  # how many
    counts: Array  # of each bin: uint32, but int64 of all rows ever
    beyond: int = 0  # further rows that came meanwhile, and were not looked at

    def __add__(self, other: Any) -> BinCounts:
        beyond = self.beyond + other.beyond
        return BinCounts(self.rows + other.rows, self.counts + other.counts, beyond)


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


# Rows of some time: when their first block and their last one came, in seconds since 1970; what was
# counted of them; and, where that matters, how many came of each key.
Piece = tuple[float, float, BinCounts, Mapping[str, int]]


def is_block(rows: int, asked: Mapping[str, int], keys: int) -> bool:
    """Whether rows may be shown: they are enough, and of so many keys, where that matters.

    Of each key that asked `asked` has how many; `keys` is 0 where that does not matter.
    """
    if rows < BLOCK_ROWS:
        return False
    return not keys or sum(each >= KEY_ROWS for each in asked.values()) >= keys


class Counted:
    """What a watch has counted."""

    def __init__(self, layout: Layout) -> None:
        self.empty = BinCounts(0, np.zeros(layout.size, np.uint32))
        self.total = BinCounts(0, np.zeros(layout.size, np.int64))
        # Rows that were compared with training rows, and are too few to be shown.
        self.compared = np.zeros(layout.size - layout.compared.start, np.uint32)
        self.block = self.empty  # rows that are too few to be shown
        self.newer = self.older = self.empty  # halves of the window
        self.to_log = self.empty  # an array of its own only where rows are logged


class Watch:
    """Counts one version of one model; safe from several threads.

    Where it is `logged`, it keeps what is to be logged, until `to_log` takes it, and counts as soon
    as there are BLOCK_ROWS, since an instance may end any moment. A block has to have rows of so
    many `keys`; 0 where that does not matter. Then why rows were refused is not shown: that is of
    single rows.
    """

    def __init__(self, layout: Callable[[], Layout], logged: bool = False, keys: int = 0) -> None:
        """Count in the bins of a layout, which is made when the first rows are counted."""
        self._make_layout = layout
        self._keys = keys
        self._asked: Counter[str] = Counter()  # rows that are in no block yet, where keys matter
        self._lock = threading.Lock()
        self._since = time.time()
        self._comparing: Counter[str] = Counter()  # who asked for rows to be compared
        # When the first and the last block of each half came, the older half's first.
        self._spans = [(self._since, self._since)] * 2
        self._logged = logged
        self._refused: Counter[str] = Counter()
        self._logged_refused: Counter[str] = Counter()
        self._history: deque[Half] = deque(maxlen=HISTORY)
        self._gathered = Gathered()
        self._sample = Sample()
        self._beyond = 0  # rows that came since the last were counted, and are not looked at

    @cached_property
    def layout(self) -> Layout:
        """The bins."""
        return self._make_layout()

    @cached_property
    def _counted(self) -> Counted:
        return Counted(self.layout)

    def count(self, prediction: Prediction, key: str = "") -> None:
        """Count the rows that were answered to a key."""
        if prediction.problems:
            self.refuse(reasons(prediction.problems, prediction.model))
        rows = prediction.table.rows
        if not rows:
            return
        with self._lock:
            chosen = self._sample.of(rows)
            if prediction.unusual is not None:
                found = compared.counts(prediction.unusual, self.layout.unlike)
                self._counted.compared += found.astype(np.uint32)
                self._comparing[key] += rows
            looked_at = rows if chosen is None else len(chosen)
            self._beyond += rows - looked_at
            if not looked_at:
                return
            if looked_at < AT_ONCE:  # they are kept, and counted with others
                self._ask(key, looked_at)
                self._gathered.add(prediction, chosen)
                enough = self._gathered.bytes >= GATHERED_BYTES or self._gathered.rows >= AT_ONCE
                if enough or (self._logged and self.waiting >= BLOCK_ROWS):
                    self._count_gathered()
                return
        many = Gathered()
        many.add(prediction, chosen)
        seen = self._seen(many)  # others go on meanwhile
        with self._lock:
            self._count_gathered()  # those that are too few to be shown come with these
            self._ask(key, looked_at)  # not before: what was gathered is of those who asked for it
            self._add(seen)

    def _ask(self, key: str, rows: int) -> None:
        if self._keys:
            self._asked[key] += rows

    @property
    def waiting(self) -> int:
        """How many rows are in no block yet."""
        return self._gathered.rows + (self._counted.block.rows if self._is_begun else 0)

    @property
    def _is_begun(self) -> bool:
        """Whether rows were counted, which takes NumPy; before they are only gathered."""
        return "_counted" in self.__dict__

    def _seen(self, answered: Gathered) -> BinCounts:
        return BinCounts(answered.rows, self.layout.count(answered).astype(np.uint32))

    def _count_gathered(self) -> None:
        if self._gathered.rows:
            gathered, self._gathered = self._gathered, Gathered()
            self._add(self._seen(gathered))

    def add(self, seen: BinCounts, at: float) -> None:
        """Add what was counted elsewhere, by the same layout, at so many seconds since 1970.

        These are BLOCK_ROWS at least.
        """
        with self._lock:
            self._count_gathered()  # so that who asked is who asked for the rows of the block
            self._add(seen, at)

    def _add(self, seen: BinCounts, at: float | None = None) -> None:
        counted = self._counted
        seen, self._beyond = seen._replace(beyond=seen.beyond + self._beyond), 0
        block = counted.block + seen if counted.block.rows else seen
        if not is_block(block.rows, self._asked, self._keys):
            counted.block = block
            return
        counted.block = counted.empty
        self._asked.clear()
        if self._comparing and is_block(self._comparing.total(), self._comparing, self._keys):
            block.counts[self.layout.compared] += counted.compared
            counted.compared = np.zeros_like(counted.compared)
            self._comparing.clear()
        now = time.time() if at is None else at
        if counted.newer.rows >= HALF_ROWS:
            expected = self.layout.expected_performance(counted.newer.counts)
            self._history.append(Half(now, counted.newer.rows, expected))
            counted.older, counted.newer = counted.newer, counted.empty
            self._spans[0] = self._spans[1]
        self._spans[1] = (self._spans[1][0] if counted.newer.rows else now), now
        counted.newer += block
        counted.total += block
        if self._logged:
            counted.to_log += block

    def refuse(self, reasons: Sequence[str]) -> None:
        """Count rows, or a request, that got no answer."""
        with self._lock:
            for reason in reasons:
                known = reason in self._refused or len(self._refused) < MOST_REASONS
                self._refused[reason if known else OTHER] += 1

    def figures(self) -> Figures:
        """What was counted so far, but for the rows of the last block."""
        with self._lock:
            if self.waiting >= BLOCK_ROWS:
                self._count_gathered()
            return self._figures()

    def _figures(self) -> Figures:
        counted = self._counted
        window = counted.older + counted.newer
        refused = {} if self._keys else dict(self._refused)
        history = tuple(self._history)
        return Figures(self._since, counted.total, window, refused, history, self.waiting)

    def pieces(self) -> tuple[Figures, Sequence[Piece]]:
        """The figures, and what they are of: older and newer half; last what is in no block yet.

        The last one must not be shown: it is for another process to go on with.
        """
        with self._lock:
            self._count_gathered()
            counted, now = self._counted, time.time()
            halves = zip(self._spans, (counted.older, counted.newer), strict=True)
            pieces: list[Piece] = [(*span, half, {}) for span, half in halves]
            return self._figures(), [*pieces, (now, now, counted.block, dict(self._asked))]

    def to_log(self) -> tuple[BinCounts, Mapping[str, int]] | None:
        """What was counted, and refused, since this was asked last; None where no row was counted.

        Rows come here only in blocks; refusals wait for the next block.
        """
        if not self._is_begun or not self._counted.to_log.rows:
            return None
        with self._lock:
            seen, self._counted.to_log = self._counted.to_log, self._counted.empty
            refused = self._refused - self._logged_refused
            self._logged_refused = self._refused.copy()
        return (seen, refused) if seen.rows else None
