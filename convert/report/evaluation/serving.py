"""How to call the model, by a row that is nobody's; and what serving takes: bytes and times."""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from onnxlet.convert.reference.inputs import read_inputs
from onnxlet.convert.report.evaluation.evaluation import Evaluation, some_rows
from onnxlet.convert.report.form.findings import Call, Serving
from onnxlet.folders import ROOT
from onnxlet.function import json_text
from onnxlet.function.inputs.columns import Column
from onnxlet.function.messages import PredictRequest
from onnxlet.function.models.example import example_instance, typical_values
from onnxlet.function.models.model import GRAPH, Model, load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict

DIGITS = 2  # significant ones, of numbers
TRIED = 200  # other values of one or two columns
RUNS, LOADS, STARTS = 50, 5, 3
FEWEST_RUNS = 30
SECONDS = 2.0  # that each figure may take; `FEWEST_RUNS` are made all the same
LONGEST = 0.5  # seconds of one run: what takes longer is timed `LOADS` times
LONGEST_START = 60.0  # seconds
# Both are timed by this process, from the start of theirs to its end.
SERVED = """
import sys
from pathlib import Path
from onnxlet.function import json_text
from onnxlet.function.models.model import load_model
from onnxlet.function.protocols import native
from onnxlet.function.serving.predict import predict
request = native.from_object(json_text.loads(sys.argv[2]))
native.encode(predict(load_model(Path(sys.argv[1])), request), request)
"""
PICKLED = """
import pickle, sys, warnings
warnings.simplefilter("ignore")
with open(sys.argv[1], "rb") as file:
    estimator, row = pickle.load(file)
getattr(estimator, "predict_proba", estimator.predict)(row)
"""


def call(case: Evaluation) -> Call:
    """The path, the columns, and a row of rounded medians and frequent categories.

    Where some row is just that, one or two of its values are others. (A table of a single
    yes-or-no column has no other rows: then the row is one that many have.)
    """
    columns = [column for column in case.model.signature.columns if column.required]
    example = example_instance(case.model)
    row = {column.name: _rounded(column, example[column.name]) for column in columns}
    known = set(map(_key, _rows(case, columns)))
    free = (each for each in _nearby(case, columns, row) if _key(each.values()) not in known)
    return Call(
        path=f"/models/{case.measured.name}/predict",
        row=next(free, row),
        columns=[column.name for column in columns],
    )


def _rows(case: Evaluation, columns: list[Column]) -> Iterator[list[Any]]:
    """The required values of test rows, and of training rows where these are known."""
    parts = [(case.columns, case.cells)]
    trained = case.measured.X_train
    if trained is not None:
        keys = {column.name: column.type for column in case.columns}
        images = any(column.image for column in columns)
        inputs, X = read_inputs(trained, "X_train", keys, images)
        parts.append((inputs.columns, inputs.rows(X)))
    for known, rows in parts:
        place = {column.name: number for number, column in enumerate(known)}
        at = [place[column.name] for column in columns]
        yield from ([row[position] for position in at] for row in rows)


def _key(values: Any) -> tuple[str, ...]:
    return tuple(str(float(v)) if isinstance(v, int | float) else str(v) for v in values)


def _nearby(
    case: Evaluation, columns: list[Column], row: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """The row, and then with one or two values changed."""
    yield row
    others = [(c.name, v) for c in columns for v in _others(case, c, row[c.name])]
    for name, value in others[:TRIED]:
        yield {**row, name: value}
    for (first, one), (second, two) in list(combinations(others[:20], 2)):
        if first != second:
            yield {**row, first: one, second: two}


def _others(case: Evaluation, column: Column, value: Any) -> list[Any]:
    """Other values that the column takes."""
    known = typical_values(case.model).get(column.name, {})
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [each for each in known.get("frequent", ()) if each != value][:3]
    if column.categories is not None:
        return [each for each in column.categories if each != value][:3]
    steps = [value + step for step in (1, -1, 2)]
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    return [step for step in steps if low <= step <= high]


def _rounded(column: Column, value: Any) -> Any:
    """A number with few digits, where the column takes that; anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or column.categories:
        return value
    short = float(f"{value:.{DIGITS}g}")
    if column.minimum is not None and short < column.minimum:
        return value
    if column.maximum is not None and short > column.maximum:
        return value
    return int(short) if column.type == "int64" else short


def serving(case: Evaluation, row: Mapping[str, Any]) -> Serving:
    """Medians of what is measured here; None where there is nothing to measure.

    The row is an example that the model answers.
    """
    model, estimator = case.measured.served or case.model, case.measured.estimator
    directory = model.directory
    one = some_rows(case.inputs, np.array([0]))
    dumped, with_row = _dumped(estimator), _dumped((estimator, one))
    ask = getattr(estimator, "predict_proba", estimator.predict)
    load = None if directory is None else _timed(lambda: load_model(directory), LOADS)
    cold = None if directory is None else start_served(directory, dict(row))
    cold_estimator = None  # beside nothing it says nothing, and takes long
    if cold is not None and with_row is not None:
        cold_estimator = start_unpickled(with_row)
    unpickle = None if dumped is None else _timed(lambda: pickle.loads(dumped), LOADS)  # noqa: S301 - what was dumped just now
    return Serving(
        bytes=None if directory is None else (directory / GRAPH).stat().st_size,
        estimator_bytes=None if dumped is None else len(dumped),
        load_ms=_times(1e3, load),
        estimator_load_ms=_times(1e3, unpickle),
        cold_start_ms=_times(1e3, cold),
        estimator_cold_start_ms=_times(1e3, cold_estimator),
        one_row_us=_times(1e6, _timed(lambda: _through(model, dict(row)), RUNS)),
        estimator_one_row_us=_times(1e6, _timed(lambda: ask(one), RUNS)),
        runs=RUNS,
    )


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


def start_served(directory: Path, row: dict[str, Any]) -> float | None:
    """Seconds until the function has answered a row; None where it does not answer it."""
    body = json_text.dumps({"instances": [row]}).decode()
    return _started(SERVED, [os.fspath(directory.resolve()), body])


def start_unpickled(dumped: bytes) -> float | None:
    """Seconds until scikit-learn has answered a row; None where that raises.

    What was dumped is a pickle of the estimator and a row for it.
    """
    with tempfile.NamedTemporaryFile(suffix=".pkl") as file:
        file.write(dumped)
        file.flush()
        return _started(PICKLED, [file.name])


def _give_back() -> None:
    """Return what this process has freed to the system: another is about to need as much.

    glibc keeps it: 100 MB after fits on a table of 8 MB.
    """
    gc.collect()
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _started(code: str, arguments: list[str]) -> float | None:
    path = os.pathsep.join([os.fspath(ROOT), *filter(None, sys.path)])
    took = []
    _give_back()
    for _ in range(STARTS):
        start = time.perf_counter()
        try:
            done = subprocess.run(  # noqa: S603 - this very Python, and code from above
                [sys.executable, "-P", "-c", code, *arguments],
                env={**os.environ, "PYTHONPATH": path},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=LONGEST_START,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        if done.returncode:
            return None  # such as an estimator of a file that no module's name leads to
        took.append(time.perf_counter() - start)
    return median(took)
