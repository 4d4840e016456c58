"""Which rows are counted where more come than are looked at: all of a burst, then a sample."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from math import log, log1p
from struct import unpack

RATE = 250  # rows of one model that are looked at in a second, about, where more come for long
BURST = 10_000  # rows that are all looked at, where fewer came before
DRAWN = 64  # random numbers at once
LEAST_SECONDS = 0.1  # in which a rate shows: of less, a few requests would make any


class Sample:
    """Chooses among the rows of one model; for one thread at a time.

    All are chosen as long as a bucket lasts that rows empty and time fills (a token bucket); those
    that come then by chance, in each second the same one, about. From one chosen row to the next is
    a geometric number of rows (Devroye, "Non-Uniform Random Variate Generation", 1986, X.2): what
    is not looked at costs nothing. The chance is that of the second before; after a rest that of
    the rate so far; and a smaller one as soon as more come in this second.
    """

    def __init__(self) -> None:
        self._began = time.monotonic()  # when this second did
        self._came = self._before = 0  # rows of this second, and of the one before
        self._bucket = float(BURST)  # rows, when this second began
        self._skipped: int | None = None  # of the next rows, until one is chosen; to be drawn
        self._uniforms = _uniforms()

    def of(self, rows: int) -> Sequence[int] | None:
        """The positions of the chosen ones among the next so many rows; None stands for all."""
        now = time.monotonic()
        if (since := now - self._began) >= 1:
            left = max(0.0, self._bucket + RATE - self._came)
            self._bucket = min(BURST, left + RATE * (since - 1))  # a rest fills it
            self._before = self._came if since < 2 else 0
            self._began, self._came = now, 0
            self._skipped = None  # the chance is another now
        self._came += rows
        before = self._before or self._came / max(now - self._began, LEAST_SECONDS)
        share = RATE / max(self._came, before)
        if share >= 1 or self._came <= self._bucket:
            self._skipped = None
            return None
        found = []
        at = self._gap(share) if self._skipped is None else self._skipped
        while at < rows:
            found.append(at)
            at += 1 + self._gap(share)
        self._skipped = at - rows
        return found

    def _gap(self, share: float) -> int:
        """How many rows are passed over, if each is chosen by this chance."""
        return int(log(next(self._uniforms)) / log1p(-share))


def _uniforms() -> Iterator[float]:
    """Numbers above 0, at most 1, by the system's chance; many of them by one call."""
    while True:
        for number in unpack(f"{DRAWN}Q", os.urandom(8 * DRAWN)):
            yield (number + 1) / 2**64
