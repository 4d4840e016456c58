"""Log lines on their way out: whoever answers requests never waits for whoever reads the log.

A journal whose disk hangs takes no lines after some hundreds. Each is written at once as long as
that can be done without waiting; else a thread writes it, once there is room, and the oldest are
given up where too many wait.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from onnxlet.function import request_log

LATE_BYTES = 1_000_000  # of lines that wait in memory
Write = Callable[[bytes], int]


class Outlet:
    """Writes lines to a file descriptor, from any thread.

    Args:
        file: the descriptor.

    Attributes:
        lost: lines that were given up; it is told when there is room again.
    """

    def __init__(self, file: int) -> None:
        self.lost = 0
        self._file = file
        self._write = never_waiting(file)
        self._late: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, line: bytes) -> None:
        """Write a line, now or later.

        Raises:
            OSError: nobody reads the log any more.
        """
        with self._lock:
            if not self._bytes:
                with suppress(BlockingIOError):
                    line = line[self._write(line) :]
            if line:
                self._keep(line)

    def _keep(self, line: bytes) -> None:
        self._late.append(line)
        self._bytes += len(line)
        while self._bytes > LATE_BYTES and len(self._late) > 1:
            # The first may have begun: what is next goes.
            self._bytes -= len(self._late[1])
            del self._late[1]
            self.lost += 1
        self._some.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._some.wait()
            line = self._late[0]  # only this thread takes the first away
            with suppress(OSError):
                while line:
                    line = line[os.write(self._file, line) :]
            self._has_written()

    def _has_written(self) -> None:
        with self._lock:
            self._bytes -= len(self._late.popleft())
            if self._late:
                return
            self._some.clear()
            lost, self.lost = self.lost, 0
        if lost:
            request_log.write({"event": "log", "lost": lost})


def never_waiting(file: int) -> Write:
    """What writes as much as can be written at once, and raises BlockingIOError where that is none.

    Files on a disk are written to as ever: nothing tells whether they would wait.
    """
    mode = os.fstat(file).st_mode
    if stat.S_ISSOCK(mode):  # systemd's journal
        opened = socket.socket(fileno=os.dup(file))
        return lambda line: opened.send(line, socket.MSG_DONTWAIT)
    if stat.S_ISFIFO(mode) or os.isatty(file):
        with suppress(OSError):  # opened anew: who shares this one is to wait as ever
            anew = os.open(f"/dev/fd/{file}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            return lambda line: os.write(anew, line)
    return lambda line: os.write(file, line)
