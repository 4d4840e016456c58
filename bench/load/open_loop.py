"""A load that does not wait for answers: so many requests a second, whatever the server does.

Each is timed from the moment that it was due, so that a server which answers nothing for a while
is not spared the requests that would have come meanwhile.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import NamedTuple

from bench.environments import ROOT
from bench.load.closed_loop import LONGEST_ANSWER_SECONDS, Connection


class Answer(NamedTuple):
    """What came of one request."""

    due: float  # when it was sent or should have been, on the clock of `time.monotonic`
    seconds: float  # from then to the last byte of the answer
    good: bool  # the status is 200


class Paced:
    """A process that asks; `answers` ends it."""

    def __init__(self, request: bytes, port: int, rate: float) -> None:
        command = [sys.executable, "-m", "bench.load.open_loop"]
        command += [str(port), str(rate), str(len(request))]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        self._process.stdin.write(request)
        self._process.stdin.flush()

    def answers(self) -> list[Answer]:
        """Send no more; everything that was asked."""
        output, _ = self._process.communicate()
        assert self._process.returncode == 0
        return [Answer(*each) for each in json.loads(output)]


@contextmanager
def asking(request: bytes, port: int, rate: float) -> Iterator[Paced]:
    """So many requests a second meanwhile."""
    paced = Paced(request, port, rate)
    try:
        yield paced
    finally:
        paced._process.kill()
        paced._process.communicate()


def percentile(answers: Sequence[Answer], share: float) -> float:
    """Milliseconds that this share of the answers took at most."""
    times = sorted(each.seconds for each in answers)
    return times[min(len(times) - 1, int(len(times) * share))] * 1e3


def between(answers: Sequence[Answer], start: float, end: float) -> list[Answer]:
    """Those that were due in this time."""
    return [each for each in answers if start <= each.due < end]


class _Run:
    """What was asked, and what came of it."""

    def __init__(self, request: bytes, port: int) -> None:
        self._request, self._port = request, port
        self._idle: list[Connection] = []
        self.asked: dict[int, tuple[Connection, float]] = {}  # by file descriptor, with when due
        self.answers: list[Answer] = []

    def ask(self, due: float) -> None:
        """Send one more, on a connection that nothing is awaited on."""
        connection = self._idle.pop() if self._idle else Connection(self._port)
        connection.send(self._request)
        self.asked[connection.socket.fileno()] = connection, due

    def read(self, number: int) -> None:
        """Read what has come."""
        connection, due = self.asked[number]
        whole = good = False
        with suppress(OSError):
            whole = connection.read()
            if not whole:
                return
            good = connection.received.startswith(b"HTTP/1.1 200 ")
        del self.asked[number]
        self.answers.append(Answer(due, time.monotonic() - due, good))
        if good:
            self._idle.append(connection)
        else:
            connection.socket.close()


def run(request: bytes, port: int, rate: float, until: int) -> list[Answer]:
    """Ask at even intervals until a file descriptor can be read; what was sent is waited for."""
    each = _Run(request, port)
    due, watched = time.monotonic(), [until]
    while watched or (each.asked and time.monotonic() < due + LONGEST_ANSWER_SECONDS):
        pause = max(0.0, due - time.monotonic()) if watched else 1.0
        for number in select.select([*watched, *each.asked], [], [], pause)[0]:
            if number == until:
                watched = []
            else:
                each.read(number)
        while watched and time.monotonic() >= due:
            each.ask(due)
            due += 1 / rate
    lost = [Answer(since, LONGEST_ANSWER_SECONDS, False) for _, since in each.asked.values()]
    return each.answers + lost


if __name__ == "__main__":
    text = b""
    while len(text) < int(sys.argv[3]):
        text += os.read(0, int(sys.argv[3]) - len(text))
    sys.stdout.write(json.dumps(run(text, int(sys.argv[1]), float(sys.argv[2]), 0)))
