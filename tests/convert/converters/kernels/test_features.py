"""Features that stand for kernels, kernel ridge regression, random projections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.kernel_approximation import (
    AdditiveChi2Sampler,
    Nystroem,
    PolynomialCountSketch,
    RBFSampler,
    SkewedChi2Sampler,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from onnxlet.convert.graph.converter import Unsupported
from tests.convert.converters.samples import fit
from tests.convert.exactness import assert_exact, differences

random = np.random.default_rng(0)
X, _ = load_iris(return_X_y=True)
Y = X @ random.normal(size=(4, 2)) + random.normal(size=(150, 2))
WIDE = np.abs(random.normal(size=(60, 45)))
FAR = np.vstack([X[:3] * 1e6, X[3:6] * 1e12, np.zeros((1, 4))])
ROWS = np.vstack([X + 0.05, FAR])


KERNELS: list[dict[str, Any]] = [
    {"kernel": "linear"},
    {"kernel": "poly", "degree": 2},
    {"kernel": "polynomial", "degree": 2.5, "gamma": 0.1, "coef0": 2},
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": 7.0},
    {"kernel": "sigmoid", "gamma": 1e-3, "coef0": -0.3},
    {"kernel": "cosine"},
    {"kernel": "laplacian"},
    {"kernel": "laplacian", "gamma": 2.0},
    {"kernel": "chi2", "gamma": 1.5},
    {"kernel": "additive_chi2"},
]


@pytest.mark.parametrize("options", KERNELS, ids=str)
def test_kernel_ridge(options: dict[str, Any]) -> None:
    fitted = fit(KernelRidge(alpha=0.5, **options), X[::2], Y[::2])
    assert_exact(fitted, ROWS, tolerance=1e-8)
    assert_exact(fit(KernelRidge(**options), WIDE[:40], Y[:40, 0]), WIDE[40:], tolerance=1e-8)


@pytest.mark.parametrize("options", KERNELS, ids=str)
def test_nystroem(options: dict[str, Any]) -> None:
    close = 1e-6  # the inverse root of a nearly singular kernel multiplies roundings
    fitted = fit(Nystroem(n_components=5, random_state=0, **options), X[::2])
    assert_exact(fitted, X + 0.05, tolerance=close)
    fitted = fit(Nystroem(n_components=20, random_state=0, **options), WIDE[:40])
    assert_exact(fitted, WIDE[40:], tolerance=close)


def test_nystroem_with_parameters_apart() -> None:
    apart = {"gamma": 0.3, "degree": 2, "coef0": 1.0}
    fitted = fit(Nystroem(kernel="poly", kernel_params=apart, n_components=5, random_state=0), X)
    assert_exact(fitted, X, tolerance=1e-6)


SAMPLERS = [
    RBFSampler(n_components=20, random_state=0),
    RBFSampler(gamma="scale", n_components=7, random_state=0),
    SkewedChi2Sampler(n_components=20, random_state=0),
    SkewedChi2Sampler(skewedness=0.1, n_components=5, random_state=0),
    AdditiveChi2Sampler(),
    AdditiveChi2Sampler(sample_steps=1),
    AdditiveChi2Sampler(sample_steps=3),
    AdditiveChi2Sampler(sample_steps=4, sample_interval=0.25),
    PolynomialCountSketch(n_components=16, random_state=0),
    PolynomialCountSketch(n_components=25, degree=3, coef0=1.5, gamma=0.2, random_state=0),
    PolynomialCountSketch(n_components=3, degree=1, random_state=0),
    GaussianRandomProjection(3, random_state=0),
    SparseRandomProjection(3, random_state=0),
    SparseRandomProjection(3, dense_output=True, density=0.5, random_state=0),
]


@pytest.mark.parametrize("estimator", SAMPLERS, ids=str)
def test_samplers(estimator: Any) -> None:
    fitted = fit(estimator, X[::2])
    assert_exact(fitted, np.vstack([X + 0.05, np.zeros((1, 4))]))
    if not isinstance(estimator, RBFSampler | PolynomialCountSketch):
        # Cosines lose their digits there, and Fourier transforms leave no zeros.
        assert_exact(fitted, FAR)


def test_centred_kernels() -> None:
    fitted = KernelCenterer().fit(rbf_kernel(X[:20]))
    assert_exact(fitted, rbf_kernel(ROWS, X[:20]))


def test_fitted_on_sparse_rows() -> None:
    assert not differences(KernelRidge().fit(sparse.csr_matrix(X), Y), ROWS)


@pytest.mark.parametrize("kind", [KernelRidge, Nystroem])
def test_refused_kernels(kind: Any) -> None:
    fitted = kind(kernel=lambda a, b: float(a @ b)).fit(X[:100], Y[:100])
    with pytest.raises(Unsupported, match=r"kernel .* has no conversion") as caught:
        differences(fitted, X)
    assert "rbf" in caught.value.hint
