"""What is equal is called equal: one's own conversions, and others' in double precision."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType
from sklearn import cross_decomposition, decomposition, linear_model, neural_network
from sklearn import preprocessing as scaling
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline

import onnxlet
from tests.conftest import quiet
from tests.convert.parity.gate_models import MODELS

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(150, 5)) * [1, 10, 0.1, 1, 5] + [0, 3, 0, -5, 100]
Y = X @ [1.0, -0.2, 5.0, 0.3, 0.1] + RANDOM.normal(size=150)
LABELS = np.digitize(Y, np.quantile(Y, [0.3, 0.7]))
OTHERS: dict[str, Any] = {
    "linear": linear_model.LinearRegression().fit(X, Y),
    "lasso": linear_model.Lasso(alpha=0.01).fit(X, Y),
    "bayesian": linear_model.BayesianRidge().fit(X, Y),
    "huber": make_pipeline(scaling.StandardScaler(), linear_model.HuberRegressor()).fit(X, Y),
    "two outputs": linear_model.Ridge().fit(X, np.column_stack([Y, Y**2])),
    "logistic": make_pipeline(
        scaling.StandardScaler(), linear_model.LogisticRegression(max_iter=1000)
    ).fit(X, LABELS),
    "two classes": make_pipeline(scaling.MinMaxScaler(), linear_model.LogisticRegression()).fit(
        X, np.where(np.median(Y) < Y, "yes", "no")
    ),
    "network": make_pipeline(
        scaling.StandardScaler(), neural_network.MLPRegressor(tol=0.1, random_state=0)
    ).fit(X, Y),
    "components": make_pipeline(scaling.StandardScaler(), decomposition.PCA(3)).fit(X),
    "least squares": cross_decomposition.PLSRegression(2).fit(X, Y),
    "mixture": GaussianMixture(2, random_state=0).fit(X),
}
QUICK = ("linear", "logistic")


def _check(name: str, folder: Path) -> None:
    estimator = OTHERS[name]
    zipped = {"zipmap": False} if hasattr(estimator, "classes_") else None
    made = convert_sklearn(
        estimator, initial_types=[("X", DoubleTensorType([None, 5]))], options=zipped
    )
    (folder / "theirs.onnx").write_bytes(made.SerializeToString())

    proof = onnxlet.prove(folder / "theirs.onnx", estimator, X, report=quiet)

    assert proof.equal, proof


@pytest.mark.parametrize("name", QUICK)
def test_another_s_conversion_is_equal(name: str, tmp_path: Path) -> None:
    _check(name, tmp_path)


@pytest.mark.gate
@pytest.mark.parametrize("name", sorted({*OTHERS}.difference(QUICK)))
def test_each_conversion_of_another_s_is_equal(name: str, tmp_path: Path) -> None:
    _check(name, tmp_path)


@pytest.mark.gate
@pytest.mark.parametrize("name", MODELS)
def test_each_build_of_one_s_own_is_equal(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = MODELS[name]()
    built = onnxlet.build(source.estimator, source.X_test, name="m", models=tmp_path, report=quiet)

    proof = onnxlet.prove(built, source.estimator, source.X_test, report=quiet)

    assert proof.equal, proof
