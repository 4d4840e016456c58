"""Every protocol against the minimal code for the same, in one process, taking turns."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from flask import Flask, Response, request

from bench.in_process import bare, dtype_of, session_of, taking_turns
from bench.report import Line, comparisons
from bench.servers import KEY
from bench.serving import Fitted, environ_for, log_to_file
from onnxlet.function.arrays import Array

ROWS, BINARY_ROWS = 1000, 10_000
MODEL, FRAME = "array", "logistic"
ABOUT = f"""Whole requests through the app, with keys, limits, the log and counting for drift, to a
logistic regression that was fitted on an array, or on a frame where names are sent.
{ROWS:,} × 30 numbers in JSON against orjson, NumPy, one `session.run` and orjson that answer the
same outputs; {BINARY_ROWS:,} × 30 as a float32 tensor against a bare Flask route that does
`np.frombuffer`, `session.run` and `tobytes`. All in the processor's time, the mean of all requests.
"""


class Call(NamedTuple):
    """One request.

    Attributes:
        path: of the route.
        body: to be sent.
        headers: of the environ's form.
    """

    path: str
    body: bytes
    headers: Mapping[str, str] = {}


def section(models: Path, fitted: Fitted) -> str:
    """Measure, and return the section as Markdown."""
    from onnxlet.function.app import create_app

    apps = {}
    for model in (FRAME, MODEL):
        os.environ.update(environ_for(models, model))
        apps[model] = create_app(models)
    rows: Array = np.resize(fitted[MODEL][1], (BINARY_ROWS, 30))
    session = session_of(models / MODEL / "1")
    calls: dict[str, Callable[[], Any]] = {
        name: _calling(apps[MODEL], call) for name, call in _lists(rows[:ROWS].tolist()).items()
    }
    names = [str(name) for name in fitted[FRAME][1].columns]
    for name, call in _columns(rows[:ROWS].tolist(), names).items():
        calls[name] = _calling(apps[FRAME], call)
    body = orjson.dumps({"instances": rows[:ROWS].tolist()})
    calls["bare"] = lambda: bare(session, body, 2)
    calls["bare, only labels"] = lambda: bare(session, body, 1)
    tensor = rows.astype(np.float32).tobytes()
    binary = {
        "v2 binary": _calling(apps[MODEL], _binary_call(tensor)),
        "bare Flask": _calling(_flask(session), Call("/", tensor)),
    }
    with log_to_file(models.parent / "log"):
        t = taking_turns(calls, 4, True) | taking_turns(binary, 4, True)
    lines = []
    for name in calls:
        if name.startswith("bare"):
            continue
        least = "bare, only labels" if name.startswith(("V1", "MLflow")) else "bare"
        ratio = t[name] / t[least]
        lines.append(Line(name, f"{t[name]:.2f} ms", f"{t[least]:.2f} ms", ratio, 1.15))
    ours, flask = t["v2 binary"], t["bare Flask"]
    lines.append(Line("v2, binary tensor", f"{ours:.2f} ms", f"{flask:.2f} ms", ours / flask, 1.5))
    return f"{ABOUT}\n{comparisons('bare', lines)}"


def _lists(rows: list[list[float]]) -> dict[str, Call]:
    tensor = {"name": "input", "shape": [len(rows), 30], "datatype": "FP64"}
    flat = [cell for row in rows for cell in row]
    forms: dict[str, tuple[str, Any]] = {
        "native, instances": ("/predict", {"instances": rows}),
        "v2, nested data": (f"/v2/models/{MODEL}/infer", {"inputs": [{**tensor, "data": rows}]}),
        "v2, flat data": (f"/v2/models/{MODEL}/infer", {"inputs": [{**tensor, "data": flat}]}),
        "V1, instances": (f"/v1/models/{MODEL}:predict", {"instances": rows}),
        "MLflow, inputs": ("/invocations", {"inputs": rows}),
        "MLflow, instances": ("/invocations", {"instances": rows}),
    }
    return {name: Call(path, orjson.dumps(form)) for name, (path, form) in forms.items()}


def _columns(rows: list[list[float]], names: list[str]) -> dict[str, Call]:
    columns = {name: [row[index] for row in rows] for index, name in enumerate(names)}
    tensors = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": values}
        for name, values in columns.items()
    ]
    forms: dict[str, tuple[str, Any]] = {
        "v2, a tensor for each column": (f"/v2/models/{FRAME}/infer", {"inputs": tensors}),
        "V1, inputs by column": (f"/v1/models/{FRAME}:predict", {"inputs": columns}),
        "MLflow, inputs by column": ("/invocations", {"inputs": columns}),
        "MLflow, dataframe_split": (
            "/invocations", {"dataframe_split": {"columns": names, "data": rows}}
        ),
    }  # fmt: skip
    return {name: Call(path, orjson.dumps(form)) for name, (path, form) in forms.items()}


def _binary_call(tensor: bytes) -> Call:
    form = {
        "inputs": [
            {
                "name": "input",
                "shape": [BINARY_ROWS, 30],
                "datatype": "FP32",
                "parameters": {"binary_data_size": len(tensor)},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(form).encode()
    headers = {"HTTP_INFERENCE_HEADER_CONTENT_LENGTH": str(len(head))}
    return Call(f"/v2/models/{MODEL}/infer", head + tensor, headers)


def _calling(app: Any, call: Call) -> Callable[[], bytes]:
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": call.path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "bench",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(call.body)),
        "HTTP_HOST": "bench",
        "HTTP_X_API_KEY": KEY,
        "wsgi.url_scheme": "http",
        **call.headers,
    }

    def started(status: str, headers: Any, *error: Any) -> None:
        assert status == "200 OK", status

    def answer() -> bytes:
        return b"".join(app({**environ, "wsgi.input": io.BytesIO(call.body)}, started))

    assert answer()
    return answer


def _flask(session: Any) -> Flask:
    app = Flask("bare")
    [tensor] = session.get_inputs()

    @app.post("/")
    def predict() -> Response:
        rows: Array = np.frombuffer(request.get_data(), np.float32).reshape(-1, 30)
        labels, shares = session.run(None, {tensor.name: rows.astype(dtype_of(tensor))})[:2]
        return Response(labels.tobytes() + shares.tobytes(), mimetype="application/octet-stream")

    return app
