"""The handler against the minimal code for the same, in one process, taking turns."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import onnxruntime
import orjson
import serverless_wsgi
from flask import Flask, Response, request

from bench.start.events import http_event
from onnxlet.function.arrays import Array

ROUNDS = 40


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


def measure(models: Path, key: str, rows: list[list[float]], names: list[str]) -> dict[str, float]:
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
