"""Rows compared with those that a model was trained on, by what its manifest says of these.

A column is outside where a number lies beyond the training rows' by more than chance brings, where
a category or a missing value was never seen, or a date is farther away than all of theirs are from
one another. A whole row has a score: the sum over its columns of how rare its bin is, -ln of the
share of training rows in it, by the bins that drift is counted in. `unusual` in the manifest says
how many training rows have a higher one (`convert/directory/unusual` makes it).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from math import inf, log
from typing import Any, NamedTuple
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
ROUNDING = 2.0**-23  # of float32
CELLS_AT_ONCE = 2**20  # comparisons with edges, each of which takes up to eight bytes
FEW_NUMBERS = 40  # of one row, which Python looks at sooner than NumPy begins


def hashed(text: str) -> int:
    """What stands for a text in a manifest: so short that others share it."""
    return crc32(text.encode("utf-8", "surrogatepass")) >> (32 - 4 * HASH_DIGITS)


class Comparison:
    """What rows are compared with, of a model whose manifest has `unusual`."""

    def __init__(self, manifest: Mapping[str, Any], signature: Signature) -> None:
        entry, about = manifest["unusual"], manifest["statistics"]["columns"]
        features = {
            feature["column"]: feature
            for feature in manifest["reference"]["features"]
            if "column" in feature and feature["measure"] == "value"
        }
        self._parts: list[tuple[int, _Numbers | _Texts]] = []
        for number, block in enumerate(signature.blocks):
            if not block.nested:
                known = [
                    Known(about[c.name], features.get(c.name), entry, c) for c in block.columns
                ]
                part = _Texts(known) if block.dtype == "string" else _Numbers(known)
                self._parts.append((number, part))
        # Scores in order, and the share of training rows with a higher one than each.
        self._limits: list[float] = entry["limits"]
        self._shares = [1.0, *entry["shares"]]
        pairs = zip(self._limits, entry["shares"], strict=True)
        self._limit = next((limit for limit, share in pairs if share <= RARE), inf)

    def scores(self, table: CheckedBatch) -> Array:
        """How rare each row is as a whole; float64 of shape (rows,), in nats."""
        return self._look(table, {})

    def _look(self, table: CheckedBatch, to: Outside) -> Array:
        scores = np.zeros(table.rows)
        for number, part in self._parts:
            scores += part.many(table.arrays[number], to)
        return scores

    def of(self, table: CheckedBatch) -> list[Found | None]:
        """For each row what is unusual of it; None of an ordinary one.

        `columns` has, by name, what is `outside` and what is `usual`, of MOST_LISTED at most, and
        `column_count` how many there are; `share` is that of training rows with a higher `score`,
        rounded up.
        """
        columns: Outside = {}
        if table.rows == 1:
            score = 0.0
            for number, part in self._parts:
                score += part.one(table.arrays[number], columns)
            rare = score > self._limit
            return [self._found(columns.get(0, {}), score) if rare or columns else None]
        if not table.rows:
            return []
        scores = self._look(table, columns)
        found: list[Found | None] = [None] * table.rows
        for row in columns.keys() | set(np.flatnonzero(scores > self._limit).tolist()):
            found[row] = self._found(columns.get(row, {}), float(scores[row]))
        return found

    def _found(self, columns: Mapping[str, Any], score: float) -> Found:
        found: Found = {"columns": dict(list(columns.items())[:MOST_LISTED])}
        found["column_count"] = len(columns)
        if self._limits:
            found["score"] = round(score, 3)
            found["share"] = self._shares[bisect_left(self._limits, score)]
        return found


class Known:
    """What is known of a column of the training rows."""

    def __init__(
        self,
        about: Mapping[str, Any],
        feature: Mapping[str, Any] | None,
        entry: Mapping[str, Any],
        column: Column,
    ) -> None:
        self.about, self.column, self.entry = about, column, entry
        self.missing = about["missing"] > 0  # some value was
        self.feature = feature or {"edges": [], "categories": [], "counts": [], "missing": 0}
        self.rarities = [0.0, 0.0]  # of each bin, that of missing values last
        if feature is not None:
            counts, missing = feature["counts"], feature["missing"]
            rarer = _tails(counts) if "edges" in feature else _rarer(counts)
            rows = sum(counts) + missing
            self.rarities = [-log(max(each, 0.5) / rows) for each in (*rarer, missing)]
        # Between which numbers nine of ten training rows lie, or their frequent categories: the
        # least and the greatest number are somebody's.
        ends = about.get("quantiles") or self.feature.get("edges", ())
        self.usual = [value for value, _ in about.get("frequent", ())][:MOST_USUAL]
        if len(ends) > 1:
            self.usual = [ends[0], ends[-1]]

    def note(self, to: Outside, row: int, why: str) -> None:
        """Note that this column of a row is outside."""
        to.setdefault(row, {})[self.column.name] = {"outside": why, "usual": self.usual}

    def limits(self) -> tuple[float, float]:
        """The least and the greatest number that is not outside."""
        about = self.about
        if "frequent" in about:  # of booleans
            ends = [0, 1] if about["distinct"] > 1 or not self.usual else self.usual
            return float(ends[0]), float(ends[-1])
        if about.get("infinite"):
            return -inf, inf
        if "minimum" not in about:  # nothing but missing values
            return inf, -inf
        low, high = float(about["minimum"]), float(about["maximum"])
        margins = self.entry["margins"].get(self.column.name)
        below, above = margins or (high - low, high - low)
        # Some readers hold a number as float32, which may round it beyond the very greatest.
        return low - below - ROUNDING * abs(low), high + above + ROUNDING * abs(high)


def _tails(counts: Sequence[int]) -> list[float]:
    """Of bins in order, how many rows are as far out on either side: twice the lesser rank."""
    rows = sum(counts)
    ranks = [end - count / 2 for end, count in zip(accumulate(counts), counts, strict=True)]
    return [2 * min(rank, rows - rank) for rank in ranks]


def _rarer(counts: Sequence[int]) -> list[int]:
    """Of categories, how many rows have one that is no more frequent."""
    return [sum(other for other in counts if other <= count) for count in counts]


class _Number(NamedTuple):
    """How one number is looked at."""

    low: float  # limits
    high: float
    edges: Sequence[float]  # of bins
    rarities: Sequence[float]
    known: Known


class _Numbers:
    """The numbers of a block: their limits, and how rare they are."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._known = known
        self._columns = [
            _Number(*each.limits(), each.feature["edges"], each.rarities, each) for each in known
        ]
        self._low = np.array([each.low for each in self._columns])
        self._high = np.array([each.high for each in self._columns])
        self._seen_missing = np.array([each.missing for each in known])
        # Rarities as steps at the edges, which add up.
        most = max(len(each.edges) for each in self._columns)
        self._edges = np.full((most, len(known)), inf)
        self._steps = np.zeros((most, len(known)))
        for n, each in enumerate(self._columns):
            size = len(each.edges)
            self._edges[:size, n], self._steps[:size, n] = each.edges, np.diff(each.rarities[:-1])
        self._first = sum(each.rarities[0] for each in known)
        self._missing = np.array([each.rarities[-1] - each.rarities[0] for each in known])

    def one(self, cells: Array, to: Outside) -> float:
        """The score of a single row; `to` takes what is outside."""
        if len(self._columns) > FEW_NUMBERS:
            return float(self.many(cells, to)[0])
        score = 0.0
        for value, (low, high, edges, rarities, known) in zip(
            cells[0].tolist(), self._columns, strict=True
        ):
            if low <= value <= high:
                score += rarities[bisect_left(edges, value)]
            elif value != value:
                score += rarities[-1]
                if not known.missing:
                    known.note(to, 0, MISSING)
            else:
                score += rarities[bisect_left(edges, value)]
                known.note(to, 0, ABOVE if value > high else BELOW)
        return score

    def many(self, cells: Array, to: Outside) -> Array:
        """The scores of rows, float64; `to` takes what is outside."""
        step = max(1, CELLS_AT_ONCE // max(1, self._edges.size))
        parts = [self._scores(cells[start : start + step]) for start in range(0, len(cells), step)]
        beyond = outside(cells, self._low, self._high, self._seen_missing)
        for row, column in np.argwhere(beyond).tolist():
            value = cells[row, column]
            why = MISSING if value != value else ABOVE if value > self._high[column] else BELOW
            self._known[column].note(to, row, why)
        return np.concatenate(parts)

    def _scores(self, cells: Array) -> Array:
        values = cells.astype(np.float64)
        above = values[:, np.newaxis] > self._edges
        found = above.reshape(len(values), -1) @ self._steps.ravel() + self._first
        missing = np.isnan(values)
        return found + missing @ self._missing if missing.any() else found


class _Texts:
    """The texts of a block: categories, and how rare they are; dates; and others."""

    def __init__(self, known: Sequence[Known]) -> None:
        self._columns = [_Text(each) for each in known]

    def one(self, cells: Array, to: Outside) -> float:
        """The score of a single row; `to` takes what is outside."""
        return self._one(cells[0].tolist(), to, 0)

    def many(self, cells: Array, to: Outside) -> Array:
        """The scores of rows, float64; `to` takes what is outside."""
        return np.array([self._one(row, to, n) for n, row in enumerate(cells.tolist())])

    def _one(self, texts: Sequence[str], to: Outside, row: int) -> float:
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
    """How one text is looked at."""

    def __init__(self, known: Known) -> None:
        self.known = known
        name = known.column.name
        *rarities, self.other, self._missing = known.rarities
        digits = known.entry["categories"].get(name)
        days = known.entry["dates"].get(name, ())
        self._span = _span(days)
        self._hashes: set[int] | None = None
        # The rarity of texts that are known in clear, and are not outside.
        self.ordinary: dict[str, float] = {}
        if digits is not None:
            starts = range(0, len(digits), HASH_DIGITS)
            self._hashes = {int(digits[start : start + HASH_DIGITS], 16) for start in starts}
            frequent = [text for text, _ in known.about.get("frequent", ())]
            self.ordinary |= dict.fromkeys(frequent, self.other)
        else:
            known.usual = [*days[2:]]
        self.ordinary |= dict(zip(known.feature["categories"], rarities, strict=True))
        if known.missing:
            self.ordinary[MISSING_TEXT] = self._missing

    def why(self, text: str) -> str | None:
        """Why a text is outside; None where it is not."""
        if text == MISSING_TEXT:
            return MISSING
        if self._hashes is not None:
            return None if hashed(text) in self._hashes else UNSEEN
        if self._span is None:
            return None
        from onnxlet.function.inputs import dates  # most models have none

        column = self.known.column
        moment = dates.read(text, column.format, column.zone is not None)
        if moment is None or self._span[0] <= moment <= self._span[1]:
            return None
        return ABOVE if moment > self._span[1] else BELOW


def _span(days: Sequence[str]) -> tuple[datetime, datetime] | None:
    """The dates that are not outside: a model of dates is asked about later ones, of course."""
    if not days:
        return None
    low, high = map(datetime.fromisoformat, days[:2])
    wide = high - low + timedelta(days=1)
    return low - wide, high + wide
