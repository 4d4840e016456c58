"""Processes that fit candidates, one a core, and are ended where a fit takes too long."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Self, TypeVar

import cloudpickle

from onnxlet.convert.errors import shortened
from onnxlet.convert.train.forking import Forking
from onnxlet.convert.train.job import Job, Outcome, Packed, Table

J = TypeVar("J", Job, Packed)
POLL = 0.1  # seconds between two looks at the clock
ENDED = "its process ended"


@dataclass
class Running:
    """A fit in a process of its own.

    Attributes:
        job: that is done.
        since: when it began, by `time.monotonic`.
        theirs: its process's end of the connection, until that has begun: macOS loses one that is
            closed on the way.
        parent: what its process is forked from.
        pid: of its process; None until that has begun.
        outcome: what it came to; None while it runs.
    """

    job: Job | Packed
    since: float
    theirs: Connection
    parent: subprocess.Popen[Any] | None = None
    pid: int | None = None
    outcome: Outcome | None = None

    @property
    def seconds(self) -> float:
        """That it has taken."""
        return time.monotonic() - self.since


class Workers:
    """As many processes as fits may run at a time.

    A running fit can't be interrupted from within its process, so each has a process of its own:
    when that is ended, nobody else's work is lost. They are forked from one process.

    Args:
        table: what all jobs have in common; or a process that has it, which then goes on.
        count: how many fits run at a time.
    """

    def __init__(self, table: Table | Forking, count: int) -> None:
        self.count = count
        self._running: dict[Connection, Running] = {}
        self._owned = not isinstance(table, Forking)
        self._forking = (
            table
            if isinstance(table, Forking)
            else Forking(partial(cloudpickle.dumps, table), table.threads)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in list(self._running):
            self._end(connection)
        if self._owned:
            self._forking.close()

    def outcomes(
        self,
        jobs: Iterator[J],
        until: float | None = None,
        tick: Callable[[], object] = lambda: None,
    ) -> Iterator[tuple[J, Outcome]]:
        """Do jobs, and give what each came to as soon as it has ended.

        Args:
            jobs: the next is taken when a process is free for it.
            until: when whatever runs is ended, by `time.monotonic`; None for never.
            tick: called a few times a second.
        """
        more = True
        while more or self._running:
            while more and len(self._running) < self.count:
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

    def _submit(self, job: Job | Packed) -> None:
        ours, theirs = Pipe()
        running = self._running[ours] = Running(job, time.monotonic(), theirs)
        try:
            written = job.written if isinstance(job, Packed) else cloudpickle.dumps(job)
        except Exception as error:  # noqa: BLE001, RUF100 - a candidate may hold anything
            running.outcome = Outcome(None, 0.0, why=f"it can't be sent: {shortened(error)}")
            return
        try:
            running.parent = self._forking.fork(theirs)
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

    def _ended(self, until: float | None) -> list[tuple[Any, Outcome]]:
        ended: list[tuple[Any, Outcome]] = []
        for connection, running in list(self._running.items()):
            self._catch_up(connection)
            limit = running.job.limit
            if running.outcome is not None:
                outcome = running.outcome
            elif running.pid is None and running.parent and running.parent.poll() is not None:
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
