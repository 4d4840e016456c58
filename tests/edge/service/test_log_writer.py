"""A log that nobody reads for some time holds up nobody, and what it was to take comes later."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from onnxlet.edge.service import log_writer
from onnxlet.edge.service.log_writer import LogWriter
from onnxlet.function import request_log
from tests.conftest import Client, begun, through_socket
from tests.edge.forward.endpoint import wait_until
from tests.edge.service.test_serve import CLEAN
from tests.function.serving.test_predict import SHOP
from tests.log_lines import without_time

Ends = tuple[int, int]


def pipe() -> Ends:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    return read, write


def sockets() -> Ends:
    read, write = socket.socketpair()
    return read.detach(), write.detach()


@pytest.mark.parametrize("make", [pipe, sockets, os.openpty])
def test_lines_that_nobody_takes_wait_and_come_whole_and_in_order(make: Callable[[], Ends]) -> None:
    read, write = make()
    put = LogWriter(write).put
    lines = [json.dumps({"number": number, "fill": "x" * 200}).encode() for number in range(2000)]
    begun = time.monotonic()
    for line in lines:
        put(line + b"\n")
    assert time.monotonic() - begun < 5
    with os.fdopen(read, "rb", 0) as file:
        came = b""
        while came.count(b"\n") < 2000:
            came += file.read(65536)
    assert came.split() == [part for line in lines for part in line.split()]
    os.close(write)


def test_of_too_many_lines_the_oldest_are_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_writer, "LATE_BYTES", 10_000)
    read, write = pipe()
    out = LogWriter(write)
    monkeypatch.setattr(request_log, "put", out.put)
    for number in range(1000):
        out.put(b"%99d\n" % number)
    assert out.lost > 800
    lost = out.lost
    came = b""
    with os.fdopen(read, "rb", 0) as file:
        while b"lost" not in came:
            came += file.read(65536)
    *lines, reported = came.splitlines()
    assert without_time(reported.decode()) == [{"event": "log", "lost": lost}]
    assert lines[-1].split() == [b"999"]
    assert len(lines) == 1000 - lost
    os.close(write)


def test_lines_of_one_turn_are_written_together_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    sizes = list[int]()
    out = LogWriter(write)

    def written(piece: bytes) -> int:
        sizes.append(len(piece))
        return os.write(write, piece)

    monkeypatch.setattr(out, "_write", written)
    lines = [b"%d" % number * 100 + b"\n" for number in range(100)]
    lines.insert(50, b"long" * 2000 + b"\n")

    with out.together():
        for line in lines:
            out.put(line)
        assert sizes == []
    out.put(b"last\n")

    assert os.read(read, 65536).splitlines(keepends=True) == [*lines, b"last\n"]
    assert len(sizes) < 10
    assert all(size <= 4096 for size in sizes if size != 8001)
    os.close(read)
    with out.together():
        out.put(b"nobody reads\n")  # which raises nothing
    with pytest.raises(OSError, match="pipe"):
        out.put(b"nobody reads\n")
    os.close(write)


def test_lines_of_another_thread_do_not_wait_for_a_turn() -> None:
    read, write = os.pipe()
    out = LogWriter(write)
    os.set_blocking(read, False)
    with out.together():
        out.put(b"of the turn\n")
        other = threading.Thread(target=out.put, args=(b"of another\n",))
        other.start()
        other.join(20)
        assert os.read(read, 100) == b"of another\n"
    assert os.read(read, 100) == b"of the turn\n"
    os.close(read)
    os.close(write)


def test_of_lines_of_one_turn_that_are_dropped_each_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_writer, "LATE_BYTES", 10_000)
    read, write = pipe()
    out = LogWriter(write)
    for _ in range(10):
        with out.together():
            for _ in range(100):
                out.put(b"%99d\n" % 1)
    assert out.lost > 800
    os.set_blocking(read, False)

    def is_taken() -> bool:
        with suppress(BlockingIOError):
            os.read(read, 65536)
        return not out._bytes

    wait_until(is_taken)  # else its thread would write into whatever is opened next
    os.close(read)
    os.close(write)


def test_who_reads_no_more_is_written_to_no_more() -> None:
    read, write = pipe()
    out = LogWriter(write)
    os.close(read)
    for _ in range(3):
        with suppress(BrokenPipeError):
            out.put(b"x" * 9000)
    os.close(write)


def test_a_server_whose_log_stalls_answers_and_notifies_systemd(models: Path) -> None:
    """As where the journal's disk hangs: its lines go on when it takes some again."""
    read, write = pipe()
    command = [sys.executable, "-m", "edge", "serve", "--models", str(models), "--port", "0"]
    process = begun(command, env=CLEAN, stderr=write)
    os.close(write)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
        client, statuses = Client(through_socket(port)), list[int]()

        def ask() -> None:
            for _ in range(100):
                statuses.append(client.post("/models/shop/predict", [SHOP]).status)
            statuses.append(client.get("/v2/health/live").status)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        wait_until(lambda: len(statuses) == 101)
        assert set(statuses) == {200}
        came = b""
        while came.count(b"\n") < 101:
            came += os.read(read, 65536)
        assert all(json.loads(line)["status"] == 200 for line in came.splitlines())
    finally:
        process.kill()
        process.communicate()
        os.close(read)
