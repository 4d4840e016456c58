"""Fits on the workers of a Dask cluster, instead of in processes of this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import cloudpickle

from onnxlet.convert.cluster.connecting import connected
from onnxlet.convert.cluster.sent import Sent, still_wanted
from onnxlet.convert.cluster.tasks import Tasks
from onnxlet.convert.errors import shortened
from onnxlet.convert.train.forking import Forking
from onnxlet.convert.train.job import Job, Outcome, Packed, Table
from onnxlet.convert.train.workers import Workers

if TYPE_CHECKING:
    from distributed import Client

# What fits depend on. A library that is missing here has to be missing there, too.
PACKAGES = (
    "catboost", "cloudpickle", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy", "xgboost",
    "xgboost-cpu",
)  # fmt: skip


class Unwanted(Exception):
    """Nobody waits for this fit any more."""


class Begun(NamedTuple):
    """What a worker makes of the table.

    Attributes:
        forking: the process that has it.
        room: for so many fits at a time.
    """

    forking: Forking
    room: threading.Semaphore


class ClusterFits:
    """As `Workers`, on a cluster: each of its workers has the table once, and forks fits.

    Args:
        client: of the cluster, and the versions that its workers need.
        table: what all jobs have in common.
    """

    def __init__(self, client: tuple[Client, Mapping[str, str | None]], table: Table) -> None:
        self._tasks = Tasks(
            client, f"{__name__}:fit", cloudpickle.dumps(table), table.threads, table.threads
        )

    @property
    def count(self) -> int:
        """How many fits run at a time, as long as no worker comes or goes."""
        return self._tasks.slots

    def outcomes(
        self,
        jobs: Iterator[Job],
        until: float | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[Job, Outcome]]:
        """As `Workers.outcomes`.

        Raises:
            SchedulerGone: it can't be reached any more.
        """
        running: list[Job] = []
        unsent: list[tuple[Job, Outcome]] = []
        for came in self._tasks.run(_asked(jobs, until, running, unsent), tick, until):
            running.remove(came.label)
            why = None if came.error is None else f"its worker failed: {shortened(came.error)}"
            yield came.label, came.result if why is None else Outcome(None, 0.0, why=why)
            while unsent:
                yield unsent.pop()
        yield from unsent
        for job in running:
            yield job, Outcome(None, 0.0, why="the time was up", overran=True)


def _asked(
    jobs: Iterator[Job],
    until: float | None,
    running: list[Job],
    unsent: list[tuple[Job, Outcome]],
) -> Iterator[tuple[Job, tuple[Packed, float | None]]]:
    """Jobs as they are sent: as bytes, with the seconds that are left; others go to `unsent`."""
    for job in jobs:
        try:
            written = cloudpickle.dumps(job)
        except Exception as error:  # noqa: BLE001, RUF100 - a candidate may hold anything
            why = f"it can't be sent: {shortened(error)}"
            unsent.append((job, Outcome(None, 0.0, why=why)))
            continue
        running.append(job)
        yield job, (Packed(written, job.limit), None if until is None else until - time.monotonic())


def fit(sent: Sent, threads: int, asked: tuple[Packed, float | None]) -> Outcome:
    """Fit a candidate, on a worker, in a process of its own.

    Args:
        sent: the table.
        threads: that a fit uses.
        asked: the job, and the seconds that are left.

    Raises:
        Unwanted: the search has been ended; so has the fit.
    """
    job, left = asked
    until = None if left is None else time.monotonic() + left
    begun: Begun = sent.made(lambda table: _begun(table, threads))
    with begun.room, Workers(begun.forking, 1) as workers:
        for _, outcome in workers.outcomes(iter([job]), until, _check_wanted):
            return outcome
    return Outcome(None, 0.0, why="the time was up", overran=True)


def _begun(table: bytes, threads: int) -> Begun:
    from distributed import get_worker

    room = max(1, get_worker().state.nthreads // threads)
    return Begun(Forking(lambda: table, threads), threading.Semaphore(room))


def _check_wanted() -> None:
    if not still_wanted():
        raise Unwanted


@contextmanager
def cluster_fits(address: str, table: Table) -> Iterator[ClusterFits]:
    """Fits on the cluster of a scheduler.

    Args:
        address: of the scheduler.
        table: what all jobs have in common.

    Raises:
        WrongUse: nothing answers there as a scheduler does, or Dask is not installed.
        Refusal: it has no worker, or one that would fit otherwise.
    """
    with connected(address, PACKAGES) as client:
        yield ClusterFits(client, table)
