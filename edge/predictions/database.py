"""The database of answers and of the truths that were joined to them, of bounded size."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from onnxlet.edge.predictions.answers import PART_ROWS, Answer, fault_of, id_of, row_of
from onnxlet.edge.predictions.ownership import opened
from onnxlet.edge.store import database as sqlite
from onnxlet.edge.store.database import bytes_used, transaction
from onnxlet.function import json_text

NEWEST = 2000  # joined rows of a version that outlast their answers: a window's
LOW = 0.95  # of the size limit: a trim goes down to it, so that not every answer needs one
AGE_SECONDS = 60.0  # between two looks for what is too old
# A clock that shows an earlier time was never set: what has such a time is not too old.
SET_S = 1_735_689_600  # 2025

SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS answer (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time_s INTEGER NOT NULL,
    id TEXT NOT NULL,
    first INTEGER NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (id, first)
);
CREATE TABLE IF NOT EXISTS joined (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    time_s INTEGER NOT NULL,
    answer INTEGER NOT NULL,
    row INTEGER NOT NULL,
    model TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (answer, row)
);
CREATE TABLE IF NOT EXISTS taken (answer INTEGER PRIMARY KEY);
CREATE INDEX IF NOT EXISTS newest ON joined (model, version, sequence);
COMMIT;
"""
# Of an id that comes again the first answer counts: MQTT and retries repeat requests. Where the
# answer is another, the id was taken.
ADD = """
INSERT OR IGNORE INTO answer (id, first, model, version, kind, body, time_s)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
TAKEN = """
INSERT OR IGNORE INTO taken
SELECT sequence FROM answer
WHERE id = ? AND first = ? AND (model, version, kind, body) <> (?, ?, ?, ?)
"""
# An answer to this very key, else one to nobody's.
FIND = """
SELECT sequence, model, version, kind, body, sequence IN (SELECT answer FROM taken) FROM answer
WHERE id IN (?1, ?2) AND first = ?3 ORDER BY id = ?1 DESC LIMIT 1
"""
JOIN = """
INSERT OR IGNORE INTO joined (time_s, answer, row, model, version, body) VALUES (?, ?, ?, ?, ?, ?)
"""
LAST = """
SELECT sequence, body FROM joined WHERE model = ? AND version = ? ORDER BY sequence DESC LIMIT ?
"""
NEXT = """
SELECT sequence, body FROM joined WHERE model = ? AND version = ? AND sequence > ?
ORDER BY sequence LIMIT ?
"""
OLD = f"""
DELETE FROM answer WHERE sequence < coalesce(
    (SELECT sequence FROM answer WHERE time_s >= ?1 ORDER BY sequence LIMIT 1),
    9223372036854775807) AND time_s BETWEEN {SET_S} AND ?1 - 1
"""  # noqa: S608 - a number of ours
OLDEST_PART = """
DELETE FROM answer WHERE sequence <= (
    SELECT min(sequence) + (max(sequence) - min(sequence)) / 20 FROM answer)
"""
OLDEST = OLDEST_PART, OLDEST_PART.replace("answer", "joined")
FREED = """
DELETE FROM taken WHERE answer < coalesce((SELECT min(sequence) FROM answer), 9223372036854775807)
"""
# Without its answer a joined row serves only to compute a window anew.
SPENT = """
DELETE FROM joined WHERE model = ?1 AND version = ?2
AND answer < coalesce((SELECT min(sequence) FROM answer), 9223372036854775807)
AND sequence <= (
    SELECT sequence FROM joined WHERE model = ?1 AND version = ?2
    ORDER BY sequence DESC LIMIT 1 OFFSET ?3)
"""


class Joined(NamedTuple):
    """A row whose truth has come."""

    model: str  # that answered
    version: int
    kind: str  # what its truths are
    answer: dict[str, Any]  # by name, as `Performance.add` takes it
    truth: Any  # what was right


class TruthRows(NamedTuple):
    """Rows of a version whose truth has come, in the order in which it came."""

    answers: list[dict[str, Any]]  # as `Performance.add` takes them
    truths: list[Any]  # what was right
    last: int  # the number of the last one


class TruthResult(NamedTuple):
    """What became of some truths."""

    joined: Sequence[Joined] = ()  # the rows that they were joined to
    again: int = 0  # how many were for rows that have one already
    unknown: int = 0  # how many were for rows that are not here
    taken: int = 0  # how many were under an id of which the key has other predictions, too
    # The index and what is wrong, of those of another type; then none was joined.
    faults: Sequence[tuple[int, str]] = ()


@dataclass
class Truths:
    """Truths to be joined, in one request."""

    entries: Sequence[dict[str, Any]]  # `id`, `row` and `value` of each
    body: bytes  # the request's
    key: str = ""  # name of the API key that they came with, or an empty text
    # Join none where an answer is not here: another process may have it in memory.
    all_known: bool = False
    outcome: TruthResult | None = None  # None until they were looked up


@dataclass
class Look:
    """Something to be read, once what was handed over before it is on the disk."""

    read: Callable[[AnswerStore], None]  # called with the store; never raises
    proves: bool = True  # that the disk can be written to, by a commit
    body: bytes = b""  # nothing is written


class AnswerStore(sqlite.Store):
    """One connection to the database, for one thread.

    Raises NotOurs where another program's file is there. Each method raises sqlite3.Error or
    OSError if the disk is full, read-only or broken.
    """

    def __init__(
        self,
        path: Path,
        max_bytes: int,
        max_seconds: float,
        joined: Callable[[AnswerStore, Sequence[Joined]], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(path, opened(path, SCHEMA))
        self._max_bytes = max_bytes  # that it may take
        self._max_seconds = max_seconds  # that an answer or a truth is kept
        # Called with this store and the rows of each commit that truths were joined to.
        self._joined = joined
        self._now = now  # seconds since 1970
        self._looked = float("-inf")

    def add(self, records: Sequence[Answer | Truths | Look], /) -> None:
        """Keep answers, and join truths to those that were kept before them; then read.

        The oldest ones make room. All is on the disk when this returns. QueueMoved is raised where
        it is in a database that another process has replaced.
        """
        joined: list[Joined] = []
        with transaction(self._database):
            for each in records:
                if isinstance(each, Truths):
                    each.outcome = self._join(each)
                    joined += each.outcome.joined
                elif isinstance(each, Answer) and not self._database.execute(ADD, each).rowcount:
                    self._database.execute(TAKEN, each[:6])
            looks = [each for each in records if isinstance(each, Look)]
            if len(looks) == len(records) and (not looks or any(look.proves for look in looks)):
                # Also of none: once this has returned, the disk is taken to be writable.
                self._database.execute(f"PRAGMA user_version = {int(self._now()) % 2**31}")
            self._trim()
        self.check_path()
        if joined:
            self._joined(self, joined)
        for look in looks:
            look.read(self)

    def rows(self, model: str, version: int, after: int | None = None) -> TruthRows:
        """NEWEST rows at most of a version whose truth has come, in that order.

        They follow the last one that was read; they are the newest ones where that is None.
        """
        if after is None:
            found = self._database.execute(LAST, (model, version, NEWEST)).fetchall()[::-1]
        else:
            found = self._database.execute(NEXT, (model, version, after, NEWEST)).fetchall()
        forms = [json_text.loads(body) for _, body in found]
        last = found[-1][0] if found else after or 0
        return TruthRows(
            [each["answer"] for each in forms], [each["truth"] for each in forms], last
        )

    def _join(self, truths: Truths) -> TruthResult:
        entries = truths.entries
        found = self._found(entries, truths.key)
        if truths.all_known and len(found) < len(entries):
            return TruthResult(unknown=len(entries) - len(found))
        faults = [
            (number, why)
            for number, (_, each, _) in sorted(found.items())
            if (why := fault_of(each.truth, each.answer["prediction"], each.kind))
        ]
        if faults:
            return TruthResult(faults=faults)
        joined = []
        now = int(self._now())
        for number, (sequence, each, _) in sorted(found.items()):
            body = json_text.dumps({"truth": each.truth, "answer": each.answer})
            row = entries[number]["row"]
            record = (now, sequence, row, each.model, each.version, body)
            if self._database.execute(JOIN, record).rowcount:
                joined.append(each)
        taken = sum(is_taken for _, _, is_taken in found.values())
        return TruthResult(joined, len(found) - len(joined), len(entries) - len(found), taken)

    def _found(
        self, entries: Sequence[dict[str, Any]], key: str
    ) -> dict[int, tuple[int, Joined, bool]]:
        """By the entry's index its answer's number, its row, and whether its id was taken.

        Only of those that are here.
        """
        found: dict[int, tuple[int, Joined, bool]] = {}
        part, last, columns = None, None, None
        # In order of ids and rows: then one part at a time is in memory.
        for number in sorted(
            range(len(entries)), key=lambda n: (entries[n]["id"], entries[n]["row"])
        ):
            entry = entries[number]
            wanted = entry["id"], entry["row"] // PART_ROWS * PART_ROWS
            if wanted != last:
                name, first = last = wanted
                part = self._database.execute(FIND, (id_of(name, key), name, first)).fetchone()
                columns = json_text.loads(part[4]) if part else None
            answer = row_of(columns, entry["row"] % PART_ROWS) if columns else None
            if part and answer is not None:
                row = Joined(part[1], part[2], part[3], answer, entry["value"])
                found[number] = part[0], row, bool(part[5])
        return found

    def _trim(self) -> None:
        """Drop the oldest where they are too many or too old."""
        if time.monotonic() - self._looked > AGE_SECONDS:
            self._looked = time.monotonic()
            oldest = int(self._now() - self._max_seconds)
            self._database.execute(OLD, (oldest,))
            self._database.execute(
                "DELETE FROM joined WHERE time_s BETWEEN ? AND ?", (SET_S, oldest - 1)
            )
            self._drop_spent()
        if bytes_used(self._database) > self._max_bytes:
            while bytes_used(self._database) > self._max_bytes * LOW:
                if not any(self._database.execute(sql).rowcount for sql in OLDEST):
                    break
            self._drop_spent()

    def _drop_spent(self) -> None:
        self._database.execute(FREED)
        versions = self._database.execute("SELECT DISTINCT model, version FROM joined").fetchall()
        for model, version in versions:
            self._database.execute(SPENT, (model, version, NEWEST))
