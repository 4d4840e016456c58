r"""What comes over the wire, in files: each `NAME.http` is sent, `NAME.toml` says what is expected.

In a file the ends of lines are dropped; `\r`, `\n`, `\t`, `\0` and `\xHH` are bytes, and
`{TEXT*N}` is TEXT, N times. A file in `valid` has requests that the app is given as its TOML has
them; one in `invalid` is refused, and nothing behind it is answered. The form is gunicorn's.
"""

from __future__ import annotations

import json
import re
import socket
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from onnxlet.edge.server.server import Server
from tests.edge.server.test_server import answer

CASES = Path(__file__).parent / "wire"
VALID = sorted(path.stem for path in (CASES / "valid").glob("*.http"))
INVALID = sorted(path.stem for path in (CASES / "invalid").glob("*.http"))
AFTER = b"GET /after HTTP/1.1\r\nHost: x\r\n\r\n"
LIMIT = 1000  # bytes of a body
ESCAPE = re.compile(rb"\\(r|n|t|0|x[0-9a-f]{2})")
NAMED = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}
REPEATED = re.compile(rb"\{(\w+)\*(\d+)\}")
LARGE = 4000  # bytes of a request; larger ones are not sent byte by byte


def wire(kind: str, name: str) -> bytes:
    """What a file stands for."""
    text = (CASES / kind / f"{name}.http").read_bytes().replace(b"\n", b"")
    text = REPEATED.sub(lambda found: found[1] * int(found[2]), text)
    return ESCAPE.sub(
        lambda found: NAMED.get(found[1]) or bytes.fromhex(found[1][1:].decode()), text
    )


def expected(kind: str, name: str) -> dict[str, Any]:
    return tomllib.loads((CASES / kind / f"{name}.toml").read_text())


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """An app that answers what it was asked."""
    try:
        body, broken = environ["wsgi.input"].read(), False
    except OSError:
        body, broken = b"", True
    headers = {key.removeprefix("HTTP_"): value for key, value in environ.items()}
    form = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "headers": {key: value for key, value in headers.items() if isinstance(value, str)},
        "body": body.decode("latin-1"),
        "broken": broken,
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(form).encode()]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server of that app."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(echo, listener, body_limit=LIMIT)
    thread = Thread(target=server.run)
    number: int = listener.getsockname()[1]
    thread.start()
    yield number
    server.stop()
    thread.join(20)
    assert not thread.is_alive()


def send(connection: socket.socket, data: bytes, size: int) -> None:
    """Send so many bytes at a time; a server that has refused already need not read the rest."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError):
        for start in range(0, len(data), size):
            connection.sendall(data[start : start + size])


def pieces(data: bytes) -> list[int]:
    """Sizes of the parts that it is sent in: whole, byte by byte, or cut at odd places."""
    return [len(data), 1 if len(data) < LARGE else 997]


def next_answer(connection: socket.socket, method: str = "GET") -> tuple[int, Any]:
    """Status and what the app was asked; interim answers are passed over."""
    while True:
        if method == "HEAD":
            received = b""
            while not received.endswith(b"\r\n\r\n"):
                received += connection.recv(1)
            return int(received.split()[1]), None
        status, headers, body = answer(connection)
        if status != 100:
            is_json = headers.get("content-type") == "application/json"
            return status, json.loads(body) if is_json else headers


def ends(connection: socket.socket) -> bool:
    connection.settimeout(60)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("name", VALID)
def test_what_comes_again_is_answered_alike(port: int, name: str) -> None:
    """The second time a head may be known, and is not parsed; nor where more comes behind it."""
    data, form = wire("valid", name), expected("valid", name)
    methods = [request["method"] for request in form["request"]]
    if not form["keeps"]:
        return
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answers = []
        for behind in (b"", b"", AFTER, AFTER[:-2]):
            connection.sendall(data + behind)
            answers.append([next_answer(connection, method) for method in methods])
            if behind:
                connection.sendall(AFTER[len(behind) :])
                assert next_answer(connection)[1]["path"] == "/after"
    assert answers == answers[:1] * 4


@pytest.mark.parametrize("name", VALID)
def test_what_is_valid_comes_as_it_was_meant(port: int, name: str) -> None:
    data, form = wire("valid", name), expected("valid", name)
    for size in pieces(data):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            send(connection, data, size)
            for request in form["request"]:
                status, got = next_answer(connection, request["method"])
                assert status == 200
                if got is None:
                    continue
                assert not got["broken"]
                for key in request.keys() & {"method", "path", "query", "body"}:
                    assert got[key] == request[key]
                headers = request.get("headers", {})
                assert {key: got["headers"].get(key) for key in headers} == headers
                assert not got["headers"].keys() & set(request.get("absent", ()))
            if form["keeps"]:
                connection.sendall(AFTER)
                assert next_answer(connection)[1]["path"] == "/after"
            else:
                assert ends(connection)


@pytest.mark.parametrize("name", INVALID)
def test_what_is_invalid_is_refused_and_ends_the_connection(port: int, name: str) -> None:
    data, form = wire("invalid", name), expected("invalid", name)
    for size in pieces(data)[: 1 if form.get("whole") else 2]:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            send(connection, data, size)
            for _ in range(form.get("answered", 0)):
                assert next_answer(connection)[0] == 200
            status, got = next_answer(connection)
            if form.get("broken"):
                assert got["broken"]
            else:
                assert (status, got["connection"]) == (form["status"], "close")
            assert ends(connection)


def test_every_file_has_its_expectation() -> None:
    assert len(VALID) >= 60
    assert len(INVALID) >= 130
    for kind, names in (("valid", VALID), ("invalid", INVALID)):
        found = {path.stem for path in (CASES / kind).glob("*.toml")}
        assert found == set(names)
        assert all(wire(kind, name) for name in names)


def test_the_app_itself_fails_at_none_of_them(socket_port: int) -> None:
    """Statuses of the real function: a client's mistake is never a 500."""
    for kind, names in (("valid", VALID), ("invalid", INVALID)):
        for name in names:
            with socket.create_connection(("127.0.0.1", socket_port), timeout=10) as connection:
                send(connection, wire(kind, name), 1 << 20)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                received = b""
                with suppress(ConnectionResetError):
                    while part := connection.recv(65536):
                        received += part
            statuses = re.findall(rb"^HTTP/1\.1 (\d{3})", received, re.MULTILINE)
            assert statuses, name
            assert not {b"500", b"503"} & set(statuses), name
