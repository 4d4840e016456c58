"""An end to connections that drip: a byte now and then keeps every timeout of a socket away."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPSConnection
from types import TracebackType
from typing import Any


class Deadline:
    """Shuts what was opened meanwhile, once time is over; who waits for a byte then gets none.

    Args:
        seconds: from the beginning of the `with` block.

    Attributes:
        over: they have passed, within the block.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.over = False
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
        """Shut this one, too."""
        with self._lock:
            self._sockets.append(opened)
        if self.over:
            self._end()

    def _end(self) -> None:
        self.over = True
        with self._lock:
            for each in self._sockets:
                with suppress(OSError):  # it has ended already
                    # Not by its own method: TLS's takes the session from under who reads.
                    socket.socket.shutdown(each, socket.SHUT_RDWR)


class WatchedHttp(HTTPConnection):
    """A connection that a deadline watches over."""

    def __init__(self, deadline: Deadline, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._deadline = deadline

    def connect(self) -> None:
        """Connect."""
        super().connect()
        self._deadline.watch(self.sock)


class WatchedHttps(WatchedHttp, HTTPSConnection):
    """The same, with TLS, whose handshake has an end of its own: the socket's timeout."""
