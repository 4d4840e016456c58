"""Support vector machines answer as libsvm does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_classification
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM

from tests.convert.converters.samples import fit
from tests.convert.exactness import answers, assert_exact, assert_refused

random = np.random.default_rng(0)
X, y = load_iris(return_X_y=True)
TRAIN = X[::2], y[::2]
BINARY = X[:100] + random.normal(scale=1.0, size=(100, 4)), y[:100]
WORDS = np.array(["setosa", "versicolor", "virginica"])
WIDE = make_classification(120, 50, n_informative=8, n_classes=4, random_state=1)
FAR = np.vstack([X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])
ROWS = np.vstack([X, FAR])


KERNELS: list[dict[str, Any]] = [
    {"kernel": "linear"},
    {"kernel": "poly", "degree": 2, "coef0": 1.5},
    {"kernel": "poly", "gamma": 0.1},
    {"kernel": "poly", "degree": 0},
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": "auto"},
    {"kernel": "rbf", "gamma": 30.0},
    {"kernel": "sigmoid", "gamma": 0.02, "coef0": -1.0},
]
kernels = pytest.mark.parametrize("kernel", KERNELS, ids=str)


@kernels
@pytest.mark.parametrize("kind", [SVC, SVR, OneClassSVM])
def test_kernels(kernel: dict[str, Any], kind: Any) -> None:
    estimator = fit(kind(**kernel), *TRAIN)
    assert_exact(estimator, X)
    assert_exact(fit(kind(**kernel), *BINARY), X)


@pytest.mark.parametrize("kernel", ["rbf", "sigmoid"])
@pytest.mark.parametrize("kind", [SVC, NuSVC, SVR, NuSVR, OneClassSVM])
def test_rows_far_from_every_support_vector(kernel: str, kind: Any) -> None:
    assert_exact(fit(kind(kernel=kernel, gamma=0.01), *TRAIN), ROWS)


@pytest.mark.parametrize("kind", [SVC, NuSVC])
@pytest.mark.parametrize(
    "options",
    [
        {"decision_function_shape": "ovo"},
        {"decision_function_shape": "ovr"},
        {"break_ties": True},
        {"class_weight": "balanced"},
    ],
    ids=str,
)
def test_shapes_of_the_decision(kind: Any, options: dict[str, Any]) -> None:
    if kind is NuSVC:
        options = {**options, "nu": 0.2}
    assert_exact(fit(kind(gamma=0.5, **options), *TRAIN), ROWS)
    assert_exact(fit(kind(**options), TRAIN[0], WORDS[TRAIN[1]]), ROWS)
    assert_exact(fit(kind(**options), BINARY[0], BINARY[1] == 1), ROWS)


def test_votes_that_are_level() -> None:
    """Three classes around a circle beat each other in turn."""
    angles = np.arange(60) * 2 * np.pi / 60
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    target = np.arange(60) // 4 % 3
    grid = random.uniform(-1, 1, size=(500, 2))
    for ties in (False, True):
        assert_exact(fit(SVC(kernel="sigmoid", gamma=2.0, break_ties=ties), circle, target), grid)


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_probabilities(kind: Any) -> None:
    loose = {"nu": 0.1} if kind is NuSVC else {}
    options = {"probability": True, "random_state": 0, **loose}
    assert_exact(fit(kind(**options), *BINARY), ROWS)
    assert_exact(fit(kind(**options), TRAIN[0], WORDS[TRAIN[1]]), ROWS)
    assert_exact(fit(kind(**options), *WIDE), np.vstack([WIDE[0], WIDE[0] * 1e6]))


def test_many_columns() -> None:
    wide, target = WIDE
    assert_exact(fit(SVC(), wide, target), wide)
    assert_exact(fit(SVR(), wide + 1e6, target), wide + 1e6, tolerance=1e-6)


def test_single_columns() -> None:
    for estimator in (SVC(), SVR(), OneClassSVM()):
        assert_exact(fit(estimator, X[:, :1], y), ROWS[:, :1])


def test_fitted_on_sparse_rows() -> None:
    fitted = fit(SVC(), sparse.csr_matrix(TRAIN[0]), TRAIN[1])
    dense = fit(SVC(), *TRAIN)
    assert np.abs(answers(fitted, X)["decision_function"] - dense.decision_function(X)).max() < 1e-9


def test_no_support_vectors() -> None:
    assert_exact(fit(SVR(epsilon=1e3), *TRAIN), X)


@pytest.mark.parametrize("kernel", ["precomputed", lambda a, b: a @ b.T])
def test_refused_kernels(kernel: Any) -> None:
    rows = X @ X.T if isinstance(kernel, str) else X
    assert_refused(SVC(kernel=kernel).fit(rows, y), rows, r"kernel .* has no conversion")


OFFSETS = {
    "years": 2000.0 + random.integers(-10, 11, (120, 3)),
    "millions": 1e6 + random.uniform(-1.0, 1.0, (120, 3)),
    "small": random.normal(size=(120, 3)) * 1e-9,
    "an outlier": np.vstack([random.normal(size=(119, 3)), np.full((1, 3), 1e6)]),
}


@pytest.mark.parametrize("gamma", ["scale", 1e-9, 1.0, 1e4, 1e9])
@pytest.mark.parametrize("rows", OFFSETS)
def test_columns_far_from_zero_and_of_any_spread(rows: str, gamma: Any) -> None:
    X = OFFSETS[rows]
    target = (X - X.mean(axis=0)).prod(axis=1) > 0.0
    model = fit(SVC(gamma=gamma, C=100.0), X, target)
    beyond = np.vstack([X, X + X.std(axis=0), X * 2.0, np.full((2, 3), [[1e12], [-1e300]])])
    assert_exact(model, beyond, tolerance=1e-7)


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
def test_probabilities_of_two_classes_over_their_whole_range() -> None:
    line = np.linspace(-1.0, 1.0, 80).reshape(-1, 1)
    model = fit(SVC(kernel="linear", probability=True, random_state=0), line, line.ravel() > 0.0)
    for slope in (-0.5, -3.0):
        model._probA[:] = slope
        assert_exact(model, np.linspace(-30.0, 30.0, 4000).reshape(-1, 1), tolerance=1e-12)
