"""Estimators handed over as plain values: rebuilt here they answer as they did."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import (
    compose,
    decomposition,
    ensemble,
    feature_extraction,
    gaussian_process,
    impute,
    isotonic,
    linear_model,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)  # fmt: skip
from sklearn.base import is_classifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the import work
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from onnxlet.convert.older import values
from onnxlet.convert.older.changes import FITTED_BY
from onnxlet.convert.older.rebuilt import Rebuilding, Unsound
from onnxlet.convert.sources.skops_sandbox import check_part
from tests.convert.older.steps import Own, lead_astray

TODAY = (10**6,)
X = np.random.default_rng(0).normal(size=(80, 3))
Y = X @ [1.0, 2.0, -1.0]
NAMES = np.where(Y > 1, "high", np.where(Y > -1, "middle", "low"))
FRAME = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y"), "c": X[:, 2]})


def handed_over(estimator: Any, version: tuple[int, ...] = TODAY) -> tuple[Any, list[str]]:
    """The estimator through JSON and arrays, and what could not be rebuilt of it."""
    packing, rebuilding = values.Packing(objects=True), Rebuilding(version, check_part)
    packed = json.loads(json.dumps(packing.pack(estimator)))
    return values.unpack(packed, packing.arrays, rebuilding.make), rebuilding.absent


@pytest.mark.parametrize(
    "model",
    [
        tree.DecisionTreeClassifier(max_depth=4), tree.DecisionTreeRegressor(max_depth=4),
        ensemble.RandomForestClassifier(5), ensemble.ExtraTreesRegressor(5),
        ensemble.GradientBoostingClassifier(n_estimators=4),
        ensemble.GradientBoostingRegressor(n_estimators=4, loss="huber"),
        ensemble.HistGradientBoostingClassifier(max_iter=4),
        ensemble.HistGradientBoostingRegressor(max_iter=4, loss="poisson"),
        ensemble.AdaBoostClassifier(n_estimators=4), ensemble.BaggingRegressor(n_estimators=3),
        ensemble.IsolationForest(n_estimators=5), linear_model.LogisticRegression(),
        linear_model.SGDClassifier(), linear_model.PoissonRegressor(), linear_model.RidgeCV(),
        svm.SVC(), svm.SVR(), neighbors.KNeighborsClassifier(), neighbors.KNeighborsRegressor(),
        neural_network.MLPClassifier(hidden_layer_sizes=4, max_iter=20),
        isotonic.IsotonicRegression(),
        gaussian_process.GaussianProcessRegressor(alpha=1.0),
        make_pipeline(preprocessing.SplineTransformer(), linear_model.Ridge()),
        make_pipeline(preprocessing.QuantileTransformer(n_quantiles=9), linear_model.Ridge()),
        make_pipeline(preprocessing.FunctionTransformer(np.abs), linear_model.Ridge()),
        make_pipeline(impute.IterativeImputer(), decomposition.PCA(2), linear_model.Ridge()),
        make_pipeline(Own(), linear_model.Ridge()),
        GridSearchCV(linear_model.Ridge(), {"alpha": [0.1, 1.0]}, cv=2),
    ],
    ids=lambda model: "-".join(type(each).__name__ for each in dict(
        getattr(model, "steps", [("", model)])).values()),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators_answer_the_same(model: Any) -> None:
    given = X[:, :1] if isinstance(model, isotonic.IsotonicRegression) else X
    labelled = is_classifier(model)
    target = NAMES if labelled else np.exp(Y)
    model.fit(given, target)
    made, absent = handed_over(model)

    assert type(made) is type(model)
    assert absent == []
    assert np.array_equal(made.predict(given), model.predict(given))
    if hasattr(model, "predict_proba"):
        assert np.array_equal(made.predict_proba(given), model.predict_proba(given))


def test_columns_and_texts(recwarn: pytest.WarningsRecorder) -> None:
    table = compose.make_column_transformer(
        (preprocessing.StandardScaler(), ["a", "c"]), (preprocessing.OneHotEncoder(), ["b"])
    )
    words = feature_extraction.text.TfidfVectorizer().fit(["one two", "two three", "three"])

    assert np.array_equal(handed_over(table.fit(FRAME))[0].transform(FRAME), table.transform(FRAME))
    made = handed_over(words)[0].transform(["two three", "four"])
    assert np.array_equal(made.toarray(), words.transform(["two three", "four"]).toarray())


def test_one_object_stays_one() -> None:
    shared = linear_model.Ridge()
    both = linear_model.LinearRegression()
    both.first, both.second = shared, [shared]
    made, _ = handed_over(both)

    assert made.first is made.second[0]
    assert made.first is not shared


def test_each_estimator_knows_who_fitted_it() -> None:
    model = make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()).fit(X, Y)
    made, _ = handed_over(model, (1, 2, 2))

    assert [vars(part)[FITTED_BY] for part in (made, *dict(made.steps).values())] == [(1, 2, 2)] * 3
    assert np.array_equal(made.predict(X), model.predict(X))


def test_what_is_gone_is_left_out_and_said() -> None:
    model = linear_model.Ridge().fit(X, Y)
    packing, rebuilding = values.Packing(objects=True), Rebuilding(TODAY)
    model.more_ = linear_model.Lasso()
    packed = json.loads(json.dumps(packing.pack(model)).replace("Lasso", "WasThere"))
    made = values.unpack(packed, packing.arrays, rebuilding.make)

    [line] = rebuilding.absent
    assert line.startswith("Ridge.more_: there is no sklearn.linear_model.")
    assert not hasattr(made, "more_")
    assert np.array_equal(made.predict(X), model.predict(X))


def test_what_somebody_else_has_to_bring_is_raised() -> None:
    packing, rebuilding = values.Packing(objects=True), Rebuilding(TODAY)
    packed = json.dumps(packing.pack(make_pipeline(Own()))).replace(Own.__module__, "not.there")
    with pytest.raises(ModuleNotFoundError, match="not"):
        values.unpack(json.loads(packed), packing.arrays, rebuilding.make)


@pytest.mark.parametrize(
    ("model", "old", "today"),
    [
        (ensemble.BaggingRegressor(), {"base_estimator": 7, "base_estimator_": 8},
         {"estimator": 7, "estimator_": 8}),
        (ensemble.BaggingRegressor(), {"base_estimator": "deprecated", "estimator": 7},
         {"estimator": 7}),
        (preprocessing.OneHotEncoder(), {"sparse": False}, {"sparse_output": False}),
        (feature_extraction.DictVectorizer(), {"sparse": False}, {"sparse": False}),
        (linear_model.SGDClassifier(), {"loss": "log"}, {"loss": "log_loss"}),
        (linear_model.SGDRegressor(), {"loss": "squared_loss"}, {"loss": "squared_error"}),
        (tree.DecisionTreeRegressor(), {}, {"monotonic_cst": None}),
        (impute.SimpleImputer(), {}, {"keep_empty_features": False}),
        (preprocessing.OrdinalEncoder(), {}, {"_infrequent_enabled": False}),
    ],
)  # fmt: skip
def test_parameters_get_todays_names_and_defaults(model: Any, old: Any, today: Any) -> None:
    vars(model).clear()
    vars(model).update(old)
    made, _ = handed_over(model, (1, 1, 3))

    assert {name: vars(made)[name] for name in today} == today
    assert not set(old) - set(today) & set(vars(made))


def test_a_tree_of_before_missing_values() -> None:
    model = tree.DecisionTreeClassifier(max_depth=3, class_weight={"low": 3}).fit(X, NAMES)
    made, arguments, state = model.tree_.__reduce__()
    nodes = state["nodes"]
    kept = [name for name in nodes.dtype.names if name != "missing_go_to_left"]
    counted = state["values"] * state["nodes"]["weighted_n_node_samples"][:, None, None]

    class Old:
        def __reduce_ex__(self, protocol: Any) -> Any:
            old = np.empty(len(nodes), dtype=[(name, nodes.dtype[name]) for name in kept])
            for name in kept:
                old[name] = nodes[name]
            return made, arguments, {**state, "nodes": old, "values": counted}

    model.tree_, expected = Old(), model.predict_proba(X)
    [rebuilt, _] = handed_over(model, (1, 2, 2))

    assert np.allclose(rebuilt.predict_proba(X), expected, rtol=1e-15)
    assert not rebuilt.tree_.missing_go_to_left.any()


def test_a_tree_is_looked_at_before_its_depths_are_counted() -> None:
    model = ensemble.IsolationForest(n_estimators=3).fit(X)
    lead_astray(model.estimators_[1].tree_)
    with pytest.raises(Unsound, match="the numbers in a Tree lead outside its arrays"):
        handed_over(model, (1, 2, 2))


def test_a_matrix_is_looked_at_before_its_diagonal_is_taken() -> None:
    model = feature_extraction.text.TfidfTransformer().fit(np.abs(X))
    matrix = sparse.diags(model.idf_).tocsr()
    matrix.indptr[1] = 5
    del model.idf_
    vars(model)["_idf_diag"] = matrix
    with pytest.raises(Unsound):
        handed_over(model, (1, 2, 2))
