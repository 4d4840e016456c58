"""The handler and the server against minimal code for the same, and against scikit-learn."""

from __future__ import annotations

import gc
import json
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import onnxruntime
import orjson
import serverless_wsgi
from flask import Flask, Response, request
from sklearn.ensemble import RandomForestClassifier

from bench.load import closed_loop, processes
from bench.load.processes import HEADERS, KEY, environ_for, http_event
from bench.models import Fitted, breast_cancer_split, without_names
from bench.report import Line, comparisons
from bench.watch import watch
from onnxlet.convert.build import build
from onnxlet.convert.sources.source import Source
from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict
from tests.edge.tracing.collector import collecting
from tests.function.monitoring.models import rows_of
from tests.project.commands import free_port

ROWS = 1000
ROUNDS = 40  # of calls in this process, which take turns
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
        *_traced(models, fitted),
        *_conversions(models, fitted),
    ]
    return f"{ABOUT}\n{comparisons('compared with', lines)}"


def _in_process(models: Path, fitted: Fitted) -> Iterator[Line]:
    os.environ.update(environ_for(models, "logistic"))  # before the handler is imported
    X = fitted["logistic"][1]
    rows = (X.to_numpy().tolist() * (ROWS // len(X) + 1))[:ROWS]
    with _log_to_file(models.parent / "log"):
        t = _measure(models, KEY, rows, list(X.columns))
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


@contextmanager
def _log_to_file(path: Path) -> Iterator[None]:
    """Standard error into a file while measuring, as a server's log goes."""
    kept = os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
        yield
        os.dup2(kept, 2)
    os.close(kept)


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


def _traced(models: Path, fitted: Fitted) -> Iterator[Line]:
    """A server that sends spans of one in ten requests, against one that sends none."""
    loaded = [watch.Loaded("logistic", rows_of(fitted["logistic"][1]))]
    with collecting() as collector:
        share = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}
        sides = {"on": {**collector.environ, **share}, "off": {}}
        single = processes.only(models, "logistic")
        # A turn has more requests than are sent to the collector together.
        for line in watch.over_a_socket(single, loaded, sides, rows=(1,), seconds=1.0):
            yield replace(line, what=f"one in ten requests traced, against none: {line.what}")


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
    """Milliseconds of the fit and the build of a forest, in a process of its own on one core."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_fit_and_build).result()


def _fit_and_build() -> tuple[float, float]:
    closed_loop.pin(0)
    X_train, X_test, y_train, _ = breast_cancer_split()
    start = time.perf_counter()
    forest = RandomForestClassifier(300, random_state=0).fit(X_train, y_train)
    fitted = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        build(Source(forest, X_test), "forest", Path(folder), lambda line: None)
    return (fitted - start) * 1e3, (time.perf_counter() - fitted) * 1e3


def taking_turns(
    calls: Mapping[str, Callable[[], Any]], repeats: int, processor: bool = False
) -> dict[str, float]:
    """The median time of each call, in milliseconds; a block of one follows a block of another.

    `processor`: the mean of the processor's time; what one call leaves for a later one is in it.
    """
    clock, average = (time.process_time, fmean) if processor else (time.perf_counter, median)
    # Models were trained and converted in this process: a server's collector has no such heap.
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(ROUNDS + 2):
        for name, call in calls.items():
            for _ in range(repeats):
                start = clock()
                call()
                if number >= 2:  # the first rounds warm up
                    times[name].append((clock() - start) * 1e3)
    return {name: average(values) for name, values in times.items()}


def _plain_route(answer: bytes) -> Flask:
    """A Flask route that reads the body and returns this many bytes."""
    app = Flask("plain")

    @app.post("/predict")
    def predict() -> Response:
        request.get_data()
        return Response(answer, mimetype="application/json")

    return app


def _measure(models: Path, key: str, rows: list[list[float]], names: list[str]) -> dict[str, float]:
    """Milliseconds of the processor's time, from event to answer, by name."""
    from onnxlet.function.handler import handler

    path = "/predict"  # ONNXLET_DEFAULT_MODEL names the model
    one = orjson.dumps({"instances": [dict(zip(names, rows[0], strict=True))]}).decode()
    one_list = orjson.dumps({"instances": rows[:1]}).decode()
    lists = orjson.dumps({"instances": rows})
    objects = orjson.dumps({"instances": [dict(zip(names, row, strict=True)) for row in rows]})

    one_event = http_event(one, path, key)
    answer = handler(one_event, None)
    assert answer["statusCode"] == 200, answer
    plain = _plain_route(answer["body"].encode())
    session = _session_of(models / "logistic" / "1")
    list_event = http_event(lists.decode(), path, key)
    object_event = http_event(objects.decode(), path, key)
    one_list_event = http_event(one_list, path, key)
    plain_event = http_event(one, "/predict", key)
    few = taking_turns(
        {
            "one row, handler": lambda: handler(one_event, None),
            "one row as a list, handler": lambda: handler(one_list_event, None),
            "one row, plain route": lambda: serverless_wsgi.handle_request(
                plain, plain_event, None
            ),
        },
        repeats=50,
        processor=True,
    )
    many = taking_turns(
        {
            "1,000 rows as lists, handler": lambda: handler(list_event, None),
            "1,000 rows as objects, handler": lambda: handler(object_event, None),
            "1,000 rows, bare": lambda: _bare(session, lists),
        },
        repeats=5,
        processor=True,
    )
    return few | many


def _bare(session: Any, body: bytes) -> bytes:
    """The least: prediction and probabilities of rows in JSON, as lists in JSON."""
    names = [output.name for output in session.get_outputs()][:2]
    [tensor] = session.get_inputs()
    dtype = np.float64 if "double" in tensor.type else np.float32
    rows: Array = np.asarray(orjson.loads(body)["instances"], dtype=dtype)
    labels, probabilities = session.run(names, {tensor.name: rows})
    return orjson.dumps({"prediction": labels.tolist(), "probabilities": probabilities.tolist()})


def _session_of(directory: Path) -> Any:
    """A model's graph, opened by ONNX Runtime only."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    onnx = os.fspath(directory / "model.onnx")
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
