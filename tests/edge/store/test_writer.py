"""The thread that writes: commits that are shared, and disks that are full, gone or broken."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.forward.queue import Queue
from onnxlet.edge.forward.records import Record
from onnxlet.edge.store import database, writer
from onnxlet.edge.store.database import identity, set_aside
from tests.conftest import at_once, ran
from tests.edge.faults.disk import need_fiu
from tests.edge.forward.endpoint import wait_until
from tests.edge.forward.keeping import Keeping

pytestmark = pytest.mark.usefixtures("patient_writer")
PATIENCE_SECONDS = 60.0


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again."""
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.05)


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    keeping = Keeping(tmp_path / "queue" / "queue.db")
    yield keeping
    keeping.writer.stop(PATIENCE_SECONDS)


def test_kept_means_committed(keeping: Keeping) -> None:
    assert keeping.keep("a")
    assert keeping.kept() == ["a"], "seen by another connection as soon as it is called kept"


def test_many_share_a_commit(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    add = Queue.add

    def slowly(queue: Queue, records: list[Record]) -> None:
        commits.append(len(records))
        wait_until(lambda: sum(commits) + len(keeping.writer._entries) == 40)
        add(queue, records)

    monkeypatch.setattr(Queue, "add", slowly)
    at_once(*(partial(keeping.keep, str(number)) for number in range(40)))

    assert sum(commits) == 40
    assert len(commits) <= 2, "what comes during the first is in the second"
    assert sorted(keeping.kept(), key=int) == [str(n) for n in range(40)]


def test_nobody_waits_where_nobody_wants_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = Keeping(tmp_path / "queue.db", gather=0.2)
    over = threading.Event()
    add = Queue.add

    def not_yet(queue: Queue, records: list[Record]) -> None:
        assert over.wait(PATIENCE_SECONDS)
        add(queue, records)

    monkeypatch.setattr(Queue, "add", not_yet)
    monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", 0.01)  # who waits finds that it hangs
    for number in range(100):
        keeping.keep(str(number), wait=False)
    assert (keeping.lines, keeping.writer.late) == ([], 0)
    over.set()
    keeping.writer.stop(PATIENCE_SECONDS)

    assert keeping.kept() == [str(number) for number in range(100)], "the end writes what is there"


@pytest.mark.parametrize(("number", "size"), [(2000, 0), (12, 250_000)])
def test_many_and_large_ones_are_not_gathered_for_long(
    tmp_path: Path, number: int, size: int
) -> None:
    """Else what comes within a second would have to fit into memory."""
    keeping = Keeping(tmp_path / "queue.db", gather=120)
    for each in range(number):
        keeping.keep(str(each), size=size, wait=False)
    wait_until(lambda: keeping.writer._bytes < writer.MEMORY_BYTES // 2)
    start = time.monotonic()
    assert keeping.keep("awaited", wait=True)
    assert time.monotonic() - start < PATIENCE_SECONDS
    keeping.writer.stop(PATIENCE_SECONDS)

    assert len(keeping.kept()) == number + 1
    assert not keeping.writer.lost


def test_a_disk_that_is_away_holds_up_nobody_and_loses_nothing(tmp_path: Path) -> None:
    """Where the folder should be is a file."""
    away = tmp_path / "queue"
    away.write_text("")
    keeping = Keeping(away / "queue.db")
    assert not keeping.keep("a")
    start = time.monotonic()
    for number in range(50):
        assert not keeping.keep(str(number))
    assert not keeping.keep("truth", strict=True)
    assert time.monotonic() - start < 15, "a second for each"
    assert keeping.writer.late == 51
    away.unlink()
    wait_until(lambda: not keeping.writer.failing)
    assert keeping.keep("b")
    keeping.writer.stop(PATIENCE_SECONDS)

    assert keeping.kept() == ["a", *map(str, range(50)), "b"]
    assert [line["state"] for line in keeping.lines] == ["not keeping", "keeping"]


def test_that_the_disk_works_again_is_found_without_a_record(tmp_path: Path) -> None:
    away = tmp_path / "queue"
    away.write_text("")
    keeping = Keeping(away / "queue.db")
    assert not keeping.keep("truth", strict=True)
    away.unlink()
    wait_until(lambda: not keeping.writer.failing)
    assert keeping.keep("again", strict=True)
    keeping.writer.stop(PATIENCE_SECONDS)

    assert keeping.kept() == ["again"], "what was given up is not written behind one's back"


def test_memory_is_bounded_while_the_disk_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MEMORY_BYTES", 50_000)
    away = tmp_path / "queue"
    away.write_text("")
    keeping = Keeping(away / "queue.db")
    for number in range(100):
        keeping.keep(str(number), size=1000)
    assert not keeping.keep("huge", size=60_000)
    away.unlink()
    wait_until(lambda: not keeping.writer.failing)
    keeping.writer.stop(PATIENCE_SECONDS)
    kept = keeping.kept()

    assert kept == [str(number) for number in range(100 - len(kept), 100)]
    assert 40 < len(kept) < 50
    assert keeping.writer.lost == {"memory": 100 - len(kept), "large": 1}


def test_a_disk_that_hangs_holds_up_for_so_long(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", 0.1)
    works = threading.Event()
    add = Queue.add

    def slowly(queue: Queue, records: list[Record]) -> None:
        works.wait(PATIENCE_SECONDS)
        add(queue, records)

    monkeypatch.setattr(Queue, "add", slowly)
    start = time.monotonic()
    assert not keeping.keep("a")
    assert 0.1 <= time.monotonic() - start < PATIENCE_SECONDS / 2
    assert keeping.writer.late == 1
    monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    works.set()
    wait_until(lambda: not keeping.writer.hanging)
    assert keeping.keep("b")
    assert keeping.kept() == ["a", "b"]


def test_where_a_disk_hangs_one_waits_and_the_others_do_not(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the database, as one does whose commit does not come back."""
    monkeypatch.setattr(database, "BUSY_SECONDS", PATIENCE_SECONDS)
    assert keeping.keep("a")
    monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", 0.2)
    with closing(sqlite3.connect(keeping.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not keeping.keep("b")
        monkeypatch.setattr(writer, "DISK_TIMEOUT_SECONDS", PATIENCE_SECONDS)
        start = time.monotonic()
        assert not keeping.keep("c")
        assert not keeping.keep("truth", strict=True)
        assert time.monotonic() - start < PATIENCE_SECONDS / 2
        assert keeping.writer.is_unavailable
    wait_until(lambda: not keeping.writer.is_unavailable)
    assert keeping.keep("d", strict=True)

    assert keeping.kept() == ["a", "b", "c", "d"], "what was given up is not written later"
    assert [line["state"] for line in keeping.lines] == ["not keeping", "keeping"]
    assert keeping.writer.late == 2


def test_a_broken_database_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.write_bytes(b"no database at all" * 1000)
    keeping = Keeping(path)
    keeping.keep("a")
    wait_until(lambda: not keeping.writer.failing)
    keeping.writer.stop(PATIENCE_SECONDS)

    assert keeping.kept() == ["a"]
    assert [line["state"] for line in keeping.lines] == ["not keeping", "set aside", "keeping"]
    assert (tmp_path / "queue.db.broken").read_bytes().startswith(b"no database")


def test_of_two_processes_that_find_it_broken_one_sets_it_aside(keeping: Keeping) -> None:
    """Else the second moves the good one away that the first has written to meanwhile."""
    other = Keeping(keeping.path)
    for number in range(20):
        assert keeping.keep(f"{number}", size=3000)
        assert other.keep(f"other {number}", size=3000)
    with closing(sqlite3.connect(keeping.path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = keeping.path.stat().st_size
    with keeping.path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (size - 100))
    acknowledged = set[str]()
    for number, each in enumerate((keeping, other, keeping, other)):
        wait_until(lambda each=each, name=f"after {number}": each.keep(name))  # type: ignore[misc]
        acknowledged.add(f"after {number}")
    other.writer.stop(PATIENCE_SECONDS)

    assert acknowledged <= set(keeping.kept())
    lines = keeping.lines + other.lines
    assert [line["state"] for line in lines].count("set aside") == 1


def test_what_was_written_to_a_file_that_another_process_set_aside_is_written_again(
    keeping: Keeping,
) -> None:
    assert keeping.keep("a")
    assert set_aside(keeping.path, identity(keeping.path))
    assert not keeping.keep("b"), "it is in the file that nobody sends from"
    wait_until(lambda: not keeping.writer.is_unavailable)
    assert keeping.keep("c")

    assert keeping.kept() == ["b", "c"]


HEAD = """
import json, os, subprocess, sys, time
from pathlib import Path
from onnxlet.edge.store import database, writer
from tests.edge.forward.keeping import Keeping
writer.DISK_TIMEOUT_SECONDS = 60

def works_again():
    while keeping.writer.failing:
        time.sleep(0.01)
"""


NO_SPACE = """
folder = Path(sys.argv[1])
keeping = Keeping(folder / "queue.db")
reported = {"before": [keeping.keep(str(n)) for n in range(3)]}

def both(change, back, numbers):
    change()
    start = time.monotonic()
    kept = [keeping.keep(str(n), size=20_000) for n in numbers]
    seconds = time.monotonic() - start
    back()
    works_again()
    return [any(kept[-3:]), seconds < 0.8 * len(kept)]  # not one for each

def fill():
    with open(folder / "fill", "wb", buffering=0) as file:
        try:
            while file.write(bytes(1024)):
                pass
        except OSError:
            pass

def remount(how):
    subprocess.run(["mount", "-o", f"remount,{how}", folder], check=True)

reported["full"] = both(fill, (folder / "fill").unlink, range(3, 20))
keeping.writer.stop(60)
keeping.open().close()
states = [line["state"] for line in keeping.lines]
keeping = Keeping(folder / "queue.db")  # a start, with the disk read-only
reported["read-only"] = both(lambda: remount("ro"), lambda: remount("rw"), range(20, 30))
keeping.writer.stop(60)
reported["kept"] = keeping.kept()
reported["states"] = states + [line["state"] for line in keeping.lines]
print(json.dumps(reported))
"""


def test_a_disk_without_space_and_one_that_is_read_only(tmp_path: Path) -> None:
    """A real one, of four megabytes, in a mount namespace of its own."""
    inside = 'mount -t tmpfs -o size=4m none "$0" && exec "$@"'
    unshared = ["unshare", "--mount", "sh", "-c", inside, str(tmp_path)]
    with suppress(FileNotFoundError):
        tried = subprocess.run([*unshared, "true"], capture_output=True)
        if tried.returncode == 0:
            reported = run(NO_SPACE, tmp_path, *unshared)
            assert reported == {
                "before": [True] * 3,
                "full": [False, True],
                "read-only": [False, True],
                "kept": [str(number) for number in range(30)],
                "states": ["not keeping", "keeping"] * 2,
            }
            return
    pytest.skip("mounting needs root on Linux")


NO_SYNC = """
database.PRAGMAS = tuple(each.replace("FULL", "MODE") for each in database.PRAGMAS)
keeping = Keeping(Path(sys.argv[1]))
reported = {"before": [keeping.keep(str(n)) for n in range(3)]}

# The program that gives orders must not be under them itself: it crashes now and then.
CALM = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("FIU_")}

def sync(how):
    for name in ("fsync", "fdatasync"):
        command = f"{how}=posix/io/sync/{name}"
        subprocess.run(["fiu-ctrl", "-c", command, str(os.getpid())], check=True, env=CALM)

sync("enable name")
reported["failing"] = [keeping.keep(str(n)) for n in range(3, 9)]
time.sleep(1.5)  # it is tried again, and fails again
reported["states"] = [line["state"] for line in keeping.lines]
sync("disable name")
works_again()
reported["after"] = keeping.keep("9")
keeping.writer.stop(60)
reported["kept"] = keeping.kept()
print(json.dumps(reported))
"""


@pytest.mark.parametrize("mode", ["FULL", pytest.param("NORMAL", marks=pytest.mark.faults)])
def test_a_disk_that_fails_to_sync(tmp_path: Path, mode: str) -> None:
    """What a commit wrote before its fsync failed may be there or not: at the end it is, once.

    Where SQLite does not sync each commit, as in the second one, records are called kept unseen.
    """
    need_fiu()
    failing = ["env", "TMPDIR=/tmp", "fiu-run", "-x"]  # fiu-ctrl's pipe: in no folder with a space
    reported = run(NO_SYNC.replace("MODE", mode), tmp_path / "queue.db", *failing)

    full = mode == "FULL"
    assert reported == {
        "before": [True] * 3,
        "failing": [not full] * 6,
        "states": ["not keeping"] * full,
        "after": True,
        "kept": [str(number) for number in range(10)],
    }


def run(script: str, path: Path, *before: str) -> dict[str, Any]:
    done = ran([*before, sys.executable, "-c", HEAD + script, str(path)])
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
