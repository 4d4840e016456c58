"""Fits on a cluster: the same search as here, whatever becomes of workers and the scheduler."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxlet.convert.errors import Refusal
from onnxlet.convert.train.fits import cluster_fits, local_fits
from onnxlet.convert.train.preparing import Options
from onnxlet.convert.train.refit import ModelDestination
from onnxlet.convert.train.training import train
from onnxlet.convert.train.trials import Job
from tests.convert.helpers import quiet
from tests.convert.train import candidates as made
from tests.convert.train.test_fits import ends, outcomes, table
from tests.convert.train.test_search import searched, told
from tests.convert.workers.dask_processes import Processes, cluster
from tests.convert.workers.test_cluster import appears

pytestmark = pytest.mark.engines
EVERYONE = [made.constant(), made.linear(), made.tree(), made.boosting()]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with cluster(tmp_path_factory.mktemp("cluster"), workers=2) as started:
        yield started


def waiting(folder: Path, name: str) -> Any:
    """What a fit does that never ends: it leaves its process's number."""

    def wait() -> None:
        (folder / "new").write_text(str(os.getpid()))
        (folder / "new").rename(folder / name)
        time.sleep(300)

    return made.doing("slow", wait)


def test_what_overruns_dies_or_cannot_be_sent_costs_nobody_else_anything(pair: Processes) -> None:
    lock = threading.Lock()
    everyone = [
        Job(0, made.doing("slow", made.sleep), 0, limit=1.0),
        Job(1, made.doing("dying", made.die), 0),
        Job(2, made.doing("failing", made.fail), 0),
        Job(3, made.linear(), 0),
        Job(4, replace(made.linear(), parameters={"lock": lock}), 1),
        Job(5, made.linear(), 1),
    ]
    with cluster_fits(pair.address, table()) as fits:
        found = outcomes(fits, iter(everyone))
    assert found[0].overran
    assert found[0].why == "took longer than 1 s on one fold"
    assert "its process ended" in str(found[1].why)
    assert found[2].why == "ValueError: it fails on purpose"
    assert "it can't be sent: " in str(found[4].why)
    with local_fits(table(), 2) as fits:
        here = outcomes(fits, iter([everyone[3], everyone[5]]))
    for number in (3, 5):
        assert found[number].why is None
        assert np.array_equal(found[number].answers, here[number].answers)  # type: ignore[arg-type, unused-ignore] # by NumPy's version
        assert found[number]._replace(answers=None, seconds=0) == here[number]._replace(
            answers=None, seconds=0
        )


def test_when_the_time_is_up_or_nobody_waits_fits_end(pair: Processes, tmp_path: Path) -> None:
    with cluster_fits(pair.address, table()) as fits:
        outcomes(fits, iter([Job(n, made.constant(), 0) for n in range(8)]))  # both have begun
        for seconds in (10, 90):  # on a busy machine the fit may not get so far in ten
            jobs = iter([Job(0, waiting(tmp_path, "first"), 0)])
            found = outcomes(fits, jobs, until=time.monotonic() + seconds)
            assert found[0].overran
            assert found[0].why == "the time was up"
            if (tmp_path / "first").exists():
                break
        assert ends(int((tmp_path / "first").read_text()))

        def stop_once_begun() -> None:
            if (tmp_path / "second").exists():
                raise KeyboardInterrupt

        jobs = iter([Job(0, waiting(tmp_path, "second"), 0)])
        with pytest.raises(KeyboardInterrupt):
            outcomes(fits, jobs, tick=stop_once_begun)
        assert ends(int((tmp_path / "second").read_text()))


def test_a_search_finds_the_same_as_here_though_a_worker_is_killed_half_way(
    tmp_path: Path,
) -> None:
    data = made.binary()
    here = searched(data, EVERYONE, trials=8, cores=2)
    with cluster(tmp_path / "cluster", workers=2) as started:
        lines: list[str] = []

        def report(line: str) -> None:
            lines.append(line)
            if len(lines) == 3:
                started.workers[0].kill()

        there = searched(
            data, EVERYONE, trials=8, cores=2, scheduler=started.address, report=report
        )
    assert len(lines) >= 8
    assert told(there) == told(here)


def test_a_trained_model_is_the_same_to_the_byte(pair: Processes, tmp_path: Path) -> None:
    data = made.binary(150)
    frame = data.X.assign(target=data.y)
    read = {}
    for name, scheduler in (("here", None), ("there", pair.address)):
        options = Options(trials=2, scheduler=scheduler)
        to = ModelDestination("m", tmp_path / name)
        built = train(frame, "target", options, to, quiet).built
        read[name] = {
            file: (built.directory / file).read_bytes() for file in ("model.onnx", "golden.json")
        }
    assert read["here"] == read["there"]


@pytest.mark.filterwarnings("ignore")  # what Dask leaves behind when it gives up
def test_a_scheduler_that_goes_away_ends_a_search_with_the_best_so_far(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", workers=2) as started:
        lines: list[str] = []

        def report(line: str) -> None:
            lines.append(line)
            if len(lines) == 2:
                os.kill(started.scheduler.pid, signal.SIGKILL)

        found = searched(
            made.binary(), EVERYONE, trials=8, scheduler=started.address, report=report
        )
    assert found.how_ended == "the scheduler went away"
    assert found.weights
    assert any("has gone away: the search ends with the best" in line for line in lines)


@pytest.mark.filterwarnings("ignore")
def test_one_that_goes_away_before_anything_was_found_is_an_error(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", workers=1) as started:
        slow = [waiting(tmp_path, "began")] * 2

        def kill() -> None:
            assert appears(tmp_path / "began")
            started.scheduler.kill()

        killing = threading.Thread(target=kill)
        killing.start()
        with pytest.raises(Refusal, match="has gone away"):
            searched(made.binary(), slow, scheduler=started.address)
        killing.join()
        assert ends(int((tmp_path / "began").read_text()), 180)  # its worker gives up, too
