"""Functions that choose columns and fill gaps, and those that do anything else."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from onnxlet.convert.converters.registry import converters
from onnxlet.convert.graph.converter import Graph, Table, Unsupported
from onnxlet.convert.to_onnx import root_table
from tests.convert.exactness import assert_exact, columns_of
from tests.convert.versions import SHAPE

AS_ROW: dict[str, Any] = {SHAPE: -1}
FRAME = pd.DataFrame(
    {
        "title": ["good movie", "Bad movie", "", "the rest"],
        "text": ["a good one", None, "bad bad", float("nan")],
        "size": [1.5, np.nan, 3.0, 4.0],
        "count": [1, 2, 3, 4],
    },
    dtype=object,
).astype({"size": float, "count": int})


def column(X: Any) -> Any:
    """As people write it for a union's part."""
    text = X["text"].fillna("nothing")
    return text.astype(str)


OF_FRAMES: list[Callable[[Any], Any]] = [
    column,
    operator.itemgetter("title"),
    lambda X: X.title,
    lambda X: X["title"].astype(str),
    lambda X: X["title"].to_numpy(),
    lambda X: X[["title"]].squeeze(),
    lambda X: X[["text", "title"]].iloc[:, -1].values,
    lambda X: X.loc[:, "text"].fillna(value="gap").tolist(),
    lambda X: X.iloc[:, 0:1].copy().to_numpy().ravel(),
    lambda X: np.ravel(X[["title"]]),
    lambda X: X[["title", "text"]].fillna("?").loc[:, ["text"]].values.reshape(-1),
]


@pytest.mark.parametrize("function", OF_FRAMES)
def test_one_column_of_text_is_cut(function: Callable[[Any], Any]) -> None:
    pipeline = make_pipeline(FunctionTransformer(function), CountVectorizer()).fit(FRAME)

    assert_exact(pipeline, FRAME, methods=["transform"])


def test_parts_of_a_union_choose_their_columns() -> None:
    union = make_union(
        make_pipeline(FunctionTransformer(lambda X: X["title"]), CountVectorizer()),
        make_pipeline(FunctionTransformer(column), CountVectorizer(analyzer="char")),
        make_pipeline(
            FunctionTransformer(lambda X: X[["count", "size"]].fillna(0)), StandardScaler()
        ),
    )

    assert_exact(make_pipeline(union, Ridge()).fit(FRAME, [1, 2, 3, 4]), FRAME)


@pytest.mark.parametrize(
    "function",
    [
        lambda X: X.ravel(),
        lambda X: X[:, 0],
        lambda X: X.reshape(-1),
        lambda X: np.reshape(X, **AS_ROW),
        lambda X: X.reshape((-1, 1))[:, 0].flatten(),
    ],
)
def test_an_imputers_column_is_laid_flat(function: Callable[[Any], Any]) -> None:
    filled = SimpleImputer(strategy="constant", fill_value="nothing")
    words = make_pipeline(filled, FunctionTransformer(function), CountVectorizer())
    columns = ColumnTransformer([("text", words, ["text"]), ("size", "drop", ["size"])])
    X = FRAME.assign(text=FRAME["text"].fillna(np.nan))

    assert_exact(columns.fit(X), X, methods=["transform"])


def swallowed(X: Any) -> Any:
    try:
        return X["text"].str.normalize("NFC")
    except Exception:
        return X["text"]


OTHER: list[tuple[Callable[[Any], Any], str]] = [
    (lambda X: X["title"].str.normalize("NFC"), "text changed by .str.normalize"),
    (lambda X: X["title"].map(str.partition), "text changed by .str.partition"),
    (lambda X: [text.lower() for text in X["title"] if text], "goes through the rows"),
    (lambda X: X["title"] if len(X) > 1 else X["text"], "number of rows"),
    (lambda X: X["title"] if X["size"].iloc[0] == 1 else X["text"], "iloc has no conversion"),
    (lambda X: X["title"].to_numpy().reshape(2, -1), "reshape"),
    (lambda X: "" if pd.isna(X["title"]) else X["title"], "decides by a column's values"),
    (lambda X: X["title"] or "", "decides by a column's values"),
    (lambda X: f"{X['title']}", "prints a column's values"),
    (lambda X: X.iloc[0], "takes some rows"),
    (lambda X: X.iloc[1:, 0], "takes some rows"),
    (lambda X: X["missing"], "KeyError: 'missing'"),
    (lambda X: X[X["size"] > 1]["title"], "takes some rows"),
    (lambda X: None, "returns None"),
    (swallowed, "text changed by .str.normalize"),
]


@pytest.mark.parametrize(("function", "reason"), OTHER)
def test_what_a_function_does_besides_is_not_guessed(
    function: Callable[[Any], Any], reason: str
) -> None:
    graph = Graph("float64", converters())
    table = root_table(graph, columns_of(FRAME), "columns")
    fitted = FunctionTransformer().fit(FRAME).set_params(func=function)

    with pytest.raises(Unsupported, match=reason) as caught:
        graph.transform(fitted, Table(table.tensors))

    assert caught.value.hint
