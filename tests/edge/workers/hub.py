"""A supervisor's relay in a thread of this process, with links over real sockets."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from onnxlet.edge.workers.frames import Unpacker, packed
from onnxlet.edge.workers.relay import Relay
from onnxlet.edge.workers.socket_link import SocketLink

TURN_SECONDS = 0.02


class Hub:
    """Links join and leave it as workers do.

    Attributes:
        ended: numbers of links that were told to end, or lost their supervisor.
    """

    def __init__(self) -> None:
        self.ended: list[int] = []
        self._lock = threading.Lock()
        self._sockets: dict[int, socket.socket] = {}
        self._unpackers: dict[int, Unpacker] = {}
        self._relay = Relay(lambda number, frame: self._sockets[number].sendall(frame))
        self._selector = selectors.DefaultSelector()
        self._on = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self, number: int, starts: bool = True) -> SocketLink:
        """A worker's link; one that does not start reads nothing, as a stopped worker."""
        own, theirs = socket.socketpair()
        with self._lock:
            agreed = self._relay.join(number)
            self._sockets[number], self._unpackers[number] = own, Unpacker()
            own.sendall(packed("welcome", *agreed.values(), number=number, agreed=list(agreed)))
            self._selector.register(own, selectors.EVENT_READ, number)
        link = SocketLink(theirs, lambda: self.ended.append(number))
        if starts:
            link.start()
        return link

    def serves(self, number: int) -> None:
        with self._lock:
            self._relay.ready(number)

    def known(self, number: int, topic: str) -> bytes | None:
        """What the supervisor knows of a worker."""
        with self._lock:
            return self._relay._seats[number].states.get(topic)

    def leave(self, number: int) -> None:
        """The worker dies."""
        with self._lock:
            sock = self._sockets.pop(number)
            self._selector.unregister(sock)
            self._relay.leave(number, time.monotonic())
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def end(self) -> None:
        self._on = False
        self._thread.join()
        for number in list(self._sockets):
            self.leave(number)
        self._selector.close()

    def _run(self) -> None:
        while self._on:
            with self._lock:
                self._relay.tick(time.monotonic())
                for key, _ in self._selector.select(0):
                    data = self._sockets[key.data].recv(1 << 16)
                    for message in self._unpackers[key.data].feed(data):
                        self._relay.hear(key.data, message, time.monotonic())
            time.sleep(TURN_SECONDS)


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub that ends with the block."""
    made = Hub()
    try:
        yield made
    finally:
        made.end()
