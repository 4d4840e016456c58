"""Processes that fit candidates, one a core, and are ended where a fit takes too long."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Self

import cloudpickle

from onnxlet.convert.train.job import Job, Outcome, Table

POLL = 0.1  # seconds between two looks at the clock
SERVER = "from onnxlet.convert.train.fork_server import serve; serve"


@dataclass
class Running:
    """A fit in a process of its own.

    Attributes:
        job: that is done.
        since: when it began, by `time.monotonic`.
        pid: of its process; None until that has begun.
        outcome: what it came to; None while it runs.
    """

    job: Job
    since: float
    pid: int | None = None
    outcome: Outcome | None = None

    @property
    def seconds(self) -> float:
        """That it has taken."""
        return time.monotonic() - self.since


class Workers:
    """As many processes as fits may run at a time.

    A running fit can't be interrupted from within its process, so each has a process of its own:
    when that is ended, nobody else's work is lost. They are forked from one process
    (`fork_server`), which starts afresh: this one may have threads, which no fork survives.
    `multiprocessing` has a server of this kind, too, but that runs a user's script again.

    Args:
        table: what all jobs have in common.
        count: how many fits run at a time.
    """

    def __init__(self, table: Table, count: int) -> None:
        self._table = table
        self._count = count
        self._running: dict[Connection, Running] = {}
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in list(self._running):
            self._end(connection)
        self._stop()

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
            while more and len(self._running) < self._count:
                if (job := next(jobs, None)) is None:
                    more = False
                else:
                    self._submit(job)
            for connection in wait(list(self._running), POLL):
                self._hear(connection)  # type: ignore[arg-type] # of those that were given
            tick()
            yield from self._ended(until)
            if until is not None and time.monotonic() > until:
                return

    def _submit(self, job: Job) -> None:
        ours, theirs = Pipe()
        with theirs:
            try:
                socket.send_fds(self._server, [b"f"], [theirs.fileno()])
            except OSError:  # the process was ended by the system, such as for its memory
                self._stop()
                self._start()
                socket.send_fds(self._server, [b"f"], [theirs.fileno()])
        ours.send_bytes(cloudpickle.dumps(job))
        self._running[ours] = Running(job, time.monotonic())

    def _hear(self, connection: Connection) -> None:
        """Its process's number, or what it came to."""
        running = self._running[connection]
        try:
            said = connection.recv()
        except (EOFError, OSError):
            running.outcome = Outcome(None, running.seconds, why="its process ended")
            return
        if running.pid is None:
            running.pid, running.since = said, time.monotonic()
        else:
            running.outcome = said

    def _ended(self, until: float | None) -> list[tuple[Job, Outcome]]:
        ended = []
        for connection, running in list(self._running.items()):
            limit = running.job.limit
            if running.outcome is not None:
                outcome = running.outcome
            elif until is not None and time.monotonic() > until:
                outcome = Outcome(None, running.seconds, why="the time was up", overran=True)
            elif running.pid is not None and limit is not None and running.seconds > limit:
                why = f"took longer than {limit:.0f} s on one fold"
                outcome = Outcome(None, running.seconds, why=why, overran=True)
            else:
                continue
            self._end(connection)
            ended.append((running.job, outcome))
        return ended

    def _end(self, connection: Connection) -> None:
        """End a process, whatever it does; one that has not begun ends when it does."""
        running = self._running.pop(connection)
        if running.pid is not None and running.outcome is None:
            with suppress(OSError):  # it has ended
                os.kill(running.pid, signal.SIGKILL)
        connection.close()

    def _start(self) -> None:
        threads = str(self._table.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self._server, theirs = socket.socketpair()
        with theirs:
            # Of a user's folder, a json.py must not be taken for Python's: -P, then our own path.
            path = f"import sys; sys.path[:] = {sys.path!r}; {SERVER}({theirs.fileno()})"
            self._process: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-P", "-W", "ignore", "-c", path],
                # Threads that spin while they wait make a fit on a busy machine twenty times
                # slower. What a learner may start is silent, too.
                env={**os.environ, **dict.fromkeys(names, threads), "OMP_WAIT_POLICY": "PASSIVE",
                     "PYTHONWARNINGS": "ignore"},
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        table = Connection(os.dup(self._server.fileno()))
        with table:
            table.send_bytes(cloudpickle.dumps(self._table))

    def _stop(self) -> None:
        self._server.close()
        self._process.kill()
        self._process.wait()
