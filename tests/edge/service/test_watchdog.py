"""What systemd is notified of, over a real datagram socket, and when that ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from onnxlet.edge.server.server import Server
from onnxlet.edge.service.app import make_app
from onnxlet.edge.service.secret import Secret
from onnxlet.edge.service.self_check import SelfCheck, connector, first_row
from onnxlet.edge.service.systemd import (
    CROWDED_SECONDS,
    Watchdog,
    is_alive,
    notifier,
    watchdog_seconds,
)
from onnxlet.function.app import SERVICE
from tests.conftest import begun
from tests.edge.certificates import Pair
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_serve import CLEAN

KEYS = {"ONNXLET_API_KEYS": "ci:" + "a" * 64}


class Listener:
    """Stands where systemd does: a socket whose address is in NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0"))

    def next(self, seconds: float = 10) -> str:
        """The next message, or an empty text."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return ""

    def drain(self) -> None:
        self.socket.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                self.socket.recv(4096)


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(str(tmp_path / "notify"))
    yield listener
    listener.socket.close()


def start(
    models: Path, listener: Listener, log: Path, *more: str, **environ: str
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge", "serve", "--models", str(models), "--port", "0"]
    with log.open("w") as errors:
        return begun(
            [*command, *more],
            env={**CLEAN, "NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": "4000000", **environ},
            stderr=errors,
        )


@pytest.mark.long
@pytest.mark.parametrize("way", ["plain", "keys", "tls"])
def test_from_the_start_to_the_end(
    way: str, models: Path, listener: Listener, tmp_path: Path, pair: Pair
) -> None:
    more = ["--tls-cert", str(pair.certificate), "--tls-key", str(pair.key)] if way == "tls" else []
    environ = KEYS if way == "keys" else {}
    process = start(models, listener, tmp_path / "log", *more, **environ)
    reported = [listener.next(60) for _ in range(4)]
    process.terminate()
    end = time.monotonic() + 60
    while reported[-1] != "STOPPING=1" and time.monotonic() < end:
        reported.append(listener.next())
    process.communicate(timeout=60)

    assert reported[0] == "READY=1\nSTATUS=golden rows are answered"
    assert set(reported[1:-1]) == {"WATCHDOG=1"}
    assert reported[-1] == "STOPPING=1"
    assert process.returncode == 0
    assert (tmp_path / "log").read_text() == "", "what it asks itself is in no log"


def test_a_stopped_process_is_not_fed_and_a_resumed_one_is(
    models: Path, listener: Listener, tmp_path: Path
) -> None:
    process = start(models, listener, tmp_path / "log")
    try:
        assert listener.next(60).startswith("READY=1")
        assert listener.next() == "WATCHDOG=1"
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        listener.drain()
        assert listener.next(1.5) == ""
        process.send_signal(signal.SIGCONT)
        assert listener.next() == "WATCHDOG=1"
    finally:
        process.kill()
        process.communicate()


class Serving:
    """A server in this process whose app can be held up or changed, and its watchdog."""

    def __init__(self, models: Path, seconds: float = 0.8) -> None:
        self.held = threading.Event()
        self.answer: Callable[[bytes], bytes] = lambda body: body
        self.told: list[str] = []
        self.lines: list[dict[str, object]] = []
        self.observed: list[str] = []
        secret = Secret()
        self.watchdog = Watchdog(self.told.append, seconds, self.lines.append)
        self.app = make_app(
            models,
            lambda prediction: self.observed.append(prediction.request_id),
            secret,
            self.watchdog.log,
        )
        listening = socket.create_server(("127.0.0.1", 0))
        self.address = listening.getsockname()
        self.server = Server(self._ask, listening)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        repository = self.app.extensions[SERVICE].repository
        self.asker = SelfCheck(repository, connector(self.address, False), secret)

    def _ask(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        while self.held.is_set():
            time.sleep(0.01)
        return [self.answer(b"".join(self.app.wsgi_app(environ, start_response)))]

    def end(self) -> None:
        self.held.clear()
        self.watchdog.stop()
        self.asker.close()
        self.server.stop()
        self.thread.join(20)

    def feeds(self, seconds: float) -> int:
        """How often systemd is notified in the next seconds."""
        before = self.told.count("WATCHDOG=1")
        time.sleep(seconds)
        return self.told.count("WATCHDOG=1") - before


@pytest.fixture
def serving(models: Path) -> Iterator[Serving]:
    serving = Serving(models)
    yield serving
    serving.end()


def test_a_server_that_answers_no_golden_row_is_not_fed(serving: Serving) -> None:
    serving.watchdog.start(serving.asker)
    wait_until(lambda: serving.feeds(0.1))
    serving.held.set()
    time.sleep(0.8 * 3 / 8 + 0.3)

    assert serving.feeds(1) == 0
    serving.held.clear()
    wait_until(lambda: serving.feeds(0.1))


def test_a_server_that_answers_something_else_is_not_ready_and_not_fed(serving: Serving) -> None:
    serving.answer = lambda body: re.sub(rb"(?<=:\[)[1-8]", b"9", body)  # another first digit
    serving.watchdog.start(serving.asker)
    wait_until(lambda: serving.told)
    time.sleep(0.5)
    assert "WATCHDOG=1" not in serving.told
    assert not any(line.startswith("READY=1") for line in serving.told)
    [status] = serving.told
    assert status.endswith("a golden row is answered differently than at build")
    serving.answer = lambda body: body
    wait_until(lambda: serving.feeds(0.1))
    assert [line["event"] for line in serving.lines] == ["watchdog", "watchdog"]


@pytest.mark.parametrize("nonsense", [b"[1]", b"<html>", b'{"prediction": 3}'])
def test_whatever_is_answered_it_goes_on_asking(serving: Serving, nonsense: bytes) -> None:
    serving.answer = lambda body: nonsense.ljust(len(body))
    assert "a golden row is answered differently" in serving.asker.next()
    serving.answer = lambda body: body
    assert serving.asker.every() == ""


def test_what_it_asks_itself_counts_nowhere(serving: Serving) -> None:
    assert serving.asker.every() == ""
    figures = serving.app.test_client().get("/metrics").text

    assert serving.lines == [line for line in serving.lines if line["path"] == "/metrics"]
    assert serving.observed == []
    assert "onnxlet_rows_total{" not in figures


def test_every_model_is_checked_in_turn(serving: Serving, models: Path) -> None:
    answered: list[bytes] = []

    def keep(body: bytes) -> bytes:
        answered.append(body)
        return body

    serving.answer = keep
    for _ in range(8):
        assert serving.asker.next() == ""
    names = [json.loads(body)["model"] for body in answered]
    assert names == ["house-prices", "iris", "loan-default", "shop"] * 2


def test_a_connection_that_was_let_go_is_made_again(serving: Serving) -> None:
    assert serving.asker.every() == ""
    serving.asker._connection.sock.close()
    assert "Error" in serving.asker.next()
    assert serving.asker.every() == ""


def test_a_model_without_golden_rows_is_checked_for_readiness(
    serving: Serving, tmp_path: Path
) -> None:
    assert first_row(tmp_path) is None
    (tmp_path / "golden.json").write_text('{"instances": [], "answers": {}, "tolerance": 1}')
    assert first_row(tmp_path) is None
    serving.asker._rows = {
        (name, 1): None for name in ("house-prices", "iris", "loan-default", "shop")
    }
    assert serving.asker.every() == ""


class Silent:
    """Golden rows that are answered once, and then no more."""

    def every(self) -> str:
        return ""

    def next(self) -> str:
        return "no answer"

    def close(self) -> None:
        pass


def test_others_that_are_answered_count_as_life_for_some_time() -> None:
    reported: list[str] = []
    watchdog = Watchdog(reported.append, 0.4, lambda entry: None)
    watchdog.start(Silent())

    def answer(entry: dict[str, Any]) -> bool:
        watchdog.log(entry)
        time.sleep(0.05)
        return reported.count("WATCHDOG=1") > 12

    wait_until(lambda: answer({"status": 200, "rows": 1}))  # without others' answers there are four
    before = reported.count("WATCHDOG=1")
    for _ in range(10):
        answer({"status": 503})
    after = reported.count("WATCHDOG=1")
    watchdog.stop()

    assert after - before < 5


@pytest.mark.parametrize(
    ("silent", "others", "alive"),
    [
        (0.1, 1000, True),
        (3.1, 1000, False),
        (3.1, 0.1, True),
        (CROWDED_SECONDS + 1, 0.1, False),
        (3.1, 3.1, False),
    ],
)
def test_who_is_alive(silent: float, others: float, alive: bool) -> None:
    assert is_alive(silent, others, 3.0) is alive


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:1:2"}])
def test_nothing_where_nobody_listens(environ: Mapping[str, str]) -> None:
    assert notifier(environ) is None


@pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets are Linux'")
def test_an_abstract_address() -> None:
    listener = Listener(f"@onnxlet-test-{os.getpid()}")
    tell = notifier({"NOTIFY_SOCKET": listener.address})
    assert tell is not None
    tell("READY=1")
    assert listener.next() == "READY=1"
    listener.socket.close()
    tell("WATCHDOG=1")  # nobody listens any more


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "8000000"}, 8.0),
        ({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": str(os.getpid())}, 8.0),
        ({"WATCHDOG_USEC": "8000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_how_long_systemd_waits(environ: Mapping[str, str], seconds: float | None) -> None:
    assert watchdog_seconds(environ) == seconds
