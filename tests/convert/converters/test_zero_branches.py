"""Rows at which scikit-learn takes a branch of its own: sums, norms and variances of zero.

Far from the training rows all probabilities vanish; a column that never varied has no scale. Each
case has rows of zeros, rows far away, and the training rows themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn import (
    cluster,
    compose,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    ensemble,
    gaussian_process,
    impute,
    kernel_approximation,
    kernel_ridge,
    linear_model,
    manifold,
    mixture,
    multiclass,
    naive_bayes,
    neighbors,
    neural_network,
    preprocessing,
    semi_supervised,
    svm,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.gaussian_process.kernels import PairwiseKernel
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

from onnxlet.function.arrays import Array
from tests.convert.exactness import assert_exact, expected

X, y = load_iris(return_X_y=True)
CONSTANT = X * [1.0, 0.0, 1.0, 1.0] + [0.0, 3.0, 0.0, 0.0]
EMPTY = X * [1.0, 0.0, 1.0, 1.0]
GAPS = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
SOME = np.where(np.arange(150) % 3, -1, y)
FAR = np.vstack([X * 0.0, X[:5], X * 1e3, -X[::3] * 1e3, X[::3] * 1e8])
COUNTS = np.round(np.abs(X))
SURE = {"loss": "log_loss", "random_state": 3}  # on ten times these numbers, very sure of itself


def sure() -> linear_model.SGDClassifier:
    return linear_model.SGDClassifier(**SURE)


SHARES_OF_NONE = {
    "logistic", "logistic in bags", "logistic, two outputs", "logistic, some labels",
    "Gaussian process",
}  # fmt: skip
CASES: dict[str, Callable[[], Any]] = {
    "logistic": lambda: sure().fit(X * 10, y),
    "logistic in bags": lambda: ensemble.BaggingClassifier(
        sure(), n_estimators=3, random_state=0
    ).fit(X * 10, y),
    "logistic, two outputs": lambda: MultiOutputClassifier(sure()).fit(X * 10, np.c_[y, y]),
    "logistic, some labels": lambda: semi_supervised.SelfTrainingClassifier(sure()).fit(
        X * 10, SOME
    ),
    "modified Huber": lambda: linear_model.SGDClassifier(loss="modified_huber", random_state=0).fit(
        X, y
    ),
    "against the rest": lambda: multiclass.OneVsRestClassifier(
        DecisionTreeClassifier(max_depth=2)
    ).fit(X, y),
    "Gaussian process": lambda: gaussian_process.GaussianProcessClassifier(optimizer=None).fit(
        X[::3], y[::3]
    ),
    "propagation": lambda: semi_supervised.LabelPropagation().fit(X, SOME),
    "spreading among neighbours": lambda: semi_supervised.LabelSpreading(
        kernel="knn", n_neighbors=3
    ).fit(X, SOME),
    "calibrated": lambda: CalibratedClassifierCV(
        naive_bayes.GaussianNB(), method="isotonic", cv=3
    ).fit(X, y),
    "neighbours by distance": lambda: neighbors.KNeighborsClassifier(weights="distance").fit(X, y),
    "neighbours by angle": lambda: neighbors.KNeighborsClassifier(
        metric="cosine", weights="distance"
    ).fit(X, y),
    "within a radius": lambda: neighbors.RadiusNeighborsClassifier(
        0.1, weights="distance", outlier_label=0
    ).fit(X, y),
    "within a radius, numbers": lambda: neighbors.RadiusNeighborsRegressor(0.1).fit(
        X, y.astype(float)
    ),
    "outliers among equal rows": lambda: neighbors.LocalOutlierFactor(novelty=True).fit(
        np.repeat(X[::5], 30, axis=0)
    ),
    "centroids": lambda: neighbors.NearestCentroid(shrink_threshold=0.5).fit(CONSTANT, y),
    "StandardScaler": lambda: preprocessing.StandardScaler().fit(CONSTANT),
    "MinMaxScaler": lambda: preprocessing.MinMaxScaler(clip=True).fit(CONSTANT),
    "MaxAbsScaler": lambda: preprocessing.MaxAbsScaler().fit(EMPTY),
    "RobustScaler": lambda: preprocessing.RobustScaler(unit_variance=True).fit(CONSTANT),
    "RobustScaler, empty range": lambda: preprocessing.RobustScaler(quantile_range=(50, 50)).fit(X),
    "PowerTransformer": lambda: preprocessing.PowerTransformer().fit(CONSTANT),
    "QuantileTransformer": lambda: preprocessing.QuantileTransformer(n_quantiles=50).fit(CONSTANT),
    "KBinsDiscretizer": lambda: preprocessing.KBinsDiscretizer(3, encode="ordinal").fit(CONSTANT),
    "SplineTransformer": lambda: preprocessing.SplineTransformer().fit(CONSTANT),
    "l1": lambda: preprocessing.Normalizer("l1").fit(X),
    "l2": lambda: preprocessing.Normalizer("l2").fit(X),
    "max": lambda: preprocessing.Normalizer("max").fit(X),
    "whitened": lambda: decomposition.PCA(whiten=True).fit(np.hstack([X, X])),
    "kernel components": lambda: decomposition.KernelPCA(
        10, kernel="linear", remove_zero_eig=False, eigen_solver="dense"
    ).fit(X),
    "empty topics": lambda: decomposition.LatentDirichletAllocation(3, random_state=0).fit(COUNTS),
    "empty atoms": lambda: decomposition.SparsePCA(4, alpha=50, random_state=0, max_iter=5).fit(X),
    "a row without a norm": lambda: decomposition.SparseCoder(
        np.eye(4)[:3], transform_algorithm="omp"
    ),
    "factors": lambda: decomposition.FactorAnalysis(2).fit(CONSTANT),
    "empty components": lambda: mixture.BayesianGaussianMixture(
        n_components=8, random_state=0, weight_concentration_prior=1e-8, max_iter=300
    ).fit(X),
    "clusters of equal rows": lambda: cluster.KMeans(3, n_init=1, random_state=0).fit(
        np.repeat(X[:3], 20, axis=0)
    ),
    "weights of equal rows": lambda: manifold.LocallyLinearEmbedding(
        n_neighbors=3, eigen_solver="dense"
    ).fit(np.repeat(X[:30], 4, axis=0)),
    "a prior of zero": lambda: naive_bayes.GaussianNB(priors=[0.0, 0.5, 0.5]).fit(X, y),
    "no variance": lambda: naive_bayes.GaussianNB(var_smoothing=0.0).fit(CONSTANT, y),
    "complement": lambda: naive_bayes.ComplementNB(norm=True).fit(EMPTY, y),
    "discriminants": lambda: discriminant_analysis.LinearDiscriminantAnalysis().fit(CONSTANT, y),
    "latent structures": lambda: cross_decomposition.PLSRegression(2).fit(
        CONSTANT, np.c_[y, y * 0]
    ),
    "a constant target": lambda: compose.TransformedTargetRegressor(
        linear_model.Ridge(), transformer=preprocessing.StandardScaler()
    ).fit(X, y * 0.0 + 5.0),
    "a constant target of a process": lambda: gaussian_process.GaussianProcessRegressor(
        normalize_y=True, optimizer=None, alpha=0.1
    ).fit(X[::3], y[::3] * 0.0 + 2.0),
    "angles": lambda: kernel_ridge.KernelRidge(kernel="cosine").fit(X, y),
    "angles of a process": lambda: gaussian_process.GaussianProcessRegressor(
        PairwiseKernel(metric="cosine"), alpha=0.1, optimizer=None
    ).fit(X[::3], y[::3]),
    "angles of a few": lambda: kernel_approximation.Nystroem(
        kernel="cosine", n_components=9, random_state=0
    ).fit(X),
    "chi squared": lambda: kernel_approximation.AdditiveChi2Sampler().fit(X),
    "gaps everywhere": lambda: impute.KNNImputer(n_neighbors=3).fit(GAPS),
    "a sum of classes": lambda: neural_network.MLPClassifier((4,), max_iter=5, random_state=0).fit(
        X, y
    ),
    "a class without weight": lambda: DecisionTreeClassifier(
        class_weight={0: 0, 1: 1, 2: 1}, random_state=0
    ).fit(X, y),
    "one row a tree": lambda: ensemble.IsolationForest(
        n_estimators=3, max_samples=1, random_state=0
    ).fit(X),
    "pairs of classes": lambda: svm.SVC(random_state=0).fit(X, y),
}
# The rows of each, where these are not FAR.
ROWS: dict[str, Callable[[], Array]] = {
    "logistic": lambda: drawn(),
    "logistic in bags": lambda: drawn(),
    "logistic, two outputs": lambda: drawn(),
    "logistic, some labels": lambda: drawn(),
    "neighbours by angle": lambda: X * 0.0,
    "outliers among equal rows": lambda: X,
    "PowerTransformer": lambda: FAR[:200],
    "SplineTransformer": lambda: FAR[:200],
    "whitened": lambda: np.hstack([X, X]),
    "kernel components": lambda: X,
    "empty topics": lambda: COUNTS * 0.0,
    "empty atoms": lambda: FAR[:300],
    "a row without a norm": lambda: X * 0.0,
    "weights of equal rows": lambda: X[:30],
    "complement": lambda: FAR[:150],
    "chi squared": lambda: np.abs(FAR),
    "gaps everywhere": lambda: np.full((1, 4), np.nan),
    "one row a tree": lambda: FAR[:300],
    "pairs of classes": lambda: FAR[:300],
}


def drawn() -> Array:
    """Rows in and around the range of ten times the training rows."""
    return np.random.default_rng(0).uniform(X.min(axis=0) - 2, X.max(axis=0) + 2, (2000, 4)) * 10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_branches_of_zeros_are_scikit_learns(case: str) -> None:
    estimator, rows = CASES[case](), ROWS[case]() if case in ROWS else FAR
    if case in SHARES_OF_NONE and np.isnan(expected(estimator, rows, "predict_proba")).any():
        pytest.skip("this scikit-learn divides by zero here: a build refuses it")
    # Far away all classes of a process are tied: which label wins depends on the version.
    methods = ["predict_proba"] if case == "Gaussian process" else []
    assert_exact(estimator, rows, methods=methods, tolerance=1e-7)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_no_class_with_a_probability_leaves_equal_shares(precision: Any) -> None:
    estimator = sure().fit(X * 10, y)
    shares = expected(estimator, drawn(), "predict_proba")
    if np.isnan(shares).any():
        pytest.skip("this scikit-learn divides by zero here: a build refuses it")
    assert (shares == 1 / 3).all(axis=1).any(), "no row has taken the branch"
    assert (shares.max(axis=1) < 1).any()
    nearly = {"float32": 1e-3, "float64": 1e-9}[precision]
    assert_exact(estimator, drawn(), precision=precision, tolerance=nearly)
