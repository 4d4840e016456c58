"""Servers as processes of their own: start, throughput over a socket, memory."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median

from bench.closed_loop import pin

ROOT = Path(__file__).resolve().parent.parent
START_LIMIT_SECONDS = 30.0
KEY = "bench-key"


def _post(port: int, path: str, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_LIMIT_SECONDS)
    try:
        headers = {"Content-Type": "application/json", "X-API-Key": KEY}
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@contextmanager
def running(
    command: Sequence[str],
    environ: Mapping[str, str],
    port: int,
    path: str,
    body: bytes,
    core: int | None = None,
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """A server that has answered once: the process, and milliseconds from its start to then.

    Args:
        command: that starts it.
        environ: further variables.
        port: that it shall listen on.
        path: of the request.
        body: of the request.
        core: that it is kept on; None for all.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        cwd=ROOT,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=None if core is None else partial(pin, core),
    )
    try:
        while True:
            try:
                status = _post(port, path, body)
                break
            except OSError:
                assert process.poll() is None, f"{command} ended"
                assert time.perf_counter() - start < START_LIMIT_SECONDS, f"{command} hangs"
                time.sleep(0.002)
        assert status == 200, status
        yield process, (time.perf_counter() - start) * 1e3
    finally:
        process.terminate()
        process.wait(20)


def throughput(port: int, path: str, body: bytes, seconds: float) -> tuple[float, float]:
    """One client that keeps its connection: answers per second, median milliseconds."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"X-API-Key: {KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    times: list[float] = []
    with _connected(port) as connection:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            try:
                connection.sendall(head + body)
                closes = _read_answer(connection)
            except OSError:
                closes = True
            times.append(time.perf_counter() - start)
            if closes:
                connection.close()
                connection = socket.create_connection(("127.0.0.1", port))
    return len(times) / sum(times), median(times) * 1e3


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _read_answer(connection: socket.socket) -> bool:
    """Read one answer whole; whether the server closes the connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        assert part, "the server closed the connection"
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b" 200 " in lines[0] + b" ", lines[0]
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return b"connection: close" in lines


def memory(process: subprocess.Popen[bytes]) -> float:
    """Proportional memory of a process and its children, in MiB (Linux)."""
    pids = [process.pid, *_children(process.pid)]
    kilobytes = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """What all threads of a process have run for, whoever else had the core meanwhile (Linux)."""
    nanoseconds = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            nanoseconds += int((task / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            for child in (task / "children").read_text().split():
                found += [int(child), *_children(int(child))]
    return found


def process_times(
    commands: Mapping[str, tuple[Sequence[str], Mapping[str, str], bytes]],
    rounds: int,
    folders: Mapping[str, Path] = {},
) -> dict[str, float]:
    """Median milliseconds from start to end of each process, taking turns.

    Args:
        commands: of Python, further variables, and standard input, by name.
        rounds: of turns.
        folders: that a process starts in, by name; the others do in this one.
    """
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, (command, environ, text) in commands.items():
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, *command],
                cwd=folders.get(name, ROOT),
                env={**os.environ, **environ},
                input=text,
                stderr=subprocess.DEVNULL,
                check=True,
            )
            if number:  # the first round fills the disk cache
                times[name].append((time.perf_counter() - start) * 1e3)
    return {name: median(values) for name, values in times.items()}
