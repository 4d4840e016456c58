"""Processes that are forked from one: it has imported what they need, and has their content."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from onnxlet.convert.workers.processes import Process, search_path

# Ctrl-C may come before it is ignored for good.
SERVER = """
import sys
sys.path[:] = {path!r}
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from onnxlet.convert.workers.child import serve_forks
serve_forks({descriptor}, {begin!r})
"""


class ForkServer:
    """A process that others are forked from; it ends with this, and is started again if it ended.

    It starts afresh: this one may have threads, which no fork survives. `multiprocessing` has a
    server of this kind, too, but that runs a user's script again. Several threads may use it.

    Args:
        begin: `module:name`, of what makes a `Do` of the content, there and once.
        content: gives what all work has in common.
        threads: that a piece of work may use.
    """

    def __init__(self, begin: str, content: Callable[[], bytes], threads: int) -> None:
        self._begin, self._content, self._threads = begin, content, str(threads)
        self._lock = threading.Lock()
        self._start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self.process.pid

    def fork(self) -> ForkedProcess:
        """A process for one piece of work.

        Raises:
            OSError: the process that it is to be forked from has just ended.
        """
        ours, theirs = Pipe()
        try:
            with self._lock:
                if self.process.poll() is not None:  # the system ended it, such as for its memory
                    self.close()
                    self._start()
                socket.send_fds(self._server, [b"f"], [theirs.fileno()])
                return ForkedProcess(ours, theirs, self.process)
        except BaseException:
            ours.close()
            theirs.close()
            raise

    def close(self) -> None:
        """End the process."""
        self._finally()

    def _start(self) -> None:
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        self._server, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            code = SERVER.format(path=search_path(), descriptor=descriptor, begin=self._begin)
            self.process: subprocess.Popen[Any] = subprocess.Popen(  # noqa: S603 - this Python
                [sys.executable, "-W", "ignore", "-c", code],
                # Threads that spin while they wait make a fit on a busy machine twenty times
                # slower. What a learner may start is silent, too.
                env={**os.environ, **dict.fromkeys(names, self._threads),
                     "OMP_WAIT_POLICY": "PASSIVE", "PYTHONWARNINGS": "ignore"},
                pass_fds=[descriptor], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._finally = weakref.finalize(self, _stop, self._server, self.process)
        try:
            with Connection(os.dup(self._server.fileno())) as content:
                content.send_bytes(self._content())
        except OSError:  # it has ended already, which the next fork finds
            return
        except BaseException:
            self.close()
            raise


def _stop(server: socket.socket, process: subprocess.Popen[Any]) -> None:
    server.close()
    process.kill()
    process.wait()


class ForkedProcess(Process):
    """A process for one piece of work, which is forked from a parent.

    Its own end of the connection is kept here until it has begun: macOS loses one that is closed
    on the way.
    """

    def __init__(self, ours: Connection, theirs: Connection, parent: subprocess.Popen[Any]) -> None:
        super().__init__(ours)
        self._theirs, self._parent, self._pid = theirs, parent, 0
        self.waiting = True

    def began(self, pid: int) -> None:
        """It has its own end."""
        self._pid, self.waiting = pid, False
        self._theirs.close()

    def is_lost(self) -> bool:
        """Whether what it was to be forked from ended before it had begun."""
        return self.waiting and self._parent.poll() is not None

    def kill(self) -> None:
        """End it; one that has not begun ends when it does."""
        if not self.waiting:
            with suppress(OSError):  # it has ended
                os.kill(self._pid, signal.SIGKILL)

    def close(self) -> int | None:
        """Nobody waits for it: the process that it is forked from forgets it."""
        self._theirs.close()
        self.connection.close()
        return None
