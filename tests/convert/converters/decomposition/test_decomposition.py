"""Decompositions, partial least squares, and BoundedSVD, which answers where columns are few."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.cross_decomposition import CCA, PLSSVD, PLSCanonical, PLSRegression
from sklearn.datasets import load_iris
from sklearn.decomposition import (
    NMF,
    PCA,
    DictionaryLearning,
    FactorAnalysis,
    FastICA,
    IncrementalPCA,
    KernelPCA,
    LatentDirichletAllocation,
    MiniBatchDictionaryLearning,
    MiniBatchNMF,
    MiniBatchSparsePCA,
    SparseCoder,
    SparsePCA,
    TruncatedSVD,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from onnxlet.convert.estimators.bounded_svd import BoundedSVD
from onnxlet.convert.sources.source import Source
from tests.convert.converters.samples import fit
from tests.convert.exactness import answers, assert_exact, assert_refused
from tests.convert.helpers import built

random = np.random.default_rng(0)
X, _ = load_iris(return_X_y=True)
WIDE = random.normal(size=(60, 40))
COUNTS = random.poisson(0.7, size=(60, 12)).astype(float)
FAR = np.vstack([X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])
ROWS = np.vstack([X + 0.05, FAR])


LINEAR = [
    PCA(2),
    PCA(whiten=True),
    PCA(2, svd_solver="arpack", whiten=True),
    IncrementalPCA(2, batch_size=10),
    IncrementalPCA(3, whiten=True),
    TruncatedSVD(2, random_state=0),
    FactorAnalysis(2),
    FactorAnalysis(2, rotation="varimax"),
    FastICA(2, random_state=0, whiten="unit-variance"),
    FastICA(random_state=0, whiten="arbitrary-variance"),
    FastICA(random_state=0, whiten=False, max_iter=5),
    SparsePCA(2, random_state=0, max_iter=20),
    SparsePCA(3, random_state=0, max_iter=20, ridge_alpha=2.0),
    MiniBatchSparsePCA(2, random_state=0, max_iter=5),
]


@pytest.mark.parametrize("estimator", LINEAR, ids=str)
def test_linear(estimator: Any) -> None:
    assert_exact(fit(estimator, X[::2]), ROWS)


def test_whitened_along_nothing() -> None:
    flat = np.column_stack([X, X[:, 0] - X[:, 1]])
    solved = fit(PCA(whiten=True, svd_solver="covariance_eigh"), flat)
    # Beyond rounding there are four directions; the fifth is divided by the root of nothing.
    got = answers(solved, flat)["transform"][:, :4]
    assert np.allclose(got, solved.transform(flat)[:, :4], atol=1e-9)


def test_more_columns_than_components() -> None:
    wide = np.vstack([WIDE, WIDE * 1e6])
    assert_exact(fit(PCA(5), WIDE), wide)
    assert_exact(fit(SparsePCA(45, random_state=0, max_iter=2), WIDE), wide)
    assert_exact(fit(TruncatedSVD(5), sparse.csr_matrix(WIDE)), wide)


KERNELS: list[dict[str, Any]] = [
    {"kernel": "linear"},
    {"kernel": "poly", "degree": 2},
    {"kernel": "rbf"},
    {"kernel": "rbf", "gamma": 2.0},
    {"kernel": "sigmoid", "gamma": 0.01},
    {"kernel": "cosine"},
]


@pytest.mark.parametrize("options", KERNELS, ids=str)
def test_kernel_components(options: dict[str, Any]) -> None:
    far = ROWS if options["kernel"] not in ("poly", "linear") else ROWS[: len(X) + 3]
    assert_exact(fit(KernelPCA(3, **options), X[::2]), far, tolerance=1e-8)
    assert_exact(fit(KernelPCA(3, **options), WIDE[::2]), WIDE, tolerance=1e-8)


CODERS = [
    DictionaryLearning(6, max_iter=5, random_state=0),
    DictionaryLearning(6, max_iter=5, random_state=0, transform_n_nonzero_coefs=4),
    DictionaryLearning(6, max_iter=5, random_state=0, split_sign=True),
    DictionaryLearning(6, max_iter=5, random_state=0, transform_algorithm="threshold"),
    DictionaryLearning(
        6, max_iter=5, random_state=0, transform_algorithm="threshold", transform_alpha=0.2,
        positive_code=True, fit_algorithm="cd",
    ),
    MiniBatchDictionaryLearning(6, max_iter=5, random_state=0, transform_n_nonzero_coefs=3),
]  # fmt: skip


@pytest.mark.parametrize("estimator", CODERS, ids=str)
def test_few_atoms(estimator: Any) -> None:
    fitted = fit(estimator, WIDE[:, :10])
    assert_exact(fitted, np.vstack([WIDE[:, 10:20], np.zeros((1, 10)), WIDE[:5, :10] * 1e6]))


def test_given_atoms() -> None:
    atoms = random.normal(size=(8, 5))
    atoms = np.vstack([atoms, atoms[:1] * 2.0])  # parallel to the first
    for count in (1, 3, 5):
        coder = SparseCoder(atoms, transform_n_nonzero_coefs=count)
        exactly = random.integers(-2, 3, size=(20, 1)) * atoms[:1]  # one atom is enough
        assert_exact(fit(coder, WIDE[:, :5]), np.vstack([WIDE[:, :5], exactly, exactly * 1e9]))


def test_non_negative_parts() -> None:
    rows = np.abs(X[1::2] + random.normal(size=(75, 4)))
    for options in ({}, {"alpha_W": 0.01, "l1_ratio": 0.4}, {"init": "random", "max_iter": 30}):
        fitted = fit(NMF(3, tol=0, random_state=0, **options), X[::2])
        assert_exact(fitted, np.vstack([rows, rows * 1e6, np.zeros((1, 4))]))
        assert_exact(fitted, rows[:1])


@pytest.mark.parametrize("kind", [NMF, MiniBatchNMF])
@pytest.mark.parametrize(
    "options", [{}, {"alpha_W": 0.01, "l1_ratio": 0.4}, {"tol": 1e-2, "max_iter": 30}]
)
def test_parts_of_a_row_by_itself(kind: Any, options: Any) -> None:
    rows = np.abs(np.vstack([X[1::2], X[1::2] * 1e3, X[:5] * 1e-3]))
    fitted = fit(kind(3, random_state=0, init="nndsvda", **options), X[::2])
    got = answers(fitted, rows, ["transform"])["transform"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some rows take all steps
        alone = np.vstack([fitted.transform(rows[row : row + 1]) for row in range(len(rows))])
        together = fitted.transform(rows)
    np.testing.assert_allclose(got, alone, rtol=1e-9, atol=1e-12)
    # Rows together end their steps together: otherwise the test shows nothing.
    assert not np.allclose(together, alone, rtol=1e-6)


@pytest.mark.long
def test_a_build_asks_rows_of_parts_one_by_one(tmp_path: Path) -> None:
    parts = NMF(2, random_state=0, init="nndsvda", max_iter=20, tol=1e-2)
    model = make_pipeline(MinMaxScaler(clip=True), parts)
    manifest = built(Source(model.fit(X[::2]), X[1:21:2]), tmp_path).manifest
    assert manifest["parity"]["asked"] == "row by row"


@pytest.mark.long
def test_rows_of_parts_may_be_sparse(tmp_path: Path) -> None:
    sparse = csr_array(np.where(np.median(COUNTS) < COUNTS, COUNTS, 0.0))
    model = NMF(2, random_state=0, init="nndsvda", max_iter=20, tol=1e-2).fit(sparse)
    manifest = built(Source(model, sparse[:6]), tmp_path).manifest
    assert manifest["parity"]["asked"] == "row by row"


def test_topics() -> None:
    for options in ({}, {"mean_change_tol": 1e-7, "max_doc_update_iter": 7}):
        fitted = fit(LatentDirichletAllocation(4, random_state=0, **options), COUNTS[::2])
        rows = np.vstack([COUNTS, COUNTS * 1e6, np.zeros((1, 12)), COUNTS * 0.1])
        assert_exact(fitted, rows)
        assert_exact(fitted, rows[:1])


REFUSED = [
    (NMF(2, solver="mu", tol=0, init="nndsvda"), "rows beside"),
    (NMF(2, tol=0, shuffle=True), "shuffles"),
    (MiniBatchNMF(2, beta_loss="kullback-leibler"), "beta_loss is 'kullback-leibler'"),
    (DictionaryLearning(3, max_iter=2, transform_algorithm="lasso_lars"), "path of solutions"),
    (SparseCoder(np.eye(4), transform_n_nonzero_coefs=40), "looks for 40 atoms"),
    (KernelPCA(2, kernel=lambda a, b: a @ b), "kernel .* has no conversion"),
]


@pytest.mark.parametrize(("estimator", "reason"), REFUSED, ids=[why for _, why in REFUSED])
def test_refusals(estimator: Any, reason: str) -> None:
    assert_refused(fit(estimator, X), X, reason, methods=["transform"])


others = np.random.default_rng(0)
SCALED = others.normal(size=(80, 5)) * [1.0, 10.0, 0.1, 1.0, 1.0] + [0.0, 3.0, 0.0, -50.0, 1e3]
TARGETS = SCALED[:, :3] @ others.normal(size=(3, 2)) + others.normal(size=(80, 2))
SCALED_ROWS = np.vstack(
    [SCALED, SCALED[:3] * 1e6, -SCALED[:3] * 1e12, np.zeros((1, 5)), SCALED[:2] * -1e25]
)


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("kind", [PLSRegression, PLSCanonical, CCA])
def test_predictions_and_scores(kind: Any, scale: bool) -> None:
    fitted = kind(2, scale=scale).fit(SCALED[::2], TARGETS[::2])
    assert_exact(fitted, SCALED_ROWS)
    assert_exact(fitted, SCALED_ROWS, methods=["transform"])


@pytest.mark.parametrize("target", [TARGETS[:, 0], TARGETS[:, :1]], ids=["flat", "one column"])
def test_one_target(target: Any) -> None:
    assert_exact(PLSRegression(3).fit(SCALED, target), SCALED_ROWS)


@pytest.mark.parametrize("scale", [True, False])
def test_singular_values(scale: bool) -> None:
    assert_exact(PLSSVD(2, scale=scale).fit(SCALED, TARGETS), SCALED_ROWS)


FEW = np.random.default_rng(0).normal(size=(60, 5))


def test_it_is_truncated_svd_where_there_are_columns_enough() -> None:
    made = BoundedSVD(3, random_state=0).fit_transform(FEW)
    np.testing.assert_array_equal(made, TruncatedSVD(3, random_state=0).fit_transform(FEW))


@pytest.mark.parametrize("wanted", [3, 30])
def test_it_is_built(wanted: int, tmp_path: Path) -> None:
    model = BoundedSVD(wanted, random_state=0).fit(FEW)
    result = built(Source(model, FEW[:20]), tmp_path)

    assert result.manifest["parity"]["differing_rows"] == 0
    assert model.transform(FEW).shape == (60, min(wanted, 5))
    assert (model.n_components, clone(model).n_components) == (wanted, wanted)
