"""CatBoost's categories: counters, combinations, one-hot splits, on real tables.

CatBoost itself is the reference, on held-out rows and on thousands that mix the values of these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from struct import unpack_from
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from onnxlet.convert.sources.source import Source
from tests.convert.exactness import assert_exact, assert_refused
from tests.convert.helpers import prove
from tests.pipelines import data_sets

catboost = pytest.importorskip("catboost")
CatBoostClassifier, CatBoostRegressor = catboost.CatBoostClassifier, catboost.CatBoostRegressor

TRAINED, HELD_OUT, MADE = 700, 300, 2500  # rows
SMALL = {
    "iterations": 60, "random_seed": 0, "verbose": 0, "allow_writing_files": False,
    "thread_count": 1, "model_size_reg": 0, "random_strength": 20,  # these for many counters
}  # fmt: skip

Table = tuple[pd.DataFrame, Any]


def filled(load: Callable[[], Table]) -> Table:
    """A table whose texts have no gaps: CatBoost takes none as a category."""
    X, y = load()
    texts = [name for name in data_sets.texts(X) if X[name].dtype != bool]
    X[texts] = X[texts].astype(object).fillna("missing")
    rows = TRAINED + HELD_OUT
    return X.head(rows).reset_index(drop=True), np.asarray(y)[:rows]


def whole_numbers() -> Table:
    X, y = data_sets.attrition()
    chosen = ["Age", "BusinessTravel", "DailyRate", "Department", "DistanceFromHome"]
    return X[chosen].assign(far=X["DistanceFromHome"] > 10, late=X["Age"] - 40), y


def in_thousands() -> Table:
    X, y = data_sets.ames()
    return X, y / 1000


def two_labels() -> Table:
    X, y = data_sets.taxi()
    return X, np.column_stack([y, X["distance"].fillna(0) > 3]).astype(int)


def survival() -> Table:
    X, y = in_thousands()
    return X, np.column_stack([y, np.where(np.arange(len(y)) % 4, y, -1)])


def made_rows(X: pd.DataFrame, rows: int = MADE, seed: int = 0) -> pd.DataFrame:
    """Each column's values from other rows, with some gaps, numbers between, and new texts."""
    random = np.random.default_rng(seed)
    made: dict[str, Any] = {}
    for name in X:
        values = X[name].to_numpy()[random.integers(0, len(X), rows)]
        some = random.random(rows) < 0.1
        if values.dtype == object:
            values[some] = [f"unseen {n} é" for n in random.integers(0, 10**6, some.sum())]
        elif values.dtype.kind == "f":
            low, high = X[name].min(), X[name].max()
            values[some] = random.uniform(low, high, some.sum())
            values[random.random(rows) < 0.05] = np.nan
        elif values.dtype.kind == "i":
            values[some] = random.integers(-(10**9), 10**9, some.sum())
        made[str(name)] = values
    return pd.DataFrame(made)


@dataclass(frozen=True)
class Case:
    """A model: its table, settings, what else it is fitted with, and its class."""

    load: Callable[[], Table]
    settings: dict[str, Any] = field(default_factory=dict)
    kind: Any = CatBoostClassifier
    categories: tuple[str, ...] = ()
    groups: bool = False

    def fitted(self) -> tuple[Any, pd.DataFrame]:
        """The model, and all rows."""
        X, y = filled(self.load)
        names = [*data_sets.texts(X), *self.categories]
        options = {"group_id": np.arange(TRAINED) // 20} if self.groups else {}
        model = self.kind(**{**SMALL, **self.settings})
        model.fit(X[:TRAINED], y[:TRAINED], cat_features=sorted(set(names)), **options)
        return model, X


CASES = {
    "as it comes": Case(data_sets.credit),
    "combinations of four": Case(data_sets.taxi, {"max_ctr_complexity": 6, "depth": 7}),
    "one-hot splits": Case(data_sets.churn, {"one_hot_max_size": 255}),
    "counters beside one-hot splits": Case(
        data_sets.attrition, {"one_hot_max_size": 5, "max_ctr_complexity": 4}
    ),
    "whole numbers and booleans": Case(
        whole_numbers, {"one_hot_max_size": 3}, categories=("Age", "late")
    ),
    "buckets": Case(data_sets.taxi, {"simple_ctr": ["Buckets"], "combinations_ctr": ["Buckets"]}),
    "means": Case(
        data_sets.penguins,
        {
            "simple_ctr": ["BinarizedTargetMeanValue"],
            "combinations_ctr": ["Counter:Prior=0.7", "Buckets"],
        },
    ),
    "frequencies over all": Case(
        data_sets.taxi, {"simple_ctr": ["Counter:Prior=0.4"], "counter_calc_method": "Full"}
    ),
    "several cuts of the target": Case(
        in_thousands,
        {
            "simple_ctr": ["Borders:TargetBorderCount=4:Prior=0.3", "Buckets:TargetBorderCount=3"],
            "combinations_ctr": ["Borders:TargetBorderCount=2", "Buckets:TargetBorderCount=3"],
        },
        CatBoostRegressor,
    ),
    "limited tables": Case(data_sets.taxi, {"ctr_leaf_count_limit": 4}),
    "limited tables, but of columns": Case(
        data_sets.churn, {"ctr_leaf_count_limit": 4, "store_all_simple_ctr": True}
    ),
    "gaps above": Case(data_sets.credit, {"nan_mode": "Max", "max_ctr_complexity": 5}),
    "three classes": Case(data_sets.penguins, {"auto_class_weights": "Balanced"}),
    "one against all, depthwise": Case(
        data_sets.penguins, {"loss_function": "MultiClassOneVsAll", "grow_policy": "Depthwise"}
    ),
    "leaf by leaf": Case(
        in_thousands, {"grow_policy": "Lossguide", "one_hot_max_size": 9}, CatBoostRegressor
    ),
    "two labels": Case(two_labels, {"loss_function": "MultiLogloss"}),
    "several quantiles": Case(
        in_thousands, {"loss_function": "MultiQuantile:alpha=0.1,0.9"}, CatBoostRegressor
    ),
    "survival": Case(
        survival, {"loss_function": "SurvivalAft:dist=Normal;scale=1"}, CatBoostRegressor
    ),
    "Tweedie": Case(
        in_thousands, {"loss_function": "Tweedie:variance_power=1.5"}, CatBoostRegressor
    ),
    "ranks": Case(in_thousands, kind=catboost.CatBoostRanker, groups=True),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", CASES)
def test_real_tables(name: str) -> None:
    model, X = CASES[name].fitted()
    rows = pd.concat([X[TRAINED:], made_rows(X)], ignore_index=True).astype(X.dtypes)
    assert_exact(model, rows)


@pytest.mark.parametrize(("of_cpu", "of_gpu"), [("BinarizedTargetMeanValue", 3), ("Counter", 5)])
def test_types_that_only_gpus_fit(of_cpu: str, of_gpu: int) -> None:
    """The same file with the type's number changed, which CatBoost reads as well."""
    number = {"BinarizedTargetMeanValue": 2, "Counter": 4}[of_cpu]
    settings = {"simple_ctr": [of_cpu], "combinations_ctr": [of_cpu]}
    model, X = Case(data_sets.taxi, settings).fitted()
    model.save_model("cpu.cbm")
    data = bytearray(Path("cpu.cbm").read_bytes())
    for place in places_of_types(bytes(data)):
        assert data[place] == number
        data[place] = of_gpu
    Path("gpu.cbm").write_bytes(bytes(data))
    loaded = CatBoostClassifier().load_model("gpu.cbm")
    assert_exact(loaded, made_rows(X))


def places_of_types(data: bytes) -> list[int]:
    """Where a binary file holds the types of its counters."""
    from onnxlet.convert.converters.libraries.catboost.model_file import FlatTable

    size = unpack_from("<I", data, 4)[0]
    trees = FlatTable.root(data, 8).table(1)
    bases = [counter.table(0).table(0) for counter in trees.tables(7)]
    at = 8 + size + 4
    while at < len(data):
        bases.append(FlatTable.root(data, at + 4).table(0))
        at += 4 + unpack_from("<I", data, at)[0]
    found = {base._at(1) for base in bases}
    return sorted(place for place in found if place is not None)


def test_categoricals_of_pandas_and_files() -> None:
    model, X = Case(data_sets.churn).fitted()
    texts = data_sets.texts(X)
    model.save_model("model.cbm")
    loaded = CatBoostClassifier().load_model("model.cbm")
    assert_exact(loaded, X[TRAINED:].astype(dict.fromkeys(texts, "category")))


def test_only_categories_and_only_splits_by_value() -> None:
    X, y = filled(data_sets.churn)
    texts = data_sets.texts(X)
    for size in (1, 255):
        model = CatBoostClassifier(**SMALL, one_hot_max_size=size, max_ctr_complexity=1)
        model.fit(X[texts], y, cat_features=texts)
        assert_exact(model, made_rows(X[texts]))


def test_in_a_pipeline() -> None:
    X, y = data_sets.credit()
    X, y = X.head(600), y[:600]
    texts, numbers = data_sets.texts(X), data_sets.numbers(X)
    columns = make_column_transformer(
        (SimpleImputer(strategy="constant", fill_value="none"), texts),
        (SimpleImputer(), numbers),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = make_pipeline(columns, CatBoostClassifier(**SMALL, cat_features=texts)).fit(X, y)
    assert_exact(model, X)


def test_ordinals_of_a_step_before() -> None:
    X, y = data_sets.credit()
    X, y = X.head(600), y[:600]
    texts = data_sets.texts(X)
    unseen = {"handle_unknown": "use_encoded_value", "unknown_value": -2}
    encoder = OrdinalEncoder(dtype=int, encoded_missing_value=-1, **unseen)
    columns = make_column_transformer(
        (encoder, texts), ("passthrough", ["Age", "Income"]), verbose_feature_names_out=False
    ).set_output(transform="pandas")
    model = make_pipeline(columns, CatBoostClassifier(**SMALL, cat_features=texts)).fit(X, y)
    assert_exact(model, X)
    assert_exact(model, made_rows(X.assign(**X[texts].fillna("missing"))))


def test_numbers_of_a_step_before_are_refused() -> None:
    X, y = filled(data_sets.attrition)
    step = FunctionTransformer(lambda frame: frame.assign(Age=frame["Age"] // 10))
    kept = X[["Age", "Department"]]
    model = make_pipeline(step, CatBoostClassifier(**SMALL, cat_features=["Age", "Department"]))
    assert_refused(model.fit(kept, y), kept, "'Age' of categories is not as it came in")


def test_columns_without_a_use() -> None:
    """Of text, of which the graph then has no input."""
    X, y = filled(data_sets.credit)
    texts = data_sets.texts(X)
    model = CatBoostClassifier(**SMALL, ignored_features=texts)
    proof = prove(Source(model.fit(X, y, cat_features=texts), X), layout="columns")
    assert proof.compare().passed


def test_text_is_refused() -> None:
    X, y = data_sets.movies()
    model = CatBoostClassifier(**SMALL).fit(X[:200], y[:200], text_features=["text"])
    assert_refused(model, X, "text features", "TfidfVectorizer")


def test_sums_of_models() -> None:
    model, X = Case(data_sets.taxi).fitted()
    both = catboost.sum_models([model, model])
    assert_exact(both, made_rows(X))
    assert_exact(catboost.to_regressor(both), made_rows(X))
    assert_refused(catboost.to_classifier(both), X, "no loss function", "to_regressor")


def test_refusals() -> None:
    X, y = filled(data_sets.churn)
    model = CatBoostClassifier(**SMALL, final_ctr_computation_mode="Skip")
    model.fit(X, y, cat_features=data_sets.texts(X))
    assert_refused(model, X, "without the counts", "final_ctr_computation_mode")
