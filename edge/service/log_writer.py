"""Write log lines without blocking: no request waits for the log's reader.

A journal whose disk hangs accepts a few hundred lines and then blocks. A line is written directly
if that does not block; else a thread writes it later, and the oldest lines are dropped where too
many wait.
"""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from onnxlet.function import request_log

LATE_BYTES = 1_000_000  # of lines waiting in memory
WHOLE_BYTES = 4096  # that a pipe takes as a whole (PIPE_BUF of Linux): lines of processes never mix
Write = Callable[[bytes], int]


class LogWriter:
    """Writes lines to a file descriptor, from any thread."""

    def __init__(self, file: int) -> None:
        self.lost = 0  # dropped lines; logged once there is room again
        self._file = file
        self._write = nonblocking_writer(file)
        # Lines that are written together, of this thread; None where none are.
        self._gathered: list[bytes] | None = None
        self._thread_of_them = 0
        self._late: deque[bytes] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, line: bytes) -> None:
        """Write a line, now or later; OSError is raised where the log is closed."""
        with self._lock:
            if self._gathered is not None and threading.get_ident() == self._thread_of_them:
                self._gathered.append(line)
                return
            if not self._bytes:
                with suppress(BlockingIOError):
                    line = line[self._write(line) :]
            if line:
                self._keep(line)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write the lines of this thread in this block at its end; one thread at a time."""
        with self._lock:
            self._gathered, self._thread_of_them = [], threading.get_ident()
        try:
            yield
        finally:
            with self._lock:
                lines, self._gathered = self._gathered, None
            with suppress(OSError):  # the log is closed: requests are answered nevertheless
                for several in _joined(lines):
                    self.put(several)

    def _keep(self, line: bytes) -> None:
        self._late.append(line)
        self._bytes += len(line)
        while self._bytes > LATE_BYTES and len(self._late) > 1:
            # The first may be half written: drop the second.
            self._bytes -= len(self._late[1])
            self.lost += self._late[1].count(b"\n")
            del self._late[1]
        self._some.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            self._some.wait()
            line = self._late[0]  # only this thread removes the first
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


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines in as few pieces as are written whole; a longer line is a piece of its own."""
    piece, size = list[bytes](), 0
    for line in lines:
        if piece and size + len(line) > WHOLE_BYTES:
            yield b"".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    if piece:
        yield b"".join(piece)


def nonblocking_writer(file: int) -> Write:
    """A function that writes what it can without blocking, and raises BlockingIOError if nothing.

    Writes to regular files may block: the system has no way to know before.
    """
    mode = os.fstat(file).st_mode
    if stat.S_ISSOCK(mode):  # systemd's journal
        opened = socket.socket(fileno=os.dup(file))
        return lambda line: opened.send(line, socket.MSG_DONTWAIT)
    if stat.S_ISFIFO(mode) or os.isatty(file):
        with suppress(OSError):  # a second open file: others who share this one keep blocking
            own = os.open(f"/dev/fd/{file}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            return lambda line: os.write(own, line)
    return lambda line: os.write(file, line)
