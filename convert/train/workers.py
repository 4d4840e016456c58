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

from onnxlet.convert.errors import shortened
from onnxlet.convert.train.job import Job, Outcome, Table

POLL = 0.1  # seconds between two looks at the clock
ENDED = "its process ended"
# Ctrl-C may come before it is ignored for good. Of a notebook's folder, which is in its path as
# '', a json.py must not be taken for Python's: that comes last.
SERVER = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path[:] = {path!r}
from onnxlet.convert.train.fork_server import serve
serve({descriptor})
"""


@dataclass
class Running:
    """A fit in a process of its own.

    Attributes:
        job: that is done.
        since: when it began, by `time.monotonic`.
        theirs: its process's end of the connection, until that has begun: macOS loses one that is
            closed on the way.
        pid: of its process; None until that has begun.
        outcome: what it came to; None while it runs.
    """

    job: Job
    since: float
    theirs: Connection
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
            for connection in wait(list(self._running), POLL if self._running else 0):
                self._hear(connection)  # type: ignore[arg-type] # of those that were given
            tick()
            yield from self._ended(until)
            if until is not None and time.monotonic() > until:
                return

    def _submit(self, job: Job) -> None:
        ours, theirs = Pipe()
        running = self._running[ours] = Running(job, time.monotonic(), theirs)
        try:
            written = cloudpickle.dumps(job)
        except Exception as error:  # noqa: BLE001, RUF100 - a candidate may hold anything
            running.outcome = Outcome(None, 0.0, why=f"it can't be sent: {shortened(error)}")
            return
        try:
            if self._process.poll() is not None:  # the system ended it, such as for its memory
                self._stop()
                self._start()
            socket.send_fds(self._server, [b"f"], [theirs.fileno()])
            ours.send_bytes(written)
        except OSError as error:
            running.outcome = Outcome(None, 0.0, why=f"{ENDED}: {shortened(error)}")

    def _hear(self, connection: Connection) -> None:
        """Its process's number, or what it came to."""
        running = self._running[connection]
        try:
            said = connection.recv()
        except (EOFError, OSError):
            running.outcome = Outcome(None, running.seconds, why=ENDED)
            return
        if isinstance(said, Outcome):
            running.outcome = said
        else:
            running.pid, running.since = said, time.monotonic()
            running.theirs.close()

    def _ended(self, until: float | None) -> list[tuple[Job, Outcome]]:
        ended = []
        for connection, running in list(self._running.items()):
            self._catch_up(connection)
            limit = running.job.limit
            if running.outcome is not None:
                outcome = running.outcome
            elif running.pid is None and self._process.poll() is not None:
                outcome = Outcome(None, running.seconds, why=ENDED)
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

    def _catch_up(self, connection: Connection) -> None:
        """Hear what has come meanwhile."""
        running = self._running[connection]
        while running.outcome is None and connection.poll():
            self._hear(connection)

    def _end(self, connection: Connection) -> None:
        """End a process, whatever it does; one that has not begun ends when it does."""
        self._catch_up(connection)
        running = self._running.pop(connection)
        if running.pid is not None and running.outcome is None:
            with suppress(OSError):  # it has ended
                os.kill(running.pid, signal.SIGKILL)
        running.theirs.close()
        connection.close()

    def _start(self) -> None:
        threads = str(self._table.threads)
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        path = [each for each in sys.path if isinstance(each, str)]
        path.sort(key=lambda each: each == "")
        self._server, theirs = socket.socketpair()
        with theirs:
            code = SERVER.format(path=path, descriptor=theirs.fileno())
            self._process: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-W", "ignore", "-c", code],
                # Threads that spin while they wait make a fit on a busy machine twenty times
                # slower. What a learner may start is silent, too.
                env={**os.environ, **dict.fromkeys(names, threads), "OMP_WAIT_POLICY": "PASSIVE",
                     "PYTHONWARNINGS": "ignore"},
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            with Connection(os.dup(self._server.fileno())) as table:
                table.send_bytes(cloudpickle.dumps(self._table))
        except OSError:  # it has ended already, which the next job finds
            return
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        self._server.close()
        self._process.kill()
        self._process.wait()
