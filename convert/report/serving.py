"""What it takes to serve the model: bytes, the time to load it, and one row's way through."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from onnxlet.convert.report.subject import Subject, taken
from onnxlet.function import json_text
from onnxlet.function.messages import PredictRequest
from onnxlet.function.models.model import GRAPH, Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.service import predict

RUNS, LOADS = 50, 5
SECONDS = 2.0  # that each may take; 30 runs are made all the same
FEWEST_RUNS = 30


def serving(subject: Subject, row: Mapping[str, Any]) -> dict[str, Any]:
    """Medians of what is measured here; null where there is nothing to measure.

    Args:
        subject: the model.
        row: an example that it answers.
    """
    model, estimator = subject.model, subject.measured.estimator
    dumped = _dumped(estimator)
    one = taken(subject.given, np.array([0]))
    ask = getattr(estimator, "predict_proba", estimator.predict)
    return {
        "bytes": _bytes(model),
        "estimator_bytes": None if dumped is None else len(dumped),
        "load_ms": _load(model),
        "estimator_load_ms": None
        if dumped is None
        else _timed(lambda: pickle.loads(dumped), LOADS)  # noqa: S301 - what was dumped just now
        * 1e3,
        "one_row_us": _timed(lambda: _through(model, dict(row)), RUNS) * 1e6,
        "estimator_one_row_us": _timed(lambda: ask(one), RUNS) * 1e6,
        "runs": RUNS,
    }


def _bytes(model: Model) -> int | None:
    return None if model.directory is None else (model.directory / GRAPH).stat().st_size


def _load(model: Model) -> float | None:
    directory = model.directory
    return None if directory is None else _timed(lambda: load_model(directory), LOADS) * 1e3


def _through(model: Model, row: dict[str, Any]) -> bytes:
    """One row's way through the function: its body read, checked, answered, and written."""
    body = json_text.dumps({"instances": [row]})
    request: PredictRequest = native.from_object(json_text.loads(body))
    return native.encode(predict(model, request), request).body


def _dumped(estimator: Any) -> bytes | None:
    try:
        return pickle.dumps(estimator)
    except Exception:  # of whatever in it can't be
        return None


def _timed(do: Callable[[], Any], runs: int) -> float:
    """The median of seconds, after one run that is not counted."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        do()
        took: list[float] = []
        while len(took) < runs and (len(took) < min(runs, FEWEST_RUNS) or sum(took) < SECONDS):
            start = time.perf_counter()
            do()
            took.append(time.perf_counter() - start)
    return median(took)
