"""The server by itself: what HTTP/1.1 asks of it, and what it does while answers take long."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from email.utils import formatdate
from select import select
from typing import Any
from weakref import ref

import pytest

from onnxlet.edge.server.connection import MOST_PIPELINED, Connection
from onnxlet.edge.server.http_request import KNOWN_HEADERS, KNOWN_HEADS, LONGEST_KNOWN_HEAD
from onnxlet.edge.server.http_response import date_line
from onnxlet.edge.server.server import Server

LIMIT = 1000  # bytes of a body


class Echo:
    """An app that answers what it was asked; `/wait` until it is let go.

    Attributes:
        go: lets go of those that wait.
        waiting: counts them.
    """

    def __init__(self) -> None:
        self.go = threading.Event()
        self.waiting = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/fails":
            raise ValueError("on purpose")
        if path == "/wait" and "onnxlet.shed" not in environ:
            self.waiting.release()
            assert self.go.wait(20)
        try:
            body, broken = environ["wsgi.input"].read(LIMIT + 1), False
        except OSError:
            body, broken = b"", True
        entries = {
            key: value
            for key, value in environ.items()
            if key.startswith(("HTTP_X", "QUERY", "REQUEST_M", "CONTENT", "onnxlet.shed"))
        }
        form = {**entries, "path": path, "body": body.decode(), "broken": broken}
        start_response("200 OK", [("Content-Type", "application/json")])
        if path == "/large":
            return [b"x" * 20_000_000]
        return [json.dumps(form).encode()]


class Serving:
    """A server of an echo, in this process."""

    def __init__(self, **options: Any) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self.echo = Echo()
        self.server = Server(
            self.echo, listener, body_limit=LIMIT, prompt=frozenset({"/live"}), **options
        )
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def end(self) -> None:
        self.echo.go.set()
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def serving() -> Iterator[Serving]:
    serving = Serving(threads=2, in_flight=3)
    yield serving
    serving.end()


def request(path: str = "/x", *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next response: status, headers by their names in lower case, and body."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(1)
        assert part, f"the connection ended after {received!r}"
        received += part
    first, *lines = received.decode().strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    body, length = b"", int(headers.get("content-length", 0))
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(first.split()[1]), headers, body


def echoed(connection: socket.socket) -> dict[str, Any]:
    status, _, body = answer(connection)
    assert status == 200
    form: dict[str, Any] = json.loads(body)
    return form


def is_closed(connection: socket.socket, within: float = 60.0) -> bool:
    """Whether the server ends the connection, rather than waiting for the next request.

    Args:
        connection: to it.
        within: so many seconds; a busy machine may take some until it does.
    """
    connection.settimeout(within)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


def test_a_whole_response(serving: Serving) -> None:
    with serving.connect() as connection:
        connection.sendall(request("/a%C3%A4?b=%20", "X-One: 1", method="POST", body=b"ab"))
        status, headers, body = answer(connection)

    date = headers.pop("date")
    assert date.endswith(" GMT")
    assert (status, headers) == (
        200,
        {"content-type": "application/json", "content-length": str(len(body))},
    )
    assert json.loads(body) == {
        "REQUEST_METHOD": "POST",
        "QUERY_STRING": "b=%20",
        "CONTENT_LENGTH": "2",
        "HTTP_X_ONE": "1",
        "path": "/aÃ¤",  # UTF-8 read as Latin-1, as WSGI wants it
        "body": "ab",
        "broken": False,
    }


def test_dates_are_those_of_email() -> None:
    for second in range(0, 2**31, 9_999_999):
        assert date_line(second) == f"Date: {formatdate(second, usegmt=True)}"


CHUNKED = request("/x", "Transfer-Encoding: chunked", method="POST")


def test_requests_that_come_at_once_are_answered_in_turn(serving: Serving) -> None:
    paths = [f"/{number}" for number in range(50)]
    with serving.connect() as connection:
        connection.sendall(b"".join(map(request, [*paths, "/live"])))
        assert [echoed(connection)["path"] for _ in range(51)] == [*paths, "/live"]


class Reading:
    """A connection that is read by hand, a part at a time."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair()
        self.connection = Connection(ours, {}, LIMIT)

    def __call__(self, *parts: bytes) -> list[tuple[str, str]]:
        """Path and body of the requests that these parts complete; each part is read by itself."""
        found = []
        for part in parts:
            self._theirs.sendall(part)
            assert self.connection.receive()
            while self.connection.requests:
                environ = self.connection.requests.popleft().environ
                found.append((environ["PATH_INFO"], environ["wsgi.input"].read().decode()))
        return found

    def close(self) -> None:
        self.connection.close()
        self._theirs.close()


@pytest.fixture
def reading() -> Iterator[Reading]:
    reading = Reading()
    yield reading
    reading.close()


def test_a_head_that_came_before_has_each_time_its_own_body(reading: Reading) -> None:
    head = request(method="POST", body=b"1234").removesuffix(b"1234")
    known = head + b"1234"
    for sent, bodies in (
        ([known], ["1234"]),
        ([head + b"5678"], ["5678"]),
        ([head + b"90", b"12"], ["9012"]),
        ([head, b"3456"], ["3456"]),
        ([head + b"7890" + head + b"1357"], ["7890", "1357"]),
        ([head + b"2468"], ["2468"]),
        ([request(method="POST", body=b"x" * n) for n in range(1, 3)], ["x", "xx"]),
        ([head + b"3579"], ["3579"]),
        ([request(method="POST", body=known).removesuffix(known), known], [known.decode()]),
    ):
        assert [body for _, body in reading(*sent)] == bodies
    asked = reading(request("/first") + request("/second"), request("/first"))
    assert [path for path, _ in asked] == ["/first", "/second", "/first"]


def test_few_heads_are_remembered_and_with_a_connection_they_go() -> None:
    reading = Reading()

    def remembered(*headers: str) -> int:
        reading(request("/x", *headers))
        return len(reading.connection._heads)

    assert remembered(*[f"X-{number}: y" for number in range(KNOWN_HEADERS)]) == 0
    assert remembered("X: " + "y" * LONGEST_KNOWN_HEAD) == 0
    assert [remembered(f"X: {number}") for number in range(3)] == [1, 2, 3]
    assert all(remembered(f"X: {number}") <= KNOWN_HEADS for number in range(20))

    gone = ref(reading.connection)
    reading.close()
    del reading.connection
    assert gone() is None  # without a look for cycles


def test_no_head_is_remembered_together_with_the_end_of_a_body(reading: Reading) -> None:
    """That end may be the beginning of a request: its head would be taken for another's."""
    end = b"POST /real HTTP/1.1\r\nContent-Length: 9\r\nX-End: "
    behind = request("/other").replace(b"Host: x", b"Host: y")
    begun = request(method="POST", body=b"12345678" + end).removesuffix(end)
    assert [path for path, _ in reading(begun, end + behind)] == ["/x", "/other"]
    assert reading(end + behind, b"123456789") == [("/real", "123456789")]

    two_hosts = end + behind.removesuffix(b"\r\n") + b"Host: x\r\n\r\n" + b"123456789"
    assert reading(two_hosts) == []
    assert b" 400 " in reading.connection.due


def test_what_is_no_request_is_refused_after_the_answers_before_it(serving: Serving) -> None:
    with serving.connect() as connection:
        connection.sendall(request("/1") + request("/2") + b"no request\r\n\r\n" + request("/3"))
        assert [echoed(connection)["path"] for _ in range(2)] == ["/1", "/2"]
        assert answer(connection)[0] == 400
        assert is_closed(connection)


def test_of_very_many_requests_that_come_at_once_some_have_to_be_sent_again(
    serving: Serving,
) -> None:
    """They take forty times the memory of what was sent."""
    with serving.connect() as connection:
        connection.sendall(request() * MOST_PIPELINED * 2)
        for _ in range(MOST_PIPELINED - 1):
            assert "connection" not in answer(connection)[1]
        assert answer(connection)[1]["connection"] == "close"
        assert is_closed(connection)


def test_the_head_of_a_request_behind_a_large_body_is_no_large_head(serving: Serving) -> None:
    bodies = b"".join(request(f"/{n}", method="POST", body=b"x" * LIMIT) for n in range(70))
    with serving.connect() as connection:
        connection.sendall(bodies + request("/last")[:-1])
        assert [echoed(connection)["path"] for _ in range(70)] == [f"/{n}" for n in range(70)]
        connection.sendall(b"\n")
        assert echoed(connection)["path"] == "/last"


@pytest.mark.parametrize("piece", [b"X: " + b"x" * 5000 + b"\r\n", b"x" * 5000])
def test_trailers_come_to_an_end(serving: Serving, piece: bytes) -> None:
    with serving.connect() as connection:
        connection.sendall(CHUNKED + b"2\r\nab\r\n0\r\nX: ")
        with suppress(OSError):  # it is let go meanwhile
            for _ in range(2000):
                connection.sendall(piece)
                if select([connection], [], [], 0)[0]:
                    break
        assert echoed(connection)["broken"]


@pytest.mark.parametrize("before", [[], ["/1"]])
def test_a_body_is_requested_if_the_client_waits_for_that_after_the_answers_before_it(
    serving: Serving, before: list[str]
) -> None:
    with serving.connect() as connection:
        whole = request("/2", "Expect: 100-continue", method="POST", body=b"abc")
        connection.sendall(b"".join(map(request, before)) + whole[:-3])
        assert [echoed(connection)["path"] for _ in before] == before
        assert answer(connection)[0] == 100
        connection.sendall(whole[-3:])
        assert echoed(connection)["body"] == "abc"


def test_clients_that_know_of_no_interim_answers_get_none(serving: Serving) -> None:
    with serving.connect() as connection:
        sent = b"POST /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        connection.sendall(sent)
        assert not select([connection], [], [], 0.2)[0]
        connection.sendall(b"abc")
        assert echoed(connection)["body"] == "abc"


@pytest.mark.parametrize("told_length", [True, False])
def test_a_body_beyond_the_limit_is_refused_and_not_read(
    serving: Serving, told_length: bool
) -> None:
    size = 3_000_000
    length = f"Content-Length: {size}" if told_length else "Transfer-Encoding: chunked"
    chunk = b"" if told_length else f"{size:x}\r\n".encode()
    with serving.connect() as connection:
        connection.sendall(request("/x", length, method="POST") + chunk + b"x" * size)
        form = echoed(connection)
        assert len(form["body"]) == (0 if told_length else LIMIT + 1)
        assert is_closed(connection)


def test_a_client_that_sends_no_more_gets_its_answers(serving: Serving) -> None:
    with serving.connect() as connection:
        connection.sendall(request("/1") + request("/2", method="POST", body=b"abc")[:-1])
        connection.shutdown(socket.SHUT_WR)
        assert echoed(connection)["path"] == "/1"
        assert (
            echoed(connection)["body"] == "ab"
        )  # the app knows the length, and sees what is missing
        assert is_closed(connection)


def test_chunks_that_break_off_raise_in_the_app(serving: Serving) -> None:
    with serving.connect() as connection:
        connection.sendall(CHUNKED + b"2\r\nab\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert echoed(connection)["broken"]
        assert is_closed(connection)


def test_clients_that_take_no_answer_hold_nobody_up(serving: Serving) -> None:
    slow = [serving.connect() for _ in range(6)]
    with pytest.MonkeyPatch.context() as patch:
        # Together they take more memory than is allowed: a busy machine may take more than a
        # second for all of them, and the first one would be let go.
        patch.setattr("onnxlet.edge.server.connections.UNTAKEN_SECONDS", 60.0)
        for connection in slow:
            connection.sendall(request("/large"))
        with serving.connect() as connection:
            connection.sendall(request())
            assert echoed(connection)["path"] == "/x"
        assert len(answer(slow[0])[2]) == 20_000_000
    for connection in slow:
        connection.close()


def test_answers_that_nobody_takes_do_not_take_all_memory(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxlet.edge.server.connections.UNTAKEN_SECONDS", 0.0)
    slow = []
    for _ in range(8):  # of 20 MB each
        slow.append(serving.connect())
        slow[-1].sendall(request("/large"))
        assert slow[-1].recv(1)

    received = 1
    with suppress(ConnectionResetError):
        while part := slow[0].recv(1 << 20):
            received += len(part)
    assert received < 20_000_000
    assert slow[-1].recv(1)
    for connection in slow:
        connection.close()


def test_an_app_that_fails_costs_one_answer(
    serving: Serving, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving.connect() as connection:
        connection.sendall(request("/fails"))
        assert answer(connection)[0] == 500
    with serving.connect() as connection:
        connection.sendall(request())
        assert echoed(connection)["path"] == "/x"
    assert "on purpose" in capfd.readouterr().err


def test_several_are_answered_at_once_and_the_rest_wait_or_are_shed(serving: Serving) -> None:
    """Two threads and room for one that waits."""
    waiting = [serving.connect() for _ in range(3)]
    for connection in waiting[:2]:
        connection.sendall(request("/wait"))
        assert serving.echo.waiting.acquire(timeout=10)
    waiting[2].sendall(request("/wait"))
    with serving.connect() as connection:
        connection.sendall(request("/live"))
        assert echoed(connection)["path"] == "/live"
    with serving.connect() as connection:
        connection.sendall(request())
        assert echoed(connection)["onnxlet.shed"] is True
    serving.echo.go.set()
    assert [echoed(connection)["path"] for connection in waiting] == ["/wait"] * 3
    for connection in waiting:
        connection.sendall(request())
        assert "onnxlet.shed" not in echoed(connection)
        connection.close()


def test_it_ends_when_what_has_begun_is_answered(serving: Serving) -> None:
    begun, half, idle = (serving.connect() for _ in range(3))
    whole = request("/x", method="POST", body=b"abc")
    half.sendall(whole[:-1])
    idle.sendall(request())
    assert echoed(idle)["path"] == "/x"
    begun.sendall(request("/wait"))
    assert serving.echo.waiting.acquire(timeout=10)

    serving.server.stop()
    assert is_closed(idle)
    assert serving.thread.is_alive()
    serving.echo.go.set()
    half.sendall(whole[-1:])
    for connection in (begun, half):
        status, headers, _ = answer(connection)
        assert (status, headers["connection"]) == (200, "close")
        connection.close()
    idle.close()
    serving.thread.join(10)
    assert not serving.thread.is_alive()
    with pytest.raises(OSError, match="refused"):
        serving.connect()
