"""Our own converters give scikit-learn's very numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from convert.source import Source
from tests.convert.helpers import built, largest_difference, prove

NAN = float("nan")
FLOAT32_STEP = 1e-7  # relative: what rounding an answer to float32 costs
TREE_STEP = (
    FLOAT32_STEP  # TreeEnsembleRegressor of ai.onnx.ml 3 adds in float64, answers in float32
)

precisions = pytest.mark.parametrize("precision", ["float32", "float64"])


def within(precision: str) -> float:
    return FLOAT32_STEP if precision == "float32" else 0.0


def objects(values: Any) -> pd.Series[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return pd.Series(array, dtype=object)


def fitted(estimator: Any, X: Any, y: Any = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return estimator.fit(X, y)


# SimpleImputer

random = np.random.default_rng(1)
GAPS = random.normal(size=(60, 4)).round(1)
GAPS[::5, 0] = NAN
GAPS[::7, 2] = NAN
EMPTY = GAPS.copy()
EMPTY[:, 2] = NAN


@precisions
@pytest.mark.parametrize("strategy", ["mean", "median", "most_frequent", "constant"])
@pytest.mark.parametrize("add_indicator", [False, True])
@pytest.mark.parametrize("keep_empty_features", [False, True])
@pytest.mark.parametrize("train", [GAPS, EMPTY], ids=["gaps", "an all-missing column"])
def test_imputed_numbers(
    precision: str, strategy: str, add_indicator: bool, keep_empty_features: bool, train: Any
) -> None:
    imputer = fitted(
        SimpleImputer(
            strategy=strategy, add_indicator=add_indicator, keep_empty_features=keep_empty_features
        ),
        train,
    )
    # Rows in which another column is missing than in training, too.
    test = np.where(random.random(GAPS.shape) < 0.3, NAN, GAPS)
    proof = prove(Source(imputer, test), precision)

    comparison = proof.compare()
    assert comparison.passed
    assert comparison.outputs["prediction"].relative <= within(precision)


@precisions
@pytest.mark.parametrize("value", [-1, 0])
@pytest.mark.parametrize("add_indicator", [False, True])
def test_imputed_numbers_whose_gaps_are_a_number(
    precision: str, value: int, add_indicator: bool
) -> None:
    X = random.integers(-2, 4, (60, 3))
    imputer = SimpleImputer(missing_values=value, add_indicator=add_indicator).fit(X)
    proof = prove(Source(imputer, X), precision)

    assert not any(column.nullable for column in proof.columns)
    comparison = proof.compare()
    assert comparison.passed
    assert comparison.outputs["prediction"].relative <= within(precision)


@precisions
def test_a_constant_for_numbers(precision: str) -> None:
    imputer = SimpleImputer(strategy="constant", fill_value=-99.5).fit(GAPS)
    assert largest_difference(prove(Source(imputer, GAPS), precision).compare()) <= 1e-6


TEXTS = pd.DataFrame(
    {
        "a": pd.Series(["x", "y", "x", NAN, "nan", "x"] * 8, dtype=object),
        "b": pd.Series(["m", NAN, "m", "", "None", "ü"] * 8, dtype=object),
    }
)
LABELS = np.arange(48) % 7 < 3


@pytest.mark.parametrize("layout", ["matrix", "columns"])
@pytest.mark.parametrize(
    "imputer",
    [
        SimpleImputer(strategy="most_frequent"),
        SimpleImputer(strategy="constant"),
        SimpleImputer(strategy="constant", fill_value="?"),
    ],
    ids=["most frequent", "constant", "own constant"],
)
def test_imputed_text(imputer: Any, layout: Any) -> None:
    proof = prove(Source(imputer.fit(TEXTS), TEXTS), "float32", layout, hard=True)

    assert [column.nullable for column in proof.columns] == [True, True]
    assert proof.compare().passed


def test_imputed_text_whose_gaps_are_empty(tmp_path: Path) -> None:
    X = TEXTS.fillna("")
    model = make_pipeline(
        SimpleImputer(missing_values="", strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegression(),
    ).fit(X, LABELS)

    manifest = built(Source(model, X), tmp_path).manifest
    assert manifest["parity"]["recipe"] == "float32 columns"


@pytest.mark.parametrize("keep_empty_features", [False, True])
def test_imputed_text_with_an_all_missing_column(keep_empty_features: bool) -> None:
    X = TEXTS.assign(empty=objects([NAN] * 48))
    imputer = SimpleImputer(strategy="constant", keep_empty_features=keep_empty_features)
    source = Source(fitted(imputer, X), X)

    assert prove(source, "float32", "columns").compare().passed


def test_text_with_missing_indicators_is_converted_or_refused_never_wrong() -> None:
    imputer = SimpleImputer(strategy="most_frequent", add_indicator=True).fit(TEXTS)
    with pytest.raises(NotImplementedError, match="add_indicator"):
        prove(Source(imputer, TEXTS), "float32", "columns")


# OneHotEncoder

DAYS = random.choice([1, 2, 3, 7, 2**24, 2**24 + 1], 90)
ENCODED: dict[str, pd.DataFrame] = {
    "text": pd.DataFrame(
        {"a": random.choice(["x", "y", "z"], 90, p=[0.7, 0.2, 0.1]), "b": ["m", "n", "n"] * 30}
    ),
    "text with NaN": pd.DataFrame(
        {
            "a": pd.Series(["x", NAN, "nan", "x", "y"] * 18, dtype=object),
            "b": ["", "n", "n"] * 30,
        }
    ),
    "whole numbers": pd.DataFrame({"a": random.integers(-1, 3, 90), "b": [5, 6, 6] * 30}),
    "fractions": pd.DataFrame({"a": random.choice([0.1, 0.25, -3.5], 90), "b": [0.3] * 90}),
    "fractions with NaN": pd.DataFrame(
        {"a": random.choice([0.1, NAN, -3.5], 90), "b": [0.5, NAN, NAN] * 30}
    ),
    "booleans": pd.DataFrame({"a": random.random(90) < 0.2, "b": [True, False, False] * 30}),
}
ENCODERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "drop first": {"drop": "first"},
    "drop if binary": {"drop": "if_binary"},
    "ignore": {"handle_unknown": "ignore"},
    "ignore and drop": {"handle_unknown": "ignore", "drop": "first"},
    "min_frequency": {"min_frequency": 25},
    "min_frequency as a share": {"min_frequency": 0.3, "handle_unknown": "ignore"},
    "max_categories": {"max_categories": 2},
    "infrequent if exist": {"handle_unknown": "infrequent_if_exist", "min_frequency": 25},
    "infrequent if exist, none": {"handle_unknown": "infrequent_if_exist"},
    "infrequent and drop if binary": {
        "handle_unknown": "infrequent_if_exist",
        "max_categories": 2,
        "drop": "if_binary",
    },
    "own dtype": {"dtype": np.int32, "sparse_output": False},
}


@pytest.mark.parametrize("X", ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize("options", ENCODERS.values(), ids=ENCODERS)
@precisions
def test_encoded_categories(precision: str, X: pd.DataFrame, options: dict[str, Any]) -> None:
    encoder = OneHotEncoder(**options).fit(X)
    proof = prove(Source(encoder, X), precision, "columns", hard=precision == "float64")

    assert largest_difference(proof.compare()) == 0


NONES = objects(["x", None, "None", "x", "y"] * 18)


@pytest.mark.parametrize("options", [{}, {"handle_unknown": "ignore", "min_frequency": 25}])
@pytest.mark.parametrize("form", ["frame", "array"])
def test_none_as_a_category(form: str, options: dict[str, Any]) -> None:
    frame = pd.DataFrame({"a": NONES})
    X: Any = frame if form == "frame" else frame.to_numpy()
    encoder = OneHotEncoder(**options).fit(X)
    proof = prove(Source(encoder, X), "float32")

    assert encoder.categories_[0].tolist() == ["None", "x", "y", None]
    assert largest_difference(proof.compare()) == 0


@pytest.mark.parametrize("unknown", ["ignore", "infrequent_if_exist"])
def test_unseen_and_missing_values_of_open_columns(unknown: str) -> None:
    X = pd.DataFrame({"t": ["x", "y", "y"] * 9, "n": [1, 2, 2] * 9, "f": [0.1, 0.2, 0.2] * 9})
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown=unknown, min_frequency=10), ["t"]),
        (OneHotEncoder(handle_unknown=unknown, min_frequency=10), ["n", "f"]),
    )
    test = pd.DataFrame(
        {
            "t": ["X", NAN, "", "nan", "x"],
            "n": [3.0, NAN, 1.5, 1.0, 2.0],
            "f": [np.nextafter(0.1, 1), NAN, float(np.float32(0.1)), 0.1, 0.2],
        }
    )
    proof = prove(Source(columns.fit(X), test), "float64", "columns")

    assert largest_difference(proof.compare()) == 0


def test_integers_next_to_each_other_beyond_float32_need_float64(tmp_path: Path) -> None:
    X = pd.DataFrame({"id": DAYS})
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, DAYS % 5)

    parity = built(Source(model, X), tmp_path).manifest["parity"]
    assert parity["recipe"].startswith("float64")
    assert parity["recipes_that_failed"][0]["recipe"] == "float32 matrix"


def test_missing_text_beside_the_text_nan_through_a_build(tmp_path: Path) -> None:
    X = ENCODED["text with NaN"]
    y = X["a"].isna().to_numpy()  # what tells them apart is what is learnt
    model = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X, y)

    result = built(Source(model, X, y), tmp_path)
    assert result.manifest["metrics"]["accuracy"]["model"] == 1.0
    assert result.manifest["signature"]["inputs"][0]["nullable"] is True


def test_both_none_and_nan_in_one_column_are_refused_or_right(tmp_path: Path) -> None:
    from convert.errors import Refusal

    X = pd.DataFrame({"a": objects(["x", None, NAN] * 10)})
    y = np.array([0.0, 1.0, 2.0] * 10)
    model = make_pipeline(OneHotEncoder(), LinearRegression()).fit(X, y)

    with pytest.raises(Refusal, match="plain values"):
        built(Source(model, X), tmp_path)


# Trees

GRID = random.integers(0, 6, (120, 3)).astype(float)  # thresholds are halves: exact in float32
SMOOTH = random.normal(size=(120, 3))
HOLES = np.where(random.random(SMOOTH.shape) < 0.25, NAN, SMOOTH)
TREES = [
    DecisionTreeClassifier(random_state=0, max_depth=6),
    ExtraTreeClassifier(random_state=0, max_depth=6),
    RandomForestClassifier(4, random_state=0, max_depth=6),
    ExtraTreesClassifier(4, random_state=0, max_depth=6),
    DecisionTreeRegressor(random_state=0, max_depth=6),
    ExtraTreeRegressor(random_state=0, max_depth=6),
    RandomForestRegressor(4, random_state=0, max_depth=6),
    ExtraTreesRegressor(3, random_state=0, max_depth=6),
]
tree_kinds = pytest.mark.parametrize("tree", TREES, ids=lambda tree: type(tree).__name__)


def target(X: Any, kind: str) -> Any:
    value = np.nan_to_num(X[:, 0], nan=2.0) - np.nan_to_num(X[:, 1], nan=-1.0) * X[:, 2] ** 0
    value = np.nan_to_num(value)
    if kind == "number":
        return value
    third = np.digitize(value, np.quantile(value, [0.3, 0.6]))
    return {
        "int": third * 10 - 10,
        "str": np.array(["niedrig", "mittel", "höher"])[third],
        "bool": third > 0,
        "objects": np.array(["a", "b", "c"], dtype=object)[third],
    }[kind]


@precisions
@tree_kinds
@pytest.mark.parametrize("train", [GRID, SMOOTH, HOLES], ids=["grid", "smooth", "gaps"])
def test_trees(precision: str, tree: Any, train: Any) -> None:
    labels = "int" if is_classifier(tree) else "number"
    model = tree.fit(train[:80], target(train, labels)[:80])
    proof = prove(Source(model, train), precision, hard=True)

    comparison = proof.compare()
    assert comparison.passed
    for difference in comparison.outputs.values():
        assert difference.relative <= TREE_STEP


@pytest.mark.parametrize("labels", ["int", "str", "bool", "objects"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: DecisionTreeClassifier(max_depth=3),
        lambda: RandomForestClassifier(4, random_state=2, max_depth=3),
    ],
    ids=["tree", "forest"],
)
def test_labels_keep_their_type(make: Any, labels: str) -> None:
    y = target(SMOOTH, labels)
    proof = prove(Source(make().fit(SMOOTH, y), SMOOTH), "float32", hard=True)

    got = proof.model.run(_table(proof))["prediction"]
    assert proof.compare().passed
    expected = {"int": np.int64, "bool": np.bool_}.get(labels, np.object_)
    assert got.dtype == expected
    assert set(got.tolist()) == set(y.tolist())
    assert proof.model.classes == sorted(set(y.tolist()))


def _table(proof: Any) -> Any:
    from function.table import read_table

    return read_table(proof.rows, proof.model.signature)


@precisions
@pytest.mark.parametrize(
    "make",
    [
        lambda: DecisionTreeRegressor(max_depth=5),
        lambda: RandomForestRegressor(4, random_state=0),
        lambda: ExtraTreesRegressor(3, random_state=0),
    ],
    ids=["tree", "forest", "extra trees"],
)
@pytest.mark.parametrize("train", [SMOOTH, HOLES], ids=["whole", "gaps"])
def test_several_numbers_at_once(precision: str, make: Any, train: Any) -> None:
    value = target(train, "number")
    Y = np.column_stack([value, -3 * value, value**2])
    proof = prove(Source(make().fit(train, Y), train), precision, hard=True)

    assert proof.manifest["signature"]["outputs"][0]["shape"] == [-1, 3]
    comparison = proof.compare()
    assert comparison.passed
    assert comparison.outputs["prediction"].relative <= TREE_STEP


def test_values_on_and_next_to_every_threshold() -> None:
    model = DecisionTreeRegressor(random_state=0).fit(GRID, np.arange(120.0))
    inner = model.tree_.feature >= 0
    rows: list[Any] = []
    for feature, threshold in zip(
        model.tree_.feature[inner], model.tree_.threshold[inner], strict=True
    ):
        for value in (threshold, np.nextafter(threshold, 9), np.nextafter(threshold, -9)):
            rows.append(GRID[len(rows) % 120].copy())
            rows[-1][feature] = value
    for precision in ("float32", "float64"):
        comparison = prove(Source(model, np.array(rows)), precision).compare()
        assert comparison.passed
        assert comparison.outputs["prediction"].relative <= TREE_STEP


def test_halves_of_an_even_number_of_trees_are_the_same_label() -> None:
    model = RandomForestClassifier(2, max_depth=1, random_state=1).fit(
        GRID, np.array(["no", "yes"])[(GRID[:, 0] > 2).astype(int)]
    )
    model.estimators_[1] = model.estimators_[0]
    proof = prove(Source(model, GRID), "float64", hard=True)

    comparison = proof.compare()
    assert comparison.passed
    got = proof.model.run(_table(proof))["prediction"]
    assert (got == proof.expected["prediction"]).all()  # with ties or without


@pytest.mark.parametrize("weight", ["balanced", {0: 1e-3, 1: 1e3}])
def test_class_weights(weight: Any) -> None:
    model = RandomForestClassifier(4, class_weight=weight, max_depth=3, random_state=0)
    proof = prove(Source(model.fit(SMOOTH, SMOOTH[:, 0] > 0.5), SMOOTH), hard=True)
    assert largest_difference(proof.compare()) <= TREE_STEP


def test_a_tree_that_is_a_single_leaf() -> None:
    for model in (DecisionTreeRegressor(), RandomForestRegressor(2), DecisionTreeClassifier()):
        proof = prove(Source(model.fit(SMOOTH, np.ones(120, dtype=int)), SMOOTH))
        assert largest_difference(proof.compare()) == 0


def test_whole_number_columns_with_gaps_in_a_forest() -> None:
    X = pd.DataFrame({"n": random.integers(0, 2**40, 90), "m": random.integers(0, 9, 90)})
    train = X.astype(float).where(random.random((90, 2)) > 0.2)
    model = RandomForestRegressor(3, random_state=0).fit(train, X["m"] * 1.0)
    proof = prove(Source(model, X), "float64", hard=True)

    assert [column.nullable for column in proof.columns] == [True, True]
    assert largest_difference(proof.compare()) <= 1e-6


def test_a_forest_behind_an_imputer_and_an_encoder(tmp_path: Path) -> None:
    X = pd.DataFrame(HOLES, columns=["a", "b", "c"]).assign(t=random.choice(["u", "v"], 120))
    columns = make_column_transformer(
        (SimpleImputer(add_indicator=True), ["a", "b"]),
        (OneHotEncoder(drop="if_binary"), ["t"]),
        ("passthrough", ["c"]),
    )
    model = make_pipeline(columns, RandomForestClassifier(6, random_state=0))
    y = target(HOLES, "str")

    parity = built(Source(model.fit(X, y), X), tmp_path).manifest["parity"]
    assert parity["differing_rows"] == 0
