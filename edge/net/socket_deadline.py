"""A deadline for whole exchanges: a peer that drips bytes never runs into a socket's timeout."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from types import TracebackType
from typing import Any


class Deadline:
    """Shuts down the sockets opened within its `with` block once time is up; reads then end."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds  # from the beginning of the block
        self.over = False  # the time was up before the block ended
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._sockets.clear()

    def watch(self, opened: socket.socket) -> None:
        """Shut this socket down, too."""
        with self._lock:
            self._sockets.append(opened)
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        with self._lock:
            for each in self._sockets:
                with suppress(OSError):  # it is closed already
                    # Not SSLSocket.shutdown: it drops the TLS session that a thread reads from.
                    socket.socket.shutdown(each, socket.SHUT_RDWR)


class WatchedHttp(HTTPConnection):
    """A connection that a deadline watches."""

    def __init__(self, deadline: Deadline, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._deadline = deadline

    def connect(self) -> None:
        """Connect, and have the deadline watch the socket."""
        super().connect()
        self._deadline.watch(self.sock)


class WatchedHttps(WatchedHttp, HTTPSConnection):
    """The same with TLS; only the socket's timeout bounds the handshake."""
