"""A queue of records in SQLite, of bounded size: add, take a batch, delete what has arrived.

Records are ordered by the machine's boots, then its monotonic clock, then their numbers; the wall
clock is not used, since a device may not have one. Each method is one transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from onnxlet.edge.forward import tables
from onnxlet.edge.forward.records import Clock, Record
from onnxlet.edge.forward.tables import ASIDE, OVERHEAD, TAKEN, WAITING, connect
from onnxlet.edge.store.database import QueueMoved, Store, bytes_used, identity, transaction

BATCH_RECORDS = 500
BATCH_BYTES = 1_000_000  # of one batch, unless a single record is larger
LOW = 0.95  # of the size limit: a trim goes down to it, so that not every record needs one

OF_STATE = """
SELECT sequence, (SELECT boot.id FROM boot WHERE boot.number = record.boot), monotonic_ns, time_ns,
    kind, id, body
FROM record WHERE state = ? ORDER BY boot, monotonic_ns, sequence
"""
ADD = """
INSERT INTO record (boot, monotonic_ns, time_ns, kind, id, body)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (
    SELECT 1 FROM record
    WHERE state IN (0, 1, 2) AND boot = ?1 AND monotonic_ns = ?2 AND kind = ?4 AND id = ?5)
"""
# A request that may have been answered before is searched among all records, by the end of its id.
# The index is created with the first such request: most queues never need it.
INDEX = "CREATE INDEX IF NOT EXISTS by_id ON record (substr(id, -8))"
ADD_ONCE = """
INSERT INTO record (boot, monotonic_ns, time_ns, kind, id, body)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (
    SELECT 1 FROM record WHERE substr(id, -8) = substr(?5, -8) AND kind = ?4 AND id = ?5)
"""


class Batch(NamedTuple):
    """Records that are sent together, unchanged at each attempt until they have arrived."""

    key: str  # for idempotency: a hash of the records' ids, by which a receiver knows a repetition
    body: bytes  # JSON
    records: int  # their number


class Totals(NamedTuple):
    """What the queue holds, and what became of the other records."""

    waiting: int  # records that are still to be sent
    aside: int  # records that the receiver refused
    oldest_seconds: float  # age of the oldest waiting one, counting time with the device on
    sent: int  # records that have ever arrived
    dropped: dict[str, int]  # records that were ever given up, by reason
    bytes: int  # that the records take


class Queue(Store):
    """One connection to the database, for one thread.

    Records are kept for `max_seconds` of time with the device on.
    """

    def __init__(self, path: Path, clock: Clock, max_bytes: int, max_seconds: float) -> None:
        self._clock = clock  # of this boot of the machine
        self._max_bytes = max_bytes  # that the records may take
        self._max_ns = int(max_seconds * 1e9)
        before = identity(path)
        super().__init__(path, connect(path))
        try:
            if before not in (None, self.file):
                raise QueueMoved(f"{path} was replaced just now")
            # Random, given to the database when it was created.
            self.name = str(tables.about(self._database, "queue"))
            with transaction(self._database):  # boots before the oldest record are not needed
                self._database.execute(
                    "DELETE FROM boot WHERE number < coalesce("
                    "(SELECT min(boot) FROM record), (SELECT max(number) FROM boot))"
                )
        except BaseException:
            self.close()
            raise

    def add(self, records: Sequence[Record], /) -> None:
        """Add records; they are on the disk when this returns. The oldest ones make room.

        QueueMoved is raised where they are in a database that another process has replaced.
        """
        with transaction(self._database):
            boot = self._this_boot()
            if any(each.again for each in records):
                self._database.execute(INDEX)
            for each in records:
                self._database.execute(
                    ADD_ONCE if each.again else ADD,
                    (boot, each.monotonic_ns, each.time_ns, each.kind, each.id, each.body),
                )
        self.trim()
        self.check_path()

    def take(self, most: int | None = None) -> Batch | None:
        """The batch to send: the one taken before, else the oldest records; None if none wait.

        A new batch has `most` records, by default BATCH_RECORDS.
        """
        rows = self._rows(TAKEN, None)
        if not rows:
            with transaction(self._database):
                rows = self._rows(WAITING, BATCH_RECORDS if most is None else most)
                self._mark([row[0] for row in rows], TAKEN)
        if not rows:
            return None
        ids = "\n".join(f"{self.name}/{row[0]}/{row[5]}" for row in rows)
        return Batch(hashlib.sha256(ids.encode()).hexdigest(), self._body(rows), len(rows))

    def arrived(self) -> None:
        """Delete the batch that was taken: it has arrived."""
        with transaction(self._database):
            gone = self._database.execute("DELETE FROM record WHERE state = ?", (TAKEN,)).rowcount
            self._count("sent", gone)

    def refused(self) -> int:
        """Halve the batch that was taken, since the receiver refused it.

        The second half waits again. A single record is set aside, and not sent any more. A receiver
        that refuses a batch has stored none of it, so the halves may have keys of their own.
        Returns the number of records left in the batch; 0 if one was set aside.
        """
        with transaction(self._database):
            taken = [row[0] for row in self._rows(TAKEN, None)]
            kept = len(taken) // 2
            self._mark(taken[kept:], WAITING if kept else ASIDE)
        return kept

    def trim(self) -> None:
        """Drop and count the oldest records where they are too many or too old.

        Those that are set aside go first. The batch that is being sent stays: it may have arrived.
        """
        room = self._max_bytes
        if not (self._old() or bytes_used(self._database) > room):
            return
        with transaction(self._database):
            self._count("dropped age", self._forget(self._old()))
            if bytes_used(self._database) > room:
                while too_many := tables.too_many(self._database, int(room * LOW)):
                    self._count("dropped size", self._forget(too_many))

    def totals(self) -> Totals:
        """The totals at this moment."""
        return totals_of(self._database, self._clock)

    def _old(self) -> list[int]:
        return tables.too_old(self._database, self._clock, self._max_ns)

    def _this_boot(self) -> int:
        """The number of this boot, whose duration is noted."""
        found = self._database.execute(
            "INSERT INTO boot (id, last_ns) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET last_ns = excluded.last_ns RETURNING number",
            (self._clock.boot, self._clock.monotonic_ns()),
        ).fetchone()
        return int(found[0])

    def _rows(self, state: int, most: int | None) -> list[Any]:
        """The oldest records of a state that fit into a batch; all of them if `most` is None."""
        rows: list[Any] = []
        size = 0
        for row in self._database.execute(OF_STATE, (state,)):
            size += len(row[6]) + OVERHEAD
            if most is not None and (len(rows) == most or (rows and size > BATCH_BYTES)):
                break
            rows.append(row)
        return rows

    def _body(self, rows: Sequence[Any]) -> bytes:
        records = [
            {
                "sequence": sequence,
                "boot": boot,
                "monotonic_ms": monotonic_ns // 1_000_000,
                "time_ms": time_ns // 1_000_000,
                kind: orjson.Fragment(body),
            }
            for sequence, boot, monotonic_ns, time_ns, kind, _, body in rows
        ]
        return orjson.dumps({"queue": self.name, "records": records})

    def _mark(self, sequences: Sequence[int], state: int) -> None:
        self._database.executemany(
            "UPDATE record SET state = ? WHERE sequence = ?", [(state, each) for each in sequences]
        )

    def _forget(self, sequences: Sequence[int]) -> int:
        self._database.executemany(
            "DELETE FROM record WHERE sequence = ?", [(each,) for each in sequences]
        )
        return len(sequences)

    def _count(self, name: str, number: int) -> None:
        if number:
            self._database.execute(
                "INSERT INTO total VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
                (name, number),
            )


def retry(database: sqlite3.Connection) -> int:
    """Have the records that are set aside sent again; return their number."""
    with transaction(database):
        return database.execute(
            "UPDATE record SET state = ? WHERE state = ?", (WAITING, ASIDE)
        ).rowcount


def totals_of(database: sqlite3.Connection, clock: Clock) -> Totals:
    """The totals at this moment; the database is only read."""
    with transaction(database, "DEFERRED"):
        values = dict(database.execute("SELECT name, value FROM total"))
        states = dict(database.execute("SELECT state, count(*) FROM record GROUP BY state"))
        dropped = {why: values.get(f"dropped {why}", 0) for why in ("age", "size")}
        return Totals(
            states.get(WAITING, 0) + states.get(TAKEN, 0),
            states.get(ASIDE, 0),
            tables.oldest_seconds(database, clock),
            values.get("sent", 0),
            dropped,
            bytes_used(database),
        )
