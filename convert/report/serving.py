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

from onnxlet.convert.report import cold_start
from onnxlet.convert.report.subject import Subject, taken
from onnxlet.function import json_text
from onnxlet.function.messages import PredictRequest
from onnxlet.function.models.model import GRAPH, Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict

RUNS, LOADS = 50, 5
FEWEST_RUNS = 30
SECONDS = 2.0  # that each figure may take; `FEWEST_RUNS` are made all the same
LONGEST = 0.5  # seconds of one run: what takes longer is timed `LOADS` times


def serving(subject: Subject, row: Mapping[str, Any]) -> dict[str, Any]:
    """Medians of what is measured here; None where there is nothing to measure.

    Args:
        subject: the model.
        row: an example that it answers.
    """
    model, estimator = subject.model, subject.measured.estimator
    directory = model.directory
    one = taken(subject.given, np.array([0]))
    dumped, with_row = _dumped(estimator), _dumped((estimator, one))
    ask = getattr(estimator, "predict_proba", estimator.predict)
    load = None if directory is None else _timed(lambda: load_model(directory), LOADS)
    cold = None if directory is None else cold_start.served(directory, dict(row))
    cold_estimator = None  # beside nothing it says nothing, and takes long
    if cold is not None and with_row is not None:
        cold_estimator = cold_start.unpickled(with_row)
    unpickle = None if dumped is None else _timed(lambda: pickle.loads(dumped), LOADS)  # noqa: S301 - what was dumped just now
    return {
        "bytes": None if directory is None else (directory / GRAPH).stat().st_size,
        "estimator_bytes": None if dumped is None else len(dumped),
        "load_ms": _times(1e3, load),
        "estimator_load_ms": _times(1e3, unpickle),
        "cold_start_ms": _times(1e3, cold),
        "estimator_cold_start_ms": _times(1e3, cold_estimator),
        "one_row_us": _times(1e6, _timed(lambda: _through(model, dict(row)), RUNS)),
        "estimator_one_row_us": _times(1e6, _timed(lambda: ask(one), RUNS)),
        "runs": RUNS,
    }


def _times(factor: float, seconds: float | None) -> float | None:
    return None if seconds is None else factor * seconds


def _through(model: Model, row: dict[str, Any]) -> bytes:
    """One row's way through the function: its body read, checked, answered, and written."""
    body = json_text.dumps({"instances": [row]})
    request: PredictRequest = native.from_object(json_text.loads(body))
    return native.encode(predict(model, request), request).body


def _dumped(value: Any) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception:  # of whatever in it can't be
        return None


def _timed(do: Callable[[], Any], runs: int) -> float | None:
    """The median of seconds, after a run that is not counted; None where it raises."""
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        try:
            do()
            took = [_once(do)]
            fewest = min(runs, FEWEST_RUNS if took[0] < LONGEST else LOADS)
            while len(took) < runs and (len(took) < fewest or sum(took) < SECONDS):
                took.append(_once(do))
        except Exception:  # an example that the model refuses, or what can't be unpickled
            return None
    return median(took)


def _once(do: Callable[[], Any]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start
