"""The longest silence of `/v2/health/live`, and the most memory, while costly bodies are answered.

One real server has a model for each front end. Another process asks whether it is alive, again
and again; bodies made by chance are sent, then such as are like the worst ones. What is over the
bound is sent again to a fresh server, twice, and the least of the three silences counts: a machine
that is busy with something else only adds to them.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.costly import MEGABYTE, Gene, Sent, anything, mutated, request
from bench.report import table
from bench.serving import Fitted
from bench.silence_models import build
from tests.project.commands import free_port

ROOT = Path(__file__).resolve().parent.parent
SEED = 20_261_126
BY_CHANCE, LIKE_THE_WORST = 150, 150  # bodies
WORST = 12  # whose like are sent
SHOWN = 15
SECONDS = 240.0  # for all of them
SILENCE_MS, SMALL_MB, MS_PER_MB, TIMES = 100.0, 6.0, 15.0, 10.0
OF_ANSWER = 4.0  # an answer is numbers, then JSON, then has its head, then waits to be sent
KEPT_MB = 20.0  # that a server still has from other bodies
PING = b"GET /v2/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
ALIVE = b'{"live":true}'
BETWEEN_SECONDS = 0.001  # two pings
ABOUT = f"""A server with its default limits answers one request at a time, each made by chance
of a protocol's form, a front end's model, a kind of cell, widths, numbers of rows, names, sizes to
23 MB unpacked and encodings, or like one of the {WORST} worst; seed {SEED}. Silence: the longest
that `GET /v2/health/live` took meanwhile, asked for every {BETWEEN_SECONDS * 1e3:g} ms by another
process. Bound: {SILENCE_MS:g} ms to {SMALL_MB:g} MB unpacked and {MS_PER_MB:g} ms for each MB
above. Memory: what the process grew by at most from when it had started, against {TIMES:g} times
the unpacked body, or {TIMES * SMALL_MB:g} MB for a smaller one; and {OF_ANSWER:g} times the
answer, since a model of a hundred classes answers a short body with 20 MB. MB is 2²⁰ bytes.
"""


class Got(NamedTuple):
    """What a server did with a body.

    Attributes:
        gene: of the body.
        mb: that it unpacks to.
        status: of the answer.
        seconds: until it was there.
        silence: longest, in milliseconds.
        grown: megabytes at most.
        answer: megabytes that came back.
    """

    gene: Gene
    mb: float
    status: int
    seconds: float
    silence: float
    grown: float
    answer: float

    @property
    def quiet(self) -> float:
        """The longest silence, as a share of its bound."""
        return self.silence / (SILENCE_MS + MS_PER_MB * max(0.0, self.mb - SMALL_MB))

    @property
    def large(self) -> float:
        """The memory that it took, as a share of its bound."""
        return self.grown / (TIMES * max(self.mb, SMALL_MB) + OF_ANSWER * self.answer)

    @property
    def worst(self) -> float:
        """The larger of the two shares; above 1 a bound is broken."""
        return max(self.quiet, self.large)


class Server:
    """An `edge serve` of its own, and a process that pings it.

    Args:
        models: folder of model directories.
    """

    def __init__(self, models: Path) -> None:
        self._port = free_port()
        command = [sys.executable, "-m", "edge", "serve", "--models", os.fspath(models)]
        self.process = subprocess.Popen(
            [*command, "--port", str(self._port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()
        self._pings = subprocess.Popen(
            [sys.executable, "-m", "bench.silence", str(self._port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._longest()
        self._idle = self._memory("VmRSS")

    def _wait(self) -> None:
        for _ in range(2400):  # two minutes, on a machine that has much else to do
            assert self.process.poll() is None, "the server ended"
            try:
                socket.create_connection(("127.0.0.1", self._port), 1).close()
            except OSError:
                time.sleep(0.05)
            else:
                with _connected(self._port) as sock:
                    _ping(sock)
                return
        self.process.kill()
        raise AssertionError("the server does not start")

    def ask(self, gene: Gene, sent: Sent) -> Got:
        """Send a body, and measure until a little after its answer."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        self._longest()
        start = time.perf_counter()
        status, answer = self._send(sent)
        seconds = time.perf_counter() - start
        silence = self._longest()
        grown = max(0.0, self._memory("VmHWM") - self._idle)
        size = answer / MEGABYTE
        return Got(gene, sent.unpacked / MEGABYTE, status, seconds, silence, grown, size)

    def grown(self) -> float:
        """Megabytes more than when it had started."""
        return self._memory("VmRSS") - self._idle

    def _send(self, sent: Sent) -> tuple[int, int]:
        """The answer's status, and its bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("POST", sent.path, sent.body, dict(sent.headers))
            answer = connection.getresponse()
            size = len(answer.read())
        except OSError:  # it closes early on what it does not read
            return 0, 0
        finally:
            connection.close()
        return answer.status, size

    def _memory(self, line: str) -> float:
        """A figure of /proc/PID/status, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{line}:")[2].split()[0]) / 1024

    def _longest(self) -> float:
        """The longest silence since the last time, in milliseconds."""
        assert self._pings.stdin is not None
        assert self._pings.stdout is not None
        self._pings.stdin.write(b"\n")
        self._pings.stdin.flush()
        return float(self._pings.stdout.readline())

    def end(self) -> None:
        """End the server and the process that pings it."""
        for process in (self._pings, self.process):
            process.kill()
            process.wait()
        for pipe in (self._pings.stdin, self._pings.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def serving(models: Path) -> Iterator[Server]:
    """A server that has just started."""
    server = Server(models)
    try:
        yield server
    finally:
        server.end()


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield sock


def _ping(sock: socket.socket) -> None:
    sock.sendall(PING)
    received = b""
    while not received.endswith(ALIVE):
        part = sock.recv(4096)
        assert part, "the server closed the connection"
        received += part


def keep_pinging(port: int) -> None:
    """Ping until standard input ends; each line of it is answered by the longest since the last."""
    longest = 0.0
    with _connected(port) as sock:
        while True:
            start = time.perf_counter()
            _ping(sock)
            longest = max(longest, time.perf_counter() - start)
            if select.select([sys.stdin], [], [], BETWEEN_SECONDS)[0]:
                if not os.read(sys.stdin.fileno(), 1):
                    return
                sys.stdout.write(f"{longest * 1e3}\n")
                sys.stdout.flush()
                longest = 0.0


def search(models: Path, note: Any = lambda got: None) -> list[Got]:
    """Send bodies by chance, then such as are like the worst; all that was measured."""
    choose = random.Random(SEED)  # noqa: S311 - the same bodies each time
    every, known = list[Got](), set[Gene]()
    end = time.monotonic() + SECONDS
    server = Server(models)
    try:
        while len(known) < BY_CHANCE + LIKE_THE_WORST and time.monotonic() < end:
            gene = anything(choose)
            if every and (len(known) >= BY_CHANCE or time.monotonic() > end - SECONDS / 2):
                by_worst = sorted(every, key=lambda got: -got.worst)[:WORST]
                gene = mutated(choose.choice(by_worst).gene, choose)
            if gene in known:
                continue
            known.add(gene)
            sent = request(gene)
            if sent is None:
                continue
            if server.grown() > KEPT_MB:  # what one left would be counted for the next
                server.end()
                server = Server(models)
            every.append(server.ask(gene, sent))
            note(every[-1])
    finally:
        server.end()
    return every


def again(models: Path, got: Got) -> Got:
    """The same body to fresh servers, twice: the least silence, and the least memory."""
    sent, every = request(got.gene), [got]
    assert sent is not None
    for _ in range(2):
        with serving(models) as server:
            every.append(server.ask(got.gene, sent))
    least = min(each.silence for each in every)
    return got._replace(silence=least, grown=min(each.grown for each in every))


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    with tempfile.TemporaryDirectory(dir=models.parent) as folder:
        built = build(Path(folder))
        every = sorted(search(built, _report), key=lambda got: -got.worst)
        worst_first = [again(built, got) if got.worst > 1 else got for got in every[:SHOWN]]
    worst_first = sorted(worst_first, key=lambda got: -got.worst)
    refused = sum(got.status != 200 for got in every)
    kept = sum(got.worst <= 1 for got in worst_first)
    summary = (
        f"{len(every)} bodies, {refused} of them refused. "
        f"Of the {len(worst_first)} worst, {kept} keep both bounds.\n"
    )
    head = ["body", "MB", "status", "s", "silence ms", "of bound", "memory MB", "of bound"]
    return f"{ABOUT}\n{summary}\n{table(head, map(_row, worst_first))}"


def _row(got: Got) -> str:
    gene = got.gene
    rows = "any number of" if gene.rows > 10**6 else f"at most {gene.rows:,}"
    about = f"{gene.form} to {gene.model}: {rows} rows of {gene.cell}, {gene.width} wide"
    about += f", {gene.names} names" + f", then {gene.last}" * (gene.last != gene.cell)
    about += f", {gene.query}" * bool(gene.query)
    cells = [
        about, f"{got.mb:.1f}", str(got.status), f"{got.seconds:.2f}", f"{got.silence:.0f}",
        f"{got.quiet:.2f}", f"{got.grown:.0f}", f"{got.large:.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _report(got: Got) -> None:
    if got.worst > 1:
        sys.stderr.write(f"{json.dumps(got.gene.__dict__)} {_row(got)}\n")


if __name__ == "__main__":
    keep_pinging(int(sys.argv[1]))
