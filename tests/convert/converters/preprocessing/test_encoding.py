"""Encoders of categories against scikit-learn: settings by data, unseen and missing values too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from onnxlet.convert.graph import categories
from tests.convert.exactness import assert_exact, assert_refused
from tests.convert.helpers import objects

NAN = np.nan
RANDOM = np.random.default_rng(7)
ROWS = 90


FITTED: dict[str, pd.DataFrame] = {
    "text": pd.DataFrame(
        {"a": RANDOM.choice(["x", "y", "z"], ROWS, p=[0.7, 0.2, 0.1]), "b": ["m", "n", "n"] * 30}
    ),
    "text with NaN": pd.DataFrame(
        {"a": objects(["x", NAN, "nan", "x", "y"] * 18), "b": ["", "n", "n"] * 30}
    ),
    "text with None": pd.DataFrame(
        {"a": objects(["x", None, "None", "x", "y"] * 18), "b": ["x", "y", "é\U0001f600"] * 30}
    ),
    "nothing but NaN": pd.DataFrame({"a": objects([NAN] * ROWS), "b": ["m", "n", "n"] * 30}),
    "whole numbers": pd.DataFrame({"a": RANDOM.integers(-1, 3, ROWS), "b": [5, 6, 6] * 30}),
    "ids": pd.DataFrame({"a": RANDOM.choice([2**53, 2**53 + 1, 2**60 + 1, -7], ROWS)}),
    "fractions": pd.DataFrame({"a": RANDOM.choice([0.1, 0.25, -3.5], ROWS), "b": [-0.0] * ROWS}),
    "fractions with NaN": pd.DataFrame(
        {"a": RANDOM.choice([0.1, NAN, -3.5], ROWS), "b": [0.5, NAN, NAN] * 30}
    ),
    "large numbers": pd.DataFrame({"a": RANDOM.choice([1e6, 1e12, -1e25, 5e-324, 0.0], ROWS)}),
    "booleans": pd.DataFrame({"a": RANDOM.random(ROWS) < 0.2, "b": [True, False, False] * 30}),
    "all sorts": pd.DataFrame(
        {
            "n": RANDOM.integers(0, 4, ROWS),
            "t": RANDOM.choice(["1", "0", "x"], ROWS),
            "f": RANDOM.choice([0.5, NAN, 1.0], ROWS),
            "b": RANDOM.random(ROWS) < 0.5,
            "u": RANDOM.choice(["x", "y", "1"], ROWS),
            "m": RANDOM.integers(0, 2, ROWS),
        }
    ),
}
GIVEN: dict[str, pd.DataFrame] = {
    "text": pd.DataFrame({"a": ["x", "X", "", "m", "z"], "b": ["m", "x", "n", "n ", "o"]}),
    "text with NaN": pd.DataFrame({"a": objects(["x", "w", NAN, "nan"]), "b": ["", "n", "b", "x"]}),
    "text with None": pd.DataFrame(
        {"a": objects(["x", None, "none", "None"]), "b": ["x", "é\U0001f600", "e", "None"]}
    ),
    "nothing but NaN": pd.DataFrame({"a": objects([NAN, "nan", "m"]), "b": ["m", "n", "o"]}),
    "whole numbers": pd.DataFrame({"a": [-1, 4, 5, 6], "b": [6, 5, -1, 7]}),
    "ids": pd.DataFrame({"a": [2**53, 2**53 + 1, 2**53 + 2, 2**60, 2**60 + 1]}),
    "fractions": pd.DataFrame(
        {"a": [0.1, np.nextafter(0.1, 1), 0.25, NAN, float(np.float32(0.1))], "b": [0.0] * 5}
    ),
    "fractions with NaN": pd.DataFrame({"a": [0.1, NAN, 0.2, -3.5], "b": [NAN, 0.5, 0.1, NAN]}),
    "large numbers": pd.DataFrame({"a": [1e6, 1e6 + 1, 1e12, -1e25, NAN, 0.0, -0.0, 5e-324]}),
    "booleans": pd.DataFrame({"a": [True, False], "b": [False, True]}),
    "all sorts": pd.DataFrame(
        {
            "n": [0, 7, 3],
            "t": ["1", "y", "x"],
            "f": [NAN, 0.5, 0.25],
            "b": [True, False, True],
            "u": ["x", "0", "1"],
            "m": [1, 0, 2],
        }
    ),
}
UNSEEN: dict[str, Any] = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
ENCODERS: dict[str, Any] = {
    "plain": OneHotEncoder(),
    "drop first": OneHotEncoder(drop="first"),
    "drop if binary": OneHotEncoder(drop="if_binary"),
    "ignore": OneHotEncoder(handle_unknown="ignore"),
    "ignore, drop first": OneHotEncoder(handle_unknown="ignore", drop="first"),
    "min_frequency": OneHotEncoder(min_frequency=25, handle_unknown="ignore"),
    "a share": OneHotEncoder(min_frequency=0.3, handle_unknown="ignore"),
    "max_categories": OneHotEncoder(max_categories=2, handle_unknown="ignore"),
    "one category": OneHotEncoder(max_categories=1, handle_unknown="ignore"),
    "infrequent": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=25),
    "infrequent, none": OneHotEncoder(handle_unknown="infrequent_if_exist"),
    "infrequent, if binary": OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=2, drop="if_binary"
    ),
    "infrequent, first": OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=3, drop="first"
    ),
    "warn": OneHotEncoder(handle_unknown="warn", min_frequency=25),
    "dense whole numbers": OneHotEncoder(dtype=np.int32, sparse_output=False),
    "ordinal": OrdinalEncoder(),
    "ordinal, unseen": OrdinalEncoder(**UNSEEN),
    "ordinal, unseen NaN": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=NAN),
    "ordinal, missing": OrdinalEncoder(encoded_missing_value=-2, **UNSEEN),
    "ordinal, missing alike": OrdinalEncoder(encoded_missing_value=-1, **UNSEEN),
    "ordinal, min_frequency": OrdinalEncoder(min_frequency=25, **UNSEEN),
    "ordinal, max_categories": OrdinalEncoder(max_categories=2, **UNSEEN),
    "ordinal, one category": OrdinalEncoder(max_categories=1, encoded_missing_value=-3, **UNSEEN),
    "ordinal, float32": OrdinalEncoder(dtype=np.float32, **UNSEEN),
    "ordinal, whole": OrdinalEncoder(dtype=np.int8, encoded_missing_value=99, **UNSEEN),
    "continuous": TargetEncoder(target_type="continuous"),
    "continuous, smooth": TargetEncoder(target_type="continuous", smooth=3.0),
    "binary": TargetEncoder(target_type="binary"),
    "multiclass": TargetEncoder(target_type="multiclass", smooth=0.5),
}
TARGETS: dict[str, Any] = {
    "continuous": RANDOM.normal(size=ROWS) * 1e3,
    "binary": np.array(["no", "yes"])[RANDOM.integers(0, 2, ROWS)],
    "multiclass": RANDOM.integers(0, 3, ROWS) * 10,
}


def answered(fitted: Any, X: pd.DataFrame) -> pd.DataFrame:
    """Only the rows that scikit-learn answers."""
    rows = [index for index in range(len(X)) if _answers(fitted, X.iloc[index : index + 1])]
    return X.iloc[rows]


def _answers(fitted: Any, X: pd.DataFrame) -> bool:
    try:
        fitted.transform(X)
    except ValueError:
        return False
    return True


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("data", FITTED)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_categories(encoder: str, data: str) -> None:
    X, made = FITTED[data], ENCODERS[encoder]
    made.fit(X, TARGETS.get(getattr(made, "target_type", "")))

    assert_exact(made, X)
    rows = answered(made, GIVEN[data])
    if "error" not in str(getattr(made, "handle_unknown", "")):
        assert len(rows)
    if len(rows):
        assert_exact(made, rows)


def test_a_column_shares_no_category_with_another() -> None:
    X = pd.DataFrame({"a": ["x", "y"] * 5, "b": ["y", "z"] * 5})
    given = pd.DataFrame({"a": ["z", "x", "y"], "b": ["x", "z", "y"]})

    assert_exact(OneHotEncoder(handle_unknown="ignore").fit(X), given)
    assert_exact(OrdinalEncoder(**UNSEEN).fit(X), given)


def test_categories_as_they_are_given() -> None:
    X = pd.DataFrame({"t": ["low", "high", "mid"] * 4, "n": [1.0, 2.0, NAN] * 4})
    given_ones: Any = [["low", "mid", "high", "top"], [0.0, 1.0, 2.0, NAN]]
    given = pd.DataFrame({"t": ["top", "low", "mid"], "n": [0.0, NAN, 2.0]})

    for encoder in (OneHotEncoder(categories=given_ones), OrdinalEncoder(categories=given_ones)):
        assert_exact(encoder.fit(X), X)
        assert_exact(encoder, given)


@pytest.mark.parametrize("values", [1, 2], ids=["at once", "column by column"])
def test_more_categories_than_one_table_holds(values: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(categories, "LARGEST_TABLE", 100_000 if values == 1 else 10)
    many = [f"v{number}" for number in range(300)]
    X = pd.DataFrame({"a": many, "n": np.arange(300) / 7, "b": many[::-1], "i": np.arange(300)})
    y = RANDOM.integers(0, 3, 300)
    given = X.assign(a=X["b"].str.upper(), i=X["i"] + 150)

    for encoder in (TargetEncoder(), TargetEncoder(target_type="continuous")):
        assert_exact(encoder.fit(X, y), X)
        assert_exact(encoder, given)
    assert_exact(OrdinalEncoder(**UNSEEN).fit(X), given)


def test_numbers_out_of_one_matrix() -> None:
    X = RANDOM.choice([0.1, 0.2, NAN, 5.0], (80, 4))
    given = RANDOM.choice([0.1, 0.25, NAN, 6.0], (20, 4))

    for encoder in (OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder(**UNSEEN)):
        assert_exact(encoder.fit(X), X)
        assert_exact(encoder, given)
        assert_exact(encoder, given, precision="float32")


def test_an_encoder_of_codes() -> None:
    X = FITTED["text"]
    model = make_pipeline(OrdinalEncoder(**UNSEEN), OneHotEncoder(handle_unknown="ignore"))

    assert_exact(model.fit(X), X)
    assert_exact(model, GIVEN["text"])


def test_encoders_between_columns_of_other_kinds() -> None:
    X = FITTED["all sorts"]
    model = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["u", "n", "t"]),
        (StandardScaler(), ["n", "m"]),
        (OrdinalEncoder(**UNSEEN), ["m", "u", "f"]),
    )

    assert_exact(model.fit(X), X)
    assert_exact(model, GIVEN["all sorts"])


def test_many_categories_of_numbers_and_text() -> None:
    X = pd.DataFrame(
        {
            "n": RANDOM.integers(0, 400, 900) / 7,
            "t": [f"v{number}" for number in RANDOM.integers(0, 400, 900)],
            "i": RANDOM.integers(0, 10, 900),
        }
    )
    for options in ({}, {"min_frequency": 3}, {"drop": "first"}):
        made = OneHotEncoder(handle_unknown="ignore", **options).fit(X[:700])
        assert_exact(made, X)


def test_few_nodes_for_many_columns() -> None:
    from onnxlet.convert.converters.registry import Graph, converters
    from onnxlet.convert.to_onnx import root_table
    from tests.convert.exactness import columns_of

    X = pd.DataFrame({f"c{index}": RANDOM.choice(["x", "y", "z"], 60) for index in range(20)})
    for encoder in (OneHotEncoder(), OrdinalEncoder(), OneHotEncoder(max_categories=2)):
        graph = Graph("float64", converters())
        table = root_table(graph, columns_of(X), "columns")
        proto = graph.finished([graph.call(encoder.fit(X), table, "transform")])
        assert len(proto.graph.node) <= 7


@pytest.mark.parametrize(
    ("encoder", "X", "reason"),
    [
        (OneHotEncoder(), pd.DataFrame({"a": objects(["x", None, NAN])}), "both None and NaN"),
        (OrdinalEncoder(), pd.DataFrame({"a": objects(["x", None, NAN])}), "both None and NaN"),
        (OneHotEncoder(drop="first"), pd.DataFrame({"a": ["x"] * 3}), "drops every category"),
        (OrdinalEncoder(dtype=np.str_), pd.DataFrame({"a": ["x", "y"]}), "encodes as"),
    ],
)
def test_what_is_refused(encoder: Any, X: pd.DataFrame, reason: str) -> None:
    assert_refused(encoder.fit(X), X, reason)
