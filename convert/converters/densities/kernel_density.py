"""Kernel densities: `sklearn/neighbors/_kde.py`, the kernels of `_binary_tree.pxi.tp`.

scikit-learn sums over a tree of points: it takes a node's bounds away again before it adds what is
in the node, which loses all digits far from the points (-252.54 for -252.64). Where the root is a
leaf it sums all points, as is done here. Upstream: skl2onnx has no converter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.neighbors import KernelDensity
from sklearn.neighbors._kd_tree import kernel_norm

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import Ranking, ranked
from onnxlet.convert.graph.loops import by_row

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


CONVERTERS: Converters = {KernelDensity: density}
