"""Health checks beside connections without a key that send what costs a server most to read.

The floods go to loopback, from a process of their own, over so many connections for so many
seconds: where one is closed, another is opened.
"""

from __future__ import annotations

import json
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import numpy as np

from bench.environments import ROOT
from bench.load import processes
from bench.load.processes import environ_for
from bench.models import Fitted
from bench.report import row, table
from tests.project.commands import free_port

CONNECTIONS, SECONDS = 50, 5.0
BETWEEN_SECONDS = 0.02  # two health checks, each over a connection of its own
MEDIAN_MS, WORST_MS = 100.0, 500.0
BEGUN = "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = f"{BEGUN}Transfer-Encoding: chunked\r\n"
# What is sent once, and what then again and again.
FLOODS: Mapping[str, tuple[str, str]] = {
    "nothing": ("", ""),
    "chunks of one byte": (f"{CHUNKED}\r\n", "1\r\nx\r\n"),
    "the same with a wrong key": (f"{CHUNKED}X-API-Key: wrong\r\n\r\n", "1\r\nx\r\n"),
    "the same to a health check": (
        "GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        "1\r\nx\r\n",
    ),
    "chunks with extensions": (f"{CHUNKED}\r\n", f"1;{'e' * 1000}\r\nx\r\n"),
    "chunks, asked to wait": (f"{CHUNKED}Expect: 100-continue\r\n\r\n", "1\r\nx\r\n"),
    "chunks behind an upgrade": (
        f"{CHUNKED}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "1\r\nx\r\n",
    ),
    "trailers": (f"{CHUNKED}\r\n1\r\nx\r\n0\r\n", "a:b\r\n"),
    "lines of a head": (BEGUN, "a:b\r\n"),
    "one header of many lines": (f"{BEGUN}a: ", "x"),
    "a body of a terabyte": (f"{BEGUN}Content-Length: 1000000000000\r\n\r\n", "x"),
    "a body in single bytes": (f"{BEGUN}Content-Length: 6000000\r\n\r\n", ""),
    "requests behind each other": ("", "GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "health checks behind each other": ("", "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    "upgrades behind each other": (
        "",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ),
}
PIECE = 1 << 18  # bytes that are given to the kernel at once
ABOUT = f"""A server of one process. {CONNECTIONS} connections without a key send the same for
{SECONDS:g} s; another process asks `GET /v2/health/live` every {BETWEEN_SECONDS * 1e3:g} ms, each
time over a new connection. Bounds: {MEDIAN_MS:g} ms in the median, {WORST_MS:g} ms at worst.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    port = free_port()
    chosen = processes.only(models, "logistic")
    command = [*processes.serve(chosen, port), "--workers", "1"]
    row_of = np.array(fitted["logistic"][1][:1]).tolist()
    small = json.dumps({"instances": row_of}).encode()
    with processes.running(command, environ_for(chosen, ""), port, "/predict", small):
        rows = [row(what, *measured(port, what)) for what in FLOODS]
    return f"{ABOUT}\n{table(['what is sent', 'checks', 'median ms', 'worst ms'], rows)}"


def measured(port: int, what: str) -> tuple[int, str, str]:
    """How many checks were made beside a flood, and their times."""
    command = [sys.executable, "-m", "bench.serving.flood", str(port), what]
    with subprocess.Popen(command, cwd=ROOT) as flood:
        time.sleep(SECONDS / 10)
        times = []
        while flood.poll() is None:
            times.append(_checked(port) * 1e3)
            time.sleep(BETWEEN_SECONDS)
    return len(times), f"{statistics.median(times):.1f}", f"{max(times):.1f}"


def _checked(port: int) -> float:
    """Seconds that a check took."""
    start = time.perf_counter()
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/v2/health/live")
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b'{"live":true}')
    connection.close()
    return time.perf_counter() - start


class Sender:
    """One connection of a flood."""

    def __init__(self, port: int, first: bytes, more: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._rest, self._more = first, more

    def go_on(self) -> bool:
        """Send what is taken; False where the server has ended it."""
        with suppress(BlockingIOError):
            if not self.socket.recv(1 << 16):
                return False
        with suppress(BlockingIOError):
            rest = self._rest or self._more
            sent = self.socket.send(rest)
            self._rest = rest[sent:]
        return True


def flood(port: int, what: str) -> None:
    """Send it over and over, until the time is over."""
    first, again = (text.encode() for text in FLOODS[what])
    more = again * (PIECE // len(again)) if again else b"x"
    until = time.monotonic() + SECONDS
    if not first and not again:
        time.sleep(SECONDS)
        return
    waiting = selectors.DefaultSelector()

    def begin() -> None:
        with suppress(OSError):
            sender = Sender(port, first, more)
            waiting.register(sender.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, sender)

    while time.monotonic() < until:
        for _ in range(CONNECTIONS - len(waiting.get_map())):
            begin()
        for key, _ in waiting.select(1.0):
            try:
                stays = key.data.go_on()
            except OSError:
                stays = False
            if not stays:
                waiting.unregister(key.fileobj)
                key.data.socket.close()


if __name__ == "__main__":
    flood(int(sys.argv[1]), sys.argv[2])
