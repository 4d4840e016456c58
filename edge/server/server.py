"""A WSGI server of one process and a few threads, for an app whose answers take microseconds.

It follows the Leader/Followers pattern (Schmidt et al., PLoP 2000). One thread leads: it reads all
connections and answers the requests itself, without a handover to another thread, which would cost
as much as a small model's prediction. When an answer takes long, another thread takes the lead, so
that several answers are computed at once and new requests are seen. A request that arrives while
too many wait is refused immediately.

Answers that follow one another are held for up to two milliseconds (or until another thread takes
the lead from a long one) and sent together: each one that is sent wakes its client, which takes the
processor from the next one, and the lines that are logged of them are written at once.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Set
from contextlib import AbstractContextManager, nullcontext, suppress
from socket import socket
from typing import Any

from onnxlet.edge.server.alarm import SHORTEST_SECONDS, make_alarm
from onnxlet.edge.server.connection import Connection
from onnxlet.edge.server.connections import Connections, Wrap
from onnxlet.edge.server.entrance import SharedCounters
from onnxlet.edge.server.http_response import WSGI, Fail, answer
from onnxlet.function.errors import CAME, LATER, SHED

HANDOVER_SECONDS = 0.005  # after which another thread takes the lead from one that answers
HELD_SECONDS = 0.002  # that an answer waits at most for those behind it, where these are quick
SLOW_SECONDS = 0.002  # where answers usually take longer, the handover is immediate
GRACE_SECONDS = 25.0  # to finish requests after a signal; SageMaker kills after 30


class Server:
    """Serves one app on one listening socket; `wrap` puts TLS around an accepted one."""

    def __init__(
        self,
        app: WSGI,
        listener: socket,
        *,
        threads: int = 4,
        in_flight: int = 256,
        body_limit: int = 6 * 2**20,
        prompt: Set[str] = frozenset(),
        wrap: Wrap | None = None,
        fail: Fail = traceback.print_exception,
        peers: SharedCounters | None = None,
        together: Callable[[], AbstractContextManager[object]] = nullcontext,
        takes_body: Callable[[dict[str, Any]], bool] = lambda environ: True,
    ) -> None:
        self._app = app  # WSGI; thread-safe
        self._together = together  # within it, several answers are logged
        # Other processes on the same listener, which share `in_flight`; or None.
        self._peers = peers
        self._threads = threads  # answers that are computed at the same time
        # Requests that wait or are being answered; further ones are shed.
        self._in_flight = in_flight
        # Paths that the leader answers immediately, however many requests wait.
        self._prompt = prompt
        self._fail = fail  # called with what the app raises, and with errors of the server itself
        self._connections = Connections(
            listener, body_limit, self._ready, wrap, fail, peers, takes_body
        )
        self._waiting: deque[Connection] = deque()
        self._returned: deque[tuple[Connection, bool]] = deque()  # from threads that don't lead
        self._answering = 0  # threads that lost the lead while they answered
        self._lock = threading.Lock()  # guards that number
        self._vacant = True  # nobody leads
        self._deputy = threading.Lock()  # its holder watches the leader
        self._alarm = make_alarm()  # wakes the deputy
        # What begins after this, by time.perf_counter, sets the alarm; 0.0 where it is not set.
        self._set_until = 0.0
        # Answers that the leader sends together, since when, and what is left to do of each.
        self._held: list[tuple[Connection, bytes, list[Callable[[], object]]]] = []
        self._held_since = 0.0
        self._offer: list[Connection] = []  # the thread that empties it leads
        self._since = 0.0  # when the leader began to answer, by time.perf_counter
        self._usual = 0.0  # seconds that an answer takes, a moving average
        self._listening = True
        self._stopping: float | None = None
        self._ended = False

    def run(self) -> None:
        """Serve until `stop` is called and the requests that had begun by then are answered."""
        # One more than answer: while all of those do, it reads, sheds and answers health checks.
        threads = [
            threading.Thread(target=self._serve, name=f"serve-{number}", daemon=True)
            for number in range(self._threads + 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._alarm.close()

    def adopt(self, sock: socket) -> None:
        """Serve a connection that this process made to itself: no other one answers it."""
        self._connections.adopt(sock)

    def stop(self) -> None:
        """Accept no more connections, and end once all requests that have begun are answered."""
        self._stopping = time.monotonic()
        self._connections.interrupt()

    def _serve(self) -> None:
        try:
            while self._wait_for_the_lead():
                self._lead()
        except BaseException as error:
            try:
                self._fail(error)
            finally:
                os._exit(1)  # else nobody might lead, and the process would hang without a sign

    def _wait_for_the_lead(self) -> bool:
        """Block until this thread leads; False once the server has ended."""
        with self._deputy:
            if self._vacant:
                self._vacant = False
                return True
            while not self._ended:
                self._alarm.wait()
                late = time.perf_counter() - self._since > HANDOVER_SECONDS
                if (late or self._expects_long()) and self._take_the_lead():
                    return True
                self._set_until = 0.0  # before the look: whoever begins to answer now sees it
                if self._offer and not self._ended:  # the leader answers
                    self._alarm.set(HANDOVER_SECONDS)
        return False

    def _expects_long(self) -> bool:
        """The next answer will probably be slow, and other clients are connected."""
        return self._usual > SLOW_SECONDS and len(self._connections) > 1

    def _take_the_lead(self) -> bool:
        with self._lock:
            try:
                self._offer.pop()
            except IndexError:
                return False  # it has just answered
            self._answering += 1
            self._set_until = 0.0
        return True

    def _lead(self) -> None:
        """Read and answer until another thread takes the lead."""
        mine = self._offer = []
        polled = waited = 0.0
        while not self._has_ended():
            has_free = self._answering < self._threads
            if self._peers is not None:  # its waiting ones include the one that it answers next
                self._peers.carry(len(self._waiting) + self._answering)
            now = time.perf_counter()
            answers = has_free and self._waiting
            polls = not answers or now - polled > HANDOVER_SECONDS
            if self._held and (polls or now - self._held_since > HELD_SECONDS):
                self._send_held()
                continue  # the last connection may have ended: nothing would wake this thread
            if not answers:
                if self._set_until and waited > HANDOVER_SECONDS:
                    # Nobody is woken for answers that are few and short.
                    self._set_until = 0.0
                    self._alarm.clear()
                self._poll(wait=True)
                polled = time.perf_counter()
                waited = polled - now
            elif polls:
                self._poll(wait=False)
                polled = now
            if has_free and self._waiting:
                try:
                    connection = self._waiting.popleft()
                except IndexError:
                    continue  # another thread was faster
                if not self._answer(connection, mine):
                    return

    def _poll(self, wait: bool) -> None:
        self._connections.poll(wait)
        for _ in range(len(self._returned)):  # what comes meanwhile waits for the next round
            self._connections.settle(*self._returned.popleft())

    def _answer(self, connection: Connection, offer: list[Connection]) -> bool:
        """Answer as the leader; False if another thread has taken the lead meanwhile."""
        start = self._since = time.perf_counter()
        offer.append(connection)
        if self._expects_long():
            self._alarm.set(SHORTEST_SECONDS)
        elif start > self._set_until:
            # Nor where one follows another: it is set anew before it rings for an earlier one.
            self._set_until = start + HANDOVER_SECONDS / 2
            self._alarm.set(HANDOVER_SECONDS)
        data, later = self._respond(connection)
        took = time.perf_counter() - start
        self._usual += (took - self._usual) / 16
        if took > SLOW_SECONDS:  # what is left may take long, too: the lead can still be taken
            self._finish(later)
        try:
            offer.pop()
        except IndexError:
            self._finish(later)
            self._follow(connection, data)
            return False
        if not self._held:
            self._held_since = start
        self._held.append((connection, data, later))
        if took > HELD_SECONDS:
            self._send_held()
        return True

    def _send_held(self) -> None:
        """Send the answers that are held, then log and count them.

        Before anything else is read: who asks for figures after an answer finds it counted.
        """
        held, self._held = self._held, []
        sent = [(connection, connection.send(data)) for connection, data, _ in held]
        with self._together():
            for _, _, later in held:
                self._finish(later)
        for connection, there in sent:
            self._connections.settle(connection, there)

    def _finish(self, later: list[Callable[[], object]]) -> None:
        """Log and count an answer; quick ones are sent first, and nobody waits for that."""
        while later:
            try:
                later.pop(0)()
            except Exception as error:  # a bug here: the answer is right
                with suppress(OSError, ValueError):  # the log is closed
                    self._fail(error)

    def _follow(self, connection: Connection, data: bytes) -> None:
        """Answer without leading, as long as requests wait."""
        while True:
            self._returned.append((connection, connection.send(data)))
            try:
                connection = self._waiting.popleft()
            except IndexError:
                break
            self._connections.interrupt()
            data, later = self._respond(connection)
            self._finish(later)
        with self._lock:
            self._answering -= 1
        self._connections.interrupt()

    def _respond(self, connection: Connection) -> tuple[bytes, list[Callable[[], object]]]:
        """The response, and what is left to do once it is sent."""
        request = connection.requests.popleft()
        later: list[Callable[[], object]] = []
        if self._peers is None:  # else figures may be asked of another process meanwhile
            request.environ[LATER] = later
        data, keep = answer(self._app, request, self._stays, self._fail)
        if not keep:
            connection.closing = True
            connection.requests.clear()
            connection.due = b""
        return data, later

    def _stays(self) -> bool:
        return self._stopping is None

    def _ready(self, connection: Connection) -> None:
        """Queue a complete request, or answer it immediately: health checks, and to shed it."""
        if connection.outgoing:
            self._connections.settle(connection, True)
            return
        environ = connection.requests[0].environ
        if self._connections.crowded or self._is_full():
            environ[SHED] = True
        elif environ["PATH_INFO"] not in self._prompt:
            environ[CAME] = time.perf_counter()
            self._waiting.append(connection)
            return
        data, later = self._respond(connection)
        there = connection.send(data)
        self._finish(later)
        if connection.requests and there:  # one in a round: other clients' health comes between
            self._returned.append((connection, there))
            self._connections.interrupt()
        else:
            self._connections.settle(connection, there)

    def _is_full(self) -> bool:
        count = len(self._waiting) + self._answering
        if self._peers is None:
            return count >= self._in_flight
        return not self._peers.admit(count, self._in_flight)

    def _has_ended(self) -> bool:
        if self._stopping is not None:
            self._wind_down(self._stopping)
        return self._ended

    def _wind_down(self, since: float) -> None:
        if self._listening:
            self._listening = False
            self._connections.close_listener()
        self._connections.close_idle()
        late = time.monotonic() - since > GRACE_SECONDS
        if late:
            self._send_held()
        if late or not len(self._connections):
            self._ended = True
            self._connections.close()
            self._alarm.set(SHORTEST_SECONDS)
