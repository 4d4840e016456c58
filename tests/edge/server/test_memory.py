"""What connections hold in memory is what the server counts of it, in however small parts it came.

The server sheds requests beyond so many bytes held: what costs more than it counts takes all of a
device's memory instead.
"""

from __future__ import annotations

import gc
import socket
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnxlet.edge.server.connection import Connection
from onnxlet.edge.server.sockets import Bytes
from tests.conftest import begun
from tests.edge.server.test_server import Serving, answer, request

pytestmark = pytest.mark.memory

MB = 2**20
POST = b"POST /x HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SERVE = """
import socket, sys
from onnxlet.edge.server.server import Server

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(len(environ["wsgi.input"].read())).encode()]

Server(app, listener).run()
"""


class Fake:
    """A socket that gives what it was given, as much at a time as is asked for.

    Args:
        data: to be read.
        takes: bytes that are taken of each answer at once.
    """

    def __init__(self, data: bytes = b"", takes: int = 1 << 20) -> None:
        self.data = memoryview(data)
        self.takes = takes
        self.taken = 0

    def fileno(self) -> int:
        return -1

    def recv(self, size: int) -> bytes:
        part, self.data = self.data[:size], self.data[size:]
        return bytes(part)

    def send(self, data: Bytes) -> int:
        sent = min(self.takes, len(data))
        self.taken += sent
        return sent

    def shutdown(self, how: int) -> None:
        """Nobody is there."""

    def close(self) -> None:
        """Nobody is there."""


def headers(size: int) -> bytes:
    return b"".join(b"a%d: %s\r\n" % (number, b"x" * size) for number in range(190))


KINDS = {
    "a body": POST + b"Content-Length: 400000\r\n\r\n" + b"x" * 300_000,
    "chunks of one byte": CHUNKED + b"1\r\na\r\n" * 30_000,
    "chunks of two bytes": CHUNKED + b"2\r\nab\r\n" * 30_000,
    "chunks with long extensions": CHUNKED + (b"1;" + b"e" * 50_000 + b"\r\na\r\n") * 20,
    "tiny requests at once": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 90,
    "tiny requests with bodies": (POST + b"Content-Length: 1\r\n\r\na") * 90,
    "many tiny headers": (POST + headers(1) + b"\r\n") * 20,
    "many headers": (POST + headers(300) + b"\r\n") * 4,
    "names that nobody has": (
        POST + b"".join(b"b%d%s: 1\r\n" % (n, b"x" * 300) for n in range(190)) + b"\r\n"
    ),
    "a header that is not whole": POST + b"a: " + b"x" * 60_000,
    "a head that is not whole": POST + headers(300),
    "a URL that is not whole": b"GET /" + b"x" * 60_000,
    "trailers": CHUNKED + b"1\r\na\r\n0\r\n" + headers(300),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_held_is_what_is_counted(kind: str) -> None:
    # Threads that other tests have left may allocate meanwhile: the least of three is ours.
    costs, counted, connections = min(traced(KINDS[kind]) for _ in range(3))
    assert costs < 1.3 * counted + connections * 5000, f"{costs} bytes, counted {counted}"


def traced(sent: bytes) -> tuple[int, int, int]:
    """Bytes that connections take, bytes that they count, and how many they are."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        connections = [Connection(Fake(sent), {"of": "every environ"}, 10 * MB) for _ in range(8)]
        for connection in connections:
            while len(connection.socket.data):  # type: ignore[attr-defined] # a Fake's
                assert connection.receive()
        connection.socket.recv(1)
        costs = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert all(each.requests or each.partial for each in connections)
    return costs, sum(each.held for each in connections), len(connections)


@pytest.fixture
def process() -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its id and its port."""
    with begun([sys.executable, "-c", SERVE]) as server:
        assert server.stdout is not None
        yield server.pid, int(server.stdout.readline())
        server.kill()


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_bodies_in_tiny_chunks_take_what_they_have(process: tuple[int, int]) -> None:
    """Each was an object: 4 MB were more than 100. Smaller ones are refused."""
    pid, port = process
    before = peak(pid)
    chunks = 125_000
    connections = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(8)]
    for connection in connections:  # none is answered before all have sent all but the end
        connection.sendall(CHUNKED + b"4\r\nabcd\r\n" * chunks)
    for connection in connections:
        connection.sendall(b"0\r\n\r\n")
        assert answer(connection)[2] == b"%d" % (4 * chunks)
        connection.close()
    assert peak(pid) - before < 24 * MB


def test_heads_that_never_end_make_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxlet.edge.server.connections.MOST_HELD_BYTES", 400_000)
    serving = Serving()
    try:
        slow = [serving.connect() for _ in range(8)]
        for connection in slow:
            connection.sendall(POST + b"a: " + b"x" * 60_000)
        assert answer(slow[0])[0] == 503
        with serving.connect() as other:
            other.sendall(request())
            status, _, body = answer(other)
            assert status == 200
            assert b"shed" not in body
    finally:
        for connection in slow:
            connection.close()
        serving.end()


def test_a_client_that_takes_little_at_a_time_has_nothing_copied_for_it() -> None:
    """Each time the whole rest was: for these 20 MB that would be 400 GB."""
    sock = Fake(takes=512)
    connection = Connection(sock, {}, 1)
    start = time.process_time()
    connection.send(b"x" * 20 * MB)
    while connection.outgoing:
        assert connection.send(b"")
    assert sock.taken == 20 * MB
    assert time.process_time() - start < 3
