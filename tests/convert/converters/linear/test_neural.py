"""Multi-layer perceptrons, and a Boltzmann machine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.convert.converters.samples import (
    CLASSES,
    LABELS,
    NAMES,
    ROWS,
    ROWS_REG,
    THREE,
    X_REG,
    Y_REG,
    Y_TWO,
    X,
    fit,
)
from tests.convert.exactness import assert_exact, assert_refused

ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]
LAYERS: list[Any] = [(), (5,), (6, 4)]


@pytest.mark.parametrize("layers", LAYERS, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_classifiers(activation: Any, layers: Any) -> None:
    for y in (*CLASSES.values(), LABELS):
        model = MLPClassifier(
            hidden_layer_sizes=layers, activation=activation, max_iter=20, random_state=0
        )
        assert_exact(fit(model, X, y), ROWS)


def test_a_share_of_exactly_half_is_the_first_class_and_no_label() -> None:
    for y in (NAMES == "setosa", LABELS):
        model = fit(MLPClassifier(hidden_layer_sizes=(), max_iter=5), X, y)
        model.coefs_ = [np.zeros_like(weights) for weights in model.coefs_]
        model.intercepts_ = [np.zeros_like(bias) for bias in model.intercepts_]
        assert_exact(model, X)


def test_a_single_class() -> None:
    model = MLPClassifier(hidden_layer_sizes=(2,), solver="lbfgs", max_iter=20, random_state=0)
    assert_exact(fit(model, X, np.full(len(X), "only")), ROWS)


@pytest.mark.parametrize("layers", LAYERS, ids=str)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_regressors(activation: Any, layers: Any) -> None:
    for y in (Y_REG, Y_TWO):
        model = MLPRegressor(
            hidden_layer_sizes=layers, activation=activation, max_iter=20, random_state=0
        )
        assert_exact(fit(make_pipeline(StandardScaler(), model), X_REG, y), ROWS_REG)


def test_counts() -> None:
    if "loss" not in MLPRegressor().get_params():
        pytest.skip("this scikit-learn has no other losses")
    model = MLPRegressor(hidden_layer_sizes=(4,), loss="poisson", max_iter=20, random_state=0)
    assert_exact(fit(make_pipeline(StandardScaler(), model), X, THREE), X)


def test_hidden_units() -> None:
    machine = BernoulliRBM(n_components=6, n_iter=3, random_state=0)
    assert_exact(fit(machine, X / 8), ROWS)
    assert_exact(fit(make_pipeline(machine, LogisticRegression()), X / 8, NAMES), X)


def test_fitted_in_float32() -> None:
    model = fit(
        MLPClassifier(hidden_layer_sizes=(5,), max_iter=20, random_state=0),
        X.astype("float32"),
        NAMES,
    )
    assert_exact(model, ROWS)


def test_refuses_an_activation_that_it_does_not_know() -> None:
    model = fit(MLPRegressor(hidden_layer_sizes=(2,), max_iter=5), X_REG, Y_REG)
    model.out_activation_ = "gelu"
    assert_refused(model, X_REG, "the activation gelu has no conversion", None)
