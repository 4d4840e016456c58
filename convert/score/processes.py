"""Processes on this machine that do parts, each with the model loaded once."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from onnxlet.convert.score.errors import PartFailed, outcome_of
from onnxlet.convert.score.tasks import Task
from onnxlet.convert.score.worker import FEWER, model_of, plain

Line = dict[str, Any]
Tick = Callable[[int], object]
POLL = 0.2  # seconds between two looks at what has ended
TRIES = 2  # of a part whose process is ended, such as for its memory
# Of a notebook's folder, which is in its path as '', a json.py must not be taken for Python's.
START = """
import sys
sys.path[:] = {path!r}
from onnxlet.convert.score.worker import serve
serve({descriptor}, {parent})
"""


class Engine(Protocol):
    """What does parts, somewhere."""

    def outcomes(self, tasks: Sequence[Task], tick: Tick) -> Iterator[Line | PartFailed]:
        """Do parts, and give what each came to as soon as it has ended, in no order.

        Whoever stops asking, or raises, stops those that run; nothing of them is left.

        Args:
            tasks: to do.
            tick: called with how many further rows are answered.
        """


class Here:
    """This process: one part after another."""

    def outcomes(self, tasks: Sequence[Task], tick: Tick) -> Iterator[Line | PartFailed]:
        """Do parts one after another."""
        from onnxlet.convert.score.doing import do

        for task in tasks:
            try:
                yield do(task, model_of(task.model, task.graph), tick)
            except PartFailed as error:
                yield error


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    task: Task
    tries: int = 1
    said: bytes = b""

    def send(self) -> None:
        """Have it do its part; one that has ended is heard of next."""
        with suppress(OSError):
            self.connection.sendall(json.dumps(plain(self.task)).encode() + b"\n")

    def close(self) -> int:
        """Wait for its end, which the end of the connection asks it for; its exit code."""
        self.connection.close()
        return self.process.wait()


@dataclass(frozen=True)
class Processes:
    """As many processes as parts are done at a time.

    They start afresh: what a user's script has begun, such as threads, is not in them, and the
    script is not run again, as `multiprocessing` would.

    Attributes:
        count: how many.
    """

    count: int

    def outcomes(self, tasks: Sequence[Task], tick: Tick) -> Iterator[Line | PartFailed]:
        """Do parts, several at a time."""
        left = list(reversed(tasks))
        workers: list[_Worker] = []
        with selectors.DefaultSelector() as selector:
            try:
                for _ in range(min(self.count, len(left))):
                    workers.append(self._started(selector, left.pop()))
                while workers:
                    for key, _ in selector.select(POLL):
                        yield from self._heard(selector, workers, key.data, left, tick)
            finally:
                for worker in workers:
                    worker.process.kill()
                for worker in workers:
                    worker.close()

    def _heard(
        self,
        selector: selectors.BaseSelector,
        workers: list[_Worker],
        worker: _Worker,
        left: list[Task],
        tick: Tick,
    ) -> Iterator[Line | PartFailed]:
        data = _received(worker.connection)
        if not data:
            code = _gone(selector, workers, worker)
            if worker.tries < TRIES:
                workers.append(self._started(selector, worker.task, worker.tries + 1))
                return
            yield _ended(worker.task, code)
            if left:
                workers.append(self._started(selector, left.pop()))
            return
        *lines, worker.said = (worker.said + data).split(b"\n")
        for line in map(json.loads, lines):
            if "rows" in line:
                tick(line["rows"])
                continue
            if left:
                worker.task, worker.tries = left.pop(), 1
                worker.send()
            else:
                _gone(selector, workers, worker)
            yield outcome_of(line)

    def _started(self, selector: selectors.BaseSelector, task: Task, tries: int = 1) -> _Worker:
        path = [each for each in sys.path if isinstance(each, str)]
        path.sort(key=lambda each: each == "")
        ours, theirs = socket.socketpair()
        with theirs:
            code = START.format(path=path, descriptor=theirs.fileno(), parent=os.getpid())
            process = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-c", code],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        worker = _Worker(process, ours, task, tries)
        selector.register(ours, selectors.EVENT_READ, worker)
        worker.send()
        return worker


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1 << 16)
    except OSError:  # it was killed
        return b""


def _gone(selector: selectors.BaseSelector, workers: list[_Worker], worker: _Worker) -> int:
    selector.unregister(worker.connection)
    workers.remove(worker)
    return worker.close()


def _ended(task: Task, code: int) -> PartFailed:
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    killed = code == -signal.SIGKILL
    return PartFailed(
        f"'{task.file}', part '{task.name}': its process ended twice ({how})",
        f"Was there too little memory? {FEWER}" * killed,
    )


def engine_of(workers: int, tasks: int) -> Engine:
    """What does parts on this machine.

    Args:
        workers: at a time; 0 is one for each core.
        tasks: that there are to do.
    """
    count = min(workers or cores(), tasks)
    return Processes(count) if count > 1 else Here()


def cores() -> int:
    """That this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
