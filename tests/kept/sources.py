"""The models behind each `models/`, each as small as shows its kind of inputs.

A release builds version 1 of each from this file (`release.py`; the two commits from before the
first release by `python -m convert build` and `import`, 9b8937b without report and background).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Built = tuple[Any, ...]  # an estimator, rows to test it with, and what else is there
NAMES = ("frame", "iris", "net", "text")
GOOD, BAD = ("good", "warm", "quick", "fresh"), ("bad", "cold", "slow", "stale")


def frame() -> Built:
    """A frame with numbers and categories, gaps in both."""
    random = np.random.default_rng(1)
    count = 160
    X = pd.DataFrame(
        {
            "area": random.normal(90, 20, count).round(1),
            "rooms": random.integers(1, 6, count).astype(float),
            "district": random.choice(["north", "south", "Höhe"], count),
        }
    )
    y = X["area"] * 2 + X["rooms"] * 9 + (X["district"] == "south") * 30
    X.loc[::9, "area"] = np.nan
    X.loc[::11, "district"] = None
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["area", "rooms"]),
        (OneHotEncoder(handle_unknown="ignore"), ["district"]),
    )
    model = make_pipeline(columns, Ridge()).fit(X[:120], y[:120])
    return model, X[120:], y[120:], X[:120]


def text() -> Built:
    """A text's words, weighed."""
    random = np.random.default_rng(2)
    y = random.random(80) < 0.5
    X = pd.Series([" ".join(random.choice(GOOD if good else BAD, 3)) for good in y], name="text")
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    labels = np.where(y, "praise", "blame")
    return model.fit(X[:60], labels[:60]), X[60:], labels[60:]


def iris() -> Built:
    """A bare array of numbers; trees."""
    X, y = load_iris(return_X_y=True)
    model = RandomForestClassifier(4, max_depth=3, random_state=0)
    return model.fit(X[::2], y[::2]), X[1::2], y[1::2]


def net(folder: Path, first: int = 0) -> tuple[Path, Path, Path]:
    """What another framework exports, rows from the `first` on, its answers: three files."""
    random = np.random.default_rng(4)
    weights, rows = (random.normal(size=shape).astype(np.float32) for shape in ((2, 1), (8, 2)))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Relu", ["z"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = helper.make_opsetid("", 17)
    files = folder / "net.onnx", folder / "in.npz", folder / "out.npz"
    files[0].write_bytes(
        helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
    )
    np.savez(files[1], x=rows[first:])
    np.savez(files[2], y=np.maximum(rows[first:] @ weights, 0))
    return files
