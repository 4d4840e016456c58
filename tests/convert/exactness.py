"""Whether a converter's graph answers as its estimator does: `differences(estimator, X)`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.base import is_classifier

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph, Precision, Table, Unsupported
from onnxlet.convert.graph.fallback import fallback
from onnxlet.convert.to_onnx import Behaviour, root_table
from onnxlet.function import json_text
from onnxlet.function.arrays import MISSING_TEXT, Array
from onnxlet.function.inputs.columns import Column
from onnxlet.function.inputs.front_end import StepFeed
from onnxlet.function.inputs.text import TokenFeed

METHODS = ("predict", "predict_proba", "decision_function", "transform")


def methods_of(estimator: Any) -> list[str]:
    """What an estimator answers; only `transform` where it predicts nothing."""
    found = [method for method in METHODS if hasattr(estimator, method)]
    return [m for m in found if m != "transform"] if "predict" in found else found


def columns_of(X: Any) -> list[Column]:
    """A signature for rows as they are: each column by its dtype."""
    if _is_texts(X):
        return [Column("x0", "string", True)]
    if not isinstance(X, pd.DataFrame):
        return [Column(f"x{place}", "float64", True) for place in range(X.shape[1])]
    return [
        Column(str(label), _type(X[label]), date=X[label].dtype.kind == "M") for label in X.columns
    ]


def _is_texts(X: Any) -> bool:
    return isinstance(X, list | pd.Series)


def _type(series: pd.Series[Any]) -> Any:
    if isinstance(series.dtype, pd.CategoricalDtype) and series.cat.categories.dtype.kind in "fi":
        series = series.astype("int64" if series.notna().all() else "float64")
    if series.dtype.kind in "fiub":
        return {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}[series.dtype.kind]
    return "string"


def answers(
    estimator: Any, X: Any, methods: Sequence[str] = (), precision: Precision = "float64"
) -> dict[str, Array]:
    """ONNX Runtime's answers to rows, by method; labels as they stand in `classes_`."""
    graph = Graph(precision, converters(), fallback)
    columns = columns_of(X)
    frame = isinstance(X, pd.DataFrame) or _is_texts(X)
    behaviour = Behaviour(form="frame" if frame else "array")
    table: Table = root_table(graph, columns, "columns" if frame else "matrix", behaviour)
    asked = list(methods or methods_of(estimator))
    outputs = [graph.call(estimator, table, method) for method in asked]
    outputs = [graph.op("Identity", tensor) for tensor in outputs]
    proto = graph.finished(outputs)  # before the inputs are asked: what nobody reads is gone then
    feeds: dict[str, Array] = {}
    for entry in graph.inputs:
        if "tokens" in entry:
            feeds |= _counts(X, entry)
        else:
            feeds[entry["name"]] = _stepped(X, entry) if "steps" in entry else _feed(X, entry)
    got = run(proto, feeds)
    for tensor, array in zip(outputs, got, strict=True):
        assert array.shape == (len(X), tensor.width), (array.shape, tensor.width)
    return dict(zip(asked, got, strict=True))


def run(proto: Any, feeds: Mapping[str, Array]) -> list[Array]:
    """The outputs of a graph in ONNX Runtime, in their order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    return list(session.run(None, feeds))


def _feed(X: Any, entry: dict[str, Any]) -> Array:
    if not isinstance(X, pd.DataFrame):
        return np.asarray(X, dtype=entry["dtype"])
    return np.hstack([_cells(X[name], entry["dtype"]) for name in entry["columns"]])


def _counts(X: Any, entry: dict[str, Any]) -> dict[str, Array]:
    """What the function counts in text, by an entry that has been in a manifest."""
    texts = pd.Series(X, dtype=object) if _is_texts(X) else X[entry["columns"][0]]
    read = json_text.loads(json_text.dumps(entry))
    return TokenFeed(read, (0, 0)).gather([_cells(texts, "string")])


def _stepped(X: Any, entry: dict[str, Any]) -> Array:
    """What the front end makes of columns, by an entry that has been in a manifest."""
    frame = pd.DataFrame({entry["columns"][0]: X}, dtype=object) if _is_texts(X) else X
    blocks = [_cells(frame[name], entry["from"]) for name in entry["columns"]]
    read = json_text.loads(json_text.dumps(entry))
    return StepFeed(read, *((number, 0) for number in range(len(blocks)))).gather(blocks)


def _cells(column: pd.Series[Any], dtype: str) -> Array:
    if dtype != "string":
        return column.to_numpy(dtype=dtype).reshape(-1, 1)
    cells = [MISSING_TEXT if pd.isna(cell) else str(cell) for cell in column]
    return np.array(cells, dtype=object).reshape(-1, 1)


def expected(estimator: Any, X: Any, method: str) -> Array:
    """Scikit-learn's own answer, of shape (rows, columns)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method == "std":
            answer = estimator.predict(X, return_std=True)[1]
        else:
            answer = getattr(estimator, method)(X)
    if isinstance(answer, list):
        answer = np.hstack(answer)
    answer = np.asarray(answer.toarray() if hasattr(answer, "toarray") else answer)
    if answer.dtype == object and not any(isinstance(cell, str) for cell in answer.ravel()):
        answer = answer.astype(np.float64)  # booleans beside numbers
    rows: Array = answer.reshape(len(answer), -1)
    return rows


def differences(
    estimator: Any,
    X: Any,
    methods: Sequence[str] = (),
    precision: Precision = "float64",
    tolerance: float = 1e-9,
) -> dict[str, str]:
    """What differs, by method: empty where every answer is scikit-learn's.

    Args:
        estimator: fitted.
        X: an array of numbers, or a DataFrame.
        methods: to be compared; all that it answers if not given.
        precision: of the inputs.
        tolerance: relative, and absolute below 1. Labels have to be equal.
    """
    got = answers(estimator, X, methods, precision)
    return {
        method: found
        for method, array in got.items()
        if (found := _difference(array, expected(estimator, X, method), tolerance))
    }


def _difference(got: Array, wanted: Array, tolerance: float) -> str:
    if got.shape != wanted.shape:
        return f"shape {got.shape} instead of {wanted.shape}"
    if wanted.dtype.kind in "OUS":
        wrong = np.asarray([[str(b) for b in row] for row in wanted.tolist()]) != got.astype(str)
    else:
        a, b = got.astype(np.float64), wanted.astype(np.float64)
        with np.errstate(all="ignore"):
            wrong = ~(np.abs(a - b) <= tolerance * np.maximum(1.0, np.abs(b)))
        wrong &= ~((a == b) | (np.isnan(a) & np.isnan(b)))
    rows = np.flatnonzero(wrong.any(axis=1))
    if not len(rows):
        return ""
    row = int(rows[0])
    return f"{len(rows)} of {len(got)} rows; row {row}: expected {wanted[row]}, got {got[row]}"


def assert_exact(estimator: Any, X: Any, **options: Any) -> None:
    """Fail, telling what differs."""
    found = differences(estimator, X, **options)
    assert not found, (
        f"{type(estimator).__name__} (classifier: {is_classifier(estimator)}): {found}"
    )


def assert_refused(
    estimator: Any, X: Any, reason: str, hint: str | None = "", methods: Sequence[str] = ()
) -> None:
    """Fail unless it has no conversion for this reason (a pattern), and the hint says a way out.

    Where `hint` is None there is no way out to say.
    """
    with pytest.raises(Unsupported, match=reason) as caught:
        answers(estimator, X, methods)
    assert hint is None or caught.value.hint
    assert (hint or "") in caught.value.hint
