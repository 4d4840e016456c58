"""Records in SQLite: added, taken in batches, forgotten once they have arrived, bounded.

Their order is that of the machine's starts, then its monotonic clock, then their numbers; the wall
clock, which a device may not have, decides nothing. Each method is one transaction.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from onnxlet.edge.forward import bounds
from onnxlet.edge.forward.bounds import OVERHEAD
from onnxlet.edge.forward.records import Clock, Record
from onnxlet.edge.forward.tables import (
    ASIDE,
    TAKEN,
    WAITING,
    QueueMoved,
    connect,
    identity,
    transaction,
)

BATCH_RECORDS = 500
BATCH_BYTES = 1_000_000  # of one batch, unless a single record is larger
LOW = 0.95  # of the bytes that may be taken: down to this is made room, not for each record

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
# A request that may have been answered before is looked for among all records, by the end of its
# id. The index is made when the first one comes: a queue that none comes to does without it.
INDEX = "CREATE INDEX IF NOT EXISTS by_id ON record (substr(id, -8))"
ADD_ONCE = """
INSERT INTO record (boot, monotonic_ns, time_ns, kind, id, body)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (
    SELECT 1 FROM record WHERE substr(id, -8) = substr(?5, -8) AND kind = ?4 AND id = ?5)
"""


class Batch(NamedTuple):
    """Records that are sent together, again and again the same until they have arrived.

    Attributes:
        key: of idempotency: the hash of what they are, so that a batch that comes twice is known.
        body: JSON.
        records: how many.
    """

    key: str
    body: bytes
    records: int


class Totals(NamedTuple):
    """How much there is, and what became of the rest.

    Attributes:
        waiting: records that are still to be sent.
        aside: records that the other side refused.
        oldest_seconds: for which the oldest waiting one has been here and the device was on.
        sent: records that have arrived, ever.
        dropped: records that were given up, ever, by reason.
        bytes: that the records take.
    """

    waiting: int
    aside: int
    oldest_seconds: float
    sent: int
    dropped: dict[str, int]
    bytes: int


class Queue:
    """One connection to the database, for one thread.

    Args:
        path: of the database.
        clock: of this start of the machine.
        max_bytes: that the records may take.
        max_seconds: that a record is kept, while the device is on.

    Attributes:
        name: that the database was given when it was made.
        file: that it is in, whatever stands at its path later.

    Raises:
        sqlite3.Error, OSError: as in each method, where the disk is full, read-only or broken.
    """

    def __init__(self, path: Path, clock: Clock, max_bytes: int, max_seconds: float) -> None:
        self._path = path
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_ns = int(max_seconds * 1e9)
        before = identity(path)
        self._database = connect(path)
        self.file = identity(path)
        try:
            if before not in (None, self.file):
                raise QueueMoved(f"{path} was put in another's place just now")
            self.name = str(self._about("queue"))
            with transaction(self._database):  # starts before the oldest record tell nothing more
                self._database.execute(
                    "DELETE FROM boot WHERE number < coalesce("
                    "(SELECT min(boot) FROM record), (SELECT max(number) FROM boot))"
                )
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    def add(self, records: Sequence[Record]) -> None:
        """Keep records; they are on the disk when this returns. The oldest make room for them.

        Raises:
            QueueMoved: they are in a database that another process has put aside.
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
        if identity(self._path) != self.file:
            raise QueueMoved(f"{self._path} was put aside meanwhile")

    def take(self, most: int | None = None) -> Batch | None:
        """The batch to be sent: the one that was begun, else the oldest records; or None.

        Args:
            most: records in a batch that is begun now; None for as many as there may be.
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
        """The batch that was taken has arrived: forget it."""
        with transaction(self._database):
            gone = self._database.execute("DELETE FROM record WHERE state = ?", (TAKEN,)).rowcount
            self._count("sent", gone)

    def refused(self) -> int:
        """The batch that was taken is not wanted as it is: from now on it is its first half.

        The second half waits again. A record on its own is put aside, where nothing sends it.
        Who refuses a batch has none of it, so that its halves may have keys of their own.

        Returns:
            How many records are left in the batch; none where one was put aside.
        """
        with transaction(self._database):
            taken = [row[0] for row in self._rows(TAKEN, None)]
            kept = len(taken) // 2
            self._mark(taken[kept:], WAITING if kept else ASIDE)
        return kept

    def retry(self) -> int:
        """Have what was put aside sent again; how many records that is."""
        return retry(self._database)

    def trim(self) -> None:
        """Give up the oldest records where there are too many or they are too old, and count them.

        Those that are set aside go first. The batch that is being sent stays: it may have arrived.
        """
        room = self._max_bytes
        if not (self._old() or bounds.used(self._database) > room):
            return
        with transaction(self._database):
            self._count("dropped age", self._forget(self._old()))
            if bounds.used(self._database) > room:
                while too_many := bounds.too_many(self._database, int(room * LOW)):
                    self._count("dropped size", self._forget(too_many))

    def totals(self) -> Totals:
        """Figures of this moment."""
        return totals_of(self._database, self._clock)

    def _old(self) -> list[int]:
        return bounds.too_old(self._database, self._clock, self._max_ns)

    def _about(self, name: str) -> Any:
        return self._database.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()[
            0
        ]

    def _this_boot(self) -> int:
        """The number of this start, and note how long it has lasted."""
        found = self._database.execute(
            "INSERT INTO boot (id, last_ns) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET last_ns = excluded.last_ns RETURNING number",
            (self._clock.boot, self._clock.monotonic_ns()),
        ).fetchone()
        return int(found[0])

    def _rows(self, state: int, most: int | None) -> list[Any]:
        """The oldest records of a state, as many as fit in a batch; all of them without `most`."""
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
    """Have what was put aside sent again; how many records that is."""
    with transaction(database):
        return database.execute(
            "UPDATE record SET state = ? WHERE state = ?", (WAITING, ASIDE)
        ).rowcount


def totals_of(database: sqlite3.Connection, clock: Clock) -> Totals:
    """Figures of this moment; the database is only read."""
    with transaction(database, "DEFERRED"):
        values = dict(database.execute("SELECT name, value FROM total"))
        states = dict(database.execute("SELECT state, count(*) FROM record GROUP BY state"))
        dropped = {why: values.get(f"dropped {why}", 0) for why in ("age", "size")}
        return Totals(
            states.get(WAITING, 0) + states.get(TAKEN, 0),
            states.get(ASIDE, 0),
            bounds.oldest_seconds(database, clock),
            values.get("sent", 0),
            dropped,
            bounds.used(database),
        )
