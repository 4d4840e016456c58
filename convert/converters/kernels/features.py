"""Features by kernels, and those that approximate them; kernel ridge regression.

Source: `sklearn/kernel_approximation.py`, `sklearn/kernel_ridge.py`,
`sklearn/decomposition/_kernel_pca.py`, and KernelCenterer of `sklearn/preprocessing/_data.py`.
Upstream: skl2onnx has KernelCenterer, and of KernelPCA not every kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import decomposition, kernel_approximation, kernel_ridge, preprocessing

from onnxlet.convert.converters.kernels.gaussian_processes import similar
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.responses import of_matrix
from onnxlet.function.arrays import Array


def kernel_principal(fitted: Any, x: Tensor) -> Any:
    """KernelPCA: the centred kernel, projected."""
    gamma = getattr(fitted, "gamma_", fitted.gamma)
    options = {"gamma": gamma, "degree": fitted.degree, "coef0": fitted.coef0}
    made = similar(x, fitted.X_fit_, fitted.kernel, options)
    return projected(made, fitted)


def projected(kernel: Tensor, fitted: Any) -> Tensor:
    """A kernel with the rows of its training, on the components of a KernelPCA."""
    values, vectors = (np.asarray(v) for v in (fitted.eigenvalues_, fitted.eigenvectors_))
    there = np.flatnonzero(values)
    scaled = np.zeros_like(vectors)
    scaled[:, there] = vectors[:, there] / np.sqrt(values[there])
    return centred(kernel, fitted._centerer) @ scaled


def centred(kernel: Tensor, centerer: Any) -> Tensor:
    """A kernel as KernelCenterer centres it: `sklearn/preprocessing/_data.py`."""
    rows: Array = np.asarray(centerer.K_fit_rows_, dtype=np.float64)
    own = kernel.sum() / float(len(rows))
    return kernel - rows - own + float(centerer.K_fit_all_)


def ridge(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """KernelRidge."""
    options = {"gamma": fitted.gamma, "degree": fitted.degree, "coef0": fitted.coef0}
    x = graph.matrix(table, "float64")
    made = similar(x, fitted.X_fit_, fitted.kernel, options)
    weights = np.asarray(fitted.dual_coef_).reshape(fitted.X_fit_.shape[0], -1)
    return {"predict": (made @ weights).cast(graph.precision)}


def nystroem(fitted: Any, x: Tensor) -> Any:
    """Nystroem: kernels with some rows of the training, made orthonormal."""
    given = {name: getattr(fitted, name) for name in ("gamma", "degree", "coef0")}
    options = {name: value for name, value in given.items() if value is not None}
    options = {**(fitted.kernel_params or {}), **options}
    made = similar(x, fitted.components_, fitted.kernel, options)
    return made @ np.asarray(fitted.normalization_).T


def radial_sampler(fitted: Any, x: Tensor) -> Any:
    """RBFSampler: cosines of random projections."""
    return _waves(fitted, x) * (2.0 / fitted.n_components) ** 0.5


def skewed_sampler(fitted: Any, x: Tensor) -> Any:
    """SkewedChi2Sampler."""
    logs = (x + float(fitted.skewedness)).unary("Log")
    scale = float(np.sqrt(2.0) / np.sqrt(fitted.n_components))
    return _waves(fitted, logs) * scale


def _waves(fitted: Any, x: Tensor) -> Tensor:
    projected = x @ np.asarray(fitted.random_weights_) + np.asarray(fitted.random_offset_)
    return projected.unary("Cos")


def additive_sampler(fitted: Any, x: Tensor) -> Any:
    """AdditiveChi2Sampler: waves of the logarithm; a zero stays zero."""
    default = {1: 0.8, 2: 0.5, 3: 0.4}
    interval = fitted.sample_interval
    interval = float(default[fitted.sample_steps] if interval is None else interval)
    none = x.equals(0.0)
    logs = none.where(1.0, x).unary("Log") * interval
    made = [(x * interval).unary("Sqrt")]
    for j in range(1, fitted.sample_steps):
        height = (x * 2.0 * interval / float(np.cosh(np.pi * j * interval))).unary("Sqrt")
        made += [height * (logs * float(j)).unary(wave) for wave in ("Cos", "Sin")]
    return x.graph.concat(made)


def count_sketch(fitted: Any, x: Tensor) -> Any:
    """PolynomialCountSketch: products of Fourier transforms, which are matrices here."""
    x = x * float(np.sqrt(fitted.gamma))
    size = fitted.n_components
    indices = np.arange(size)
    angles = 2.0 * np.pi * ((indices[:, np.newaxis] * indices) % size) / size
    real: Tensor | None = None
    imaginary: Tensor | None = None
    for signs, at in zip(fitted.bitHash_, fitted.indexHash_, strict=True):
        sketch = np.zeros((len(at), size))
        sketch[np.arange(len(at)), at] = signs
        a, b = (
            _affine(x, sketch @ wave, fitted.coef0) for wave in (np.cos(angles), -np.sin(angles))
        )
        if real is None or imaginary is None:
            real, imaginary = a, b
        else:
            real, imaginary = real * a - imaginary * b, real * b + imaginary * a
    assert real is not None and imaginary is not None  # noqa: S101, PT018 - degree is at least 1
    return (real @ np.cos(angles) - imaginary @ np.sin(angles)) / float(size)


def _affine(x: Tensor, weights: Array, coef0: float) -> Tensor:
    """`x @ weights`, whose last row is for the constant if there is one."""
    if coef0 == 0:
        return x @ weights
    made: Tensor = x @ weights[:-1] + np.sqrt(coef0) * weights[-1]
    return made


CONVERTERS: Converters = {
    decomposition.KernelPCA: of_matrix(kernel_principal),
    kernel_approximation.AdditiveChi2Sampler: of_matrix(additive_sampler),
    kernel_approximation.Nystroem: of_matrix(nystroem),
    kernel_approximation.PolynomialCountSketch: of_matrix(count_sketch),
    kernel_approximation.RBFSampler: of_matrix(radial_sampler),
    kernel_approximation.SkewedChi2Sampler: of_matrix(skewed_sampler),
    kernel_ridge.KernelRidge: ridge,
    preprocessing.KernelCenterer: of_matrix(lambda fitted, x: centred(x, fitted)),
}
