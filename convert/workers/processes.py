"""Work in processes of this machine, which are killed where it takes too long."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Self

from onnxlet.convert.errors import shortened
from onnxlet.convert.workers.child import BEGUN, FAILED, PROGRESS
from onnxlet.convert.workers.contract import (
    A,
    OutOfTime,
    ProcessEnded,
    Result,
    Tick,
    Work,
    WorkFailed,
)

POLL = 0.1  # seconds between two looks at the clock
# Of the folder where this is called, or of a notebook's, which is in its path as '', a signal.py
# must not be taken for Python's: it comes last.
FRESH = """
import sys
sys.path[:] = {path!r}
import onnxlet.environment
from onnxlet.convert.workers.child import serve
serve({descriptor}, {begin!r}, {parent})
"""


class Process(ABC):
    """A process that does work, and this end of its connection."""

    lasting = False  # it does one piece of work after another
    waiting = False  # it has not begun yet: nothing limits its time

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def send(self, argument: bytes) -> None:
        """Have it do a piece of work.

        Raises:
            OSError: it has ended.
        """
        self.connection.send_bytes(argument)

    def began(self, pid: int) -> None:  # noqa: B027 - most have nothing to do then
        """It has said its number."""

    def is_lost(self) -> bool:
        """Whether it can't begin any more, and nothing will come of it."""
        return False

    @abstractmethod
    def kill(self) -> None:
        """End it, whatever it does."""

    @abstractmethod
    def close(self) -> int | None:
        """Wait for its end, which the end of the connection asks it for; its exit code if known."""


def search_path() -> list[str]:
    """Where another Python is to look for modules: as this one does, in the folder '' last."""
    return sorted((each for each in sys.path if isinstance(each, str)), key=lambda each: each == "")


class FreshProcess(Process):
    """A process that starts afresh, and lasts.

    What a user's script has begun, such as threads, is not in it, and the script is not run again,
    as `multiprocessing` would.
    """

    lasting = True

    def __init__(self, begin: str, content: bytes) -> None:
        ours, theirs = Pipe()
        super().__init__(ours)
        with theirs:
            descriptor = theirs.fileno()
            code = FRESH.format(
                path=search_path(), descriptor=descriptor, begin=begin, parent=os.getpid()
            )
            self.process = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-c", code], pass_fds=[descriptor], stdin=subprocess.DEVNULL
            )
        self.send(content)

    def send(self, argument: bytes) -> None:
        """Have it do a piece of work; one that has ended is heard of next."""
        with suppress(OSError):
            super().send(argument)

    def kill(self) -> None:
        """End it."""
        self.process.kill()

    def close(self) -> int | None:
        """Wait for its end."""
        self.connection.close()
        return self.process.wait()


@dataclass
class _Running:
    work: Work[Any]
    process: Process
    since: float  # when it began, by `time.monotonic`
    tries: int

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.since


class Processes:
    """A carrier: as many processes as pieces of work are done at a time.

    A piece that runs can't be interrupted from within its process: when that is killed, nobody
    else's work is lost.

    Args:
        start: gives a process.
        count: of them.
        tries: of a piece whose process ends, such as for its memory.
    """

    def __init__(self, start: Callable[[], Process], count: int, tries: int = 1) -> None:
        self._start, self.count, self._tries = start, count, tries
        self._running: dict[Connection, _Running] = {}
        self._idle: list[Process] = []
        self._results: list[Result[Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        processes = [*(running.process for running in self._running.values()), *self._idle]
        for process in processes:
            process.kill()
        for process in processes:
            process.close()
        self._running, self._idle = {}, []

    def run(
        self,
        works: Iterator[Work[A]],
        tick: Tick = lambda done: None,
        until: float | None = None,
    ) -> Iterator[Result[A]]:
        """As `Carrier.run`; whoever leaves the carrier's block kills what still runs."""
        more = True
        while more or self._running:
            while more and not self._results and len(self._running) < self.count:
                if (work := next(works, None)) is None:
                    more = False
                else:
                    self._submit(work)
            while not more and self._idle:
                self._idle.pop().close()
            for connection in wait(
                list(self._running), POLL if self._running and not self._results else 0
            ):
                self._hear(self._running[connection], tick)  # type: ignore[index] # of those given
            tick(0)
            self._end_overdue(until, tick)
            while self._results:
                yield self._results.pop(0)
            if until is not None and time.monotonic() > until:
                return

    def _submit(self, work: Work[Any], tries: int = 1) -> None:
        process = None
        try:
            process = self._idle.pop() if self._idle else self._start()
            process.send(work.argument)
        except OSError as error:
            if process is not None:
                process.close()
            ended = ProcessEnded(shortened(error))
            self._results.append(Result(work.label, error=ended))
            return
        self._running[process.connection] = _Running(work, process, time.monotonic(), tries)

    def _hear(self, running: _Running, tick: Tick) -> None:
        """All that has come from a process."""
        connection = running.process.connection
        while connection in self._running and connection.poll():
            try:
                kind, said = connection.recv()
            except (EOFError, OSError):
                self._died(running)
                return
            if kind == BEGUN:
                running.process.began(said)
                running.since = time.monotonic()
            elif kind == PROGRESS:
                tick(said)
            elif kind == FAILED:
                self._end(running, error=WorkFailed(said))
            else:
                self._end(running, said)

    def _died(self, running: _Running) -> None:
        del self._running[running.process.connection]
        code = running.process.close()
        if running.tries < self._tries:
            self._submit(running.work, running.tries + 1)
            return
        error = ProcessEnded(code=code)
        self._results.append(Result(running.work.label, None, error, running.seconds))

    def _end(self, running: _Running, value: Any = None, error: WorkFailed | None = None) -> None:
        """Note what a piece came to; its process may do another one."""
        process = running.process
        del self._running[process.connection]
        if process.lasting and error is None:
            self._idle.append(process)
        else:
            process.close()
        seconds = 0.0 if process.waiting else running.seconds
        self._results.append(Result(running.work.label, value, error, seconds))

    def _end_overdue(self, until: float | None, tick: Tick) -> None:
        """Kill what has taken too long, once it is heard."""
        for connection, running in list(self._running.items()):
            self._hear(running, tick)
            if self._running.get(connection) is not running:
                continue
            limit, process = running.work.limit, running.process
            if process.is_lost():
                self._died(running)
            elif until is not None and time.monotonic() > until:
                process.kill()
                self._end(running, error=OutOfTime())
            elif limit is not None and not process.waiting and running.seconds > limit:
                process.kill()
                self._end(running, error=OutOfTime(limit))
