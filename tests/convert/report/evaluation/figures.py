"""What the tests of figures share: converted models with made-up data of which all is known."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from onnxlet.convert.report.evaluation.evaluation import Evaluation, answer_test_rows
from onnxlet.convert.report.evaluation.measured import Measured
from onnxlet.convert.sources.source import Source
from onnxlet.function.arrays import Array
from tests.convert.helpers import prove


def plain(found: Any) -> Any:
    """What was found as dictionaries, which are compared as a whole."""
    if isinstance(found, list | tuple):
        return type(found)(map(plain, found))
    return asdict(found) if is_dataclass(found) and not isinstance(found, type) else found


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Numbers, whole numbers, texts and booleans; `noise` is in no answer."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": random.normal(50, 15, rows),
            "rooms": random.integers(1, 7, rows),
            "town": random.choice(["Basel", "Bern", "Biel"], rows, p=[0.5, 0.3, 0.2]),
            "new": random.random(rows) < 0.4,
            "noise": random.normal(size=rows),
        }
    )


def price(X: pd.DataFrame, seed: int = 1) -> Array:
    """Thousands, of shape (rows,)."""
    random = np.random.default_rng(seed)
    towns = X["town"].map({"Basel": 30.0, "Bern": 10.0, "Biel": 0.0})
    known = 2 * X["size"] + 12 * X["rooms"] + towns + 15 * X["new"]
    return np.asarray(known + random.normal(0, 20, len(X)), dtype=np.float64)


def pipeline(last: Any) -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["town"]), remainder="passthrough"
    )
    return make_pipeline(columns, last)


def measured(
    estimator: Any, y: Array, train: int = 200, X: Any = None, fitted: bool = False, **more: Any
) -> Measured:
    """Fitted on the first rows, converted, and to be measured on the others.

    Args:
        estimator: not fitted.
        y: what was true of all rows.
        train: rows that it is fitted on.
        X: all rows; None is `table`.
        fitted: it is already.
        more: of `Measured`.
    """
    X = table(len(y)) if X is None else X
    if not fitted:
        estimator.fit(X[:train], y[:train])
    model = prove(Source(estimator, X[train:]), layout="columns").model
    known = {"X_train": X[:train], "y_train": y[:train]}
    return Measured("m", model, estimator, X[train:], y[train:], **{**known, **more})


@cache
def _known(kind: str, rows: int, train: int) -> Measured:
    """Converted once: no test changes it."""
    values = price(table(rows))
    if kind == "regression":
        return measured(pipeline(LinearRegression()), values, train)
    if kind == "binary":
        labels = np.where(values > 160, "dear", "cheap")
        return measured(pipeline(LogisticRegression(max_iter=3000)), labels, train)
    forest = RandomForestClassifier(20, max_depth=4, random_state=0)
    return measured(pipeline(forest), np.digitize(values, [140, 180]), train)


def binary(rows: int = 440, train: int = 200, **more: Any) -> Measured:
    """Dear or cheap, as text."""
    return replace(_known("binary", rows, train), **more)


def regression(rows: int = 440, train: int = 200, **more: Any) -> Measured:
    return replace(_known("regression", rows, train), **more)


def multiclass(rows: int = 440, train: int = 200, **more: Any) -> Measured:
    """Three whole numbers."""
    return replace(_known("multiclass", rows, train), **more)


def of(given: Measured) -> Evaluation:
    return answer_test_rows(given)
