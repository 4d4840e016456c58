"""A load generator: one request, sent again and again over connections that are kept.

Each connection sends the next request when the last is answered whole. Every answer is looked at:
what is not 200, or never comes whole, is an error and is counted. On loopback it gives up to
40,000 requests a second on a core of its own; what it measures here was held against wrk.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
SEND_BUFFER = 4 * 2**20  # bytes: sending never waits for the server
LONGEST_ANSWER_SECONDS = 20.0


class Load(NamedTuple):
    """What a server did under load.

    Attributes:
        rate: answers a second.
        p50: milliseconds from the first byte sent to the last one received.
        p99: the same.
        answers: right ones.
        errors: other statuses, and connections that ended without an answer.
    """

    rate: float
    p50: float
    p99: float
    answers: int
    errors: int


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A whole request."""
    lines = [f"POST {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def put_under(request: bytes, port: int, connections: int, seconds: float) -> Load:
    """Put a server under load, from a process of its own on the first core."""
    command = [sys.executable, "-m", "bench.load", str(port), str(connections), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, input=request, stdout=subprocess.PIPE, check=True)
    return Load(*json.loads(done.stdout))


class _Connection:
    """One connection, and the answer that it waits for."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), LONGEST_ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.start = 0.0

    def send(self, request: bytes) -> None:
        """Send one request, and forget the last answer."""
        self.received = b""
        self.whole: int | None = None  # bytes
        self.start = time.perf_counter()
        self.socket.sendall(request)

    def read(self) -> bool:
        """Read what is there; whether the answer is whole.

        Raises:
            ConnectionError: it ended before.
        """
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionResetError
        self.received = self.received + part if self.received else part
        if self.whole is None and not self._find_end():
            return False
        return self.whole is not None and len(self.received) >= self.whole

    def _find_end(self) -> bool:
        head = self.received.find(b"\r\n\r\n") + 4
        if head < 4:
            return False
        if found := LENGTH.search(self.received, 0, head):
            self.whole = head + int(found[1])
        elif CHUNKED.search(self.received, 0, head) and self.received.endswith(b"0\r\n\r\n"):
            self.whole = len(self.received)
        return self.whole is not None


def _run(request: bytes, port: int, connections: int, seconds: float) -> Load:
    selector = selectors.DefaultSelector()
    times: list[float] = []
    bad = broken = 0
    begin = time.perf_counter()
    end = begin + seconds

    def renew(old: _Connection | None) -> None:
        if old is not None:
            selector.unregister(old.socket)
            old.socket.close()
        new = _Connection(port)
        selector.register(new.socket, selectors.EVENT_READ, new)
        new.send(request)

    for _ in range(connections):
        renew(None)
    now = begin
    while now < end:
        for key, _ in selector.select(LONGEST_ANSWER_SECONDS):
            connection: _Connection = key.data
            try:
                if not connection.read():
                    continue
                times.append(time.perf_counter() - connection.start)
                bad += not connection.received.startswith(b"HTTP/1.1 200 ")
                if CLOSES.search(connection.received):
                    renew(connection)
                else:
                    connection.send(request)
            except OSError:
                broken += 1
                renew(connection)
        now = time.perf_counter()
    for key in list(selector.get_map().values()):
        key.data.socket.close()
    if not times:
        return Load(0.0, float("inf"), float("inf"), 0, broken or connections)
    times.sort()
    p50, p99 = (times[min(len(times) - 1, int(len(times) * q))] * 1e3 for q in (0.5, 0.99))
    good = len(times) - bad
    return Load(good / (now - begin), p50, p99, good, bad + broken)


def pin(core: int) -> None:
    """Keep this process on one core, where the system can do that and has more than one."""
    with suppress(AttributeError, OSError):
        if (os.cpu_count() or 1) > 1:
            os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    pin(0)
    numbers = _run(sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(json.dumps(numbers))
