"""Our own converters' graphs against skl2onnx's, right or wrong, for the same estimators."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import is_classifier

from bench.converted import Case, cases
from bench.in_process import taking_turns
from bench.report import Line, comparisons
from onnxlet.convert.recipes import Recipe
from onnxlet.convert.reference.answers import task_of
from onnxlet.convert.to_onnx import convert
from onnxlet.function.arrays import Array
from onnxlet.function.inputs.columns import Column

ROWS = (1, 1000)
ABOUT = """`session.run` of our own converters' graphs, in float64, against those that skl2onnx
writes for the same estimators in float32, whether these answer rightly or not.
"""


def section(models: Path, fitted: Any) -> str:
    """Measure, and return the section as Markdown."""
    lines = [
        Line(
            f"{name}, {rows:,} row{'s' if rows > 1 else ''}",
            f"{ours * 1e3:,.1f} µs",
            f"{theirs * 1e3:,.1f} µs",
            ours / theirs,
            1.5,
        )
        for name, rows, ours, theirs in measure()
    ]
    return f"{ABOUT}\n{comparisons('skl2onnx', lines)}"


def measure() -> Iterator[tuple[str, int, float, float]]:
    """For each estimator and number of rows: its name, the rows, and milliseconds of both."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in cases():
            yield from both(case)


def both(case: Case) -> Iterator[tuple[str, int, float, float]]:
    """For one estimator, which is fitted here; nothing where skl2onnx can't run it."""
    case.estimator.fit(case.X, case.y)
    ours, theirs = _ours(case), _skl2onnx(case)
    if theirs is None:
        return
    for rows in ROWS:
        many = np.resize(case.X, (rows, case.X.shape[1]))
        t = taking_turns(
            {"ours": _running(ours, many), "theirs": _running(theirs, many)},
            repeats=100 if rows == 1 else 3,
        )
        yield _name(case), rows, t["ours"], t["theirs"]


def _name(case: Case) -> str:
    steps = getattr(case.estimator, "steps", [("", case.estimator)])
    name = " + ".join(type(step).__name__ for _, step in steps)
    return f"{name}, {case.note}" if case.note else name


def _running(session: Any, X: Array) -> Any:
    given = session.get_inputs()[0]
    kinds = {"tensor(double)": np.float64, "tensor(float)": np.float32, "tensor(string)": object}
    feeds = {given.name: np.ascontiguousarray(X, dtype=kinds[given.type])}
    return lambda: session.run(None, feeds)


def _ours(case: Case) -> Any:
    """Without standard deviations, which skl2onnx's graphs don't answer."""
    task = task_of(case.estimator)
    task = replace(task, methods={k: v for k, v in task.methods.items() if k != "std"})
    text, names = case.X.dtype == object, [f"x{index}" for index in range(case.X.shape[1])]
    columns = [Column(name, "string" if text else "float64", nullable=True) for name in names]
    recipe = Recipe("float64", "columns" if text else "matrix")
    return _session(convert(case.estimator, task, columns, recipe).onnx)


def _skl2onnx(case: Case) -> Any:
    options = {"zipmap": False} if is_classifier(case.estimator) else None
    kind = StringTensorType if case.X.dtype == object else FloatTensorType
    types = [("X", kind([None, case.X.shape[1]]))]
    try:
        proto = to_onnx(case.estimator, initial_types=types, options=options, target_opset=21)
        return _session(proto.SerializeToString())
    except Exception:  # it has no converter, or not one that works
        return None


def _session(onnx: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
