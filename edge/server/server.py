"""A WSGI server of one process and a few threads, for an app whose answers take microseconds.

One thread leads: it reads all connections and answers the requests itself, without the handing
over that costs as much as a small model's prediction. When an answer takes long, another thread
takes the lead meanwhile, so that several are computed at once and nobody waits unseen. Whoever
comes while the app has its hands full is told so at once.
"""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Set
from socket import socket

from onnxlet.edge.server.alarm import AT_ONCE, make_alarm
from onnxlet.edge.server.connection import Connection
from onnxlet.edge.server.connections import Connections, Wrap
from onnxlet.edge.server.http_response import WSGI, Fail, answer

PATIENCE_SECONDS = 0.005  # an answer that takes longer has another thread take the lead
LONG_SECONDS = 0.002  # where answers usually take longer, that is done at once
GRACE_SECONDS = 25.0  # SageMaker kills after 30
SHED = "onnxlet.shed"  # in the environ, for the door
CAME = "onnxlet.came"  # in the environ: when the request was whole


class Server:
    """Serves one app on one listening socket.

    Args:
        app: WSGI; safe from several threads at once.
        listener: bound and listening.
        threads: answers that are computed at once.
        in_flight: requests that wait or are answered at once; further ones are shed.
        body_limit: bytes of a body that are read.
        prompt: paths that are answered by whoever leads, however much waits.
        wrap: puts TLS around a socket that was accepted, or None.
        fail: told what the app raises, and of faults of ours.
    """

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
    ) -> None:
        self._app = app
        self._threads = threads
        self._in_flight = in_flight
        self._prompt = prompt
        self._fail = fail
        self._connections = Connections(listener, body_limit, self._ready, wrap, fail)
        self._waiting: deque[Connection] = deque()
        self._returned: deque[tuple[Connection, bool]] = deque()  # by threads that don't lead
        self._answering = 0  # threads that did lead and have been relieved
        self._lock = threading.Lock()  # of that number
        self._vacant = True  # nobody leads
        self._deputy = threading.Lock()  # whose holder watches the leader
        self._alarm = make_alarm()  # for the deputy
        self._set = False  # it rings some time
        self._offer: list[Connection] = []  # whoever empties it leads
        self._since = 0.0  # when the leader began to answer, on the clock of time.perf_counter
        self._usual = 0.0  # seconds that an answer took lately
        self._listening = True
        self._stopping: float | None = None
        self._ended = False

    def run(self) -> None:
        """Serve until `stop` is called and what had begun by then is answered."""
        # One more than answer: when all of these do, it reads, sheds, and tells that it lives.
        threads = [
            threading.Thread(target=self._serve, name=f"serve-{number}", daemon=True)
            for number in range(self._threads + 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._alarm.close()

    def stop(self) -> None:
        """Take no more connections, and end when all requests that have begun are answered."""
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
                os._exit(1)  # without this thread nobody might lead, and nothing would tell

    def _wait_for_the_lead(self) -> bool:
        """False when the server has ended."""
        with self._deputy:
            if self._vacant:
                self._vacant = False
                return True
            while not self._ended:
                self._alarm.wait()
                late = time.perf_counter() - self._since > PATIENCE_SECONDS
                if (late or self._expects_long()) and self._take_the_lead():
                    return True
                if self._set and not self._ended:  # the leader goes on answering
                    self._alarm.set(PATIENCE_SECONDS)
        return False

    def _expects_long(self) -> bool:
        """An answer will take long enough for others to come meanwhile, if there are others."""
        return self._usual > LONG_SECONDS and len(self._connections) > 1

    def _take_the_lead(self) -> bool:
        with self._lock:
            try:
                self._offer.pop()
            except IndexError:
                return False  # just answered
            self._answering += 1
            self._set = False
        return True

    def _lead(self) -> None:
        """Read and answer until relieved."""
        mine = self._offer = []
        polled = 0.0
        while not self._has_ended():
            has_hands = self._answering < self._threads
            now = time.perf_counter()
            if not (has_hands and self._waiting):
                if self._set:
                    self._set = False
                    self._alarm.clear()
                self._poll(wait=True)
                polled = time.perf_counter()
            elif now - polled > PATIENCE_SECONDS:
                self._poll(wait=False)
                polled = now
            if has_hands and self._waiting:
                try:
                    connection = self._waiting.popleft()
                except IndexError:
                    continue  # another thread was faster
                if not self._answer(connection, mine):
                    return

    def _poll(self, wait: bool) -> None:
        self._connections.poll(wait)
        while self._returned:
            self._connections.settle(*self._returned.popleft())

    def _answer(self, connection: Connection, offer: list[Connection]) -> bool:
        """Answer as the leader; False if relieved meanwhile."""
        start = self._since = time.perf_counter()
        offer.append(connection)
        if self._expects_long():
            self._alarm.set(AT_ONCE)
        elif not self._set:
            self._set = True
            self._alarm.set(PATIENCE_SECONDS)
        data = self._respond(connection)
        self._usual += (time.perf_counter() - start - self._usual) / 16
        try:
            offer.pop()
        except IndexError:
            self._follow(connection, data)
            return False
        self._connections.settle(connection, connection.send(data))
        return True

    def _follow(self, connection: Connection, data: bytes) -> None:
        """Answer as one that does not lead any more, as long as anything waits."""
        while True:
            self._returned.append((connection, connection.send(data)))
            try:
                connection = self._waiting.popleft()
            except IndexError:
                break
            self._connections.interrupt()
            data = self._respond(connection)
        with self._lock:
            self._answering -= 1
        self._connections.interrupt()

    def _respond(self, connection: Connection) -> bytes:
        request = connection.requests.popleft()
        data, keep = answer(self._app, request, self._stays, self._fail)
        if not keep:
            connection.closing = True
            connection.requests.clear()
            connection.due = b""
        return data

    def _stays(self) -> bool:
        return self._stopping is None

    def _ready(self, connection: Connection) -> None:
        """A request is whole: it waits for its turn, or is answered at once."""
        there = True
        while connection.requests and there and not connection.outgoing:
            environ = connection.requests[0].environ
            if len(self._waiting) + self._answering >= self._in_flight or self._connections.crowded:
                environ[SHED] = True
            elif environ["PATH_INFO"] not in self._prompt:
                environ[CAME] = time.perf_counter()
                self._waiting.append(connection)
                return
            there = connection.send(self._respond(connection))
        self._connections.settle(connection, there)

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
        if late or not len(self._connections):
            self._ended = True
            self._connections.close()
            self._alarm.set(AT_ONCE)
