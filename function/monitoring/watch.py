"""Counts what comes into a model and what goes out, in constant memory.

Rows are gathered until there are enough to be counted together. What was counted is shown, or
logged, only in blocks of at least BLOCK_ROWS rows, so that no figure is of somebody's row.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from onnxlet.function import request_log
from onnxlet.function.arrays import Array
from onnxlet.function.errors import InvalidRows, Problem
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model
from onnxlet.function.monitoring.layout import Layout

BLOCK_ROWS = 100
# The window of recent rows is two halves; the older one goes when the newer one has so many.
HALF_ROWS = 1000
AT_ONCE = 500  # rows of a request that are counted at once, and not gathered first
# Of one watch: what is gathered, and sums and edges of its bins.
MOST_BYTES, LEAST_BYTES, BIN_BYTES = 60_000, 4_000, 28
HISTORY = 24  # halves of windows that are remembered
MOST_REASONS = 50  # why rows were refused; further ones count together
OTHER = "other reasons"
LONGEST_REASON = 80  # characters


class Seen(NamedTuple):
    """What was counted.

    Attributes:
        rows: how many.
        counts: of each bin, uint32.
    """

    rows: int
    counts: Array

    def __add__(self, other: Any) -> Seen:
        return Seen(self.rows + other.rows, self.counts + other.counts.astype(np.uint32))


class Figures(NamedTuple):
    """The state of a watch at one moment.

    Attributes:
        since: when it began, in seconds since 1970.
        total: since then.
        window: of the recent rows.
        refused: rows that got no answer, by the reason; requests of other errors by their kind.
        history: when each earlier half of a window ended, in seconds since 1970, and what of it
            performance is expected by; the latest HISTORY of them.
    """

    since: float
    total: Seen
    window: Seen
    refused: Mapping[str, int]
    history: Sequence[tuple[float, Seen]] = ()


class Watch:
    """Counts one version of one model; safe from several threads.

    Args:
        layout: of its bins.
        logged: keep what is to be logged, until `to_log` takes it.
    """

    def __init__(self, layout: Layout, logged: bool = False) -> None:
        self.layout = layout
        self._lock = threading.Lock()
        self._since = time.time()
        self._total = self._block = self._newer = self._older = self._nothing()
        self._logged = logged
        self._to_log = self._nothing()
        self._refused: Counter[str] = Counter()
        spans = [np.arange(s.start, s.stop) for spans in layout.expected for s in spans]
        self._expected = np.concatenate([*spans, np.zeros(0, np.int64)]).astype(np.int64)
        self._history: deque[tuple[float, int, Array]] = deque(maxlen=HISTORY)
        self._gathered = [bytearray() for _ in range(layout.width)]
        self._dtypes: list[np.dtype[Any]] = []
        self._rows = self._most = 0  # that are gathered, and that are counted together
        self._bytes = max(LEAST_BYTES, MOST_BYTES - layout.size * BIN_BYTES)

    def _nothing(self) -> Seen:
        return Seen(0, np.zeros(self.layout.size, np.uint32))

    def count(self, prediction: Prediction) -> None:
        """Count the rows that were answered."""
        rows, layout = prediction.table.rows, self.layout
        if prediction.problems:
            self.refuse(reasons(prediction.problems, prediction.model))
        if not rows:
            return
        arrays = layout.arrays(prediction)
        if rows >= AT_ONCE:
            seen = Seen(rows, layout.count(arrays, rows))
            with self._lock:
                self._add(seen)
            return
        with self._lock:
            for gathered, array in zip(self._gathered, arrays, strict=True):
                gathered += array.tobytes()
            self._rows += rows
            if self._rows == rows:
                self._dtypes = [array.dtype for array in arrays]
                self._most = max(1, self._bytes * rows // max(1, sum(map(len, self._gathered))))
            if self._rows >= self._most:
                self._count_gathered()

    def _count_gathered(self) -> None:
        arrays = [
            np.frombuffer(bytes(each), dtype)
            for each, dtype in zip(self._gathered, self._dtypes, strict=True)
        ]
        seen = Seen(self._rows, self.layout.count(arrays, self._rows))
        for gathered in self._gathered:
            gathered.clear()
        self._rows = 0
        self._add(seen)

    def _add(self, seen: Seen) -> None:
        self._block += seen
        if self._block.rows < BLOCK_ROWS:
            return
        if self._newer.rows >= HALF_ROWS:
            ended = self._newer.rows, self._newer.counts[self._expected]
            self._history.append((time.time(), *ended))
            self._older, self._newer = self._newer, self._nothing()
        self._newer += self._block
        self._total += self._block
        if self._logged:
            self._to_log += self._block
        self._block = self._nothing()

    def refuse(self, reasons: Sequence[str]) -> None:
        """Count rows, or a request, that got no answer."""
        with self._lock:
            for reason in reasons:
                known = reason in self._refused or len(self._refused) < MOST_REASONS
                self._refused[reason if known else OTHER] += 1

    def figures(self) -> Figures:
        """What was counted so far, but for the rows of the last block."""
        with self._lock:
            if self._block.rows + self._rows >= BLOCK_ROWS:
                self._count_gathered()
            window = self._older + self._newer
            history = [(until, self._seen_of(rows, e)) for until, rows, e in self._history]
            return Figures(self._since, self._total, window, dict(self._refused), history)

    def _seen_of(self, rows: int, expected: Array) -> Seen:
        nothing = self._nothing()
        nothing.counts[self._expected] = expected
        return Seen(rows, nothing.counts)

    def to_log(self) -> Seen | None:
        """What was counted since this was asked last; None where that is nothing."""
        if not self._to_log.rows:
            return None
        with self._lock:
            seen, self._to_log = self._to_log, self._nothing()
        return seen if seen.rows else None


class Watches:
    """The watch of each model that is served; never raises.

    Args:
        on: whether anything is counted.
        uncounted: the id of requests that are not.
        logged: keep what is to be logged.
    """

    def __init__(self, on: bool = True, uncounted: str = "", logged: bool = False) -> None:
        self.on = on
        self._uncounted = uncounted
        self._logged = logged
        self._lock = threading.Lock()
        # A version that is no longer served goes with its counts.
        self._watches: WeakKeyDictionary[Model, Watch | None] = WeakKeyDictionary()

    def of(self, model: Model) -> Watch | None:
        """The watch of a model; None where nothing is counted, or it has no reference."""
        if not self.on:
            return None
        try:
            return self._watches[model]
        except KeyError:
            with self._lock:
                if model not in self._watches:
                    self._watches[model] = self._begun(model)
                return self._watches[model]

    def _begun(self, model: Model) -> Watch | None:
        if not model.manifest.get("reference"):
            return None
        try:
            return Watch(Layout(model.manifest, model.signature), self._logged)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            request_log.fail(error, event="uncounted", model=model.name)
            return None

    def count(self, prediction: Prediction) -> None:
        """Count a request that was answered. Never raises: this must not fail the answer."""
        watch = self.of(prediction.model)
        if watch is None or prediction.request_id == self._uncounted:
            return
        try:
            watch.count(prediction)
        except Exception as error:  # of whatever class
            request_log.fail(error, event="uncounted", request_id=prediction.request_id)

    def refuse(self, model: Model, error: Exception, request_id: str) -> None:
        """Count a request that got no answer: its rows by the reason, or itself by the error."""
        watch = self.of(model)
        if watch is None or request_id == self._uncounted:
            return
        if isinstance(error, InvalidRows):
            watch.refuse(reasons(error.every, model))
        else:
            watch.refuse([type(error).__name__])


def reasons(problems: Sequence[Problem], model: Model) -> list[str]:
    """Why each row was refused: column and what was expected, without what came."""
    found: dict[int | None, str] = {}
    for problem in problems:
        if problem.row not in found:
            # Other names, and what stands behind `got`, are the client's.
            column = problem.column if problem.column in model.signature.names else None
            why = problem.detail.partition(", got ")[0] if column else "not of the model's columns"
            found[problem.row] = f"{column}: {why[:LONGEST_REASON]}" if column else why
    return list(found.values())
