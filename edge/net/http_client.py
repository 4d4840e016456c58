"""HTTP clients: checking certificates where the date may be unknown, and deadlines.

A certificate's dates are compared with the clock unless the clock was never set: such a device
could never connect to anything. A deadline is of a whole exchange: a peer that drips bytes never
runs into a socket's timeout.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import SplitResult

from onnxlet.edge.device.checks import EPOCH

NO_DATES = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME
DATE_ERRORS = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID, _HAS_EXPIRED
LONGEST_RETRY_AFTER_SECONDS = 3600.0  # a server can't ask for a longer pause


def make_context(ca: Path | None) -> ssl.SSLContext:
    """A client's TLS context, which checks a server's certificate and name.

    None means the system's CA certificates; OSError is raised where they can't be read.
    """
    context = ssl.create_default_context(cafile=ca)
    set_date_checks(context)
    return context


def unchecked_context() -> ssl.SSLContext:
    """A client's TLS context that checks no certificate: the server is on this machine."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def set_date_checks(context: ssl.SSLContext) -> None:
    """Switch the check of dates on or off; before each connection, since the clock may be set."""
    if time.gmtime().tm_year < EPOCH:
        context.verify_flags |= NO_DATES
    else:
        context.verify_flags &= ~NO_DATES


def describe_error(error: Exception) -> str:
    """What went wrong; if it is a certificate's date, with this machine's own date."""
    text = f"{type(error).__name__}: {error}"[:200]
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in DATE_ERRORS:
        text += f"; this machine's clock says {time.strftime('%Y-%m-%d', time.gmtime())}"
    return text


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


class Received(NamedTuple):
    """What a server answered."""

    status: int
    headers: Message
    body: bytes  # its beginning


def post(
    url: SplitResult,
    body: bytes,
    headers: Mapping[str, str | bytes],
    context: ssl.SSLContext | None,
    deadline: Deadline,
    timeout: float,
    most: int,
) -> Received:
    """Post over a connection of its own, with TLS where there is a context.

    `timeout` are seconds without a byte; of the answer's body `most` bytes are read. OSError or
    HTTPException is raised where there is no answer.
    """
    if context:
        set_date_checks(context)
    connect = partial(WatchedHttps, context=context) if context else WatchedHttp
    connection = connect(deadline, url.hostname or "", url.port, timeout=timeout)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        with deadline:
            connection.connect()
            # A server may refuse a large body, and close before it has read all of it.
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            return Received(answer.status, answer.headers, answer.read(most))
    finally:
        connection.close()


def retry_after_seconds(text: str, date: str) -> float:
    """The pause that a `Retry-After` asks for, a number of seconds or a date; 0 for another text.

    `date` is the receiver's clock.
    """
    if text.isdecimal() and len(text) < 9:
        return min(float(text), LONGEST_RETRY_AFTER_SECONDS)
    try:  # by the receiver's clock, since this machine's may be wrong
        then, now = parsedate_to_datetime(text), parsedate_to_datetime(date)
        return min(max(0.0, (then - now).total_seconds()), LONGEST_RETRY_AFTER_SECONDS)
    except (ValueError, TypeError, OverflowError):
        return 0.0
