"""Baselines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import make_pipeline

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import DROPPED, Graph, Table, Tensor, Unsupported
from tests.convert.converters.samples import (
    CLASSES,
    FRAME,
    LABELS,
    NAMES,
    ROWS,
    SEVERAL,
    THREE,
    X_REG,
    Y_REG,
    Y_TWO,
    X,
    fit,
    mixed,
)
from tests.convert.exactness import assert_exact, assert_refused

TARGETS = {**CLASSES, "fractions": THREE + 0.5, "labels": LABELS, "several": SEVERAL}


@pytest.mark.parametrize("strategy", ["prior", "most_frequent", "constant"])
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS)
def test_classifiers(y: Any, strategy: Any) -> None:
    constant = np.atleast_1d(y[7]).tolist() if strategy == "constant" else None
    assert_exact(fit(DummyClassifier(strategy=strategy, constant=constant), X, y), ROWS)


def test_sparse_targets() -> None:
    targets = sparse.csc_matrix(LABELS)
    for strategy in ("prior", "most_frequent", "constant"):
        model = DummyClassifier(strategy=strategy, constant=[0, 1, 0])
        assert_exact(fit(model, X, targets), X)
    assert_refused(
        fit(DummyClassifier(), X, sparse.csc_matrix(LABELS * 3 + 1)),
        X,
        "classes that it has not seen",
        None,
    )


@pytest.mark.parametrize("strategy", ["stratified", "uniform"])
def test_refuses_what_answers_at_random(strategy: Any) -> None:
    model = fit(DummyClassifier(strategy=strategy, random_state=0), X, NAMES)
    assert_refused(model, X, "answers at random")


@pytest.mark.parametrize("y", [Y_REG, Y_TWO, Y_TWO.astype(int)], ids=["one", "two", "whole"])
def test_regressors(y: Any) -> None:
    constant = 3 if y.ndim == 1 else [3, -1.5]
    for model in (
        DummyRegressor(),
        DummyRegressor(strategy="median"),
        DummyRegressor(strategy="quantile", quantile=0.3),
        DummyRegressor(strategy="constant", constant=constant),
    ):
        assert_exact(fit(model, X_REG, y), X_REG)
    assert_exact(fit(DummyRegressor(), X_REG, Y_REG), X_REG, methods=["std"])


def test_behind_text_and_numbers() -> None:
    assert_exact(fit(DummyClassifier(), FRAME, NAMES), FRAME)
    assert_exact(fit(mixed(DummyClassifier()), FRAME, NAMES), FRAME)
    assert_exact(fit(make_pipeline(DummyRegressor()), FRAME[["kind"]], THREE), FRAME[["kind"]])


def test_refuses_where_no_column_is_left() -> None:
    graph = Graph("float64", converters())
    table = Table((Tensor(graph, "", DROPPED, labels=("a",)),))
    with pytest.raises(Unsupported, match="without using any column"):
        graph.call(fit(DummyRegressor(), pd.DataFrame({"a": [1]}), np.ones(1)), table, "predict")
