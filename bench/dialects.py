"""Every dialect's handler against the least that could be done instead: 1,000 rows in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bench.events import http_event
from bench.in_process import session_of, taking_turns

Body = Mapping[str, Any]


def bodies(rows: list[list[float]], names: list[str]) -> dict[str, tuple[str, Body]]:
    """By dialect and form, a path and what is sent there."""
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    tensors = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": values}
        for name, values in columns.items()
    ]
    v1 = "/v1/models/logistic:predict"
    return {
        "native": ("/predict", {"instances": rows}),
        "v2, a tensor for each column": ("/v2/models/logistic/infer", {"inputs": tensors}),
        "V1, instances": (v1, {"instances": rows}),
        "V1, inputs by column": (v1, {"inputs": columns}),
        "MLflow, dataframe_split": (
            "/invocations",
            {"dataframe_split": {"columns": names, "data": rows}},
        ),
        "MLflow and SageMaker, instances": ("/invocations", {"instances": rows}),
        "MLflow, inputs by column": ("/invocations", {"inputs": columns}),
    }


def measure(
    models: Path, key: str, rows: list[list[float]], names: list[str]
) -> Iterator[tuple[str, float, float]]:
    """Each dialect's name, and medians in milliseconds: its own, and the bare way's."""
    from function.handler import handler

    calls = {"bare": _bare(models, orjson.dumps({"instances": rows}))}
    for name, (path, body) in bodies(rows, names).items():
        calls[name] = _call(handler, http_event(orjson.dumps(body).decode(), path, key))
    times = taking_turns(calls, repeats=3)
    for name in list(calls)[1:]:
        yield name, times[name], times["bare"]


def _call(handler: Callable[..., Any], event: Any) -> Callable[[], Any]:
    answer = handler(event, None)
    assert answer["statusCode"] == 200, answer
    return lambda: handler(event, None)


def _bare(models: Path, lists: bytes) -> Callable[[], bytes]:
    session = session_of(models)
    tensor = session.get_inputs()[0]
    element = np.float64 if "double" in tensor.type else np.float32
    outputs = [output.name for output in session.get_outputs()]

    def bare() -> bytes:
        array = np.asarray(orjson.loads(lists)["instances"], dtype=element)
        labels, probabilities = session.run(outputs, {tensor.name: array})
        body = {"prediction": labels.tolist(), "probabilities": probabilities.tolist()}
        return orjson.dumps(body)

    return bare
