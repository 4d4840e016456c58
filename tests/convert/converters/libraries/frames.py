"""Whether a transformer's graph makes the frame that the transformer makes, column by column."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph, Precision
from onnxlet.convert.graph.fallback import fallback
from onnxlet.convert.to_onnx import root_table
from onnxlet.function.arrays import MISSING_TEXT
from tests.convert.exactness import _feed, columns_of, run


def frame_made(estimator: Any, X: pd.DataFrame, precision: Precision = "float64") -> pd.DataFrame:
    """What ONNX Runtime makes of the rows, under the names that later steps choose columns by."""
    graph = Graph(precision, converters(), fallback)
    table = graph.transform(estimator, root_table(graph, columns_of(X), "columns"))
    outputs = [graph.op("Identity", tensor) for tensor in graph.columns(table)]
    got = run(graph.finished(outputs), {entry["name"]: _feed(X, entry) for entry in graph.inputs})
    return pd.DataFrame(
        {name: array[:, 0] for name, array in zip(table.labels, got, strict=True)}, index=X.index
    )


def assert_same_frame(estimator: Any, X: pd.DataFrame, tolerance: float = 1e-9) -> None:
    """Fail where a name, the order of the columns, or a value differs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = estimator.transform(X)
    made = frame_made(estimator, X.infer_objects().rename(columns=str))
    assert made.columns.tolist() == [str(name) for name in expected.columns]
    assert len(made) == len(expected)
    for name, wanted in zip(made.columns, expected.columns, strict=True):
        found, known = made[name], expected[wanted]
        if found.dtype.kind in "fiub":
            np.testing.assert_allclose(
                found.astype(float), known.astype(float), tolerance, tolerance, err_msg=str(name)
            )
        else:
            texts = [MISSING_TEXT if pd.isna(one) else one for one in known]
            assert found.tolist() == texts, name
