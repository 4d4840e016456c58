"""All connections of a server: accept, read, and close those that stall."""

from __future__ import annotations

import selectors
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from onnxlet.edge.server.connection import Connection
from onnxlet.edge.server.entrance import Entrance, SharedCounters
from onnxlet.edge.server.http_response import plain_response
from onnxlet.edge.server.sockets import Socket

Wrap = Callable[[socket.socket], Socket]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
SWEEP_SECONDS = 1.0
# In one round for requests that have begun; those that are left are the first of the next one.
READING_SECONDS = 0.005
STALLED_SECONDS = 10.0  # without a byte, in the middle of a request or a response
REQUEST_SECONDS = 120.0  # until a request is complete
KEPT_SECONDS = 75.0  # idle, between two requests
LEAVING_SECONDS = 2.0  # for a client that still sends to take the last response
MOST_CONNECTIONS = 512  # the longest idle one makes room for a new one
MOST_HELD_BYTES = 64 * 2**20  # in requests of all connections; as many in unsent responses
UNTAKEN_SECONDS = 1.0  # without a byte taken, once unsent responses exceed that
MOST_ACCEPTED = 64  # new connections before the others are served again
ADOPTED = ("127.0.0.1", 0)  # where connections come from that this process made itself
UNSENT_BYTES = 1 << 17  # of a response that the kernel buffers, beyond those in transit
STALLED = plain_response("408 Request Timeout")
FULL = plain_response("503 Service Unavailable")


class Connections:
    """Every connection of one listener; only one thread uses them at a time."""

    def __init__(
        self,
        listener: socket.socket,
        limit: int,
        ready: Callable[[Connection], None],
        wrap: Wrap | None = None,
        fail: Callable[[BaseException], None] = traceback.print_exception,
        peers: SharedCounters | None = None,
        takes_body: Callable[[dict[str, Any]], bool] = lambda environ: True,
    ) -> None:
        self._listener = listener  # bound and listening
        self._peers = peers  # other processes that accept from the listener, or None
        self._adopted: deque[socket.socket] = deque()
        self._wrap = wrap  # puts TLS around an accepted socket, or None
        self._fail = fail  # called with an error in this server's own code
        self._limit = limit  # bytes of a body that are read
        self._takes_body = takes_body  # whether a body is read at all, by the request's head
        self._ready = ready  # called with a connection whose first request is complete
        self._selector = selectors.DefaultSelector()
        self._every: set[Connection] = set()
        self._held = 0  # bytes
        self._swept = time.monotonic()
        self._wake_up, self._woken = socket.socketpair()
        for each in (listener, self._wake_up, self._woken):
            each.setblocking(False)
        # By default the kernel buffers megabytes, and a socket becomes writable again only when a
        # third is gone: a slow client would look stalled. Connections inherit it.
        with suppress(OSError):
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self._entrance = Entrance(listener, self._selector, self._accept, peers)
        self._selector.register(self._woken, READ, self._wake)

    def __len__(self) -> int:
        return len(self._every)

    @property
    def crowded(self) -> bool:
        """Their requests take more memory than allowed."""
        return self._held > MOST_HELD_BYTES

    def interrupt(self) -> None:
        """Make `poll` return now; this and `adopt` are what any thread may call."""
        with suppress(OSError):  # full, so it wakes anyway; or closed
            self._wake_up.send(b"x")

    def adopt(self, sock: socket.socket) -> None:
        """Serve a connection that this process made to itself, as one that was accepted."""
        self._adopted.append(sock)
        self.interrupt()

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        while self._adopted:
            self._begin(self._adopted.popleft(), ADOPTED)

    def poll(self, wait: bool) -> None:
        """Read and write whatever is ready; or wait until something is, or until the next sweep."""
        timeout = (SWEEP_SECONDS if self._every else None) if wait else 0
        until = 0.0
        for key, events in sorted(self._selector.select(self._entrance.wait(timeout)), key=_turn):
            connection = key.data
            if not isinstance(connection, Connection):
                connection()
                continue
            if connection.partial:
                now = time.monotonic()
                until = until or now + READING_SECONDS
                if now > until:
                    break
            if connection.busy:
                self._watch(connection, 0)  # until its response is sent
            elif connection in self._every:  # else it was closed in this round, to make room
                self._go_on(connection, events)
        self._entrance.go_on()
        if time.monotonic() - self._swept > SWEEP_SECONDS:
            self._sweep()

    def _accept(self) -> None:
        for count in range(MOST_ACCEPTED):
            if not self._entrance.may_accept(len(self._every), count == 0):
                return
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:  # the client is gone already, or no file descriptor is left
                self._make_room()
                return
            self._begin(sock, address)

    def _begin(self, sock: socket.socket, address: Any) -> None:
        if len(self._every) >= MOST_CONNECTIONS:
            self._make_room()
        sock.setblocking(False)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wrapped = self._wrap(sock) if self._wrap else sock
        except OSError:  # the client is gone already
            sock.close()
            return
        connection = Connection(wrapped, self._base(address), self._limit, self._takes_body)
        self._every.add(connection)
        self._entrance.hold(len(self._every))
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
            "wsgi.multiprocess": self._peers is not None,
            "wsgi.run_once": False,
        }

    def _make_room(self) -> None:
        """Close the one that has its last answer the longest, else the longest idle one.

        Who reconnects and goes on sending has hundreds of the former; a new client is idle, too.
        """
        idle = [each for each in self._every if not each.busy]
        answered = [each for each in idle if each.leaving]
        if answered:
            self._close(min(answered, key=lambda each: each.began))
        elif idle:
            self._close(min(idle, key=lambda each: each.since))

    def _go_on(self, connection: Connection, events: int) -> None:
        try:
            if events & WRITE:
                self.settle(connection, connection.send(b""))
            else:
                self._read(connection)
        except Exception as error:  # a bug here: it costs this connection, not all of them
            with suppress(OSError, ValueError):  # the log is closed
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
        """Refuse the longest idle incomplete requests until memory is below the limit."""
        coming = [each for each in self._every if each.partial and each.held and not each.busy]
        for connection in sorted(coming, key=lambda each: each.since):
            if not self.crowded:
                return
            if connection not in self._every:  # closed while an earlier one was answered
                continue
            connection.cut_short()
            if not connection.requests:  # its head is incomplete
                connection.send(FULL)
                self._close(connection)
            else:
                connection.busy = True
                self._ready(connection)

    def settle(self, connection: Connection, there: bool) -> None:
        """Go on with a connection, which no other thread uses, after a request of it was answered.

        `there` says whether its client still is.
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
        """Close the slowest reader where unsent responses take too much memory."""
        slow = [each for each in self._every if each.outgoing and not each.busy]
        if sum(len(each.outgoing) for each in slow) > MOST_HELD_BYTES:
            slowest = min(slow, key=lambda each: each.since)
            if time.monotonic() - slowest.since >= UNTAKEN_SECONDS:
                self._close(slowest)

    def _part_with(self, connection: Connection) -> None:
        """Stop sending, and wait for the client to close.

        Closing now, while the client still sends, would reset the connection and lose the response.
        """
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
        self._entrance.hold(len(self._every))
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
        """Accept the clients that wait in the backlog, and no more."""
        self._entrance.close()
        self.poll(wait=False)

    def close_idle(self) -> None:
        """Close connections on which no request has begun."""
        for connection in list(self._every):
            begun = connection.busy or connection.partial or connection.outgoing
            if not begun and not connection.leaving:
                self._close(connection)

    def close(self) -> None:
        """Close every connection that is not busy, and release the selector."""
        for connection in [each for each in self._every if not each.busy]:
            self._close(connection)
        while self._adopted:
            self._adopted.popleft().close()
        self._selector.close()
        self._wake_up.close()
        self._woken.close()


def _turn(event: tuple[selectors.SelectorKey, int]) -> float:
    """When an event's turn is in a round: what goes on comes last, the longest waiting first.

    Before come new connections and new requests, of which any may ask for health.
    """
    connection = event[0].data
    return connection.since if isinstance(connection, Connection) and connection.partial else 0.0
