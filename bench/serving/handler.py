"""The handler and the server against minimal code for the same, and against scikit-learn."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import orjson

from bench.load import closed_loop, processes
from bench.load.processes import HEADERS, KEY, ROOT, environ_for
from bench.models import Fitted, without_names
from bench.report import Line, comparisons
from bench.serving.in_process import measure, taking_turns
from bench.start.events import http_event
from onnxlet.function import json_text
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.service import predict
from tests.project.commands import free_port

ROWS = 1000
START_ROUNDS = 15
SERVER_ROUNDS = 5
SECONDS = 2.0
ABOUT = """With validation, API keys, limits, the log and counting for drift switched on. Requests
to the handler are in the processor's time, the mean of all, from the event to the answer and what
is counted of it. The model is fitted on scikit-learn's breast cancer data (30 numbers): a logistic
regression behind a scaler, or a random forest of 200 trees. Bare: orjson, NumPy, a run, orjson.
"""


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the page as Markdown."""
    lines = [
        *_in_process(models, fitted),
        *_starts(models, fitted),
        *_sockets(models, fitted),
        *_conversions(models, fitted),
    ]
    return f"{ABOUT}\n{comparisons('compared with', lines)}"


def _in_process(models: Path, fitted: Fitted) -> Iterator[Line]:
    os.environ.update(environ_for(models, "logistic"))  # before the handler is imported
    X = fitted["logistic"][1]
    rows = (X.to_numpy().tolist() * (ROWS // len(X) + 1))[:ROWS]
    with _LogToFile(models.parent / "log"):
        t = measure(models, KEY, rows, list(X.columns))
    for ours, theirs, what, target in (
        ("one row, handler", "one row, plain route", "one row as an object", 1.6),
        ("one row as a list, handler", "one row, plain route", "one row as a list", 1.6),
        ("1,000 rows as lists, handler", "1,000 rows, bare", "1,000 × 30 as lists", 1.2),
        ("1,000 rows as objects, handler", "1,000 rows, bare", "1,000 × 30 as objects", 2.0),
    ):
        name = "plain Flask route" if "plain" in theirs else "orjson, NumPy, run, orjson"
        yield Line(
            f"{what}, handler against {name}",
            f"{t[ours]:.3f} ms",
            f"{t[theirs]:.3f} ms",
            t[ours] / t[theirs],
            target,
        )


class _LogToFile:
    """Standard error into a file while measuring, as a server's log goes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._kept = os.dup(2)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, 2)
        os.close(file)

    def __exit__(self, *error: object) -> None:
        os.dup2(self._kept, 2)
        os.close(self._kept)


def _starts(models: Path, fitted: Fitted) -> Iterator[Line]:
    row = fitted["logistic"][1].to_numpy().tolist()[:1]
    body = json.dumps({"instances": row})
    event = json.dumps(http_event(body, "/predict", KEY)).encode()
    onnx = os.fspath(models / "logistic" / "1" / "model.onnx")
    environ = environ_for(models, "logistic")
    t = processes.process_times(
        {
            "bare": (["bench/start/bare.py", onnx], {}, b""),
            "handler": (["-m", "bench.start.handler"], environ, event),
        },
        START_ROUNDS,
    )
    what = "process start to first answer, handler against NumPy, ONNX Runtime and one run"
    ours, bare = f"{t['handler']:.0f} ms", f"{t['bare']:.0f} ms"
    yield Line(what, ours, bare, t["handler"] / t["bare"], 1.3)


@dataclass
class _Measured:
    start: list[float] = field(default_factory=list)  # milliseconds
    rate: list[float] = field(default_factory=list)  # answers a second
    memory: list[float] = field(default_factory=list)  # proportional MiB

    def turn(self, command: list[str], environ: dict[str, str], port: int, body: bytes) -> None:
        """Start a server, have one client ask it, and end it."""
        words = [sys.executable, *command]
        started = processes.running(words, environ, port, "/predict", body)
        with started as (process, milliseconds):
            self.start.append(milliseconds)
            request = closed_loop.post("/predict", body, HEADERS)
            self.rate.append(closed_loop.put_under(request, port, 1, SECONDS).rate)
            self.memory.append(processes.memory(process))


def _sockets(models: Path, fitted: Fitted) -> Iterator[Line]:
    for model, needed in (("forest", True), ("logistic", False)):
        estimator, X, _ = fitted[model]
        body = json.dumps({"instances": X.to_numpy().tolist()[:1]}).encode()
        pickled = models.parent / f"{model}.pkl"
        # The textbook fits on arrays: on a DataFrame it would warn at each request.
        pickled.write_bytes(pickle.dumps(without_names(estimator)))
        single = processes.only(models, model)
        ours, textbook = _Measured(), _Measured()
        for _ in range(SERVER_ROUNDS):
            port = free_port()
            ours.turn(processes.serve(single, port)[1:], environ_for(single, model), port, body)
            port = free_port()
            textbook.turn(
                ["bench/serving/textbook.py", os.fspath(pickled), str(port)], {}, port, body
            )
        yield from _against_textbook(model, ours, textbook, needed)


def _against_textbook(
    model: str, ours: _Measured, textbook: _Measured, needed: bool
) -> Iterator[Line]:
    def line(
        what: str, unit: str, a: float, b: float, ratio: float, target: float, least: bool
    ) -> Line:
        goal = target if needed else None
        name = f"{model}: {what}, server against Flask, pickle and scikit-learn"
        return Line(name, f"{a:,.0f} {unit}", f"{b:,.0f} {unit}", ratio, goal, least)

    a, b = median(ours.rate), median(textbook.rate)
    yield line("one-row requests a second", "/s", a, b, a / b, 20, True)
    a, b = median(ours.start), median(textbook.start)
    yield line("start to first answer (times faster)", "ms", a, b, b / a, 5, True)
    a, b = median(ours.memory), median(textbook.memory)
    yield line("proportional memory", "MiB", a, b, a / b, 0.55, False)


def _conversions(models: Path, fitted: Fitted) -> Iterator[Line]:
    fit, built = (median(times) for times in zip(*(_forest() for _ in range(5)), strict=True))
    what = "forest of 300 trees, 30 columns, one core: build with parity against fit"
    yield Line(what, f"{built:.0f} ms", f"{fit:.0f} ms", built / fit, 3.0)
    estimator, X_test, _ = fitted["texts"]
    model, text = load_model(models / "texts" / "1"), str(X_test.iloc[0])
    body = orjson.dumps({"instances": [[text]]})

    def ours() -> bytes:
        call = native.from_object(json_text.loads(body))
        return native.encode(predict(model, call), call).body

    assert orjson.loads(ours())["prediction"] == estimator.predict([text]).tolist()
    t = taking_turns({"ours": ours, "scikit-learn": lambda: estimator.predict([text])}, 20)
    a, b = t["ours"], t["scikit-learn"]
    what = "one text, JSON to JSON, against the pipeline's predict (times faster)"
    yield Line(what, f"{a:.3f} ms", f"{b:.3f} ms", b / a, 5.0, True)


def _forest() -> tuple[float, float]:
    command = [sys.executable, "-m", "bench.serving.forest_build"]
    fit, built = json.loads(subprocess.check_output(command, cwd=ROOT))
    return fit, built
