"""Requests with and without counting, over a socket and in this process, taking turns."""

from __future__ import annotations

import gc
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import onnxlet.environment  # noqa: F401 - before NumPy
from bench import closed_loop, servers
from bench.report import Figure, Line
from bench.servers import KEY
from bench.serving import environ_for
from onnxlet.convert.directory.reference_statistics import read
from onnxlet.function.models.model import load_model
from onnxlet.function.monitoring.watches import Watches
from tests.function.monitoring.models import asked, in_parts
from tests.project.commands import free_port

ROWS = (1, 100)  # of a request
PAIRS, TURNS, SECONDS = 4, 12, 0.2  # of servers that are started, and of each load on each of them
BLOCKS, REQUESTS = 60, {1: 1000, 100: 100}  # in this process, by the rows of a request
BODIES = 50  # different ones
COUNTED, ROUNDS = 20_000, 7  # rows that are counted for one number, and how often
MOST, MOST_MICROSECONDS = 1.05, 10.0
SERVER_CORE = 1


class Loaded(NamedTuple):
    """What a model is asked.

    Attributes:
        name: of the model.
        instances: rows of its own.
    """

    name: str
    instances: list[Any]

    @property
    def path(self) -> str:
        """Of its predictions."""
        return f"/models/{self.name}/predict"

    def body(self, rows: int, number: int = 0) -> bytes:
        """One of many requests of so many rows."""
        chosen = [(number * rows + row) % len(self.instances) for row in range(rows)]
        return json.dumps({"instances": [self.instances[row] for row in chosen]}).encode()


class Turn(NamedTuple):
    """One of many turns, in microseconds a request.

    Attributes:
        p50: the median.
        mean: of all time, whoever waited for it.
        processor: the mean of the time that the server had the processor.
    """

    p50: float
    mean: float
    processor: float


Running = tuple[subprocess.Popen[bytes], int]  # a server, and its port
Turns = dict[str, list[Turn]]  # of "on" and "off", one beside the other


def watch_environ(models: Path, watch: str) -> dict[str, str]:
    """The variables of a server that counts, or does not."""
    return {**environ_for(models, ""), "ONNXLET_WATCH": watch}


def serve(models: Path, port: int) -> list[str]:
    """The command of a server."""
    command = [sys.executable, "-m", "edge", "serve", "--models", os.fspath(models)]
    return [*command, "--port", str(port)]


def over_a_socket(models: Path, loaded: list[Loaded]) -> Iterator[Line]:
    """One client that keeps its connection; servers are started several times."""
    found: dict[tuple[str, int], Turns] = {
        (each.name, rows): {"on": [], "off": []} for each in loaded for rows in ROWS
    }
    for number in range(PAIRS):
        with ExitStack() as stack:
            running: dict[str, Running] = {}
            for watch in ("on", "off") if number % 2 else ("off", "on"):
                port = free_port()
                started = servers.running(
                    serve(models, port), watch_environ(models, watch), port, loaded[0].path,
                    loaded[0].body(1), SERVER_CORE,
                )  # fmt: skip
                running[watch] = stack.enter_context(started)[0], port
            for each in loaded:
                for rows in ROWS:
                    _put_under(each, rows, running, found[each.name, rows])
    for (name, rows), turns in found.items():
        yield from compared(f"{name}, {_rows(rows)}, socket", turns)


def _put_under(each: Loaded, rows: int, running: Mapping[str, Running], turns: Turns) -> None:
    headers = {"Content-Type": "application/json", "X-API-Key": KEY}
    request = closed_loop.post(each.path, each.body(rows), headers)
    for number in range(TURNS + 1):
        order = list(running.items())
        order = order if number % 2 else order[::-1]
        pair = {watch: _turn(request, *server) for watch, server in order}
        whole = {watch: turn for watch, turn in pair.items() if turn}
        if number and len(whole) == len(pair):  # the first turn warms up
            for watch, turn in whole.items():
                turns[watch].append(turn)


def _turn(request: bytes, process: subprocess.Popen[bytes], port: int) -> Turn | None:
    """None where the machine did something else all the while."""
    before = servers.processor_seconds(process)
    load = closed_loop.put_under(request, port, 1, SECONDS)
    assert not load.errors, load
    if not load.answers:
        return None
    processor = (servers.processor_seconds(process) - before) / load.answers * 1e6
    return Turn(load.p50 * 1e3, 1e6 / load.rate, processor)


def in_this_process(models: Path, loaded: list[Loaded]) -> Iterator[Line]:
    """Through the WSGI application, without a log: nothing else takes time."""
    from onnxlet.function.app import create_app
    from onnxlet.function.settings import Settings

    apps = {
        watch: create_app(models, settings=Settings(log="off", watch=watch == "on"))
        for watch in ("on", "off")
    }
    # Models were trained and converted in this process: a server's collector has no such heap.
    gc.collect()
    gc.freeze()
    for each in loaded:
        for rows in ROWS:
            turns: Turns = {"on": [], "off": []}
            bodies = [each.body(rows, number) for number in range(BODIES)]
            for number in range(BLOCKS + 1):
                order = list(apps.items())
                for watch, app in order if number % 2 else order[::-1]:
                    turn = _block(app, each.path, cycle(bodies), REQUESTS[rows])
                    if number:
                        turns[watch].append(turn)
            yield from compared(f"{each.name}, {_rows(rows)}, in this process", turns)


def _block(app: Any, path: str, bodies: Iterator[bytes], requests: int) -> Turn:
    times = []
    begin, processor = time.perf_counter(), time.process_time()
    for _ in range(requests):
        body = next(bodies)
        start = time.perf_counter()
        _ask(app, path, body)
        times.append(time.perf_counter() - start)
    whole, taken = time.perf_counter() - begin, time.process_time() - processor
    return Turn(median(times) * 1e6, whole / requests * 1e6, taken / requests * 1e6)


def _ask(app: Any, path: str, body: bytes) -> None:
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
        "SERVER_NAME": "bench", "SERVER_PORT": "0", "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
    }  # fmt: skip
    b"".join(app(environ, lambda got, *more: status.append(got)))
    assert status[0].startswith("200"), status


def _rows(rows: int) -> str:
    return f"{rows} row{'s' if rows > 1 else ''}"


def compared(what: str, turns: Turns) -> Iterator[Line]:
    """Each figure: the ratio is the median over pairs of turns."""
    for figure, name in (("p50", "median"), ("mean", "mean"), ("processor", "processor's time")):
        on, off = ([getattr(turn, figure) for turn in turns[watch]] for watch in ("on", "off"))
        ratio = median(a / b for a, b in zip(on, off, strict=True))
        cells = [f"{median(values):,.1f} µs" for values in (on, off)]
        yield Line(f"{what}: {name}", cells[0], cells[1], ratio, MOST, digits=3)


def counting(models: Path, loaded: list[Loaded]) -> Iterator[Figure]:
    """Microseconds a row that a service's watches take, over many requests and all they defer."""
    for each in loaded:
        model = load_model(models / each.name / "1")
        given = cycle(each.instances)
        whole = asked(model, read(model, [next(given) for _ in range(1000)]))
        for rows in ROWS:
            parts = list(in_parts(whole, cycle([rows])))
            times = []
            for _ in range(ROUNDS):
                watches, answered = Watches(), cycle(parts)
                start = time.process_time()
                for _ in range(COUNTED // rows):
                    watches.count(next(answered))
                times.append((time.process_time() - start) / COUNTED * 1e6)
            what = f"{each.name}: counting only, a row of requests of {_rows(rows)}"
            yield Figure(what, median(times), MOST_MICROSECONDS, "µs", digits=2)
