"""Servers that accept from one listener, and connections that a process makes to itself."""

from __future__ import annotations

import http.client
import os
import select
import selectors
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from onnxlet.edge.server import entrance as module
from onnxlet.edge.server.entrance import Entrance, SharedCounters, make_counters
from onnxlet.edge.server.server import Server
from onnxlet.edge.server.tls import TlsSocket, make_context
from onnxlet.edge.service.self_check import connector
from onnxlet.function.errors import SHED
from tests.edge.certificates import Pair
from tests.edge.forward.endpoint import wait_until

PATIENT_SECONDS = 15.0  # for a busy machine


class Room:
    """Servers of this process that share a listener as worker processes do."""

    def __init__(self, count: int, limit: int = 256) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._pipes = [os.pipe() for _ in range(count)]
        for end in (end for pipe in self._pipes for end in pipe):
            os.set_blocking(end, False)
        file, calls = make_counters(count), [write for _, write in self._pipes]
        self.boards = [
            SharedCounters(file, n, calls, read) for n, (read, _) in enumerate(self._pipes)
        ]
        self.held = threading.Event()
        self.servers: dict[int, Server] = {}
        self._limit = limit
        self._threads: list[threading.Thread] = []

    def _app(self, number: int) -> Any:
        def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
            if SHED in environ:
                start_response("503 Service Unavailable", [])
                return [b"shed"]
            if environ["PATH_INFO"] == "/wait":
                self.held.wait(30)
            start_response("200 OK", [])
            return [str(number).encode()]

        return app

    def run(self, *numbers: int) -> None:
        for number in numbers:
            board, listener = self.boards[number], self.listener.dup()
            server = Server(self._app(number), listener, in_flight=self._limit, peers=board)
            self.servers[number] = server
            self._threads.append(threading.Thread(target=server.run))
            self._threads[-1].start()

    def ask(self, path: str = "/") -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        return connection

    def end(self) -> None:
        self.held.set()
        for server in self.servers.values():
            server.stop()
        for thread in self._threads:
            thread.join(30)
        self.listener.close()


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room(2)
    yield made
    made.end()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left to another is left for longer than it takes to run on a busy machine."""
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 3.0)


def answered(connection: http.client.HTTPConnection) -> str:
    answer = connection.getresponse()
    return answer.read().decode()


class Noted(SharedCounters):
    """Those of a worker whose turn it never is; its calls are counted."""

    def __init__(self, bell: int) -> None:
        super().__init__(make_counters(2), 0, [0, 0], bell)
        self.calls = 0

    def is_turn(self, connections: int) -> bool:
        return False

    def call(self) -> None:
        self.calls += 1


def test_another_is_called_once_and_what_it_leaves_is_accepted_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patience, look = 0.5, 60.0  # on a busy machine this may stand still between two lines
    monkeypatch.setattr(module, "PATIENCE_SECONDS", patience)
    monkeypatch.setattr(module, "LOOK_SECONDS", look)
    (bell, ring), accepted = os.pipe(), []
    with socket.create_server(("127.0.0.1", 0)) as listener, selectors.DefaultSelector() as all_:
        peers = Noted(bell)
        entrance: Entrance

        def accept() -> None:
            if entrance.may_accept(1, True):
                accepted.append(listener.accept()[0])

        entrance = Entrance(listener, all_, accept, peers)
        usual = entrance.wait(None)
        assert usual is not None
        assert patience < usual <= look
        with socket.create_connection(listener.getsockname()):
            [(key, _)] = all_.select(5)
            key.data()
            assert (peers.calls, accepted) == (1, [])
            entrance.go_on()
            left = entrance.wait(None)
            assert left is not None
            assert 0 < left <= patience
            assert all_.select(0) == [], "it waits, and does not spin"
            time.sleep(left)
            entrance.go_on()
            assert (peers.calls, len(accepted)) == (1, 1)
            assert entrance.wait(0.01) == 0.01
        with socket.create_connection(listener.getsockname()):
            all_.select(5)[0][0].data()
            os.write(ring, b"x")  # it is called itself before that time is over
            [(key, _)] = all_.select(5)
            key.data()
            assert peers.calls == 3
            entrance.close()
        entrance._looked = float("-inf")
        entrance.go_on()
        assert (len(accepted), entrance.wait(None)) == (2, None)
    for each in accepted:
        each.close()
    os.close(bell)
    os.close(ring)


def test_connections_that_stay_are_spread(room: Room, patient: None) -> None:
    room.run(0, 1)
    held = [room.ask() for _ in range(20)]
    by = Counter(map(answered, held))
    assert sum(by.values()) == 20
    assert min(by["0"], by["1"]) >= 6  # about 10
    for connection in held:
        connection.close()


def test_a_server_that_does_not_run_leaves_nobody_waiting(room: Room) -> None:
    """It holds no connection, so the other one calls it for each, and takes it after a moment."""
    room.run(0)
    room.boards[1].hold(0)
    start = time.monotonic()
    held = [room.ask() for _ in range(10)]
    assert set(map(answered, held)) == {"0"}
    assert time.monotonic() - start < PATIENT_SECONDS
    for connection in held:
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="no EPOLLEXCLUSIVE")
def test_a_connection_for_which_a_dead_process_was_woken_is_seen() -> None:
    """Linux wakes the one that has waited longest, which here never accepts; and no other."""
    room = Room(1)
    with select.epoll() as epoll:
        epoll.register(room.listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        woken = threading.Thread(target=epoll.poll, args=(20,))
        woken.start()
        time.sleep(0.2)
        room.run(0)
        time.sleep(0.2)
        asked = room.ask()
        woken.join()
        start = time.monotonic()
        assert answered(asked) == "0"
        assert time.monotonic() - start < PATIENT_SECONDS
        asked.close()
        room.end()


def test_the_limit_is_that_of_both() -> None:
    room = Room(2, limit=4)
    room.run(0, 1)
    try:
        waiting = [room.ask("/wait") for _ in range(4)]
        wait_until(lambda: sum(room.boards[0]._requests) == 4)
        more = [room.ask() for _ in range(3)]
        assert [answered(connection) for connection in more] == ["shed"] * 3
        room.held.set()
        assert {answered(connection) for connection in waiting} <= {"0", "1"}
        wait_until(lambda: not sum(room.boards[0]._requests))
        for connection in (*waiting, *more):
            connection.close()
    finally:
        room.end()


@pytest.mark.parametrize("tls", [False, True])
def test_a_process_can_ask_itself(tls: bool, room: Room, pair: Pair) -> None:
    room.run(0, 1)
    if tls:
        context = make_context(pair.certificate, pair.key)
        for server in room.servers.values():
            server._connections._wrap = lambda sock: TlsSocket(sock, context)
    for number, server in room.servers.items():
        connection = connector(("0.0.0.0", room.port), tls, server.adopt)()
        for _ in range(3):
            connection.request("GET", "/")
            assert answered(connection) == str(number)
        assert isinstance(connection.sock, ssl.SSLSocket) is tls
        connection.close()


def test_nobody_waits_for_a_process_that_starts_or_drains(room: Room) -> None:
    first, second = room.boards
    assert first.is_turn(5), "the other one has not begun to accept"
    room.run(1)
    assert not first.is_turn(5)
    asked = room.ask("/wait")
    wait_until(lambda: list(second._connections)[1] == 1)
    room.servers[1].stop()
    wait_until(lambda: first.is_turn(5))  # it accepts no more
    room.held.set()
    assert answered(asked) == "1"
    assert first.is_turn(5)
    asked.close()


def test_it_works_where_there_is_no_epoll(
    room: Room, patient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS."""
    monkeypatch.delattr(selectors, "EpollSelector", raising=False)
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    room.run(0, 1)
    held = [room.ask() for _ in range(8)]
    assert set(map(answered, held)) == {"0", "1"}
    for connection in held:
        connection.close()
