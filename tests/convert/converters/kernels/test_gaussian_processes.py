"""Gaussian processes, for numbers and for classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    RBF,
    ConstantKernel,
    DotProduct,
    ExpSineSquared,
    Matern,
    PairwiseKernel,
    RationalQuadratic,
    WhiteKernel,
)

from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact, assert_refused

random = np.random.default_rng(0)
X, y = load_iris(return_X_y=True)
TRAIN = X[::3] + random.normal(scale=0.2, size=(50, 4))
TARGET = np.sin(TRAIN @ [0.5, 1.0, -0.3, 0.2]) + random.normal(scale=0.1, size=50)
FAR = np.vstack([X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4))])
ROWS = np.vstack([X, TRAIN[:5], FAR])
WORDS = np.array(["setosa", "versicolor", "virginica"])


KERNELS = [
    None,
    RBF(2.0),
    RBF([1.0, 2.0, 3.0, 0.5]),
    Matern(2.0, nu=0.5),
    Matern(nu=1.5),
    Matern([1.0, 2.0, 3.0, 0.5], nu=2.5),
    Matern(nu=3.5),
    Matern(nu=np.inf),
    RationalQuadratic(1.5, alpha=0.7),
    ExpSineSquared(1.5, periodicity=2.5) + WhiteKernel(5.0),
    DotProduct(0.5),
    PairwiseKernel(metric="rbf", gamma=0.3),
    PairwiseKernel(metric="laplacian", gamma=0.3),
    PairwiseKernel(metric="poly", gamma=0.3, pairwise_kernels_kwargs={"degree": 2}),
    PairwiseKernel(metric="cosine"),
    ConstantKernel(2.0) * RBF(2.0) + WhiteKernel(0.1),
    (RBF(2.0) + ConstantKernel(0.5)) ** 2,
    DotProduct(1.0) * RBF(3.0) + 0.3 * Matern(2.0),
    (WhiteKernel(0.2) + RBF()) * ConstantKernel(3.0),
    ConstantKernel(2.0),
]


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_numbers(kernel: Any) -> None:
    fitted = fit(GaussianProcessRegressor(kernel, alpha=0.05, optimizer=None), TRAIN, TARGET)
    assert_exact(fitted, ROWS, methods=["predict"], tolerance=1e-8)
    assert_exact(fitted, ROWS[:155], methods=["std"], tolerance=1e-7)


@pytest.mark.parametrize("normalised", [False, True])
def test_settings(normalised: bool) -> None:
    options: Any = {"normalize_y": normalised, "random_state": 0}
    kernel = RBF() + WhiteKernel()
    both = np.column_stack([TARGET, 100.0 * TARGET**2 + 7.0])
    for target in (TARGET, both[:, 1:], both):
        fitted = fit(GaussianProcessRegressor(kernel, **options), TRAIN, target)
        assert_exact(fitted, ROWS, methods=["predict", "std"], tolerance=1e-7)
    noise = random.uniform(0.01, 0.2, size=50)
    fitted = fit(GaussianProcessRegressor(kernel, alpha=noise, **options), TRAIN, TARGET)
    assert_exact(fitted, ROWS, methods=["predict", "std"], tolerance=1e-7)


def test_without_noise() -> None:
    """At the training rows the deviation is the root of what rounding leaves of nothing."""
    fitted = fit(GaussianProcessRegressor(Matern(2.0), optimizer=None), TRAIN, TARGET)
    assert_exact(fitted, ROWS, methods=["predict"], tolerance=1e-7)
    assert_exact(fitted, X + 0.05, methods=["std"], tolerance=1e-7)
    assert_exact(fitted, TRAIN, methods=["std"], tolerance=1e-5)


@pytest.mark.parametrize("kernel", [None, Matern(), DotProduct(), 2.0 * RBF() + WhiteKernel()])
def test_two_classes(kernel: Any) -> None:
    near = TRAIN + random.normal(size=(50, 4))
    for target in (TARGET > 0, WORDS[(TARGET > 0).astype(int)]):
        fitted = fit(GaussianProcessClassifier(kernel, optimizer=None), near, target)
        assert_exact(fitted, ROWS[:155], tolerance=1e-8)


@pytest.mark.parametrize("mode", ["one_vs_rest", "one_vs_one"])
def test_several_classes(mode: str) -> None:
    target = WORDS[(TRAIN[:, 0] * 3).astype(int) % 3]
    fitted = fit(GaussianProcessClassifier(RBF(), multi_class=mode), TRAIN, target)
    methods = ["predict", "predict_proba"] if mode == "one_vs_rest" else ["predict"]
    assert_exact(fitted, ROWS[:155], methods=methods, tolerance=1e-8)


REFUSED = [
    (Matern(nu=0.7), "Bessel"),
    (PairwiseKernel(metric=lambda a, b, gamma: float(a @ b)), "kernel .* has no conversion"),
]


@pytest.mark.parametrize(("kernel", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_refused_kernels(kernel: Any, reason: str) -> None:
    fitted = fit(GaussianProcessRegressor(kernel, alpha=0.1, optimizer=None), TRAIN, TARGET)
    assert_refused(fitted, X, reason)


def test_a_kernel_of_ones_own() -> None:
    class Own(RBF):  # type: ignore[misc]
        pass

    fitted = fit(GaussianProcessRegressor(Own(), optimizer=None), TRAIN, TARGET)
    assert_refused(fitted, X, "the kernel Own has no conversion")
