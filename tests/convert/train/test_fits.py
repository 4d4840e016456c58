"""Processes that fit: what overruns is ended, what dies is replaced, and the others go on."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from onnxlet.convert.train.fits import BEGIN, Fits, local_fits
from onnxlet.convert.train.trials import (
    FitResult,
    Job,
    TrainingData,
    answers_of,
    evaluate,
    part_of,
)
from onnxlet.convert.workers.child import serve_forks
from onnxlet.convert.workers.fork_server import ForkServer
from onnxlet.convert.workers.processes import Processes
from tests.conftest import ROOT
from tests.convert.train import candidates as made

pytestmark = pytest.mark.training


def table(rows: int = 300) -> TrainingData:
    data = made.binary(rows)
    folds = [(np.arange(100, rows), np.arange(100)), (np.arange(200), np.arange(200, rows))]
    classes = np.array(["no", "yes"], object)
    return TrainingData(data.X, data.y, "binary", classes, folds, None, made.fit, 0, 1)


def outcomes(fits: Fits, jobs: Iterator[Job], **given: Any) -> dict[int, FitResult]:
    return {job.number: outcome for job, outcome in fits.outcomes(jobs, **given)}


@pytest.fixture(scope="module")
def one_at_a_time() -> Iterator[Fits]:
    """One process, for tests that leave it as it was."""
    with local_fits(table(), 1) as fits:
        yield fits


@contextmanager
def forked(count: int) -> Iterator[tuple[Fits, ForkServer]]:
    """As `local_fits`, with the process that fits are forked from."""
    server = ForkServer(BEGIN, lambda: cloudpickle.dumps(table()), 1)
    with closing(server), Processes(server.fork, count) as carrier:
        yield Fits(carrier, lambda job, until: cloudpickle.dumps(job)), server


def test_what_overruns_or_dies_costs_nobody_else_anything() -> None:
    everyone = [
        Job(0, made.doing("slow", made.sleep), 0, limit=1.0),
        Job(1, made.doing("dying", made.die), 0),
        Job(2, made.doing("failing", made.fail), 0),
        Job(3, made.linear(), 0),
        Job(4, made.linear(), 1),
    ]
    with local_fits(table(), 2) as fits:
        found = outcomes(fits, iter(everyone))
        assert found[0].overran
        assert found[0].why == "took longer than 1 s on one fold"
        assert not found[1].overran
        assert "its process ended" in str(found[1].why)
        assert found[2].why == "ValueError: it fails on purpose"
        for number, fold in ((3, 0), (4, 1)):
            here = evaluate(table(), Job(number, made.linear(), fold))
            there = found[number].answers
            assert there is not None
            assert here.answers is not None
            assert np.array_equal(there, here.answers)
        since = time.monotonic()
        stuck = iter([Job(5, made.doing("slow", made.sleep), 0)])
        late = outcomes(fits, stuck, until=time.monotonic() + 1)
        assert late[5].why == "the time was up"
        assert time.monotonic() - since < 60
    assert time.monotonic() - since < 120  # and nothing waits for what is stuck, 300 seconds


def test_where_the_process_that_forks_was_ended_another_does() -> None:
    with forked(2) as (fits, server):
        stuck = fits.outcomes(
            iter([Job(0, made.doing("slow", made.sleep), 0), Job(1, made.linear(), 0)])
        )
        assert next(stuck)[0].number == 1
        os.kill(server.pid, signal.SIGKILL)
        assert next(stuck)[1].why == "its process ended"
        assert outcomes(fits, iter([Job(2, made.linear(), 1)]))[2].answers is not None


ORPHAN = """
import os, time
from multiprocessing.connection import Connection
from onnxlet.convert.workers.child import _do_one
server = os.getpid()
if os.fork() == 0:
    while os.getppid() == server:
        time.sleep(0.01)
    _do_one(Connection({descriptor}), None, server)
"""


def test_a_fit_that_begins_when_its_server_has_ended_ends_too() -> None:
    ours, theirs = Pipe()
    with theirs:
        code = ORPHAN.format(descriptor=theirs.fileno())
        subprocess.run(
            [sys.executable, "-c", code], pass_fds=[theirs.fileno()], cwd=ROOT, check=True
        )
    said = [ours.poll(60) and _said(ours) for _ in range(2)]  # its number may come before
    assert EOFError in said


def _said(connection: Connection) -> Any:
    try:
        return connection.recv()
    except EOFError as error:
        return type(error)


def test_a_notebooks_folder_with_modules_of_other_names_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json", "socket", "sklearn"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)
    # As IPython has it; Python itself ignores what is no text.
    monkeypatch.setattr(sys, "path", ["", tmp_path, *sys.path])
    with local_fits(table(), 1) as fits:
        assert outcomes(fits, iter([Job(0, made.linear(), 0)]))[0].why is None


def test_what_overruns_is_ended_at_once_and_the_server_with_the_last_of_them(
    tmp_path: Path,
) -> None:
    def write() -> None:
        (tmp_path / "new").write_text(str(os.getpid()))
        (tmp_path / "new").rename(tmp_path / "pid")
        time.sleep(300)

    with forked(1) as (fits, server):
        for limit in (2.0, 60.0):  # on a busy machine it may not get so far in two seconds
            jobs = iter([Job(0, made.doing("slow", write), 0, limit=limit)])
            assert outcomes(fits, jobs)[0].overran
            if (tmp_path / "pid").exists():
                break
        assert ends(int((tmp_path / "pid").read_text()))
        pid = server.pid
        assert not ends(pid, 0.0)
    assert ends(pid)


def ends(pid: int, seconds: float = 60.0) -> bool:
    """Whether a process ends within some seconds."""
    until = time.monotonic() + seconds
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.05)


class Unread:
    def __reduce__(self) -> Any:
        return int, ("no number",)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (threading.Lock(), "it can't be sent: "),
        (Unread(), "it could not be begun: invalid literal"),
    ],
)
def test_what_cannot_be_sent_or_read_is_only_that_jobs_failure(
    one_at_a_time: Fits, held: Any, why: str
) -> None:
    failing = replace(made.linear(), parameters={"held": held})
    found = outcomes(one_at_a_time, iter([Job(0, failing, 0), Job(1, made.linear(), 0)]))
    assert why in str(found[0].why)
    assert found[1].why is None


def test_where_no_process_can_be_forked_the_job_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fork)
    server, theirs = socket.socketpair()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGCHLD)}
    said: list[Any] = []

    def ask() -> None:
        with server, Connection(os.dup(server.fileno())) as first:
            first.send_bytes(cloudpickle.dumps(table()))
            ours, other = Pipe()
            socket.send_fds(server, [b"f"], [other.fileno()])
            said.append(ours.recv())

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        serve_forks(theirs.detach(), BEGIN)  # until the other end is closed
    finally:
        asking.join(60)
        gc.unfreeze()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert said == [("failed", "no process: Resource temporarily unavailable")]


def test_with_no_job_nobody_waits(one_at_a_time: Fits) -> None:
    ready = Job(0, made.constant(), 0)
    assert len(outcomes(one_at_a_time, iter([ready]))) == 1
    since = time.monotonic()
    for _ in range(100):
        assert outcomes(one_at_a_time, iter([])) == {}
    assert time.monotonic() - since < 5


def test_jobs_are_taken_only_when_there_is_a_process_for_them(one_at_a_time: Fits) -> None:
    given: list[int] = []
    done: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(4):
            given.append(number)
            yield Job(number, made.constant(), 0)

    for job, _ in one_at_a_time.outcomes(jobs()):
        done.append(job.number)
        assert len(given) <= len(done) + 1
    assert done == [0, 1, 2, 3]


def test_a_part_has_a_row_of_every_class() -> None:
    data = table()
    data.y[:] = "no"
    data.y[250] = "yes"
    part = part_of(data.folds[0][0], 10, data)
    assert 250 in part
    assert 10 <= len(part) <= 12
    assert (np.diff(part) > 0).all()


def test_a_class_that_was_not_learnt_has_no_chance() -> None:
    data = made.binary(60)
    fitted = made.fit(made.constant(), data.X, data.y, "binary", seed=0)
    answers = answers_of(fitted.pipeline, data.X, np.array(["maybe", "no", "yes"], object))
    assert (answers[:, 0] == 0).all()
    assert answers[:, 1] == pytest.approx(np.mean(data.y == "no"))


def test_answers_that_are_no_numbers_are_a_failure() -> None:
    from sklearn.pipeline import make_pipeline

    from onnxlet.convert.train.trials import Candidate

    class Lost(made.Doing):
        def predict_proba(self, X: Any) -> Any:
            return np.full((len(X), 2), np.nan)

    lost = Candidate("lost", "lost", {}, lambda parameters, seed: make_pipeline(Lost(list)))
    assert evaluate(table(), Job(0, lost, 0)).why == (
        "ValueError: it answers with what is no number"
    )
