"""What costs much to read, over many connections: little is parsed, and health first."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from onnxlet.edge.server import connection as reading
from onnxlet.edge.server.connection import BYTES_OF_A_PART, MOST_PARTS, Connection
from onnxlet.edge.server.connections import Connections
from onnxlet.edge.server.http_request import MOST_HEADERS
from onnxlet.edge.server.server import Server
from onnxlet.function.errors import MalformedRequest
from tests.edge.server.test_server import answer, is_closed

BEGUN = b"POST /x HTTP/1.1\r\nHost: x\r\n"
CHUNKED = BEGUN + b"Transfer-Encoding: chunked\r\n"
BYTE = b"1\r\nx\r\n"
MEGABYTE = 2**20


def counted(name: str) -> Any:
    """One of the parser's callbacks, which counts that it is called."""

    def call(self: Any, *given: Any) -> Any:
        self.calls += 1
        return getattr(Connection, name)(self, *given)

    return call


class Counting(Connection):
    """Counts what the parser calls."""

    calls: int
    on_message_begin = counted("on_message_begin")
    on_url = counted("on_url")
    on_header = counted("on_header")
    on_body = counted("on_body")
    on_message_complete = counted("on_message_complete")


Make = Callable[..., tuple[Counting, socket.socket]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes a connection, which is read by hand, and its client."""
    made: list[Any] = []

    def make(takes: bool = True, limit: int = MEGABYTE) -> tuple[Counting, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        found = Counting(ours, {}, limit, lambda environ: takes)
        found.calls = 0
        made.extend((found, theirs))
        return found, theirs

    yield make
    for each in made:
        each.close()


def read_all(found: Counting, theirs: socket.socket, data: bytes) -> None:
    """Send it, and have it read, a piece at a time."""
    for start in range(0, len(data), 4096):
        theirs.sendall(data[start : start + 4096])
        assert found.receive()


@pytest.mark.parametrize(
    "head",
    [
        CHUNKED,
        CHUNKED + b"Expect: 100-continue\r\n",
        CHUNKED + b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        BEGUN + b"Content-Length: 900000\r\n",
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_nothing_is_read_of_a_body_that_its_head_has_refused(
    make: Make, head: bytes, at_once: bool
) -> None:
    found, theirs = make(takes=False)
    before = b"" if at_once else head + b"\r\n"
    read_all(found, theirs, before)
    read_all(found, theirs, (b"" if before else head + b"\r\n") + BYTE * 20_000)

    assert len(found.requests) == 1
    environ, keep = found.requests[0]
    assert (environ["wsgi.input"].read(), keep, found.due) == (b"", False, b"")
    assert found.calls < 12  # of the head, and what ends the work
    assert found.closing


@pytest.mark.parametrize("length", [0, 3])
def test_a_body_that_is_there_costs_no_look_at_its_head(make: Make, length: int) -> None:
    """Most requests come whole; the app refuses them by itself, and the connection stays."""
    found, theirs = make(takes=False)
    read_all(found, theirs, BEGUN + f"Content-Length: {length}\r\n\r\n".encode() + b"x" * length)

    [(environ, keep)] = found.requests
    assert (environ["wsgi.input"].read(), keep) == (b"x" * length, True)


def test_a_head_in_pieces_with_no_body_is_kept(make: Make) -> None:
    found, theirs = make(takes=False)
    head = b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"
    for byte in head:
        theirs.send(bytes([byte]))
        assert found.receive()
    assert [keep for _, keep in found.requests] == [True]


@pytest.mark.parametrize("size", [1, BYTES_OF_A_PART - 1, BYTES_OF_A_PART, 50])
def test_how_many_chunks_a_body_may_have(make: Make, size: int) -> None:
    found, theirs = make()
    chunks = 50_000 if size < BYTES_OF_A_PART else 20_000
    read_all(found, theirs, CHUNKED + b"\r\n")
    read_all(found, theirs, (f"{size:x}\r\n" + "x" * size + "\r\n").encode() * chunks)
    read_all(found, theirs, b"0\r\n\r\n")

    [(environ, keep)] = found.requests
    most = MOST_PARTS / (1 - size / BYTES_OF_A_PART) if size < BYTES_OF_A_PART else float("inf")
    assert keep == (chunks < most)
    if keep:
        assert len(environ["wsgi.input"].read()) == size * chunks
    else:
        assert found.calls < most + 20
        with pytest.raises(MalformedRequest, match="expected at most 10000 parts"):
            environ["wsgi.input"].read()


@pytest.mark.parametrize(
    ("data", "most"),
    [
        (BEGUN + b"a:b\r\n" * 50_000, MOST_HEADERS + 5),
        (CHUNKED + b"\r\n" + BYTE + b"0\r\n" + b"a:b\r\n" * 50_000, MOST_HEADERS + 8),
        (b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000, 4 * reading.MOST_PIPELINED + 1),
        (BEGUN + b"Content-Length: 2000000\r\n\r\n" + BYTE * 5_000, 8),
        (b"GET /x HTTP/1.1\r\n\r\n" + b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000, 8),
    ],
)
def test_what_is_behind_a_refusal_is_not_parsed(make: Make, data: bytes, most: int) -> None:
    found, theirs = make()
    for start in range(0, len(data), 65_536):
        theirs.sendall(data[start : start + 65_536])
        found.receive()
    assert found.closing
    assert found.calls <= most


class Rounds:
    """Connections whose rounds are made by hand; the clock stands still but for what is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.read: list[int] = []  # ports of clients, as their connections are read
        self.now = 100.0
        outer = self
        true = Connection.receive

        def receive(connection: Connection) -> bool:
            outer.read.append(int(connection._base["REMOTE_PORT"]))
            outer.now += 0.004 * connection.partial  # what costs much
            return true(connection)

        monkeypatch.setattr(Connection, "receive", receive)
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.ready: list[Connection] = []
        self.connections = Connections(self.listener, MEGABYTE, self.ready.append)
        self.clients: list[socket.socket] = []

    def connect(self) -> tuple[socket.socket, int]:
        client = socket.create_connection(self.listener.getsockname())
        self.clients.append(client)
        self.connections.poll(wait=False)
        return client, int(client.getsockname()[1])

    def round(self) -> list[int]:
        self.read.clear()
        self.connections.poll(wait=False)
        return list(self.read)

    def close(self) -> None:
        for each in self.clients:
            each.close()
        for begun in self.ready:
            begun.busy = False
        self.connections.close()
        self.listener.close()


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rounds]:
    rounds = Rounds(monkeypatch)
    yield rounds
    rounds.close()


def test_new_requests_come_first_and_bodies_in_turn(rounds: Rounds) -> None:
    """A round reads few of those that go on; each has its turn, the longest waiting first."""
    floods = [rounds.connect() for _ in range(9)]
    for client, _ in floods:
        client.sendall(CHUNKED + b"\r\n")
    assert len(rounds.round()) == 9
    health, port = rounds.connect()
    turns: list[list[int]] = []
    for _ in range(6):
        for client, _ in floods:
            client.sendall(BYTE * 10)
        if not turns:
            health.sendall(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        turns.append(rounds.round())

    assert turns[0][0] == port
    assert all(1 <= len(turn) <= 4 for turn in turns)
    seen = [each for turn in turns for each in turn if each != port]
    assert set(seen[:9]) == {port for _, port in floods}


def test_who_has_the_last_answer_makes_room_for_new_clients(
    rounds: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxlet.edge.server.connections.MOST_CONNECTIONS", 3)
    first, _ = rounds.connect()
    rounds.now += 1.0
    leaving, _ = rounds.connect()
    leaving.sendall(b"nonsense\r\n\r\n")
    rounds.round()
    rounds.connect()
    rounds.now += 0.5
    rounds.connect()

    assert answer(leaving)[0] == 400
    assert is_closed(leaving)
    first.settimeout(0.2)
    with pytest.raises(TimeoutError):
        first.recv(1)


def test_health_checks_behind_each_other_are_answered_one_in_a_round() -> None:
    """Else a hundred of one client would be answered before the first of another."""
    order: list[str] = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        order.append(environ["QUERY_STRING"])
        start_response("200 OK", [])
        return [b""]

    listener = socket.create_server(("127.0.0.1", 0))
    clients = [socket.create_connection(listener.getsockname()) for _ in range(2)]
    for number, client in enumerate(clients):  # before the server begins: of one round
        client.sendall(f"GET /live?{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 20)
    server = Server(app, listener, prompt=frozenset({"/live"}))
    thread = threading.Thread(target=server.run)
    thread.start()
    for client in clients:
        for _ in range(20):
            assert answer(client)[0] == 200
        client.close()
    server.stop()
    thread.join(20)

    assert sorted(order) == ["0"] * 20 + ["1"] * 20
    assert max(order.index("0"), order.index("1")) < 4
