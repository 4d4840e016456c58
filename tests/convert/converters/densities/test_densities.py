"""Mixtures, ellipses, densities and neighbours, most of which have no predict and no transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import covariance, neighbors
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_iris
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from onnxlet.convert.sources.source import Source
from tests.convert.converters.samples import fit
from tests.convert.exactness import answers, assert_exact, assert_refused
from tests.convert.helpers import built, served

X, Y = load_iris(return_X_y=True)
ROWS = np.vstack([X + 0.05, X[:3] * 1e6, -X[:3] * 1e12, np.zeros((1, 4)), X[:2] * -1e25])
KERNELS = ("gaussian", "tophat", "epanechnikov", "exponential", "linear", "cosine")


shapes = pytest.mark.parametrize("shape", ["full", "tied", "diag", "spherical"])


@shapes
def test_gaussian(shape: str) -> None:
    fitted = fit(GaussianMixture(3, covariance_type=shape, random_state=0), X[::2])
    assert_exact(fitted, ROWS, tolerance=1e-8)


@shapes
@pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])
def test_bayesian(shape: str, kind: str) -> None:
    options: Any = {"covariance_type": shape, "weight_concentration_prior_type": kind}
    fitted = fit(BayesianGaussianMixture(n_components=4, random_state=0, **options), X[::2])
    assert_exact(fitted, ROWS, tolerance=1e-8)


@pytest.mark.parametrize("kind", [GaussianMixture, BayesianGaussianMixture])
def test_single_components_and_columns(kind: Any) -> None:
    assert_exact(fit(kind(n_components=1), X), ROWS)
    assert_exact(fit(kind(n_components=2, random_state=0), X[:, 2:3]), ROWS[:, 2:3])


@pytest.mark.parametrize("contamination", [0.05, 0.3])
@pytest.mark.parametrize("keeps", [True, False])
def test_elliptic_envelope(contamination: float, keeps: bool) -> None:
    fitted = EllipticEnvelope(
        contamination=contamination, store_precision=keeps, random_state=0
    ).fit(X)
    assert_exact(fitted, np.vstack([X, ROWS]))


def test_an_ellipse_of_one_column() -> None:
    assert_exact(EllipticEnvelope(random_state=0).fit(X[:, :1]), np.vstack([X, ROWS])[:, :1])


def check(model: Any, method: str, wanted: Any, rows: Any = X) -> None:
    got = answers(model, rows, [method])[method]
    np.testing.assert_allclose(got, np.reshape(wanted, got.shape), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 2, 75)], ids=["equal", "weighted"])
def test_densities_by_every_kernel(kernel: str, weights: Any) -> None:
    model = neighbors.KernelDensity(bandwidth=0.7, kernel=kernel, leaf_size=75)
    model.fit(X[::2], sample_weight=weights)
    rows = np.vstack([X, X[:5] + 30.0])
    with np.errstate(divide="ignore"):
        check(model, "score_samples", model.score_samples(rows), rows)


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev"])
def test_densities_of_other_metrics(metric: str) -> None:
    model = neighbors.KernelDensity(bandwidth="scott", metric=metric, leaf_size=300)
    model.fit(np.tile(X, (2, 1)))
    check(model, "score_samples", model.score_samples(X))


def test_approximate_densities_are_refused() -> None:
    assert_refused(
        neighbors.KernelDensity(rtol=1e-3).fit(X),
        X,
        "approximates densities",
        methods=["score_samples"],
    )


def test_a_tree_of_points_is_refused_with_the_way_out() -> None:
    assert_refused(
        neighbors.KernelDensity(leaf_size=40).fit(X),
        X,
        "loses digits",
        "leaf_size=150",
        methods=["score_samples"],
    )


COVARIANCES = ("EmpiricalCovariance", "GraphicalLasso", "LedoitWolf", "MinCovDet", "OAS")


@pytest.mark.parametrize("name", COVARIANCES)
def test_distances_from_a_centre(name: str) -> None:
    model = getattr(covariance, name)().fit(X)
    check(model, "mahalanobis", model.mahalanobis(X))


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "ball_tree"])
def test_neighbours_in_their_order(algorithm: str) -> None:
    model = neighbors.NearestNeighbors(n_neighbors=4, algorithm=algorithm).fit(X)
    rows = X + np.random.default_rng(0).normal(0, 0.05, X.shape)
    distances, indices = model.kneighbors(rows)
    check(model, "distances", distances, rows)
    got = answers(model, rows, ["kneighbors"])["kneighbors"]
    assert got.dtype == np.int64
    apart = (np.diff(distances, axis=1) > 0).all(axis=1)  # iris has rows that are equal
    assert apart.mean() > 0.9
    np.testing.assert_array_equal(got[apart], indices[apart])


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_neighbours_as_columns(mode: Any) -> None:
    for model in (
        neighbors.KNeighborsTransformer(mode=mode, n_neighbors=3),
        neighbors.RadiusNeighborsTransformer(mode=mode, radius=0.8),
    ):
        model.fit(X[::2])
        check(model, "transform", model.transform(X).toarray())


def test_neighbours_are_served_with_their_distances(tmp_path: Path) -> None:
    model = neighbors.NearestNeighbors(n_neighbors=3).fit(X[::2])
    parity = built(Source(model, X[1::2] + 0.003), tmp_path).manifest["parity"]
    assert parity["tied_rows"] > 0
    rows = X[50:54] + 0.003
    answer = served(tmp_path).post("/predict", json={"instances": rows.tolist()}).get_json()
    distances, indices = model.kneighbors(rows)
    assert answer["prediction"] == indices.tolist()
    np.testing.assert_allclose(answer["distances"], distances)


@pytest.mark.parametrize(
    ("model", "method"),
    [
        (make_pipeline(StandardScaler(), neighbors.KernelDensity(leaf_size=75)), "score_samples"),
        (covariance.LedoitWolf(), "mahalanobis"),
    ],
    ids=["a density", "a distance from a centre"],
)
def test_what_neither_predicts_nor_transforms_is_served(
    model: Any, method: str, tmp_path: Path
) -> None:
    manifest = built(Source(model.fit(X[::2]), X[1::2]), tmp_path).manifest
    [output] = manifest["signature"]["outputs"]
    assert (output["name"], output["shape"]) == ("prediction", [-1])
    answer = served(tmp_path).post("/predict", json={"instances": X[:3].tolist()}).get_json()
    np.testing.assert_allclose(answer["prediction"], getattr(model, method)(X[:3]))
