"""Decompositions whose transform is a linear map, and KernelPCA. Source: `sklearn/decomposition/`.

Upstream: skl2onnx writes PCA in the precision of its input and for one input only, and has no
FactorAnalysis, FastICA, SparsePCA or KernelPCA with every kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import decomposition
from sklearn.linear_model import ridge_regression

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor


def principal(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """PCA and IncrementalPCA, whitened or not."""
    components = np.asarray(fitted.components_, dtype=np.float64)
    # scikit-learn subtracts the mean's projection after the product: it rounds differently.
    made = graph.matrix(table, "float64") @ components.T - fitted.mean_ @ components.T
    if fitted.whiten:
        scale = np.sqrt(fitted.explained_variance_)
        made = made / np.maximum(scale, np.finfo(scale.dtype).eps)
    return transformed(graph, made)


def truncated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """TruncatedSVD."""
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


def transformed(graph: Graph, made: Tensor) -> Outputs:
    """A transformer's outputs, in the graph's precision."""
    return {"transform": made.cast(graph.precision)}


CONVERTERS: dict[type, Converter] = {
    decomposition.FactorAnalysis: factors,
    decomposition.FastICA: independent,
    decomposition.IncrementalPCA: principal,
    decomposition.MiniBatchSparsePCA: sparse_principal,
    decomposition.PCA: principal,
    decomposition.SparsePCA: sparse_principal,
    decomposition.TruncatedSVD: truncated,
}
