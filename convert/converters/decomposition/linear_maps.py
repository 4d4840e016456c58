"""Decompositions whose transform is a linear map; partial least squares; random projections.

Source: `sklearn/decomposition/`, `sklearn/cross_decomposition/_pls.py`,
`sklearn/random_projection.py`, `sklearn/neighbors/_nca.py`. Upstream: skl2onnx writes PCA in the
precision of its input and for one input only, has no FactorAnalysis, FastICA or SparsePCA, and of
partial least squares only PLSRegression's predictions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import cross_decomposition, decomposition, neighbors, random_projection
from sklearn.linear_model import ridge_regression

from onnxlet.convert.converters.answers import transformed
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table
from onnxlet.convert.graph.distances import dense


def principal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PCA and IncrementalPCA, whitened or not."""
    components = np.asarray(fitted.components_, dtype=np.float64)
    # scikit-learn subtracts the mean's projection after the product: it rounds differently.
    made = graph.matrix(table, "float64") @ components.T - fitted.mean_ @ components.T
    if fitted.whiten:
        scale = np.sqrt(fitted.explained_variance_)
        made = made / np.maximum(scale, np.finfo(scale.dtype).eps)
    return transformed(graph, made)


def components(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TruncatedSVD and NeighborhoodComponentsAnalysis: the rows times components."""
    return transformed(graph, graph.matrix(table, "float64") @ np.asarray(fitted.components_).T)


def factors(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """FactorAnalysis: the expected factors (Barber, equation 21.2.33)."""
    weights = fitted.components_ / fitted.noise_variance_
    covariance = np.linalg.inv(np.eye(len(weights)) + weights @ fitted.components_.T)
    return transformed(
        graph, (graph.matrix(table, "float64") - fitted.mean_) @ weights.T @ covariance
    )


def independent(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """FastICA."""
    x = graph.matrix(table, "float64")
    x = x - fitted.mean_ if fitted.whiten else x
    return transformed(graph, x @ np.asarray(fitted.components_).T)


def sparse_principal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SparsePCA, MiniBatchSparsePCA: ridge regression on the components, linear in the row."""
    x = graph.matrix(table, "float64") - fitted.mean_
    components = np.asarray(fitted.components_, dtype=np.float64)
    basis = np.eye(components.shape[1])
    of_columns = ridge_regression(components.T, basis, fitted.ridge_alpha, solver="cholesky")
    return transformed(graph, x @ np.asarray(of_columns))


def partial_least_squares(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PLSRegression, PLSCanonical and CCA: predictions, and the scores of x."""
    x = graph.matrix(table, "float64") - np.asarray(fitted._x_mean)
    predicted = x @ np.asarray(fitted.coef_).T + np.asarray(fitted.intercept_)
    scores = (x / np.asarray(fitted._x_std)) @ fitted.x_rotations_
    return {
        "predict": predicted.cast(graph.precision),
        "transform": scores.cast(graph.precision),
    }


def singular_values(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PLSSVD: the scores of x."""
    x = (graph.matrix(table, "float64") - np.asarray(fitted._x_mean)) / np.asarray(fitted._x_std)
    return transformed(graph, x @ fitted.x_weights_)


def projection(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GaussianRandomProjection and SparseRandomProjection."""
    return transformed(graph, graph.matrix(table, "float64") @ dense(fitted.components_).T)


CONVERTERS: Converters = {
    decomposition.FactorAnalysis: factors,
    decomposition.FastICA: independent,
    decomposition.IncrementalPCA: principal,
    decomposition.MiniBatchSparsePCA: sparse_principal,
    decomposition.PCA: principal,
    decomposition.SparsePCA: sparse_principal,
    decomposition.TruncatedSVD: components,
    cross_decomposition.CCA: partial_least_squares,
    cross_decomposition.PLSCanonical: partial_least_squares,
    cross_decomposition.PLSRegression: partial_least_squares,
    cross_decomposition.PLSSVD: singular_values,
    neighbors.NeighborhoodComponentsAnalysis: components,
    random_projection.GaussianRandomProjection: projection,
    random_projection.SparseRandomProjection: projection,
}
