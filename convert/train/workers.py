"""Processes that fit candidates, one a core, and are ended where a fit takes too long."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from typing import Any, Self

from onnxlet.convert.errors import shortened
from onnxlet.convert.train.job import Job, Outcome, Table, begin, ready, run

POLL = 0.1  # seconds between two looks at the clock
LONGEST = 5.0  # seconds to wait for the thread of a process that was ended


class Workers:
    """As many processes as fits may run at a time.

    A running fit can't be interrupted from within its process, so each has a process of its own:
    when that is ended, nobody else's work is lost. They are loky's, as joblib's are: it does not
    run a user's script again, as `multiprocessing` does, and sends what can't be imported.

    Args:
        table: what all jobs have in common.
        count: how many there are.
    """

    def __init__(self, table: Table, count: int) -> None:
        self._table = table
        self._executors: list[Any] = [None] * count
        self._beginning: dict[int, Future[Any]] = {}
        self._running: dict[Future[Any], tuple[int, Job, float]] = {}
        for index in range(count):
            self._start(index)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for executor in self._executors:
            _end(executor)

    def outcomes(
        self,
        jobs: Iterator[Job],
        until: float | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[Job, Outcome]]:
        """Do jobs, and give what each came to as soon as it has ended.

        Args:
            jobs: the next is taken when a process is free for it.
            until: when whatever runs is ended, by `time.monotonic`; None for never.
            tick: called a few times a second.
        """
        more = True
        while more or self._running:
            for index in self._free() if more else ():
                if (job := next(jobs, None)) is None:
                    more = False
                    break
                future = self._executors[index].submit(run, job)
                self._running[future] = index, job, time.monotonic()
            wait(self._running, POLL, FIRST_COMPLETED)
            tick()
            yield from self._ended(until)
            if until is not None and time.monotonic() > until:
                return

    def _free(self) -> list[int]:
        busy = {index for index, _, _ in self._running.values()}
        return [index for index in range(len(self._executors)) if index not in busy]

    def _ended(self, until: float | None) -> list[tuple[Job, Outcome]]:
        ended = []
        for future, (index, job, since) in list(self._running.items()):
            seconds = time.monotonic() - since
            if future.done():
                outcome = self._outcome(future, index, seconds)
            elif until is not None and time.monotonic() > until:
                outcome = Outcome(None, seconds, why="the time was up", overran=True)
            elif not self._beginning[index].done():
                self._running[future] = index, job, time.monotonic()  # its own time begins later
                continue
            elif job.limit is not None and seconds > job.limit:
                self._start(index)
                why = f"took longer than {job.limit:.0f} s on one fold"
                outcome = Outcome(None, seconds, why=why, overran=True)
            else:
                continue
            del self._running[future]
            ended.append((job, outcome))
        return ended

    def _outcome(self, future: Future[Any], index: int, seconds: float) -> Outcome:
        error = future.exception()
        if error is None:
            result: Outcome = future.result()
            return result
        self._start(index)  # such as a process that the system ended, for its memory
        return Outcome(None, seconds, why=f"its process ended: {shortened(error)}")

    def _start(self, index: int) -> None:
        from joblib.externals.loky.process_executor import ProcessPoolExecutor

        if self._executors[index] is not None:
            _end(self._executors[index])
        threads = str(self._table.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self._executors[index] = ProcessPoolExecutor(
            max_workers=1,
            initializer=begin,
            initargs=(self._table,),
            # Threads that spin while they wait make a fit on a busy machine twenty times slower.
            env={**dict.fromkeys(names, threads), "OMP_WAIT_POLICY": "PASSIVE"},
        )
        self._beginning[index] = self._executors[index].submit(ready)


def _end(executor: Any) -> None:
    """End an executor's process, whatever it does.

    loky ends it, too, but where Ctrl-C came in the middle of something it may wait for ever.
    """
    pids = [process.pid for process in (executor._processes or {}).values()]
    manager = executor._executor_manager_thread
    executor.shutdown(wait=False, kill_workers=True)
    for pid in pids:
        with suppress(OSError):  # it has ended
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    if manager is not None:
        manager.join(LONGEST)
