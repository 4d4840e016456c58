"""Rows compared with those that a model was trained on, by what its manifest says of these.

A column is outside where a number lies beyond the training rows' by more than chance brings, where
a category (a text, or a number that an encoder takes) or a missing value was never seen, or a date
is farther away than all of theirs are from one another. A whole row has a score: the sum over its
columns of -ln of the share of training rows that are as far out, by the bins that drift is counted
in (`convert/directory/unusual`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from math import inf, log
from operator import le
from typing import Any
from zlib import crc32

import numpy as np

from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.signature import Signature
from onnxlet.function.inputs.validation import CheckedBatch, outside
from onnxlet.function.monitoring.compared import RARE, Found

Outside = dict[int, dict[str, Any]]  # by row, the columns that are outside
ABOVE, BELOW, MISSING, UNSEEN = "above", "below", "missing", "unseen"
HASH_DIGITS, MOST_USUAL, MOST_LISTED = 6, 5, 20  # hexadecimal; categories; columns of a row
ROUNDING = 2.0**-23  # of float32, in which some readers hold numbers


def hashed(text: str) -> int:
    """What stands for a text in a manifest: so short that others share it."""
    return crc32(text.encode("utf-8", "surrogatepass")) >> (32 - 4 * HASH_DIGITS)


def as_texts(numbers: Array) -> list[str]:
    """Numbers that are categories, as float32 holds them: some readers hold no more."""
    with np.errstate(over="ignore"):
        return list(map(str, numbers.astype(np.float32).tolist()))


class Comparison:
    """What rows are compared with, of a model whose manifest has `unusual`."""

    def __init__(self, manifest: Mapping[str, Any], signature: Signature) -> None:
        entry, about = manifest["unusual"], manifest["statistics"]["columns"]
        binned = [each for each in manifest["reference"]["features"] if each["measure"] == "value"]
        features = {each["column"]: each for each in binned if "column" in each}
        self._parts: list[tuple[int, _Numbers | _Texts]] = []
        for number, block in enumerate(signature.blocks):
            if not block.nested:
                columns = block.columns
                known = [Known(c, about[c.name], entry, features.get(c.name)) for c in columns]
                part = _Texts(known) if block.dtype == "string" else _Numbers(known)
                self._parts.append((number, part))
        # Scores in order, and the share of training rows with a higher one than each.
        self._limits: list[float] = entry["limits"]
        self._shares = [1.0, *entry["shares"]]
        pairs = zip(self._limits, entry["shares"], strict=True)
        self._limit = next((float(limit) for limit, share in pairs if share <= RARE), inf)

    def scores(self, table: CheckedBatch) -> Array:
        """How rare each row is as a whole; float64 of shape (rows,)."""
        return np.broadcast_to(self._score(table, {}), table.rows)

    def _score(self, table: CheckedBatch, to: Outside) -> Any:
        """The scores, or that of a single row; `to` takes what is outside."""
        return sum([part.look(table.arrays[number], to) for number, part in self._parts])

    def of(self, table: CheckedBatch) -> list[Found | None]:
        """For each row what is unusual of it; None of an ordinary one.

        `columns` has, by name, what is `outside` and what is `usual`, of MOST_LISTED at most, and
        `column_count` how many there are; `share` is that of training rows with a higher `score`.
        """
        columns: Outside = {}
        scores = self._score(table, columns) if table.rows else 0.0
        if table.rows == 1 and not columns and scores <= self._limit:
            return [None]
        marked = columns.keys() | set(np.flatnonzero(scores > self._limit).tolist())
        every = np.broadcast_to(scores, table.rows).tolist()
        found = {row: self._found(columns.get(row, {}), every[row]) for row in marked}
        return [found.get(row) for row in range(table.rows)]

    def _found(self, columns: Mapping[str, Any], score: float) -> Found:
        found: Found = {"columns": dict(list(columns.items())[:MOST_LISTED])}
        found["column_count"] = len(columns)
        if self._limits:
            found["score"] = round(score, 3)
            found["share"] = self._shares[bisect_left(self._limits, score)]
        return found


class Known:
    """What is known of a column of the training rows; `feature` has its bins, if any."""

    def __init__(
        self, column: Column, about: Mapping[str, Any], entry: Mapping[str, Any], feature: Any
    ) -> None:
        self.column, self.about, self.feature = column, about, feature
        self.margins = entry["margins"].get(column.name)
        self.days: Sequence[str] = entry["dates"].get(column.name, ())
        self.hashes: str | None = entry["categories"].get(column.name)
        # Between which numbers nine of ten training rows lie, or their frequent categories: the
        # least and the greatest number are somebody's.
        ends = about.get("quantiles") or (feature or {}).get("edges", ())
        self.frequent = [value for value, _ in about.get("frequent", ())]
        ranged = len(ends) > 1 and self.hashes is None
        self.usual = [ends[0], ends[-1]] if ranged else self.frequent[:MOST_USUAL]
        self.rarities = [0.0, 0.0]  # of each bin, that of missing values last
        if feature is not None:
            counts, missing = feature["counts"], feature["missing"]
            rows = sum(counts) + missing
            far = [*(_tails if "edges" in feature else _rarer)(counts), missing]
            self.rarities = [-log(max(count, 0.5) / rows) for count in far]

    def seen(self) -> set[int] | None:
        """The hashes of its categories; None where it has none, or there was no room."""
        if self.hashes is None:
            return None
        starts = range(0, len(self.hashes), HASH_DIGITS)
        return {int(self.hashes[at : at + HASH_DIGITS], 16) for at in starts}

    def note(self, to: Outside, row: int, why: str) -> None:
        """Note that this column of a row is outside."""
        to.setdefault(row, {})[self.column.name] = {"outside": why, "usual": self.usual}

    def limits(self) -> tuple[float, float]:
        """The least and the greatest number that is not outside."""
        if "frequent" in self.about and "minimum" not in self.about:  # of booleans
            ends = self.frequent if self.about["distinct"] == 1 and self.frequent else [0, 1]
            return float(ends[0]), float(ends[-1])
        if self.about.get("infinite") or self.hashes is not None:
            return -inf, inf
        if "minimum" not in self.about:  # nothing but missing values
            return inf, -inf
        low, high = float(self.about["minimum"]), float(self.about["maximum"])
        below, above = self.margins or (high - low, high - low)
        return low - below - ROUNDING * abs(low), high + above + ROUNDING * abs(high)


def _tails(counts: Sequence[int]) -> list[float]:
    """Of bins in order, how many rows are as far out on either side: twice the lesser rank."""
    rows, ends = sum(counts), accumulate(counts)
    ranks = [end - count / 2 for end, count in zip(ends, counts, strict=True)]
    return [2 * min(rank, rows - rank) for rank in ranks]


def _rarer(counts: Sequence[int]) -> list[float]:
    """Of categories, how many rows have one that is no more frequent."""
    return [sum(other for other in counts if other <= count) for count in counts]


class _Numbers:
    """The numbers of a block: their limits, and how rare they are."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._known = known
        limits = [each.limits() for each in known]
        self._lows, self._highs = [low for low, _ in limits], [high for _, high in limits]
        self._missing = np.array([each.about["missing"] > 0 for each in known])
        codes = [(n, each.seen()) for n, each in enumerate(known)]
        self._codes = [(n, seen) for n, seen in codes if seen is not None]
        # By position the edges of bins, behind which only missing numbers lie, and the rarities.
        self._binned = [
            (n, [*each.feature["edges"], inf], each.rarities)
            for n, each in enumerate(known)
            if each.feature is not None
        ]

    def look(self, cells: Array, to: Outside) -> Any:
        """The scores of rows, float64, or of a single one; `to` takes what is outside."""
        row = cells[0].tolist() if len(cells) == 1 else None  # Python is done before NumPy begins
        if row is None or not (all(map(le, self._lows, row)) and all(map(le, row, self._highs))):
            beyond = outside(cells, np.array(self._lows), np.array(self._highs), self._missing)
            for at, column in np.argwhere(beyond).tolist():
                value = cells[at, column]
                why = MISSING if value != value else ABOVE if value > self._highs[column] else BELOW
                self._known[column].note(to, at, why)
        for column, seen in self._codes:
            for at, text in enumerate(as_texts(cells[:, column])):
                if text != "nan" and hashed(text) not in seen:
                    self._known[column].note(to, at, UNSEEN)
        if row is not None:
            return sum(own[bisect_left(edges, row[n]) if row[n] == row[n] else -1]
                       for n, edges, own in self._binned)  # fmt: skip
        return sum(np.take(own, np.searchsorted(e, cells[:, n])) for n, e, own in self._binned)


class _Texts:
    """The texts of a block: categories, and how rare they are; dates; and others."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._columns = [_Text(each) for each in known]

    def look(self, cells: Array, to: Outside) -> Any:
        """The scores of rows, float64, or of a single one; `to` takes what is outside."""
        scores = [self._score(row, to, at) for at, row in enumerate(cells.tolist())]
        return scores[0] if len(scores) == 1 else np.array(scores)

    def _score(self, texts: Sequence[str], to: Outside, row: int) -> float:
        score = 0.0
        for text, column in zip(texts, self._columns, strict=True):
            rarity = column.ordinary.get(text)
            if rarity is None:
                rarity = column.other
                if (why := column.why(text)) is not None:
                    column.known.note(to, row, why)
            score += rarity
        return score


class _Text:
    """A column of texts."""

    def __init__(self, known: Known) -> None:
        self.known = known
        *rarities, self.other, missing = known.rarities
        # The rarity of texts that are known in clear, and are not outside.
        self.ordinary = dict(
            zip((known.feature or {}).get("categories", ()), rarities, strict=True)
        )
        self._hashes = known.seen()
        self._low = self._high = datetime.min
        if known.hashes is not None:
            self.ordinary = dict.fromkeys(known.frequent, self.other) | self.ordinary
        else:
            known.usual = [*known.days[2:]]
        if known.days:  # a model of dates is asked about later ones, of course
            low, high = map(datetime.fromisoformat, known.days[:2])
            wide = high - low + timedelta(days=1)
            self._low, self._high = low - wide, high + wide
        if known.about["missing"]:
            self.ordinary[MISSING_TEXT] = missing

    def why(self, text: str) -> str | None:
        """Why a text is outside; None where it is not."""
        if text == MISSING_TEXT:
            return MISSING
        if self._hashes is not None:
            return None if hashed(text) in self._hashes else UNSEEN
        if not self.known.days:
            return None
        from onnxlet.function.inputs import dates  # most models have none

        column = self.known.column
        moment = dates.read(text, column.format, column.zone is not None) or self._low
        return ABOVE if moment > self._high else BELOW if moment < self._low else None
