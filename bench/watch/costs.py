"""What a watch takes besides time of requests: memory, the manifest, a start."""

from __future__ import annotations

import gc
import json
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from bench.load import processes
from bench.load.processes import KEY, environ_for
from bench.report import Figure, Line
from bench.start.events import http_event
from onnxlet.convert.directory.reference_statistics import read
from onnxlet.convert.sources.source import Source
from onnxlet.function import json_text
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model, load_model
from onnxlet.function.monitoring.layout import Layout
from onnxlet.function.monitoring.watch import Watch
from tests.function.monitoring.models import asked, built, in_parts
from tests.project.commands import free_port

COLUMNS = (20, 200)
ROWS = 3_000  # of one row a request: more than are gathered at once
STARTS = 60
KB, MOST_KB, MOST_START = 1000, 64.0, 1.02


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


def watch_environ(models: Path, watch: str) -> dict[str, str]:
    """The variables of a server that counts, or does not."""
    return {**environ_for(models, ""), "ONNXLET_WATCH": watch}


def starts(models: Path, loaded: Loaded) -> Iterator[Line]:
    """From the start of a process to its first answer, taking turns; one model."""
    single = processes.only(models, loaded.name)
    event = json.dumps(http_event(loaded.body(1).decode(), loaded.path, KEY)).encode()
    times: dict[str, list[float]] = {"on": [], "off": []}
    for number in range(STARTS + 1):
        for watch in ("on", "off") if number % 2 else ("off", "on"):
            port = free_port()
            environ = watch_environ(single, watch)
            started = processes.running(
                processes.serve(single, port), environ, port, loaded.path, loaded.body(1)
            )
            with started as (_, milliseconds):
                if number:  # the first round fills the disk cache
                    times[watch].append(milliseconds)
    yield _line("the server", times)
    handler = {
        watch: (["-m", "bench.start.handler"], watch_environ(single, watch), event)
        for watch in ("on", "off")
    }
    medians = processes.process_times(handler, STARTS)
    yield _line("the Lambda handler", {watch: [each] for watch, each in medians.items()})


def _line(what: str, times: dict[str, list[float]]) -> Line:
    on, off = times["on"], times["off"]
    ratio = median(a / b for a, b in zip(on, off, strict=True))
    a, b = (f"{median(each):.1f} ms" for each in (on, off))
    return Line(f"process start to first answer, {what}", a, b, ratio, MOST_START, digits=3)


def sizes(models: Path, loaded: list[Loaded], folder: Path) -> Iterator[Figure]:
    """Memory of watches, and what the manifest holds for them."""
    for columns in COLUMNS:
        model = _wide(columns, folder)
        whole = asked(model, read(model, _numbers(columns).to_numpy().tolist()))
        yield from _memory(f"{columns} columns", model, list(in_parts(whole, cycle([1]))))
        yield _reference(f"{columns} columns", model)
    for each in loaded:
        model = load_model(models / each.name / "1")
        whole = asked(model, read(model, each.instances))
        yield from _memory(each.name, model, list(in_parts(whole, cycle([1]))))
        yield _reference(each.name, model)


def _numbers(columns: int) -> pd.DataFrame:
    drawn = np.random.default_rng(0).normal(size=(900, columns))
    return pd.DataFrame(drawn, columns=[f"c{number}" for number in range(columns)])


def _wide(columns: int, folder: Path) -> Model:
    X = _numbers(columns)
    y = X["c0"] > 0
    fitted = HistGradientBoostingClassifier(max_iter=2).fit(X, y)
    return built(Source(fitted, X[:300], y[:300], X), folder, f"columns-{columns}")


def _reference(what: str, model: Model) -> Figure:
    size = len(json_text.dumps(model.manifest["reference"]))
    left_out = len(model.manifest["reference"]["left_out"])
    more = f", {left_out} columns left out" if left_out else ""
    return Figure(f"{what}: `reference` in the manifest{more}", size / KB, MOST_KB, "kB", digits=1)


def _memory(what: str, model: Model, parts: list[Prediction]) -> Iterator[Figure]:
    """After as many rows as a window has, one a request."""
    given = cycle(parts)
    first = Watch(Layout(model.manifest, model.signature))
    for _ in range(ROWS):  # which imports all that counting takes
        first.count(next(given))
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        watch = Watch(Layout(model.manifest, model.signature))
        for _ in range(ROWS):
            watch.count(next(given))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    for name, size in (
        ("a watch's arrays, and what it gathers", held(watch)),
        ("all that is allocated for a watch", taken),
    ):
        yield Figure(f"{what}: {name}", size / KB, MOST_KB, "kB", digits=1)


def held(watch: object) -> int:
    """Bytes of the arrays and byte strings that an object has, however deep."""
    found: dict[int, int] = {}
    seen: set[int] = set()
    waiting: list[object] = [watch]
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType):
            continue
        seen.add(id(each))
        if isinstance(each, np.ndarray | bytearray):
            found[id(each)] = sys.getsizeof(each)
        waiting += gc.get_referents(each)
    return sum(found.values())
