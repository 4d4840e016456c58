"""Gaussian mixtures, and distances from a centre by a covariance: outliers of an ellipse.

Source: `sklearn/mixture/_gaussian_mixture.py`, `_bayesian_mixture.py`, `_base.py`;
`sklearn/covariance/_empirical_covariance.py`, `_elliptic_envelope.py`. Upstream: skl2onnx's
GaussianMixture crashes in float64 with the operators that others need, and it has no
BayesianGaussianMixture, and nothing of covariances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import digamma
from sklearn import covariance, mixture
from sklearn.mixture._gaussian_mixture import _compute_log_det_cholesky

from onnxlet.convert.converters.answers import side
from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.distances import point_norms
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


def _tied(x: Tensor, means: Array, root: Array) -> Tensor:
    return _full(x, means, [root] * len(means))


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
SQUARES = {"full": _full, "tied": _tied, "diag": _diagonal, "spherical": _spherical}


def elliptic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """EllipticEnvelope: the squared Mahalanobis distance against its limit."""
    squares = _squares(graph, fitted, table)
    score = -squares - float(fitted.offset_)
    inside = side(score >= 0.0)
    return {"decision_function": score.cast(graph.precision), "predict": inside}


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


CONVERTERS: Converters = {
    mixture.BayesianGaussianMixture: gaussian,
    mixture.GaussianMixture: gaussian,
    **dict.fromkeys(ESTIMATORS, distance),
    covariance.EllipticEnvelope: elliptic,
}
