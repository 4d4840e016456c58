"""All connections of a server: accepting, reading, and letting go of those that stall."""

from __future__ import annotations

import selectors
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from onnxlet.edge.server.connection import Connection, plain
from onnxlet.edge.server.sockets import Socket

Wrap = Callable[[socket.socket], Socket]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
SWEEP_SECONDS = 1.0
STALLED_SECONDS = 10.0  # without a byte, in the middle of a request or an answer
REQUEST_SECONDS = 120.0  # for a request to come whole
KEPT_SECONDS = 75.0  # between two requests
LEAVING_SECONDS = 2.0  # for a client that is still sending to take the answer that ends it
MOST_CONNECTIONS = 512  # the one that has been silent longest makes room for a new one
MOST_HELD_BYTES = 64 * 2**20  # in bodies of all connections; in answers that are not taken, too
UNTAKEN_SECONDS = 1.0  # without a byte, beyond those bytes
ACCEPTED_AT_ONCE = 64
UNSENT_BYTES = 1 << 17  # that the kernel holds of an answer beyond those under way
STALLED = plain("408 Request Timeout")
FULL = plain("503 Service Unavailable")


class Connections:
    """Every connection of one listener; one thread has them at a time.

    Args:
        listener: bound and listening.
        limit: bytes of a body that are read.
        ready: called with a connection whose first request is whole.
        wrap: puts TLS around a socket that was accepted, or None.
        fail: told of a fault of ours.
    """

    def __init__(
        self,
        listener: socket.socket,
        limit: int,
        ready: Callable[[Connection], None],
        wrap: Wrap | None = None,
        fail: Callable[[BaseException], None] = traceback.print_exception,
    ) -> None:
        self._listener = listener
        self._wrap = wrap
        self._fail = fail
        self._limit = limit
        self._ready = ready
        self._selector = selectors.DefaultSelector()
        self._every: set[Connection] = set()
        self._held = 0  # bytes
        self._swept = time.monotonic()
        self._wake_up, self._woken = socket.socketpair()
        for each in (listener, self._wake_up, self._woken):
            each.setblocking(False)
        # Else it holds megabytes, and tells of a slow client's progress when a third is gone.
        # Connections have it from their listener.
        with suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self._selector.register(listener, READ, self._accept)
        self._selector.register(self._woken, READ, self._wake)

    def __len__(self) -> int:
        return len(self._every)

    @property
    def crowded(self) -> bool:
        """Their bodies take more memory than they should."""
        return self._held > MOST_HELD_BYTES

    def interrupt(self) -> None:
        """Have `poll` return at once; the one thing here that any thread may do."""
        with suppress(OSError):  # full: it wakes anyway; or closed
            self._wake_up.send(b"x")

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def poll(self, wait: bool) -> None:
        """Read and write whatever can be.

        Args:
            wait: for something to do, or for the next sweep.
        """
        timeout = (SWEEP_SECONDS if self._every else None) if wait else 0
        for key, events in self._selector.select(timeout):
            connection = key.data
            if not isinstance(connection, Connection):
                connection()
            elif connection.busy:
                self._watch(connection, 0)  # until its answer is out
            elif connection in self._every:  # else it made room for one before it
                self._go_on(connection, events)
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._sweep()

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # it has gone already, or there is no file descriptor left
                self._make_room()
                return
            if len(self._every) >= MOST_CONNECTIONS:
                self._make_room()
            sock.setblocking(False)
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                wrapped = self._wrap(sock) if self._wrap else sock
            except OSError:  # it has gone already
                sock.close()
                continue
            connection = Connection(wrapped, self._base(address), self._limit)
            self._every.add(connection)
            self._watch(connection, READ)

    def _base(self, address: Any) -> Mapping[str, Any]:
        host, port = self._listener.getsockname()[:2]
        return {
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_SOFTWARE": "onnxlet",
            "REMOTE_ADDR": address[0],
            "REMOTE_PORT": str(address[1]),
            "SCRIPT_NAME": "",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https" if self._wrap else "http",
            "wsgi.errors": sys.stderr,
            "wsgi.input_terminated": True,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def _make_room(self) -> None:
        idle = [each for each in self._every if not each.busy]
        if idle:
            self._close(min(idle, key=lambda each: each.since))

    def _go_on(self, connection: Connection, events: int) -> None:
        try:
            if events & WRITE:
                self.settle(connection, connection.send(b""))
            else:
                self._read(connection)
        except Exception as error:  # a fault of ours: it costs one connection, and not all of them
            with suppress(OSError, ValueError):  # nobody reads the log any more
                self._fail(error)
            self._close(connection)

    def _read(self, connection: Connection) -> None:
        held = connection.held
        there = connection.receive()
        self._held += connection.held - held
        if self.crowded:
            self._relieve()
        if connection.requests:
            connection.busy = True
            self._ready(connection)
        elif connection.outgoing or connection.due or not there:
            self.settle(connection, there and connection.send(b""))

    def _relieve(self) -> None:
        """Refuse the bodies that have been silent longest, until there is room for others."""
        coming = [each for each in self._every if each.partial and each.held and not each.busy]
        for connection in sorted(coming, key=lambda each: each.since):
            if not self.crowded:
                return
            if connection not in self._every:  # an answer to one before it let go of it
                continue
            connection.cut_short()
            if not connection.requests:  # its head is not whole
                connection.send(FULL)
                self._close(connection)
            else:
                connection.busy = True
                self._ready(connection)

    def settle(self, connection: Connection, there: bool) -> None:
        """Go on with a connection that a request of was answered.

        Args:
            connection: that no other thread has any more.
            there: its client is.
        """
        if not connection.requests and (connection.closing or not connection.partial):
            self._held -= connection.held
            connection.held = 0
        if there and connection.due and not connection.requests:
            there, connection.due = connection.send(connection.due), b""
        connection.busy = False
        if not there:
            self._close(connection)
        elif connection.outgoing:
            self._watch(connection, WRITE)
            self._let_go_of_untaken()
        elif connection.requests:
            connection.busy = True
            self._ready(connection)
        elif connection.closing and not connection.leaving:
            self._part_with(connection)
        else:
            self._watch(connection, READ)

    def _let_go_of_untaken(self) -> None:
        """Answers that nobody takes must not take all memory."""
        slow = [each for each in self._every if each.outgoing and not each.busy]
        if sum(len(each.outgoing) for each in slow) > MOST_HELD_BYTES:
            slowest = min(slow, key=lambda each: each.since)
            if time.monotonic() - slowest.since >= UNTAKEN_SECONDS:
                self._close(slowest)

    def _part_with(self, connection: Connection) -> None:
        """Closed at once, what the client still sends would cost it the answer."""
        connection.leaving = True
        connection.began = time.monotonic()
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
        else:
            self._watch(connection, READ)

    def _watch(self, connection: Connection, mask: int) -> None:
        if mask == connection.mask:
            return
        if not connection.mask:
            self._selector.register(connection.socket, mask, connection)
        elif mask:
            self._selector.modify(connection.socket, mask, connection)
        else:
            self._selector.unregister(connection.socket)
        connection.mask = mask

    def _close(self, connection: Connection) -> None:
        self._watch(connection, 0)
        self._every.discard(connection)
        self._held -= connection.held
        connection.held = 0
        connection.close()

    def _sweep(self) -> None:
        now = self._swept = time.monotonic()
        for connection in [each for each in self._every if not each.busy]:
            silent, age = now - connection.since, now - connection.began
            if connection.leaving:
                if age > LEAVING_SECONDS:
                    self._close(connection)
            elif connection.stalls and not connection.outgoing:
                if silent > STALLED_SECONDS or age > REQUEST_SECONDS:
                    connection.send(STALLED)
                    self._close(connection)
            elif silent > (STALLED_SECONDS if connection.outgoing else KEPT_SECONDS):
                self._close(connection)

    def close_listener(self) -> None:
        """Take those that have come already, and nobody else."""
        self._accept()
        self._selector.unregister(self._listener)
        self._listener.close()
        self.poll(wait=False)

    def close_idle(self) -> None:
        """Let go of connections that no request has begun on."""
        for connection in list(self._every):
            begun = connection.busy or connection.partial or connection.outgoing
            if not begun and not connection.leaving:
                self._close(connection)

    def close(self) -> None:
        """Let go of everything."""
        for connection in [each for each in self._every if not each.busy]:
            self._close(connection)
        self._selector.close()
        self._wake_up.close()
        self._woken.close()
