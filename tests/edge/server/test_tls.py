"""TLS under the server: real clients, certificates made here, and clients that don't behave."""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from select import select
from types import SimpleNamespace

import pytest

from onnxlet.edge.server.tls import MOST_RECORDS, RECORD, TlsError, TlsSocket, make_context
from onnxlet.edge.service.serve import ServeError, refuse_to_be_open
from onnxlet.edge.settings.device import DeviceSettings
from onnxlet.function.settings import Settings
from tests.conftest import begun
from tests.edge.certificates import Pair, make_pair
from tests.edge.forward.endpoint import wait_until
from tests.edge.server.test_server import LIMIT, Serving, answer, echoed, request
from tests.edge.service.test_serve import CLEAN
from tests.function.serving.test_predict import SHOP


@pytest.fixture
def serving(pair: Pair) -> Iterator[Serving]:
    context = make_context(*pair)
    serving = Serving(threads=2, in_flight=3, wrap=lambda sock: TlsSocket(sock, context))
    yield serving
    serving.end()


@pytest.fixture
def connect(serving: Serving, pair: Pair) -> Callable[..., ssl.SSLSocket]:
    """Connects as a client that checks the certificate."""

    def connect(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=pair.certificate)
        context.maximum_version = version
        sock = socket.create_connection(("127.0.0.1", serving.port), timeout=10)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # else 20 MB find room
        return context.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False)

    return connect


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_connection_is_kept_and_ended_as_tls_has_it(
    connect: Callable[..., ssl.SSLSocket], version: ssl.TLSVersion
) -> None:
    with connect(version) as connection:
        for number in range(3):
            connection.sendall(request(f"/{number}"))
            assert echoed(connection)["path"] == f"/{number}"
        connection.sendall(request("/x", "Connection: close"))
        assert answer(connection)[1]["connection"] == "close"
        assert connection.recv(1) == b""  # raises without close_notify


def test_requests_byte_by_byte_and_many_at_once(connect: Callable[..., ssl.SSLSocket]) -> None:
    with connect() as connection:
        for byte in request("/slow"):
            connection.sendall(bytes([byte]))
        assert echoed(connection)["path"] == "/slow"
        connection.sendall(b"".join(request(f"/{number}") for number in range(50)))
        assert [echoed(connection)["path"] for _ in range(50)] == [f"/{n}" for n in range(50)]


def test_large_answers_come_whole_to_clients_that_are_slow(
    connect: Callable[..., ssl.SSLSocket],
) -> None:
    with connect() as slow, connect() as other:
        slow.sendall(request("/large"))
        time.sleep(0.3)  # it takes nothing, and what it can't take waits
        other.sendall(request())
        assert echoed(other)["path"] == "/x"
        assert answer(slow)[2] == b"x" * 20_000_000
        slow.sendall(request())
        assert slow.recv(8) == b"HTTP/1.1", "something was sent twice"


def test_a_client_that_takes_its_answer_slowly_has_not_stalled(
    connect: Callable[..., ssl.SSLSocket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that moves with each part it takes: a busy machine may stand still for longer."""
    clock = [time.monotonic()]
    for name in ("connections", "connection"):
        of_this_test = SimpleNamespace(monotonic=lambda: clock[0])
        monkeypatch.setattr(f"onnxlet.edge.server.{name}.time", of_this_test)
    monkeypatch.setattr("onnxlet.edge.server.connections.STALLED_SECONDS", 3.0)
    with connect() as slow:
        slow.sendall(request("/large"))
        received, since = 0, clock[0]
        while received < 20_000_000:
            part = slow.recv(16384)
            assert part, f"let go after {received} bytes"
            received += len(part)
            clock[0] += 0.013
        assert clock[0] - since > 15.0


@pytest.mark.parametrize("pause", [0, 0.3])
def test_a_body_beyond_the_limit_is_refused(
    connect: Callable[..., ssl.SSLSocket], pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxlet.edge.server.connections.LEAVING_SECONDS", 60.0)  # to send the rest
    size = 3_000_000
    with connect() as connection:
        head = request("/x", "Transfer-Encoding: chunked", method="POST")
        connection.sendall(head + f"{size:x}\r\n".encode() + b"x" * (size // 2))
        time.sleep(pause)  # the answer and the goodbye are there before the rest is sent
        connection.sendall(b"x" * (size // 2))
        assert len(echoed(connection)["body"]) == LIMIT + 1
        assert connection.recv(1) == b""


def test_http_without_tls_gets_an_explanation(
    serving: Serving, connect: Callable[..., ssl.SSLSocket]
) -> None:
    with serving.connect() as plain:
        plain.sendall(request("/x", "X-Long: " + "x" * 3000))
        status, headers, body = answer(plain)
        assert (status, headers["connection"]) == (400, "close")
        assert body == b"400 This Port Speaks TLS: Ask For https\n"
        assert plain.recv(1) == b""
    with connect() as connection:
        connection.sendall(request())
        assert echoed(connection)["path"] == "/x"


@pytest.mark.long
@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_a_handshake_that_stalls_is_let_go_and_holds_nobody_up(
    serving: Serving,
    connect: Callable[..., ssl.SSLSocket],
    begun: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    setting = "onnxlet.edge.server.connections.STALLED_SECONDS"
    monkeypatch.setattr(setting, 600.0)
    stalled = [serving.connect() for _ in range(20)]
    for connection in stalled:
        connection.sendall(begun)
    with connect() as connection:
        connection.sendall(request())
        assert echoed(connection)["path"] == "/x"  # while they are there: nobody waited for them
        assert select(stalled, [], [], 1.2)[0] == []
        monkeypatch.setattr(setting, 1.0)
        for each in stalled:
            assert each.recv(1) == b""
            each.close()
        connection.sendall(request())
        assert echoed(connection)["path"] == "/x"


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x00\x05hello", b"\x00" * 600, b"\x80junk" * 9])
def test_what_is_no_handshake_costs_only_that_connection(
    serving: Serving, connect: Callable[..., ssl.SSLSocket], sent: bytes
) -> None:
    with serving.connect() as broken, connect() as connection:
        broken.sendall(sent)
        with suppress(OSError):  # it may have been let go already
            broken.shutdown(socket.SHUT_WR)
            while broken.recv(4096):
                pass
        connection.sendall(request())
        assert echoed(connection)["path"] == "/x"


def test_clients_that_are_gone_in_the_middle_cost_nothing(
    serving: Serving, connect: Callable[..., ssl.SSLSocket]
) -> None:
    for _ in range(20):
        gone = connect()
        gone.sendall(request("/large"))
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        gone.close()
    with connect() as connection:
        connection.sendall(request())
        assert echoed(connection)["path"] == "/x"


def test_it_ends_while_clients_are_connected(
    serving: Serving, connect: Callable[..., ssl.SSLSocket]
) -> None:
    with connect() as idle, serving.connect() as shaking, connect() as begun:
        whole = request("/x", method="POST", body=b"abc")
        begun.sendall(whole[:-1])
        connections = serving.server._connections._every
        wait_until(lambda: any(each.partial for each in list(connections)))  # it was read
        serving.server.stop()
        assert idle.recv(1) == b""
        assert shaking.recv(1) == b""
        begun.sendall(whole[-1:])
        assert echoed(begun)["body"] == "abc"
        assert begun.recv(1) == b""
    serving.thread.join(10)
    assert not serving.thread.is_alive()


def serve(models: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge", "serve", "--models", str(models), "--port", "0"]
    return begun([*command, *arguments], env=CLEAN, stderr=subprocess.PIPE)


def test_the_command_speaks_tls(models: Path, pair: Pair) -> None:
    process = serve(models, "--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
    assert process.stdout is not None
    found = re.search(r"on https://127\.0\.0\.1:(\d+)", process.stdout.readline())
    assert found
    context = ssl.create_default_context(cafile=pair.certificate)
    client = http.client.HTTPSConnection("localhost", int(found[1]), timeout=20, context=context)
    for _ in range(2):
        body = json.dumps({"instances": [SHOP]})
        client.request("POST", "/models/shop/predict", body, {"Content-Type": "application/json"})
        assert json.load(client.getresponse())["prediction"] == [True]
    client.close()
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 0


REFUSED = {
    "no key": (["--tls-cert", "{cert}"], "--tls-key is missing"),
    "no such file": (["--tls-cert", "{cert}", "--tls-key", "/nowhere"], "/nowhere"),
    "another's key": (["--tls-cert", "{cert}", "--tls-key", "{other}"], "KEY_VALUES_MISMATCH"),
    "no PEM": (["--tls-cert", "{junk}", "--tls-key", "{key}"], "key.pem: they can't be used: "),
    "a password": (["--tls-cert", "{locked}", "--tls-key", "{lock}"], "the key without a password"),
    "open": (["--host", "0.0.0.0"], "no API key is set"),
}


def test_what_is_refused_at_the_start(models: Path, pair: Pair, tmp_path: Path) -> None:
    for name in ("other", "locked"):
        (tmp_path / name).mkdir()
    other = make_pair(tmp_path / "other")
    locked = make_pair(tmp_path / "locked", b"secret")
    (tmp_path / "junk").write_text("junk")
    names = {
        "cert": pair.certificate, "key": pair.key, "other": other.key, "junk": tmp_path / "junk",
        "locked": locked.certificate, "lock": locked.key,
    }  # fmt: skip
    running = {
        case: serve(models, *(argument.format(**names) for argument in arguments))
        for case, (arguments, _) in REFUSED.items()
    }
    for case, process in running.items():
        _, errors = process.communicate(timeout=60)
        wrong_use = "is missing" in REFUSED[case][1]
        assert process.returncode == (2 if wrong_use else 1), case
        assert REFUSED[case][1] in errors, case
        assert "hint: " in errors, case
        assert "Traceback" not in errors, case


def test_each_refusal_names_its_files(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(TlsError) as caught:
        make_context(pair.certificate, tmp_path)
    assert f"--tls-key {tmp_path}" in caught.value.message


KEYS = Settings(api_keys={"ci": b"x" * 32})


@pytest.mark.parametrize(
    ("address", "device", "settings"),
    [
        ("127.0.0.1", DeviceSettings(), Settings()),
        ("127.0.0.53", DeviceSettings(), Settings()),
        ("::1", DeviceSettings(), Settings()),
        ("0.0.0.0", DeviceSettings(open=True), Settings()),
        ("192.168.0.2", DeviceSettings(), KEYS),
    ],
)
def test_who_may_listen(address: str, device: DeviceSettings, settings: Settings) -> None:
    refuse_to_be_open(address, device, settings)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.168.0.2", "fd00::1"])
def test_who_may_not(address: str) -> None:
    with pytest.raises(ServeError) as caught:
        refuse_to_be_open(address, DeviceSettings(), Settings())
    assert "--open" in caught.value.hint
    assert "ONNXLET_API_KEYS" in caught.value.hint


@pytest.fixture
def ends(pair: Pair) -> Iterator[tuple[TlsSocket, ssl.SSLSocket]]:
    """A server's and a client's end of one connection that has been agreed on."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    server = TlsSocket(ours, make_context(*pair))
    context = ssl.create_default_context(cafile=pair.certificate)
    client = context.wrap_socket(theirs, server_hostname="localhost", do_handshake_on_connect=False)
    for _ in range(6):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        with suppress(BlockingIOError):
            server.recv(1)
    yield server, client
    client.close()
    server.close()


@pytest.mark.parametrize(("size", "number"), [(7_000, 15), (1, 270)])
def test_whole_records_are_read_since_no_selector_sees_the_rest(
    ends: tuple[TlsSocket, ssl.SSLSocket], size: int, number: int
) -> None:
    server, client = ends
    for _ in range(number):
        client.sendall(b"x" * size)
    received = 0
    while select([server], [], [], 0)[0]:
        data = server.recv(100_000)
        assert len(data) < 100_000 + RECORD
        assert len(data) <= MOST_RECORDS * size
        received += len(data)
    assert received == size * number
