"""Decompositions whose transform is a linear map, and KernelPCA. Source: `sklearn/decomposition/`.

Upstream: skl2onnx writes PCA in the precision of its input and for one input alone, and has no
FactorAnalysis, FastICA, SparsePCA or KernelPCA with every kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import decomposition
from sklearn.linear_model import ridge_regression

from onnxlet.convert.graph.distances import doubles
from onnxlet.convert.graph.graph import Answers, Converter, Graph, Table, Tensor
from onnxlet.convert.graph.kernels import pairwise
from onnxlet.function.arrays import Array


def principal(graph: Graph, fitted: Any, table: Table) -> Answers:
    """PCA and IncrementalPCA, whitened or not."""
    components = np.asarray(fitted.components_, dtype=np.float64)
    made = doubles(graph, table) @ components.T - fitted.mean_ @ components.T
    if fitted.whiten:
        scale = np.sqrt(fitted.explained_variance_)
        made = made / np.maximum(scale, np.finfo(scale.dtype).eps)
    return _transformed(graph, made)


def truncated(graph: Graph, fitted: Any, table: Table) -> Answers:
    """TruncatedSVD."""
    return _transformed(graph, doubles(graph, table) @ np.asarray(fitted.components_).T)


def factors(graph: Graph, fitted: Any, table: Table) -> Answers:
    """FactorAnalysis: the expected factors (Barber, equation 21.2.33)."""
    weights = fitted.components_ / fitted.noise_variance_
    covariance = np.linalg.inv(np.eye(len(weights)) + weights @ fitted.components_.T)
    return _transformed(graph, (doubles(graph, table) - fitted.mean_) @ weights.T @ covariance)


def independent(graph: Graph, fitted: Any, table: Table) -> Answers:
    """FastICA."""
    x = doubles(graph, table)
    x = x - fitted.mean_ if fitted.whiten else x
    return _transformed(graph, x @ np.asarray(fitted.components_).T)


def sparse_principal(graph: Graph, fitted: Any, table: Table) -> Answers:
    """SparsePCA and its kin: ridge regression on the components, which is linear in the row."""
    x = doubles(graph, table) - fitted.mean_
    components = np.asarray(fitted.components_, dtype=np.float64)
    basis = np.eye(components.shape[1])
    of_columns = ridge_regression(components.T, basis, fitted.ridge_alpha, solver="cholesky")
    return _transformed(graph, x @ np.asarray(of_columns))


def kernel_principal(graph: Graph, fitted: Any, table: Table) -> Answers:
    """KernelPCA: the centred kernel, projected."""
    gamma = getattr(fitted, "gamma_", fitted.gamma)
    options = {"gamma": gamma, "degree": fitted.degree, "coef0": fitted.coef0}
    similar = pairwise(doubles(graph, table), fitted.X_fit_, fitted.kernel, options)
    return _transformed(graph, projected(similar, fitted))


def projected(similar: Tensor, fitted: Any) -> Tensor:
    """A kernel with the rows of its training, on the components of a KernelPCA."""
    values, vectors = (np.asarray(v) for v in (fitted.eigenvalues_, fitted.eigenvectors_))
    there = np.flatnonzero(values)
    scaled = np.zeros_like(vectors)
    scaled[:, there] = vectors[:, there] / np.sqrt(values[there])
    return centred(similar, fitted._centerer) @ scaled


def centred(similar: Tensor, centerer: Any) -> Tensor:
    """A kernel as KernelCenterer centres it: `sklearn/preprocessing/_data.py`."""
    rows: Array = np.asarray(centerer.K_fit_rows_, dtype=np.float64)
    own = similar.sum() / float(len(rows))
    return similar - rows - own + float(centerer.K_fit_all_)


def _transformed(graph: Graph, made: Tensor) -> Answers:
    return {"transform": made.cast(graph.precision)}


CONVERTERS: dict[type, Converter] = {
    decomposition.FactorAnalysis: factors,
    decomposition.FastICA: independent,
    decomposition.IncrementalPCA: principal,
    decomposition.KernelPCA: kernel_principal,
    decomposition.MiniBatchSparsePCA: sparse_principal,
    decomposition.PCA: principal,
    decomposition.SparsePCA: sparse_principal,
    decomposition.TruncatedSVD: truncated,
}
