"""The process that fits are forked from: started when it is needed, and again where it ended."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

# Ctrl-C may come before it is ignored for good. Of the folder where this is called, or of a
# notebook's, which is in its path as '', a signal.py must not be taken for Python's: it comes last.
SERVER = """
import sys
sys.path[:] = {path!r}
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from onnxlet.convert.train.fork_server import serve
serve({descriptor})
"""


class Forking:
    """A process with a table, that fits are forked from (`fork_server`); it ends with this.

    It starts afresh: this one may have threads, which no fork survives. `multiprocessing` has a
    server of this kind, too, but that runs a user's script again. Several threads may use it.

    Args:
        table: gives the table that all fits have in common, pickled.
        threads: that a fit may use.
    """

    def __init__(self, table: Callable[[], bytes], threads: int) -> None:
        self._table, self._threads = table, str(threads)
        self._lock = threading.Lock()
        self._start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def fork(self, theirs: Connection) -> subprocess.Popen[Any]:
        """Have a process forked, which gets a connection.

        Returns:
            The process that it is forked from: where that has ended before it said anything,
            nothing will come.

        Raises:
            OSError: the process has just ended.
        """
        with self._lock:
            if self._process.poll() is not None:  # the system ended it, such as for its memory
                self.close()
                self._start()
            socket.send_fds(self._server, [b"f"], [theirs.fileno()])
            return self._process

    def close(self) -> None:
        """End the process."""
        self._finally()

    def _start(self) -> None:
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
                env={**os.environ, **dict.fromkeys(names, self._threads),
                     "OMP_WAIT_POLICY": "PASSIVE", "PYTHONWARNINGS": "ignore"},
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self._finally = weakref.finalize(self, _stop, self._server, self._process)
        try:
            with Connection(os.dup(self._server.fileno())) as table:
                table.send_bytes(self._table())
        except OSError:  # it has ended already, which the next job finds
            return
        except BaseException:
            self.close()
            raise


def _stop(server: socket.socket, process: subprocess.Popen[Any]) -> None:
    server.close()
    process.kill()
    process.wait()
