"""Records in the database: their order, their batches, their bounds, what they are counted as."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.forward import queue as module
from onnxlet.edge.forward.queue import Queue
from onnxlet.edge.forward.records import Clock, Record, this_boot
from onnxlet.edge.forward.tables import connect, secret_of
from onnxlet.edge.store import database
from tests.edge.forward.keeping import MB, emptied, ids

OPENED: list[Queue] = []


class Time:
    """A machine's clocks, set by hand."""

    def __init__(self, boot: str = "first") -> None:
        self.boot, self.on, self.wall = boot, 0.0, 0.0

    @property
    def clock(self) -> Clock:
        return Clock(self.boot, lambda: int(self.on * 1e9), lambda: int(self.wall * 1e9))


@pytest.fixture
def time() -> Time:
    return Time()


def opened(path: Path, time: Time, max_bytes: int = 10 * MB, max_seconds: float = 3600) -> Queue:
    queue = Queue(path / "queue.db", time.clock, max_bytes, max_seconds)
    OPENED.append(queue)
    return queue


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """From Python 3.13 on, a connection that nobody closes is a warning, in whatever test."""
    yield
    while OPENED:
        OPENED.pop().close()


def made(name: str, time: Time, size: int = 10, again: bool = False) -> Record:
    body = json.dumps({"id": name, "fill": "x" * size}).encode()
    return Record("prediction", name, body, int(time.on * 1e9), int(time.wall * 1e9), again)


def test_what_is_sent(tmp_path: Path, time: Time) -> None:
    time.on, time.wall = 12.3456, 1_700_000_000
    queue = opened(tmp_path, time)
    queue.add([made("a", time, 1)])
    batch = queue.take()

    assert batch is not None
    assert json.loads(batch.body) == {
        "queue": queue.name,
        "records": [
            {
                "sequence": 1,
                "boot": "first",
                "monotonic_ms": 12345,
                "time_ms": 1_700_000_000_000,
                "prediction": {"id": "a", "fill": "x"},
            }
        ],
    }
    assert batch.records == 1
    assert len(batch.key) == len(queue.name) * 2 == 64


def test_starts_then_the_monotonic_clock_decide_the_order_and_the_wall_clock_never(
    tmp_path: Path, time: Time
) -> None:
    queue = opened(tmp_path, time)
    time.on, time.wall = 50, 2_000_000_000
    late = made("late", time)
    time.on, time.wall = 40, 2_100_000_000
    queue.add([late, made("early", time)])
    queue.close()
    time.boot, time.on, time.wall = "a second one", 1, 0
    queue = opened(tmp_path, time)
    queue.add([made("after the power cut", time)])

    assert emptied(queue) == ["early", "late", "after the power cut"]


def test_a_batch_stays_the_same_until_it_has_arrived(tmp_path: Path, time: Time) -> None:
    queue = opened(tmp_path, time)
    queue.add([made("a", time), made("b", time)])
    first = queue.take()
    queue.add([made("c", time)])
    queue.close()
    queue = opened(tmp_path, time)

    assert queue.take() == first
    assert ids(first) == ["a", "b"]
    queue.arrived()
    second = queue.take()
    assert ids(second) == ["c"]
    assert first is not None
    assert second is not None
    assert first.key != second.key
    queue.arrived()
    assert queue.take() is None
    assert queue.totals().sent == 3


def test_batches_are_bounded_by_number_and_by_bytes(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = opened(tmp_path, time)
    monkeypatch.setattr(module, "BATCH_RECORDS", 3)
    monkeypatch.setattr(module, "BATCH_BYTES", 2000)
    queue.add([made(str(number), time) for number in range(5)])
    queue.add([made("large", time, 5000), made("half", time, 900), made("other half", time, 900)])
    found = []
    while batch := queue.take():
        found.append(ids(batch))
        queue.arrived()

    assert found == [["0", "1", "2"], ["3", "4"], ["large"], ["half"], ["other half"]]


def test_refused_records_are_set_aside_until_a_retry(tmp_path: Path, time: Time) -> None:
    queue = opened(tmp_path, time)
    queue.add([made("a", time)])
    queue.take()
    queue.refused()

    assert queue.take() is None
    assert (queue.totals().waiting, queue.totals().aside) == (0, 1)
    assert module.retry(queue._database) == 1
    assert emptied(queue) == ["a"]
    assert (queue.totals().sent, queue.totals().aside) == (1, 0)


def test_a_batch_that_is_refused_is_halved_until_one_record_is_left(
    tmp_path: Path, time: Time
) -> None:
    queue = opened(tmp_path, time)
    queue.add([made(name, time) for name in "abcde"])
    whole = queue.take()
    halves = []
    for _ in range(2):
        left = queue.refused()
        halves.append((left, ids(queue.take())))

    assert ids(whole) == ["a", "b", "c", "d", "e"]
    assert halves == [(2, ["a", "b"]), (1, ["a"])]
    assert (queue.refused(), queue.totals().waiting, queue.totals().aside) == (0, 4, 1)
    assert emptied(queue) == ["b", "c", "d", "e"]


def test_the_oldest_make_room_and_are_counted(tmp_path: Path, time: Time) -> None:
    queue = opened(tmp_path, time, max_bytes=MB)
    names = [str(number) for number in range(300)]
    for name in names:
        time.on += 1
        queue.add([made(name, time, 10_000)])
    totals = queue.totals()
    left = emptied(queue)

    assert left == names[-len(left) :]
    assert 60 < len(left) < 100
    assert totals.dropped == {"age": 0, "size": 300 - len(left)}
    assert totals.bytes <= MB
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 3 * MB


def test_what_is_set_aside_goes_first_and_what_is_being_sent_stays(
    tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH_RECORDS", 1)
    queue = opened(tmp_path, time, max_bytes=MB)
    time.on = 1
    queue.add([made("taken", time, 10_000)])
    queue.take()
    time.on = 2
    with closing(opened_again(tmp_path, time)) as other:
        other.execute(
            "INSERT INTO record (state, boot, monotonic_ns, time_ns, kind, id, body) "
            "SELECT 2, boot, monotonic_ns + 9, 0, kind, 'aside', body FROM record"
        )
    for number in range(100):
        time.on += 1
        queue.add([made(str(number), time, 10_000)])

    assert queue.totals().aside == 0
    assert emptied(queue)[0] == "taken"


def opened_again(path: Path, time: Time) -> Any:
    from onnxlet.edge.forward.tables import connect

    return connect(path / "queue.db")


def test_age_is_counted_while_the_machine_is_on(tmp_path: Path, time: Time) -> None:
    queue = opened(tmp_path, time, max_seconds=100)
    time.on = 10
    queue.add([made("old", time)])
    time.on = 60
    queue.add([made("older start, later", time)])
    queue.close()
    time.boot, time.on, time.wall = "second", 5, 10**9
    queue = opened(tmp_path, time, max_seconds=100)
    queue.add([made("new", time)])

    assert queue.totals().oldest_seconds == 55
    time.on = 49.9
    queue.trim()
    assert queue.totals().dropped["age"] == 0
    time.on = 50.1
    queue.trim()
    assert queue.totals().dropped == {"age": 1, "size": 0}
    assert emptied(queue) == ["older start, later", "new"]
    assert queue.totals().oldest_seconds == 0


def test_starts_that_left_nothing_are_forgotten(tmp_path: Path, time: Time) -> None:
    for number in range(5):
        time.boot, time.on = f"start {number}", 10
        queue = opened(tmp_path, time)
        queue.add([made("x", time)])
        emptied(queue)
        queue.close()
    with closing(opened_again(tmp_path, time)) as database:
        assert database.execute("SELECT count(*) FROM boot").fetchone()[0] <= 2


def test_the_same_record_written_again_is_there_once(tmp_path: Path, time: Time) -> None:
    """After a failed commit nobody knows whether it is there: it is written again."""
    queue = opened(tmp_path, time)
    record = made("a", time)
    queue.add([record])
    queue.add([record])
    time.on += 1
    queue.add([made("a", time)])

    assert emptied(queue) == ["a", "a"], "another request with the same id is another record"


def test_a_reading_that_comes_again_is_kept_once(tmp_path: Path, time: Time) -> None:
    queue = opened(tmp_path, time)
    queue.add([made("a", time)])
    time.on += 1
    queue.add([made("a", time, again=True), made("b", time, again=True)])

    assert emptied(queue) == ["a", "b"]


def test_a_reading_that_comes_again_is_found_without_reading_all(
    tmp_path: Path, time: Time
) -> None:
    queue = opened(tmp_path, time)
    records = []
    for number in range(3000):
        time.on += 0.001
        records.append(made(str(number), time, 1000))
    queue.add(records)
    time.on += 1
    queue.add([made("first", time, again=True)])  # which makes the index
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    queue._database.set_progress_handler(count, 1)
    queue.add([made(str(number), time, again=True) for number in range(0, 3000, 300)])
    queue._database.set_progress_handler(None, 1)

    assert steps < 10 * 300, "of 3,000 records each takes several"
    assert queue.totals().waiting == 3001


def test_a_commit_that_fails_leaves_nothing(tmp_path: Path, time: Time) -> None:
    queue = opened(tmp_path, time)
    broken = made("b", time)._replace(body=None)  # type: ignore[arg-type] # on purpose
    with pytest.raises(Exception, match="NOT NULL"):
        queue.add([made("a", time), broken])
    queue.add([made("c", time)])

    assert emptied(queue) == ["c"]


def test_it_is_written_ahead_and_synced_whole(tmp_path: Path, time: Time) -> None:
    opened(tmp_path, time)
    with closing(opened_again(tmp_path, time)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,), "2 is FULL"


def test_others_may_not_read_it(tmp_path: Path, time: Time) -> None:
    opened(tmp_path, time).add([made("a", time)])
    assert {oct(file.stat().st_mode)[-3:] for file in tmp_path.iterdir()} == {"600"}


def test_this_start_has_an_id() -> None:
    assert this_boot() == this_boot()
    assert len(this_boot()) == 36


def test_a_new_database_may_be_opened_by_several_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite answers "database is locked" at once where two change a new file to WAL."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 60.0)  # the others' syncs may take long
    with ThreadPoolExecutor(4) as threads:
        for number in range(60):
            paths = [tmp_path / f"{number}.db"] * 4
            for connection in list(threads.map(connect, paths)):
                connection.close()
            assert len(secret_of(paths[0])) == 32
