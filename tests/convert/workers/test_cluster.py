"""Tasks on real schedulers and workers: versions, workers that die and come, a scheduler's end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from onnxlet.convert.errors import Refusal
from onnxlet.convert.workers.cluster import Cluster, SchedulerGone, connected
from onnxlet.convert.workers.contract import Do, OutOfTime, Tick, Work
from onnxlet.convert.workers.sent import Unwanted
from onnxlet.function.errors import WrongUse
from tests.convert.workers.dask_processes import Processes, cluster
from tests.edge.forward.endpoint import wait_until

pytestmark = pytest.mark.engines

HERE = "tests.convert.workers.test_cluster"


def counting(content: bytes, folder: str) -> Do:
    """On a worker: its process, the argument doubled, and what was made of the content once."""
    with Path(folder, f"made-{os.getpid()}").open("a") as file:
        file.write("x")

    def count(argument: bytes, tick: Tick) -> tuple[int, int, bytes]:
        time.sleep(0.05)
        return os.getpid(), 2 * int(argument), content.upper()

    return count


def waiting(content: bytes, folder: str) -> Do:
    """On a worker: until nobody wants it any more, which a file says."""

    def wait(argument: bytes, tick: Tick) -> None:
        number = argument.decode()
        Path(folder, f"began-{number}").touch()
        try:
            while True:
                tick(0)
                time.sleep(0.05)
        except Unwanted:
            Path(folder, f"ended-{number}").touch()

    return wait


def failing(content: bytes, common: None) -> Do:
    def fail(argument: bytes, tick: Tick) -> None:
        raise ValueError(f"{argument.decode()} fails on purpose")

    return fail


def numbered(labels: Iterable[Any]) -> Iterator[Work[Any]]:
    """A piece of work for each label, whose number is its argument, from 1."""
    for number, label in enumerate(labels, 1):
        yield Work(label, str(number).encode())


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
        tasks = Cluster(client, f"{HERE}:counting", b"abc", str(tmp_path))
        # Longer than Dask looks on before it drops what several workers have.
        time.sleep(5)
        taken: list[int] = []
        most = 0

        def works() -> Iterator[Work[str]]:
            for number in range(40):
                taken.append(number)
                yield Work(f"task {number}", str(number).encode())

        found = {}
        for result in tasks.run(works()):
            assert result.error is None
            found[result.label] = result.value
            most = max(most, len(taken) - len(found))
        assert most <= tasks.count == 2  # the next is taken when there is room for it
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
        came = list(Cluster(client, f"{HERE}:failing", b"").run(numbered("ab")))
    assert {one.label: str(one.error) for one in came} == {
        "a": "1 fails on purpose",
        "b": "2 fails on purpose",
    }


def test_tasks_that_nobody_waits_for_notice_it(pair: Processes, tmp_path: Path) -> None:
    with connected(pair.address, []) as client:
        client[0].wait_for_workers(2)
        tasks = Cluster(client, f"{HERE}:waiting", b"", str(tmp_path))

        def stop_once_begun(done: int) -> None:
            if (tmp_path / "began-1").exists() and (tmp_path / "began-2").exists():
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(tasks.run(numbered("ab"), tick=stop_once_begun))
        assert appears(tmp_path / "ended-1")
        assert appears(tmp_path / "ended-2")


def test_until_a_time_is_waited_and_no_longer(pair: Processes, tmp_path: Path) -> None:
    with connected(pair.address, []) as client:
        tasks = Cluster(client, f"{HERE}:waiting", b"", str(tmp_path))
        since = time.monotonic()
        [late] = tasks.run(numbered("a"), until=since + 1)
        assert late.label == "a"
        assert isinstance(late.error, OutOfTime)
        assert 1 <= time.monotonic() - since < 60  # and not for ever, as the task would take


def test_another_worker_does_what_one_that_is_killed_was_doing(tmp_path: Path) -> None:
    with (
        cluster(tmp_path / "cluster", workers=1) as started,
        connected(started.address, []) as client,
    ):
        tasks = Cluster(client, f"{HERE}:counting", b"abc", str(tmp_path))
        found = []
        for result in tasks.run(numbered(range(1, 61))):
            found.append((result.label, result.value[1]))
            if len(found) == 10:
                # The only one that has the content: the scheduler has to send it again.
                started.workers[0].kill()
                started.worker()
        assert sorted(found) == [(number, 2 * number) for number in range(1, 61)]


@pytest.fixture
def other_numpy(tmp_path: Path) -> Path:
    """A folder of modules in which NumPy says to be of another version."""
    other = tmp_path / "other" / "numpy-1.0.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 1.0\n")
    return other.parent


def test_a_worker_with_other_versions_is_refused(tmp_path: Path, other_numpy: Path) -> None:
    (other_numpy / "onnxlet.py").write_text("raise ImportError")  # it stands before this checkout
    with cluster(tmp_path / "cluster", workers=0) as started:
        started.worker(env={"PYTHONPATH": str(other_numpy)}, cwd=tmp_path)
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


def test_one_that_comes_later_is_refused_too(tmp_path: Path, other_numpy: Path) -> None:
    with (
        cluster(tmp_path / "cluster", workers=1) as started,
        connected(started.address, ["numpy"]) as client,
    ):
        tasks = Cluster(client, f"{HERE}:counting", b"abc", str(tmp_path))
        started.workers[0].kill()
        path = f"{other_numpy}{os.pathsep}{os.getcwd()}"  # noqa: PTH109
        started.worker(env={"PYTHONPATH": path})
        with pytest.raises(Refusal, match=r"numpy: expected .*, got 1\.0"):
            list(tasks.run(numbered(range(10))))


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
        tasks = Cluster(client, f"{HERE}:counting", b"abc", str(tmp_path))
        came = tasks.run(numbered(range(10_000)))
        next(came)
        os.kill(started.scheduler.pid, signal.SIGKILL)
        with pytest.raises(SchedulerGone, match="has gone away"):
            list(came)


@pytest.mark.parametrize("status", ["finished", "error"])
@pytest.mark.filterwarnings("ignore")  # what Dask leaves behind when it gives up
def test_one_that_goes_away_while_a_result_is_fetched_is_noticed(
    status: str, tmp_path: Path
) -> None:
    """The status was read before the connection broke, the result is asked for behind it."""
    with (
        cluster(tmp_path / "cluster", workers=1) as started,
        connected(started.address, []) as client,
    ):
        tasks = Cluster(client, f"{HERE}:counting", b"abc", str(tmp_path))
        future = client[0].submit(time.sleep, 600)
        os.kill(started.scheduler.pid, signal.SIGKILL)
        wait_until(future.cancelled)
        fetched: Any = SimpleNamespace(
            status=status, result=future.result, exception=future.exception
        )
        with pytest.raises(SchedulerGone, match="has gone away"):
            tasks._result(fetched, "one")
