"""Gaussian processes, for numbers and for classes.

Source: `sklearn/gaussian_process/_gpr.py` (Rasmussen and Williams, 2006, algorithm 2.1), `_gpc.py`
(algorithm 3.2, and the sigmoid as a sum of five error functions after Williams and Barber, 1998).
Upstream: skl2onnx has few kernels, and ONNX Runtime has no error function in float64.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx
from sklearn import gaussian_process
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS, _BinaryGaussianProcessClassifierLaplace

from onnxlet.convert.converters.answers import two_sided
from onnxlet.convert.converters.kernels.gaussian_kernels import at_itself, check, values
from onnxlet.convert.converters.kernels.support_vectors import one_versus_rest
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import dense
from onnxlet.function.arrays import Array

EXACT_INVERSE = 1e3  # the condition up to which a product with the inverse is as good
ERROR_DEGREE = 30  # of the Chebyshev polynomial, for an error of 1e-15


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GaussianProcessRegressor, with the standard deviation."""
    check(fitted.kernel_)
    x, points = graph.matrix(table, "float64"), dense(fitted.X_train_)
    similar = values(x, points, fitted.kernel_)
    alpha = np.asarray(fitted.alpha_).reshape(len(points), -1)
    scale, mean = (np.reshape(v, (1, -1)) for v in (fitted._y_train_std, fitted._y_train_mean))
    variance = at_itself(x, fitted.kernel_) - _solved(similar, np.tril(fitted.L_)).sum_of_squares()
    # Rounding may make it negative: scikit-learn then takes 0.
    return {
        "predict": (similar @ alpha * scale + mean).cast(graph.precision),
        "std": (variance.maximum(0.0) * scale**2).unary("Sqrt").cast(graph.precision),
    }


def _solved(similar: Tensor, root: Array) -> Tensor:
    """`solve_triangular(root, similar.T).T`, as exact as that is.

    The inverse of a matrix that is nearly singular loses digits that substitution keeps. One step
    of refinement brings them back: Skeel (1980), "Iterative refinement implies numerical
    stability for Gaussian elimination".
    """
    inverse = np.linalg.solve(root, np.eye(len(root)))
    solution = similar @ inverse.T
    if np.linalg.cond(root, 1) < EXACT_INVERSE:
        return solution
    left: Tensor = similar - solution @ root.T
    return solution + left @ inverse.T


def binary(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Laplace's approximation for two classes."""
    check(fitted.kernel_)
    x, points = graph.matrix(table, "float64"), dense(fitted.X_train_)
    similar = values(x, points, fitted.kernel_)
    mean = similar @ np.reshape(fitted.y_train_ - fitted.pi_, (-1, 1))
    inverse = np.linalg.solve(np.tril(fitted.L_), np.diag(fitted.W_sr_))
    variance = at_itself(x, fitted.kernel_) - (similar @ inverse.T).sum_of_squares()
    second = _averaged(mean, variance)
    return {
        "class_index": (mean > 0.0).cast("int64"),
        "predict_proba": two_sided(second),
    }


def _averaged(mean: Tensor, variance: Tensor) -> Tensor:
    """The mean of the sigmoid of a Gaussian, one column."""
    slopes, heights = LAMBDAS.reshape(1, -1), COEFS.reshape(1, -1)
    alpha = 0.5 / variance
    spread = (alpha / (alpha + slopes**2)).unary("Sqrt")
    parts = _error_function(mean * slopes * spread) * (0.5 * heights)
    made: Tensor = parts.sum() + 0.5 * float(COEFS.sum())
    return made


def _error_function(x: Tensor) -> Tensor:
    """To within 1e-15: erfc(z) = t exp(-z² + P(t)) with t = 2 / (2 + z), P a Chebyshev series."""
    z = x.unary("Abs")
    t = 2.0 / (z + 2.0)
    u, after, later = t * 2.0 - 1.0, t * 0.0, t * 0.0
    for weight in _ERROR_WEIGHTS[:0:-1]:
        after, later = u * after * 2.0 - later + weight, after
    polynomial = u * after - later + _ERROR_WEIGHTS[0]
    return x.unary("Sign") * (1.0 - t * (polynomial - z * z).unary("Exp"))


def _error_weights() -> list[float]:
    u = chebyshev.chebpts1(ERROR_DEGREE + 1)
    t = (u + 1.0) / 2.0
    made = chebyshev.chebfit(u, np.log(erfcx(2.0 / t - 2.0) / t), ERROR_DEGREE)
    return [float(weight) for weight in made]


_ERROR_WEIGHTS = _error_weights()


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """GaussianProcessClassifier: two classes, or several one against the rest or in pairs."""
    base = fitted.base_estimator_
    if len(fitted.classes_) == 2:
        outputs = dict(graph.convert(base, table))
    elif fitted.multi_class == "one_vs_rest":
        outputs = _against_the_rest(graph, base.estimators_, table)
    else:
        outputs = _pairs(graph, base.estimators_, table, len(fitted.classes_))
    shares = outputs.get("predict_proba")
    if isinstance(shares, Tensor):
        outputs["predict_proba"] = shares.cast(graph.precision)
    return outputs


def _second(graph: Graph, part: Any, table: Table) -> Tensor:
    return graph.call(part, table, "predict_proba").take([1])


def _against_the_rest(graph: Graph, parts: Any, table: Table) -> dict[str, Tensor | Table]:
    shares = graph.concat([_second(graph, part, table) for part in parts])
    return {"class_index": shares.argmax(), "predict_proba": shares / shares.sum()}


def _pairs(graph: Graph, parts: Any, table: Table, count: int) -> dict[str, Tensor | Table]:
    """`OneVsOneClassifier.predict`: each pair's vote and confidence."""
    if len(parts) != len(list(combinations(range(count), 2))):
        raise Unsupported("some of its pairs of classes have no model")
    seconds = graph.concat([graph.call(p, table, "class_index").cast("float64") for p in parts])
    confidence = graph.concat([_second(graph, part, table) for part in parts])
    return {"class_index": one_versus_rest(seconds, confidence, count).argmax()}


CONVERTERS: Converters = {
    _BinaryGaussianProcessClassifierLaplace: binary,
    gaussian_process.GaussianProcessClassifier: classifier,
    gaussian_process.GaussianProcessRegressor: regressor,
}
