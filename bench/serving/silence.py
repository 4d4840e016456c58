"""The longest silence of `/v2/health/live`, and the most memory, while costly bodies are answered.

The bodies are of the forms that a search over 300 bodies, made by chance of protocols, kinds of
cells, widths, names and encodings, found to cost most.
"""

from __future__ import annotations

import gzip
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bench.environments import ROOT
from bench.load import processes
from bench.load.processes import HEADERS, environ_for
from bench.models import Fitted
from bench.report import row, table
from onnxlet.edge.device.machine import read_bytes_of
from tests.project.commands import free_port

MEGABYTE = 2**20
TURNS = 3  # of which the least silence counts: a busy machine only adds to it
SILENCE_MS, SMALL_MB, MS_PER_MB, TIMES = 100.0, 6.0, 15.0, 10.0
OF_ANSWER = 4.0  # an answer is numbers, then JSON, then has its head, then waits to be sent
PING = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
ALIVE = b'{"live":true}'
BETWEEN_SECONDS = 0.001  # two pings
ABOUT = f"""A server with its default limits answers one request at a time. Silence: the longest
that `GET /v2/health/live` took meanwhile, asked for every {BETWEEN_SECONDS * 1e3:g} ms by another
process. Bound: {SILENCE_MS:g} ms to {SMALL_MB:g} MB unpacked and {MS_PER_MB:g} ms for each MB
above. Memory: what the process grew by at most from when it had started, against {TIMES:g} times
the unpacked body, or {TIMES * SMALL_MB:g} MB for a smaller one; and {OF_ANSWER:g} times the
answer. MB is 2²⁰ bytes. Each body is sent {TURNS} times, to servers that have just started.
"""


def bodies() -> Mapping[str, tuple[str, str, str]]:
    """What is sent, by what it is: the model that is asked, the media type and the body."""
    whole = ",".join(["-6"] * 30)
    lists = "[" + "],[".join([whole] * 10_000) + "]"
    names = [f"u{number:06d}" for number in range(30)]
    objects = ",".join(['{"' + '":7,"'.join(names) + '":7}'] * 10_000)
    emoji = ",".join(["a" * 700 + "🦙"] * 30)
    marks = json.dumps(["\u0301\u0323" * 20_000] * 100)
    words = json.dumps(["good movie " * 9_000] * 200)
    split = f'{{"dataframe_split":{{"columns":{json.dumps(names)},"data":[{lists}]}}}}'
    texts = {
        "native, 10,000 rows of 30 whole numbers": ("logistic", f'{{"instances":[{lists}]}}'),
        "native, 10,000 rows of unknown names": ("logistic", f'{{"instances":[{objects}]}}'),
        "native, 100 texts of combining marks": ("texts", f'{{"instances":{marks}}}'),
        "native, 200 long texts": ("texts", f'{{"instances":{words}}}'),
        "native, lists in lists": ("logistic", "[" * 100_000 + "]" * 100_000),
        "MLflow, dataframe_split": ("logistic", split),
    }
    found = {what: (model, "application/json", text) for what, (model, text) in texts.items()}
    csv = "\n".join([",".join(names), *([emoji] * 1_000)])
    return found | {"CSV, 1,000 rows of long text": ("logistic", "text/csv", csv)}


class Got(NamedTuple):
    """What a server did with a body."""

    status: int
    mb: float  # that it unpacks to
    seconds: float  # until the answer was there
    silence: float  # longest, in milliseconds
    grown: float  # megabytes at most
    answer: float  # megabytes that came back

    @property
    def quiet(self) -> float:
        """The longest silence, as a share of its bound; above 1 it is broken."""
        return self.silence / (SILENCE_MS + MS_PER_MB * max(0.0, self.mb - SMALL_MB))

    @property
    def large(self) -> float:
        """The memory that it took, as a share of its bound."""
        return self.grown / (TIMES * max(self.mb, SMALL_MB) + OF_ANSWER * self.answer)


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    rows = []
    for what, (model, media_type, text) in bodies().items():
        path = "/invocations" if what.startswith("MLflow") else "/predict"
        headers = {**HEADERS, "Content-Type": media_type, "Content-Encoding": "gzip"}
        small = json.dumps({"instances": np.array(fitted[model][1][:1]).reshape(1, -1).tolist()})
        turns = [
            _sent(processes.only(models, model), small.encode(), path, text.encode(), headers)
            for _ in range(TURNS)
        ]
        least = min(each.silence for each in turns)
        got = turns[0]._replace(silence=least, grown=min(each.grown for each in turns))
        figures = f"{got.seconds:.2f}", f"{got.silence:.0f}", f"{got.quiet:.2f}"
        memory = f"{got.grown:.0f}", f"{got.large:.2f}"
        rows.append(row(what, f"{got.mb:.1f}", got.status, *figures, *memory))
    head = ["body", "MB", "status", "s", "silence ms", "of bound", "memory MB", "of bound"]
    return f"{ABOUT}\n{table(head, rows)}"


def _sent(models: Path, small: bytes, path: str, body: bytes, headers: Mapping[str, str]) -> Got:
    """Send a body to a server that has just started, and look a little beyond its answer."""
    port = free_port()
    command, environ = processes.serve(models, port), environ_for(models, "")
    with (
        processes.running(command, environ, port, "/predict", small) as (process, _),
        _pinged(port) as longest,
    ):
        memory = Path(f"/proc/{process.pid}/status")
        idle = read_bytes_of(memory, "VmRSS") or 0
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak begins anew
        longest()
        start = time.perf_counter()
        status, answer = _answer(port, path, body, headers)
        seconds, silence = time.perf_counter() - start, longest()
        grown = max(0, (read_bytes_of(memory, "VmHWM") or 0) - idle) / MEGABYTE
    return Got(status, len(body) / MEGABYTE, seconds, silence, grown, answer / MEGABYTE)


def _answer(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, int]:
    """The answer's status, and its bytes; none of a server that closes on what it does not read."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, gzip.compress(body, 1), dict(headers))
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    except OSError:
        return 0, 0
    finally:
        connection.close()


@contextmanager
def _pinged(port: int) -> Iterator[Callable[[], float]]:
    """While a process pings: the longest silence since it was asked last, in milliseconds."""
    command = [sys.executable, "-m", "bench.serving.silence", str(port)]
    pings = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )

    def longest() -> float:
        assert pings.stdin is not None
        assert pings.stdout is not None
        pings.stdin.write("\n")
        return float(pings.stdout.readline())

    try:
        longest()
        yield longest
    finally:
        pings.communicate()  # the end of its input is its own


def keep_pinging(port: int) -> None:
    """Ping until standard input ends; each line of it is answered by the longest since the last."""
    longest = 0.0
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            start = time.perf_counter()
            sock.sendall(PING)
            received = b""
            while not received.endswith(ALIVE):
                part = sock.recv(4096)
                assert part, "the server closed the connection"
                received += part
            longest = max(longest, time.perf_counter() - start)
            if select.select([sys.stdin], [], [], BETWEEN_SECONDS)[0]:
                if not os.read(sys.stdin.fileno(), 1):
                    return
                sys.stdout.write(f"{longest * 1e3}\n")
                sys.stdout.flush()
                longest = 0.0


if __name__ == "__main__":
    keep_pinging(int(sys.argv[1]))
