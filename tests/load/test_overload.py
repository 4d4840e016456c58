"""More than a server can take, and clients that mean no good: the others are answered.

On loopback, so many requests and no more; `make test-load`.
"""

from __future__ import annotations

import http.client
import json
import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Server, start_server, stop_server
from tests.edge.service.test_serve import CLEAN
from tests.function.every_protocol import ERRORS, request
from tests.function.serving.test_predict import SHOP
from tests.function.slow_models import add_slow

pytestmark = pytest.mark.load

IN_FLIGHT = 8
CLIENTS = 10 * IN_FLIGHT
EACH = 25  # requests
FLOWER = [5.1, 3.5, 1.4, 0.2]
SLOW = "/models/iris/versions/1/predict"  # about 5 ms
ENDLESS = "/models/iris/versions/2/predict"
MEBI = 2**20
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def server(models: Path, tmp_path: Path) -> Iterator[Server]:
    """A server that takes few requests at once, with a slow model and one that never ends."""
    folder = tmp_path / "models"
    add_slow(models / "iris" / "1", folder / "iris" / "1", turns=5_000)
    add_slow(models / "iris" / "1", folder / "iris" / "2", turns=10**9)
    (folder / "shop").symlink_to(models / "shop")
    limits = {"ONNXLET_MAX_IN_FLIGHT": str(IN_FLIGHT), "ONNXLET_MAX_SECONDS": "5"}
    settings = {**limits, "ONNXLET_DEFAULT_MODEL": "shop", "ONNXLET_RELOAD_SECONDS": "0"}
    server = start_server(folder, {**CLEAN, **settings}, tmp_path / "log")
    yield server
    assert stop_server(server) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


class Answer(NamedTuple):
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """One connection that is kept."""

    def __init__(self, server: Server) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def send(
        self, method: str, path: str, body: Any = None, kind: str = JSON["Content-Type"]
    ) -> Answer:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        self._connection.request(method, path, content, {"Content-Type": kind})
        got = self._connection.getresponse()
        return Answer(got.status, dict(got.getheaders()), got.read())

    def close(self) -> None:
        self._connection.close()


def resident(server: Server) -> float:
    """Mebibytes that the server holds in memory."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def scraped(server: Server) -> Counter[str]:
    """Requests so far, by status."""
    client = Client(server)
    text = client.send("GET", "/metrics").body.decode()
    client.close()
    counts: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        if family.name == "onnxlet_requests":
            for sample in family.samples:
                counts[sample.labels["status"]] += int(sample.value)
    return counts


def storm(server: Server) -> Counter[int]:
    """Ten times as many clients as are taken at once; how often there was which status."""
    statuses: Counter[int] = Counter()
    wrong: list[Any] = []
    lock = threading.Lock()

    def ask() -> None:
        client = Client(server)
        for _ in range(EACH):
            answer = client.send("POST", SLOW, [FLOWER])
            form = json.loads(answer.body)
            right = (
                form.get("prediction") == [0]
                if answer.status == 200
                else (answer.headers.get("Retry-After") == "1" and form["status"] == 503)
            )
            with lock:
                statuses[answer.status] += 1
                if not right:
                    wrong.append(answer)
        client.close()

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(120)
    assert wrong == []
    assert statuses.total() == CLIENTS * EACH
    return statuses


def test_ten_times_too_much_is_shed_and_the_rest_is_answered(server: Server) -> None:
    rounds, held = [], []
    for _ in range(4):
        rounds.append(storm(server))
        held.append(resident(server))

    assert all(set(statuses) == {200, 503} for statuses in rounds)
    assert held[-1] - held[0] < 16, held  # flat, but for the allocator's moods
    counted = scraped(server)
    assert counted["200"] == sum(statuses[200] for statuses in rounds)
    assert counted["503"] == sum(statuses[503] for statuses in rounds)
    client = Client(server)
    after = {client.send("POST", SLOW, [FLOWER]).status for _ in range(40)}
    client.close()
    assert after == {200}


def raw(server: Server, data: bytes) -> socket.socket:
    """A connection on which so much was sent."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    connection.sendall(data)
    return connection


def whole(path: str, body: bytes) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def test_overload_is_refused_before_anything_else_is_answered(server: Server) -> None:
    """Requests that run until their time is out fill the server; all further ones come back."""
    endless = whole(ENDLESS, json.dumps([FLOWER]).encode())
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(IN_FLIGHT + 5):
            connection = stack.enter_context(raw(server, endless))
            selector.register(connection, selectors.EVENT_READ)
        shed: list[bytes] = []
        while len(shed) < 5:
            ready = selector.select(timeout=20)
            assert ready
            for key, _ in ready:
                shed.append(key.fileobj.recv(65536))  # type: ignore[union-attr] # sockets all
                selector.unregister(key.fileobj)
        client = Client(server)
        healthy = client.send("GET", "/v2/health/live").status
        scrape = client.send("GET", "/metrics").status
        client.close()
        ended = [key.fileobj.recv(65536) for key in selector.get_map().values()]  # type: ignore[union-attr]

    assert len(shed) == 5
    assert all(answer.startswith(b"HTTP/1.1 503 ") for answer in [*shed, *ended])
    assert all(b"Retry-After: 1" in answer and b"in flight" in answer for answer in shed)
    assert (healthy, scrape) == (200, 200)
    assert len(ended) == IN_FLIGHT
    assert b"no answer within 5 seconds" in b"".join(ended)


def all_are_answered(server: Server) -> None:
    """Four honest clients, one after another each."""
    statuses: Counter[int] = Counter()

    def ask() -> None:
        client = Client(server)
        for _ in range(50):
            statuses[client.send("POST", "/models/shop/predict", {"instances": [SHOP]}).status] += 1
        client.close()

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    assert statuses == {200: 200}


MANY = json.dumps({"instances": [SHOP] * 3000}).encode()
HEAD = b"POST /models/shop/predict HTTP/1.1\r\nHost: localhost\r\n"
STALLING = {
    "heads that never end": (HEAD + b"X-A: ", 200),
    "nothing at all": (b"", 300),
    "bodies that never come": (HEAD + b"Content-Length: 1000\r\n\r\n", 200),
    "bodies that stop half way": (HEAD + b"Content-Length: 6000000\r\n\r\n" + b"[" * 1000, 200),
    "chunks that never end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1000\r\n[[[", 200),
    "more connections than are kept": (HEAD, 700),
}


@pytest.mark.parametrize("kind", STALLING)
def test_clients_that_stall_hold_up_nobody(server: Server, kind: str) -> None:
    data, count = STALLING[kind]
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(raw(server, data))
        all_are_answered(server)


def test_clients_that_never_read_hold_up_nobody(server: Server) -> None:
    """Each asks for far more than its socket holds, and takes none of it."""
    before = resident(server)
    with ExitStack() as stack:
        for _ in range(30):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", server.port))
            connection.setblocking(False)
            connection.send(whole("/models/shop/predict", MANY)[:200_000])
        all_are_answered(server)

    assert resident(server) - before < 100


def test_large_bodies_that_stall_hold_little_memory(server: Server) -> None:
    head, held = HEAD + b"Content-Length: 6000000\r\n\r\n", [resident(server)]
    for _ in range(4):
        with ExitStack() as stack:
            for _ in range(40):
                connection = stack.enter_context(raw(server, head))
                connection.settimeout(0.05)
                with suppress(OSError):  # it was refused, or is not read any more
                    for _ in range(5):
                        connection.sendall(b" " * MEBI)
            all_are_answered(server)
            held.append(resident(server))

    assert max(held) - held[0] < 150, held
    assert held[-1] - held[1] < 30, held


def _malformed(protocol: str) -> list[tuple[str, bytes, str]]:
    path, valid, kind = request(protocol, "shop", SHOP)
    right = valid if isinstance(valid, bytes) else json.dumps(valid).encode()
    bodies = [
        b"",
        b"{",
        b"[" * 50_000,
        b"null",
        b"\x00" * 500,
        b"\xff\xfe" * 500,
        b'{"instances": %s}' % (b"[" * 1000 + b"]" * 1000),
        b'{"inputs": [{"name": "x", "shape": [9999999999], "datatype": "FP32", "data": [1]}]}',
        b'{"a": ' * 900 + b"1" + b"}" * 900,
        right[:-2],
        right + right,
        b"1" * 5000,
        b'"' + b"\\" * 4001 + b'"',
        b"," * 20_000,
    ]
    return [(path, body, kind) for body in bodies]


@pytest.mark.parametrize("protocol", ERRORS)
def test_many_malformed_requests_in_a_row(server: Server, protocol: str) -> None:
    client, held = Client(server), []
    for _ in range(3):
        for _ in range(25):
            for path, body, kind in _malformed(protocol):
                answer = client.send("POST", path, body, kind)
                assert 400 <= answer.status < 500, (body[:60], answer)
                assert ERRORS[protocol] in json.loads(answer.body)
        held.append(resident(server))
    client.close()

    assert held[-1] - held[0] < 16, held
    all_are_answered(server)


GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"\x00" * 1000,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"POST /predict HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    b"GET /" + b"x" * 200_000 + b" HTTP/1.1\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


def test_what_is_no_http_ends_only_its_connection(server: Server) -> None:
    for _ in range(20):
        for garbage in GARBAGE:
            with raw(server, b"") as connection:
                try:
                    connection.sendall(garbage)
                    connection.shutdown(socket.SHUT_WR)
                    answer = connection.recv(65536)
                except (ConnectionResetError, BrokenPipeError):
                    continue
                assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), (garbage[:60], answer)
    all_are_answered(server)
