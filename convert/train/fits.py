"""Fits of candidates in processes of their own: of this machine, or of a cluster's workers."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib import import_module
from typing import Any

import cloudpickle

from onnxlet.convert.errors import shortened
from onnxlet.convert.train.trials import FitResult, Job, TrainingData, evaluate
from onnxlet.convert.workers.cluster import Cluster, connected
from onnxlet.convert.workers.contract import Carrier, Do, OutOfTime, Result, Tick, Work, WorkFailed
from onnxlet.convert.workers.fork_server import ForkServer
from onnxlet.convert.workers.processes import Processes

BEGIN, ON_CLUSTER = f"{__name__}:begin", f"{__name__}:begin_on_worker"
# What fits depend on. A library that is missing here has to be missing there, too.
PACKAGES = (
    "catboost", "cloudpickle", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "xgboost",
    "xgboost-cpu",
)  # fmt: skip
Written = Callable[[Job, float | None], bytes]


class Fits:
    """Does jobs by a carrier, which takes each as `written` has it, with the time there is."""

    def __init__(self, carrier: Carrier, written: Written) -> None:
        self._carrier, self._written = carrier, written

    @property
    def count(self) -> int:
        """How many fits run at a time."""
        return self._carrier.count

    def outcomes(
        self,
        jobs: Iterator[Job],
        until: float | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[Job, FitResult]]:
        """Do jobs, and give what each came to as soon as it has ended.

        The next is taken when there is room for it; `tick` is called a few times a second. What
        runs at `until`, by `time.monotonic`, is ended.

        Raises:
            SchedulerGone: the scheduler of a cluster can't be reached any more.
        """
        unsent: list[tuple[Job, FitResult]] = []
        works = self._works(jobs, until, unsent)
        for result in self._carrier.run(works, lambda done: tick(), until):
            yield result.label, _outcome(result)
            while unsent:
                yield unsent.pop()
        yield from unsent

    def _works(
        self, jobs: Iterator[Job], until: float | None, unsent: list[tuple[Job, FitResult]]
    ) -> Iterator[Work[Job]]:
        for job in jobs:
            try:
                written = self._written(job, until)
            except Exception as error:  # noqa: BLE001, RUF100 - a candidate may hold anything
                why = f"it can't be sent: {shortened(error)}"
                unsent.append((job, FitResult(None, 0.0, why=why)))
            else:
                yield Work(job, written, job.limit)


def _outcome(result: Result[Any]) -> FitResult:
    error = result.error
    if error is None:
        outcome: FitResult = result.value
        return outcome
    if not isinstance(error, WorkFailed):
        return FitResult(None, 0.0, why=f"its worker failed: {shortened(error)}")
    why, overran = str(error), isinstance(error, OutOfTime)
    if isinstance(error, OutOfTime) and error.limit is not None:
        why = f"took longer than {error.limit:.0f} s on one fold"
    return FitResult(None, result.seconds, why=why, overran=overran)


@contextmanager
def local_fits(data: TrainingData, count: int) -> Iterator[Fits]:
    """Fits in processes of this machine, so many at a time, which are forked from one."""
    server = ForkServer(BEGIN, partial(cloudpickle.dumps, data), data.threads)
    try:
        with Processes(server.fork, count) as carrier:
            yield Fits(carrier, lambda job, until: cloudpickle.dumps(job))
    finally:
        server.close()


def begin(data: bytes) -> Do:
    """What the process does that fits are forked from: it has the data, and all libraries."""
    from onnxlet.convert.train.portfolio import LIBRARIES

    table: TrainingData = pickle.loads(data)  # noqa: S301 - our own
    for library in LIBRARIES.values():
        with suppress(Exception):  # its fits say what is wrong with it
            import_module(library)
    return lambda job, tick: evaluate(table, pickle.loads(job))  # noqa: S301 - our own


@contextmanager
def cluster_fits(address: str, data: TrainingData) -> Iterator[Fits]:
    """Fits on the workers of a scheduler: each has the data once, and forks fits.

    Raises:
        WrongUse: nothing answers there as a scheduler does, or Dask is not installed.
        Refusal: it has no worker, or one that would fit otherwise.
    """
    with connected(address, PACKAGES) as client:
        content = cloudpickle.dumps(data)
        yield Fits(Cluster(client, ON_CLUSTER, content, data.threads, data.threads), _with_time)


def _with_time(job: Job, until: float | None) -> bytes:
    """A job as bytes in bytes, which a worker only hands on, with its limit and the time left."""
    left = None if until is None else until - time.monotonic()
    return pickle.dumps((cloudpickle.dumps(job), job.limit, left))


def begin_on_worker(data: bytes, threads: int) -> Do:
    """What a cluster's worker makes of the data: a process that has it, with room for some fits."""
    from distributed import get_worker

    server = ForkServer(BEGIN, lambda: data, threads)
    room = threading.Semaphore(max(1, get_worker().state.nthreads // threads))

    def fit(argument: bytes, tick: Tick) -> FitResult:
        job, limit, left = pickle.loads(argument)  # noqa: S301 - our own
        until = None if left is None else time.monotonic() + left
        with room, Processes(server.fork, 1) as carrier:
            return _outcome(next(carrier.run(iter([Work(None, job, limit)]), tick, until)))

    return fit
