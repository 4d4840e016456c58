"""Tasks on real schedulers and workers: versions, workers that die and come, a scheduler's end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnxlet.convert.cluster.connecting import connected
from onnxlet.convert.cluster.sent import Sent, still_wanted
from onnxlet.convert.cluster.tasks import SchedulerGone, Tasks
from onnxlet.convert.errors import Refusal
from onnxlet.function.errors import WrongUse
from tests.convert.cluster.processes import Processes, cluster

pytestmark = pytest.mark.engines

HERE = "tests.convert.cluster.test_tasks"


def counting(sent: Sent, folder: str, number: int) -> tuple[int, int, bytes]:
    """On a worker: its process, the argument doubled, and what was made of the content once."""

    def make(content: bytes) -> bytes:
        with Path(folder, f"made-{os.getpid()}").open("a") as file:
            file.write("x")
        return content.upper()

    time.sleep(0.05)
    return os.getpid(), 2 * number, sent.made(make)


def waiting(sent: Sent, folder: str, number: int) -> None:
    """On a worker: until nobody wants it any more, which a file says."""
    Path(folder, f"began-{number}").touch()
    while still_wanted():
        time.sleep(0.05)
    Path(folder, f"ended-{number}").touch()


def failing(sent: Sent, common: None, number: int) -> None:
    raise ValueError(f"{number} fails on purpose")


def appears(path: Path, seconds: float = 60.0) -> bool:
    until = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=2) as started:
        yield started


def test_each_task_is_done_once_and_the_content_is_made_once_a_worker(
    pair: Processes, tmp_path: Path
) -> None:
    with connected(pair.address, ["numpy"]) as client:
        client[0].wait_for_workers(2)
        tasks = Tasks(client, f"{HERE}:counting", b"abc", str(tmp_path))
        # Longer than Dask looks on before it drops what several workers have.
        time.sleep(5)
        taken: list[int] = []
        most = 0

        def arguments() -> Iterator[tuple[str, int]]:
            for number in range(40):
                taken.append(number)
                yield f"task {number}", number

        found = {}
        for came in tasks.run(arguments()):
            assert came.error is None
            found[came.label] = came.result
            most = max(most, len(taken) - len(found))
        assert most <= tasks.slots == 2  # the next is taken when there is room for it
    assert {label: result[1:] for label, result in found.items()} == {
        f"task {number}": (2 * number, b"ABC") for number in range(40)
    }
    workers = {result[0] for result in found.values()}
    assert workers == {process.pid for process in pair.workers}
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        f"made-{worker}": "x" for worker in workers
    }


def test_what_a_task_raises_is_its_own(pair: Processes) -> None:
    with connected(pair.address, []) as client:
        came = list(Tasks(client, f"{HERE}:failing", b"").run(iter([("a", 1), ("b", 2)])))
    assert {one.label: str(one.error) for one in came} == {
        "a": "1 fails on purpose",
        "b": "2 fails on purpose",
    }


def test_tasks_that_nobody_waits_for_notice_it(pair: Processes, tmp_path: Path) -> None:
    with connected(pair.address, []) as client:
        client[0].wait_for_workers(2)
        tasks = Tasks(client, f"{HERE}:waiting", b"", str(tmp_path))

        def stop_once_begun() -> None:
            if (tmp_path / "began-1").exists() and (tmp_path / "began-2").exists():
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(tasks.run(iter([("a", 1), ("b", 2)]), tick=stop_once_begun))
        assert appears(tmp_path / "ended-1")
        assert appears(tmp_path / "ended-2")


def test_until_a_time_is_waited_and_no_longer(pair: Processes, tmp_path: Path) -> None:
    with connected(pair.address, []) as client:
        tasks = Tasks(client, f"{HERE}:waiting", b"", str(tmp_path))
        since = time.monotonic()
        assert list(tasks.run(iter([("a", 1)]), until=since + 1)) == []
        assert 1 <= time.monotonic() - since < 60  # and not for ever, as the task would take


def test_another_worker_does_what_one_that_is_killed_was_doing(tmp_path: Path) -> None:
    with (
        cluster(tmp_path / "cluster", workers=1) as started,
        connected(started.address, []) as client,
    ):
        tasks = Tasks(client, f"{HERE}:counting", b"abc", str(tmp_path))
        found = []
        for came in tasks.run((number, number) for number in range(60)):
            found.append((came.label, came.result[1]))
            if len(found) == 10:
                # The only one that has the content: the scheduler has to send it again.
                started.workers[0].kill()
                started.worker()
        assert sorted(found) == [(number, 2 * number) for number in range(60)]


def test_a_worker_with_other_versions_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other" / "numpy-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    with cluster(tmp_path / "cluster", workers=0) as started:
        started.worker(env={"PYTHONPATH": str(tmp_path / "other")}, cwd=tmp_path)
        started.wait_for_workers()
        with pytest.raises(Refusal) as raised, connected(started.address, ["numpy"]):
            pass
        import numpy as np

        from onnxlet import __version__

        worker = raised.value.message.removeprefix("--scheduler: worker ").partition(": ")[0]
        assert raised.value.message == (
            f"--scheduler: worker {worker}: numpy: expected {np.__version__}, got 1.0, "
            f"onnxlet: expected {__version__}, got none"
        )
        assert f"numpy=={np.__version__}, onnxlet=={__version__}" in raised.value.hint


def test_one_that_comes_later_is_refused_too(tmp_path: Path) -> None:
    other = tmp_path / "other" / "numpy-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    with (
        cluster(tmp_path / "cluster", workers=1) as started,
        connected(started.address, ["numpy"]) as client,
    ):
        tasks = Tasks(client, f"{HERE}:counting", b"abc", str(tmp_path))
        started.workers[0].kill()
        path = f"{tmp_path / 'other'}{os.pathsep}{os.getcwd()}"  # noqa: PTH109
        started.worker(env={"PYTHONPATH": path})
        with pytest.raises(Refusal, match=r"numpy: expected .*, got 1\.0"):
            list(tasks.run((number, number) for number in range(10)))


def test_nothing_that_answers_and_no_worker_are_said(tmp_path: Path) -> None:
    for nowhere in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(WrongUse) as raised, connected(nowhere, []):
            pass
        assert f"expected a Dask scheduler at '{nowhere}', got: " in raised.value.message
    with (
        cluster(tmp_path / "cluster", workers=0) as started,
        pytest.raises(Refusal, match=r"expected a worker at tcp.*, got none within 10 s"),
        connected(started.address, []),
    ):
        pass


@pytest.mark.filterwarnings("ignore")  # what Dask leaves behind when it gives up
def test_a_scheduler_that_goes_away_is_noticed(tmp_path: Path) -> None:
    with (
        cluster(tmp_path / "cluster", workers=2) as started,
        connected(started.address, []) as client,
    ):
        tasks = Tasks(client, f"{HERE}:counting", b"abc", str(tmp_path))
        came = tasks.run((number, number) for number in range(10_000))
        next(came)
        os.kill(started.scheduler.pid, signal.SIGKILL)
        with pytest.raises(SchedulerGone, match="has gone away"):
            list(came)
