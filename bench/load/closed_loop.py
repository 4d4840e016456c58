"""A load generator: one request, sent again and again over connections that are kept.

Each connection sends the next request when the last is answered whole. Every answer is looked at:
what is not 200, or never comes whole, is an error and is counted. Held against wrk, on a core of
its own: the same at 8 and 64 connections; at one, where it works between an answer and the next
request, wrk's median is 0.11 ms where this one's is 0.14, whatever the server.
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
from typing import NamedTuple

from bench.environments import ROOT

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
CLOSES = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
SEND_BUFFER = 4 * 2**20  # bytes: sending never waits for the server
LONGEST_ANSWER_SECONDS = 20.0


class Load(NamedTuple):
    """What a server did under load."""

    rate: float  # answers a second
    p50: float  # milliseconds from the first byte sent to the last one received
    p99: float  # the same
    answers: int  # right ones
    errors: int  # other statuses, and connections that ended without an answer


def post(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of an HTTP/1.1 POST request."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def put_under(request: bytes, port: int, connections: int, seconds: float) -> Load:
    """Put a server under load, from a process of its own on the first core."""
    command = [sys.executable, "-m", "bench.load.closed_loop"]
    command += [str(port), str(connections), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, input=request, stdout=subprocess.PIPE, check=True)
    return Load(*json.loads(done.stdout))


class Connection:
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


class _Run:
    """One load: the requests of all connections, and what became of them."""

    def __init__(self, request: bytes, port: int) -> None:
        self._request = request
        self._port = port
        self._selector = selectors.DefaultSelector()
        self.times: list[float] = []
        self.good = self.errors = 0

    def begin(self) -> None:
        """Open one more connection, and send on it."""
        new = Connection(self._port)
        self._selector.register(new.socket, selectors.EVENT_READ, new)
        new.send(self._request)

    def read(self, seconds: float, go_on: bool) -> None:
        """Wait so many seconds at most for answers, and read them; `go_on`: others are sent."""
        for key, _ in self._selector.select(seconds):
            connection: Connection = key.data
            try:
                if not connection.read():
                    continue
            except OSError:
                self.errors += 1
                self._end(connection, go_on)
                continue
            self.times.append(time.perf_counter() - connection.start)
            good = connection.received.startswith(b"HTTP/1.1 200 ")
            self.good += good
            self.errors += not good
            if not go_on or CLOSES.search(connection.received):
                self._end(connection, go_on)
            else:
                connection.send(self._request)

    def _end(self, connection: Connection, go_on: bool) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        if go_on:
            self.begin()

    def close(self) -> None:
        """Wait no more."""
        for key in list(self._selector.get_map().values()):
            key.data.socket.close()
        self._selector.close()

    @property
    def waiting(self) -> int:
        """Requests without an answer."""
        return len(self._selector.get_map())


def run(request: bytes, port: int, connections: int, seconds: float) -> Load:
    """Put a server under load from this process, over so many connections that are kept.

    What was sent by the end is waited for.
    """
    each = _Run(request, port)
    begin = time.perf_counter()
    for _ in range(connections):
        each.begin()
    while (now := time.perf_counter()) < begin + seconds:
        each.read(begin + seconds - now, go_on=True)
    answers = each.good
    rate = answers / (time.perf_counter() - begin)
    # What was sent is waited for: its time counts, and the server is idle for the next load.
    while each.waiting and time.perf_counter() < now + LONGEST_ANSWER_SECONDS:
        each.read(1.0, go_on=False)
    errors = each.errors + each.waiting
    each.close()
    times = sorted(each.times) or [float("inf")]
    p50, p99 = (times[min(len(times) - 1, int(len(times) * q))] * 1e3 for q in (0.5, 0.99))
    return Load(rate, p50, p99, answers, errors)


def pin(core: int) -> None:
    """Keep this process on one core, where the system can do that and has more than one."""
    with suppress(AttributeError, OSError):
        if (os.cpu_count() or 1) > 1:
            os.sched_setaffinity(0, {core})


if __name__ == "__main__":
    pin(0)
    numbers = run(sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(json.dumps(numbers))
