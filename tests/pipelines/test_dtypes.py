"""Made pipelines over all dtypes: X_test's own rows are answered as scikit-learn answers them.

The expected answers are the estimator's own to the user's frame, and the cells are written here:
nothing of the build's reading of a test set is on either side.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from onnxlet import build
from onnxlet.convert.graph.responses import RELEASE
from onnxlet.function.app import create_app
from onnxlet.function.errors import OnnxletError
from tests.pipelines.dtypes import KINDS, answers, cells, made_pipeline

DRAWS = 8 if RELEASE >= (1, 8) else 2  # of each of 81 kinds: 648, fewer with the oldest versions


@pytest.mark.pipelines
@pytest.mark.parametrize("kind", KINDS)
def test_own_rows_are_answered_as_they_are(kind: str, tmp_path: Path) -> None:
    outcomes = Counter[str]()
    for seed in range(DRAWS):
        found = outcome(kind, seed, tmp_path / str(seed))
        assert found in ("served", "not fitted") or found.startswith("refused"), (seed, found)
        outcomes[found] += 1
    print(kind, dict(outcomes))


def outcome(kind: str, seed: int, models: Path) -> str:
    """What came of a pipeline: served, refused and why, or how its answers differ."""
    made = made_pipeline(kind, seed)
    if made is None:
        return "not fitted"
    estimator, X_test = made
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            built = build(estimator, X_test, name="m", models=models, report=lambda line: None)
        except OnnxletError as error:
            return f"refused: {error.message}"
        expected = answers(estimator, X_test)
    if wrong := differing(expected, built.predict(X_test)):
        return f"predict differs: {wrong}"
    client = create_app(models).test_client()
    answer = client.post("/predict", data=json.dumps(_rows(X_test)))
    if answer.status_code != 200:
        return f"HTTP {answer.status_code}: {answer.get_data(as_text=True)[:500]}"
    got = np.array(answer.get_json()["prediction"])
    wrong = differing(expected, got.astype(float) if expected.dtype.kind == "f" else got)
    return f"HTTP differs: {wrong}" if wrong else "served"


def _rows(X: Any) -> list[Any]:
    if not isinstance(X, pd.DataFrame):
        return [[cells(value) for value in row] for row in X.tolist()]
    columns = {str(name): [cells(value) for value in X[name].tolist()] for name in X}
    # What no request can carry, such as intervals, the model does without.
    columns = {
        name: column
        for name, column in columns.items()
        if all(value is None or isinstance(value, bool | int | float | str) for value in column)
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def differing(expected: Any, got: Any) -> str:
    """How answers differ; numbers that JSON has no form for are alike."""
    if expected.shape != got.shape:
        return f"shape {got.shape} for {expected.shape}"
    if expected.dtype.kind in "iu" and got.dtype.kind == "f" and np.abs(expected).max() < 2**53:
        expected = expected.astype(float)  # whole numbers beside which a gap makes floats
    if expected.dtype.kind == "f":
        with np.errstate(all="ignore"):
            scale = np.maximum(np.abs(expected), 1e-6 * np.nanmedian(np.abs(expected)))
            off = ~(np.abs(got - expected) <= 1e-5 * scale)
            off &= np.isfinite(expected) | np.isfinite(got.astype(float))
    else:
        off = np.array(
            [cells(a) != cells(b) for a, b in zip(expected.ravel(), got.ravel(), strict=True)]
        )
    if not off.any():
        return ""
    at = np.flatnonzero(off.ravel())[0]
    return f"{off.sum()} of {off.size}: {got.ravel()[at]} for {expected.ravel()[at]}"
