"""Requests with and without counting for drift."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import onnxlet.environment  # noqa: F401 - before NumPy
from bench.environments import ROOT
from bench.load import closed_loop, processes
from bench.load.processes import HEADERS, environ_for
from bench.models import Fitted
from bench.report import Line, comparisons
from tests.function.monitoring.models import rows_of
from tests.project.commands import free_port

EXAMPLES = ROOT / "convert" / "examples"
EXAMPLE_MODELS = {"house-prices": "house_prices", "loan-default": "loan_default"}
NUMBERS_ONLY = "logistic"
ROWS = (1, 100)  # of a request
PAIRS, TURNS, SECONDS = 4, 12, 0.2  # of servers that are started, and of each load on each of them
MOST = 1.05
SERVER_CORE = 1
ABOUT = f"""**Requests** to the two example models, and to a logistic regression of 30 numbers, with
ONNXLET_WATCH=on and off, side by side: `edge serve` on one core, with keys and its log, the client
on the other, one connection; {PAIRS} pairs of servers, {TURNS} turns of {SECONDS} s each. A ratio
is the median over pairs of turns. The mean is of all of a turn's time: what one request leaves for
a later one is in it. The processor's time is that of the server, whatever else the machine does.
"""


class Loaded(NamedTuple):
    """What a model is asked: rows of its own."""

    name: str
    instances: list[Any]

    @property
    def path(self) -> str:
        """Of its predictions."""
        return f"/models/{self.name}/predict"

    def body(self, rows: int) -> bytes:
        """A request of so many rows."""
        chosen = (self.instances[row % len(self.instances)] for row in range(rows))
        return json.dumps({"instances": list(chosen)}).encode()


class Turn(NamedTuple):
    """One of many turns, in microseconds a request."""

    p50: float  # the median
    mean: float  # of all time, whoever waited for it
    processor: float  # the mean of the time that the server had the processor


Running = tuple[subprocess.Popen[bytes], int]  # a server, and its port
Turns = dict[str, list[Turn]]  # of "on" and "off", one beside the other
Sides = Mapping[str, Mapping[str, str]]  # further variables of the servers "on" and "off"


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    watched = models.parent / "watched"
    loaded = list(_built_examples(models, watched, fitted))
    sides = {each: {"ONNXLET_WATCH": each} for each in ("on", "off")}
    return f"{ABOUT}\n{comparisons('without', over_a_socket(watched, loaded, sides))}"


def _built_examples(models: Path, watched: Path, fitted: Fitted) -> Iterator[Loaded]:
    """The examples, and one of the bench's models, in a folder of their own; and held-out rows."""
    from onnxlet.convert.build import build
    from onnxlet.convert.sources.source import load_source

    watched.mkdir()
    for name, file in EXAMPLE_MODELS.items():
        source = load_source(f"{EXAMPLES / file}.py:build")
        build(source, name, watched, lambda line: None)
        yield Loaded(name, rows_of(source.X_test))
    (watched / NUMBERS_ONLY).symlink_to(models / NUMBERS_ONLY)
    yield Loaded(NUMBERS_ONLY, rows_of(fitted[NUMBERS_ONLY][1]))


def over_a_socket(
    models: Path,
    loaded: list[Loaded],
    sides: Sides,
    rows: tuple[int, ...] = ROWS,
    seconds: float = SECONDS,
) -> Iterator[Line]:
    """One client that keeps its connection; servers are started several times."""
    found: dict[tuple[str, int], Turns] = {
        (each.name, some): {"on": [], "off": []} for each in loaded for some in rows
    }
    for number in range(PAIRS):
        with ExitStack() as stack:
            running: dict[str, Running] = {}
            for side in ("on", "off") if number % 2 else ("off", "on"):
                port = free_port()
                command = processes.serve(models, port)
                environ = {**environ_for(models, ""), **sides[side]}
                path, body = loaded[0].path, loaded[0].body(1)
                started = processes.running(command, environ, port, path, body, SERVER_CORE)
                running[side] = stack.enter_context(started)[0], port
            for each in loaded:
                for some in rows:
                    _put_under(each, some, running, found[each.name, some], seconds)
    for (name, some), turns in found.items():
        yield from compared(f"{name}, {_rows(some)}, socket", turns)


def _put_under(
    each: Loaded, rows: int, running: Mapping[str, Running], turns: Turns, seconds: float
) -> None:
    request = closed_loop.post(each.path, each.body(rows), HEADERS)
    for number in range(TURNS + 1):
        order = list(running.items())
        order = order if number % 2 else order[::-1]
        pair = {side: _turn(request, *server, seconds) for side, server in order}
        whole = {side: turn for side, turn in pair.items() if turn}
        if number and len(whole) == len(pair):  # the first turn warms up
            for side, turn in whole.items():
                turns[side].append(turn)


def _turn(
    request: bytes, process: subprocess.Popen[bytes], port: int, seconds: float
) -> Turn | None:
    """None where the machine did something else all the while."""
    before = processes.processor_seconds(process)
    load = closed_loop.put_under(request, port, 1, seconds)
    assert not load.errors, load
    if not load.answers:
        return None
    processor = (processes.processor_seconds(process) - before) / load.answers * 1e6
    return Turn(load.p50 * 1e3, 1e6 / load.rate, processor)


def _rows(rows: int) -> str:
    return f"{rows} row{'s' if rows > 1 else ''}"


def compared(what: str, turns: Turns) -> Iterator[Line]:
    """Each figure: the ratio is the median over pairs of turns."""
    for figure, name in (("p50", "median"), ("mean", "mean"), ("processor", "processor's time")):
        on, off = ([getattr(turn, figure) for turn in turns[watch]] for watch in ("on", "off"))
        ratio = median(a / b for a, b in zip(on, off, strict=True))
        cells = [f"{median(values):,.1f} µs" for values in (on, off)]
        yield Line(f"{what}: {name}", cells[0], cells[1], ratio, MOST, digits=3)
