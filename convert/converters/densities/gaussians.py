"""Densities without classes: Gaussian mixtures, ellipses around a centre, kernels.

Source: `sklearn/mixture/_gaussian_mixture.py`, `_bayesian_mixture.py`, `_base.py`;
`sklearn/covariance/_empirical_covariance.py`, `_elliptic_envelope.py`. Upstream: skl2onnx's
GaussianMixture crashes in float64 with the operators that others need, and it has no
BayesianGaussianMixture, and nothing of covariances.

Kernel densities: `sklearn/neighbors/_kde.py`, the kernels of `_binary_tree.pxi.tp`.

scikit-learn sums over a tree of points: it takes a node's bounds away again before it adds what is
in the node, which loses all digits far from the points (-252.54 for -252.64). Where the root is a
leaf it sums all points, as is done here. Upstream: skl2onnx has no converter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import digamma
from sklearn import covariance, mixture
from sklearn.mixture._gaussian_mixture import _compute_log_det_cholesky
from sklearn.neighbors import KernelDensity
from sklearn.neighbors._kd_tree import kernel_norm

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import Ranking, point_norms, ranked
from onnxlet.convert.graph.loops import by_row
from onnxlet.convert.graph.responses import sided
from onnxlet.function.arrays import Array


def gaussian(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The component of the highest weighted density, and each component's share."""
    x = graph.matrix(table, "float64")
    squares = SQUARES[fitted.covariance_type](x, fitted.means_, fitted.precisions_cholesky_)
    score = squares * -0.5 + constants(fitted)
    shares = (score - score.logsumexp()).unary(
        "Exp"
    )  # all 1 where the logarithm of the sum vanishes beside the largest
    return {"predict": score.argmax(), "predict_proba": shares.cast(graph.precision)}


def constants(fitted: Any) -> Array:
    """Each component's constant, without the terms that all of them have."""
    columns = fitted.means_.shape[1]
    volume = _compute_log_det_cholesky(fitted.precisions_cholesky_, fitted.covariance_type, columns)
    made = volume + fitted._estimate_log_weights()
    if isinstance(fitted, mixture.BayesianGaussianMixture):
        freedom = np.asarray(fitted.degrees_of_freedom_)
        halves = 0.5 * (freedom - np.arange(columns)[:, np.newaxis])
        spread = columns * np.log(2.0) + digamma(halves).sum(axis=0)
        made = made - 0.5 * columns * np.log(freedom)
        made = made + 0.5 * (spread - columns / fitted.mean_precision_)
    return np.asarray(made, dtype=np.float64).reshape(1, -1)


def _full(x: Tensor, means: Array, roots: Sequence[Array] | Array) -> Tensor:
    """All components in one matrix product."""
    centres = np.concatenate([mean @ root for mean, root in zip(means, roots, strict=True)])
    whitened = (x @ np.hstack(list(roots)) - centres).reshape([0, *means.shape], means.shape[1])
    axes = x.graph.constant([2], "int64")
    return x.graph.op("ReduceSumSquare", whitened, axes, width=len(means), dimensions=2, keepdims=0)


def _diagonal(x: Tensor, means: Array, roots: Array) -> Tensor:
    precisions = np.asarray(roots**2)
    own = np.asarray((means**2 * precisions).sum(axis=1))
    made: Tensor = (x @ (means * precisions).T) * -2.0 + own + (x * x) @ precisions.T
    return made


def _spherical(x: Tensor, means: Array, roots: Array) -> Tensor:
    precisions = np.asarray(roots**2)
    own = point_norms(means) * precisions
    made: Tensor = (x @ means.T) * precisions * -2.0 + own + x.sum_of_squares() * precisions
    return made


# The squares of Mahalanobis distances; scikit-learn stores Cholesky factors of precisions.
SQUARES: dict[str, Callable[[Tensor, Array, Any], Tensor]] = {
    "full": _full,
    "tied": lambda x, means, root: _full(x, means, [root] * len(means)),
    "diag": _diagonal,
    "spherical": _spherical,
}


def elliptic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """EllipticEnvelope: the squared Mahalanobis distance against its limit."""
    squares = _squares(graph, fitted, table)
    return sided(graph, -squares - float(fitted.offset_))


def distance(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The squared Mahalanobis distance of each row."""
    return {"mahalanobis": _squares(graph, fitted, table).cast(graph.precision)}


def _squares(graph: Graph, fitted: Any, table: Table) -> Tensor:
    step = graph.matrix(table, "float64") - np.asarray(fitted.location_)
    squares: Tensor = ((step @ fitted.get_precision()) * step).sum()
    return squares


ESTIMATORS = (
    covariance.EmpiricalCovariance, covariance.GraphicalLasso, covariance.GraphicalLassoCV,
    covariance.LedoitWolf, covariance.MinCovDet, covariance.OAS, covariance.ShrunkCovariance,
)  # fmt: skip


MANY_POINTS = 200  # points; with more of them, rows are compared one by one
# The logarithm of each kernel, of the distance in bandwidths; some end at one bandwidth.
KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], bool]] = {
    "gaussian": (lambda x: x * x * -0.5, False),
    "exponential": (lambda x: -x, False),
    "tophat": (lambda x: x * 0.0, True),
    "epanechnikov": (lambda x: (1.0 - x * x).unary("Log"), True),
    "linear": (lambda x: (1.0 - x).unary("Log"), True),
    "cosine": (lambda x: (x * (0.5 * np.pi)).unary("Cos").unary("Log"), True),
}


def density(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The logarithm of the density, -inf where there is none."""
    if fitted.atol > 0 or fitted.rtol > 0:
        raise Unsupported(
            "it approximates densities (atol, rtol), by an order of its own",
            "Fit it with atol=0 and rtol=0.",
        )
    points = np.asarray(fitted.tree_.data)
    if len(fitted.tree_.get_arrays()[2]) > 1:  # of its nodes
        raise Unsupported(
            "it sums densities over a tree, and loses digits by that far from its points",
            f"Fit it with leaf_size={len(points)}, the number of its points: it then adds all up.",
        )
    weights = fitted.tree_.sample_weight
    shares = np.ones(len(points)) if weights is None else np.asarray(weights)
    constant = kernel_norm(float(fitted.bandwidth_), points.shape[1], fitted.kernel, True)
    constant -= np.log(shares.sum())
    kernel, ends = KERNELS[fitted.kernel]

    def make(x: Tensor) -> list[Tensor]:
        options = fitted.metric_params or {}
        rank: Ranking = ranked(x, points, fitted.metric, options, brute=False)
        near = rank.distance(rank.rank) / float(fitted.bandwidth_)
        logs = kernel(near.minimum(1.0) if ends else near) + np.log(shares).reshape(1, -1)
        return [_log_sum((near < 1.0).where(logs, -np.inf) if ends else logs)]

    x = graph.matrix(table, "float64")
    [made] = make(x) if len(points) <= MANY_POINTS else by_row(make, x)
    return {"score_samples": (made + constant).cast(graph.precision)}


def _log_sum(x: Tensor) -> Tensor:
    """The logarithm of the sum of the exponentials of a row; -inf where all are -inf."""
    peak = x.max()
    level = peak.equals(-np.inf).where(0.0, peak)
    return (x - level).unary("Exp").sum().unary("Log") + level


CONVERTERS: Converters = {
    mixture.BayesianGaussianMixture: gaussian,
    mixture.GaussianMixture: gaussian,
    **dict.fromkeys(ESTIMATORS, distance),
    covariance.EllipticEnvelope: elliptic,
    KernelDensity: density,
}
