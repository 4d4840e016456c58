"""Our own converters' graphs against skl2onnx's, right or wrong, for the same estimators."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn import (
    cluster,
    decomposition,
    ensemble,
    linear_model,
    mixture,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn.base import BaseEstimator, is_classifier
from sklearn.datasets import load_wine
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

from bench.in_process import taking_turns
from bench.models import breast_cancer_train
from convert.answers import task_of
from convert.inputs import read_inputs
from convert.recipes import Recipe, convert
from function.signature import Array, Column

ROWS = (1, 1000)


def estimators() -> Sequence[BaseEstimator]:
    """At least one of each family that skl2onnx converts too."""
    return [
        make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        linear_model.Ridge(),
        preprocessing.MinMaxScaler(),
        make_pipeline(SimpleImputer(add_indicator=False), linear_model.Ridge()),
        make_pipeline(preprocessing.KBinsDiscretizer(5, encode="ordinal"), linear_model.Ridge()),
        preprocessing.PolynomialFeatures(2),
        preprocessing.PowerTransformer(),
        SelectKBest(k=10),
        tree.DecisionTreeClassifier(random_state=0),
        ensemble.RandomForestClassifier(100, random_state=0),
        ensemble.RandomForestRegressor(100, random_state=0),
        ensemble.ExtraTreesClassifier(100, random_state=0),
        ensemble.GradientBoostingClassifier(random_state=0),
        ensemble.GradientBoostingRegressor(random_state=0),
        ensemble.HistGradientBoostingClassifier(random_state=0),
        ensemble.HistGradientBoostingRegressor(random_state=0),
        ensemble.AdaBoostClassifier(n_estimators=20, random_state=0),
        ensemble.BaggingClassifier(random_state=0),
        ensemble.IsolationForest(random_state=0),
        ensemble.VotingClassifier(
            [("a", linear_model.LogisticRegression()), ("b", naive_bayes.GaussianNB())],
            voting="soft",
        ),
        naive_bayes.GaussianNB(),
        neighbors.KNeighborsClassifier(),
        neighbors.KNeighborsRegressor(),
        svm.SVC(),
        svm.SVR(),
        neural_network.MLPClassifier(max_iter=50, random_state=0),
        decomposition.PCA(5),
        cluster.KMeans(5, random_state=0),
        mixture.GaussianMixture(3, random_state=0),
    ]


def measure() -> Iterator[tuple[str, int, float, float]]:
    """For each estimator and number of rows: its name, the rows, and milliseconds of both."""
    X, y = breast_cancer_train()
    X, y = X.to_numpy(), np.asarray(y)
    wine, kinds = load_wine(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for estimator in estimators():
            yield from _both(estimator.fit(X, y), X, _name(estimator))
        forest = ensemble.RandomForestClassifier(100, random_state=0).fit(wine, kinds)
        yield from _both(forest, wine, "RandomForestClassifier, three classes")


def _name(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    return " + ".join(type(s).__name__ for _, s in steps) if steps else type(estimator).__name__


def _both(fitted: Any, X: Array, name: str) -> Iterator[tuple[str, int, float, float]]:
    ours, theirs = _ours(fitted, X), _skl2onnx(fitted, X)
    if theirs is None:
        return
    for rows in ROWS:
        many = np.resize(X, (rows, X.shape[1]))
        t = taking_turns(
            {
                "ours": _running(ours, many.astype(np.float64)),
                "theirs": _running(theirs, many.astype(np.float32)),
            },
            repeats=100 if rows == 1 else 3,
        )
        yield name, rows, t["ours"], t["theirs"]


def _running(session: Any, X: Array) -> Any:
    feeds = {session.get_inputs()[0].name: np.ascontiguousarray(X)}
    return lambda: session.run(None, feeds)


def _ours(fitted: Any, X: Array) -> Any:
    inputs, _ = read_inputs(X)
    columns = [Column(column.name, "float64", True) for column in inputs.columns]
    return _session(convert(fitted, task_of(fitted), columns, Recipe("float64", "matrix")).onnx)


def _skl2onnx(fitted: Any, X: Array) -> Any:
    options = {"zipmap": False} if is_classifier(fitted) else None
    try:
        proto = to_onnx(fitted, X[:1].astype(np.float32), options=options, target_opset=21)
        return _session(proto.SerializeToString())
    except Exception:  # it has no converter, or not one that works
        return None


def _session(onnx: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
