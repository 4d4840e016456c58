"""Gaussian processes, for numbers and for classes, and their kernels.

A kernel that does not depend on the rows is a number here, any other is a tensor. Sources:
`sklearn/gaussian_process/kernels.py`, `sklearn/gaussian_process/_gpr.py` (Rasmussen and Williams,
2006, algorithm 2.1), `_gpc.py` (algorithm 3.2, and the sigmoid as a sum of five error functions
after Williams and Barber, 1998). Upstream: skl2onnx has few kernels, and ONNX Runtime has no error
function in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx
from sklearn import gaussian_process
from sklearn.gaussian_process import kernels
from sklearn.gaussian_process._gpc import COEFS, LAMBDAS, _BinaryGaussianProcessClassifierLaplace

from onnxlet.convert.converters.kernels.support_vectors import one_versus_rest
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import dense, squared_differences
from onnxlet.convert.graph.kernels import inner_kernel, pairwise, raised
from onnxlet.convert.graph.responses import two_sided
from onnxlet.function.arrays import Array

Value = Tensor | float
MOST_HALVES = 12  # of Matern's nu; beyond, its polynomial loses digits
# The value of each pairwise kernel of a row with itself, where it does not depend on the row.
PROFILES = {"rbf": 1.0, "laplacian": 1.0, "chi2": 1.0, "additive_chi2": 0.0}


def between(x: Tensor, points: Array, kernel: Any) -> Value:
    """`kernel(x, points)`, of shape (rows, points)."""
    if type(kernel) in COMBINED:
        return _combined(kernel, lambda part: between(x, points, part))
    if type(kernel) in NUMBERS:
        return float(NUMBERS[type(kernel)](kernel))
    if type(kernel) not in BETWEEN:
        raise Unsupported(f"the kernel {type(kernel).__name__} has no conversion")
    return BETWEEN[type(kernel)](x, points, kernel)


def check(kernel: Any) -> None:
    """Raise Unsupported for a kernel that is, or has, one of the user's own classes."""
    if type(kernel) in COMBINED:
        for part in (getattr(kernel, name, None) for name in ("kernel", "k1", "k2")):
            if part is not None:
                check(part)
    elif type(kernel) not in NUMBERS and type(kernel) not in BETWEEN:
        raise Unsupported(
            f"the kernel {type(kernel).__name__} has no conversion",
            "Use scikit-learn's own kernels, their sums and products.",
        )


def similar(x: Tensor, points: Array, kernel: Any, options: Mapping[str, Any]) -> Tensor:
    """`pairwise_kernels(x, points, metric=kernel, …)`, which takes these kernels, too."""
    if not isinstance(kernel, kernels.Kernel):
        return pairwise(x, points, kernel, options)
    return values(x, dense(points), kernel)


def values(x: Tensor, points: Array, kernel: kernels.Kernel) -> Tensor:
    """As `between`, of shape (rows, points) even if it does not depend on the rows."""
    value = between(x, points, kernel)
    if isinstance(value, Tensor):
        return value
    return (x.take([0]) * 0.0) + np.full((1, len(points)), value)


def at_itself(x: Tensor, kernel: Any) -> Value:
    """`kernel.diag(x)`, one column."""
    if type(kernel) in COMBINED:
        return _combined(kernel, lambda part: at_itself(x, part))
    own = AT_ITSELF.get(type(kernel))
    return 1.0 if own is None else own(x, kernel)


def _combined(kernel: Any, of: Callable[[Any], Value]) -> Value:
    if isinstance(kernel, kernels.Exponentiation):
        base = of(kernel.kernel)
        power = float(kernel.exponent)
        return raised(base, power) if isinstance(base, Tensor) else float(base**power)
    first, second = of(kernel.k1), of(kernel.k2)
    return first + second if isinstance(kernel, kernels.Sum) else first * second


def _radial(x: Tensor, points: Array, kernel: Any) -> Tensor:
    return (_scaled(x, points, kernel) * -0.5).unary("Exp")


def _scaled(x: Tensor, points: Array, kernel: Any) -> Tensor:
    """Squared distances where each column is divided by its length scale."""
    scale = np.squeeze(np.asarray(kernel.length_scale, dtype=np.float64))
    return squared_differences(x / scale, points / scale)


def _matern(x: Tensor, points: Array, kernel: Any) -> Tensor:
    """A polynomial for half-integer nu: Rasmussen and Williams (2006), equation 4.16."""
    if kernel.nu == np.inf:
        return _radial(x, points, kernel)
    degree = kernel.nu - 0.5
    if degree != int(degree) or not 0 <= degree <= MOST_HALVES:
        raise Unsupported(
            f"Matern's nu={kernel.nu:g} takes a Bessel function", "Use nu=0.5, 1.5, 2.5 or inf."
        )
    p = int(degree)
    distance = _scaled(x, points, kernel).unary("Sqrt") * float(np.sqrt(2.0 * kernel.nu))
    total: Value = 0.0
    for i in range(p + 1):
        share = factorial(p) * factorial(p + i) / (factorial(2 * p) * factorial(i))
        term = raised(distance * 2.0, float(p - i)) * (share / factorial(p - i)) if p > i else share
        total = term + total
    return (-distance).unary("Exp") * total


def _rational(x: Tensor, points: Array, kernel: Any) -> Tensor:
    scale = 2.0 * float(kernel.alpha) * float(kernel.length_scale) ** 2
    return (squared_differences(x, points) / scale + 1.0) ** -float(kernel.alpha)


def _periodic(x: Tensor, points: Array, kernel: Any) -> Tensor:
    distance = squared_differences(x, points).unary("Sqrt")
    wave = (distance * float(np.pi / kernel.periodicity)).unary("Sin") / float(kernel.length_scale)
    return (wave * wave * -2.0).unary("Exp")


def _options(kernel: Any) -> dict[str, Any]:
    return {"gamma": kernel.gamma, **(kernel.pairwise_kernels_kwargs or {})}


def _own_pairwise(x: Tensor, kernel: Any) -> Value:
    if kernel.metric in PROFILES:
        return PROFILES[kernel.metric]
    squares = x.sum_of_squares()
    if kernel.metric == "cosine":
        return squares.equals(0.0).where(0.0, squares * 0.0 + 1.0)
    return inner_kernel(squares, x.width, kernel.metric, _options(kernel))


COMBINED = (kernels.Exponentiation, kernels.Product, kernels.Sum)
# The value of a kernel of a row with itself, where that is not 1.
AT_ITSELF: dict[type, Callable[[Tensor, Any], Value]] = {
    kernels.ConstantKernel: lambda x, kernel: float(kernel.constant_value),
    kernels.DotProduct: lambda x, kernel: x.sum_of_squares() + float(kernel.sigma_0) ** 2,
    kernels.PairwiseKernel: _own_pairwise,
    kernels.WhiteKernel: lambda x, kernel: float(kernel.noise_level),
}
NUMBERS: dict[type, Callable[[Any], float]] = {
    kernels.ConstantKernel: lambda kernel: kernel.constant_value,
    kernels.WhiteKernel: lambda _: (
        0.0
    ),  # noise is on the diagonal only, and rows are never the training's
}
BETWEEN: dict[type, Callable[[Tensor, Array, Any], Tensor]] = {
    kernels.DotProduct: lambda x, points, kernel: x @ points.T + float(kernel.sigma_0) ** 2,
    kernels.ExpSineSquared: _periodic,
    kernels.Matern: _matern,
    kernels.PairwiseKernel: lambda x, points, kernel: pairwise(
        x, points, kernel.metric, _options(kernel)
    ),
    kernels.RBF: _radial,
    kernels.RationalQuadratic: _rational,
}


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
    return {"class_index": (mean > 0.0).cast("int64"), "predict_proba": two_sided(second)}


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
        shares = graph.concat([_second(graph, part, table) for part in base.estimators_])
        outputs = {"class_index": shares.argmax(), "predict_proba": shares / shares.sum()}
    else:
        outputs = _pairs(graph, base.estimators_, table, len(fitted.classes_))
    share = outputs.get("predict_proba")
    if isinstance(share, Tensor):
        outputs["predict_proba"] = share.cast(graph.precision)
    return outputs


def _second(graph: Graph, part: Any, table: Table) -> Tensor:
    return graph.call(part, table, "predict_proba").take([1])


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
