"""The order in which a tree of neighbours looks at its points, which decides between equals.

Source: `sklearn/neighbors/_binary_tree.pxi.tp` (_query_single_depthfirst), `_kd_tree.pyx.tp` and
`_ball_tree.pyx.tp` (min_rdist): of two children the one that may be closer is searched first, and
a point as far as the farthest that is kept does not replace it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import KDTree

from convert.converters.distances import Ranking, ranked
from convert.converters.graph import Tensor
from function.signature import Array


@dataclass(frozen=True)
class Leaves:
    """A tree's leaves, and the turns on the way to each.

    Attributes:
        inner: the numbers of the inner nodes; the children of i are 2 i + 1 and 2 i + 2.
        points: for each point in the order of the leaves, which leaf holds it.
        base: each leaf's place in the search where every right child goes first, shape (leaves,).
        change: what is added to that for each inner node whose left child goes first,
            shape (inner nodes, leaves).
    """

    inner: list[int]
    points: Array
    base: Array
    change: Array


def order(tree: Any) -> Array:
    """Which point stands where in the order of the leaves."""
    return np.asarray(tree.get_arrays()[1])


def searched(x: Tensor, tree: Any, metric: Any, options: Any, ranking: Ranking) -> Tensor:
    """When each point's leaf is searched, shape (rows, points), points in `order`."""
    leaves = _leaves(tree)
    if not leaves.inner:
        return x.graph.constant([[0.0]], "float64")
    nearest = _bounds(x, tree, metric, options, ranking.power)
    left, right = (nearest.take([2 * i + side for i in leaves.inner]) for side in (1, 2))
    first = (left <= right).cast("float64")
    return (first @ leaves.change + leaves.base).take(leaves.points.tolist())


def _leaves(tree: Any) -> Leaves:
    nodes = tree.get_arrays()[2]
    inner: list[int] = []
    found: list[tuple[int, list[tuple[int, bool]]]] = []

    def visit(node: int, turns: list[tuple[int, bool]]) -> None:
        if nodes[node]["is_leaf"]:
            found.append((node, turns))
            return
        inner.append(node)
        visit(2 * node + 1, [*turns, (node, True)])
        visit(2 * node + 2, [*turns, (node, False)])

    visit(0, [])
    sizes = [int(nodes[leaf]["idx_end"] - nodes[leaf]["idx_start"]) for leaf, _ in found]
    base, change = np.zeros(len(found)), np.zeros((len(inner), len(found)))
    at = {node: place for place, node in enumerate(inner)}
    for place, (_, turns) in enumerate(found):
        for depth, (node, is_left) in enumerate(turns):
            step = 0.5**depth
            base[place] += step if is_left else 0.0
            change[at[node], place] = -step if is_left else step
    return Leaves(inner, np.repeat(np.arange(len(found)), sizes), base, change)


def _bounds(x: Tensor, tree: Any, metric: Any, options: Any, power: float) -> Tensor:
    """The least rank that a point in each node could have, shape (rows, nodes)."""
    _, _, nodes, bounds = (np.asarray(array) for array in tree.get_arrays())
    if isinstance(tree, KDTree):
        return _box(x, bounds[0], bounds[1], np.inf if metric == "chebyshev" else power)
    centres = ranked(x, bounds[0], metric, options, brute=False)
    return (centres.distance(centres.rank) - nodes["radius"].reshape(1, -1)).maximum(0.0)


def _box(x: Tensor, low: Array, high: Array, power: float) -> Tensor:
    total: Tensor | None = None
    for place in range(low.shape[1]):
        column = x.take([place])
        under = (-(column - low[:, place].reshape(1, -1))).maximum(0.0)
        outside = under + (column - high[:, place].reshape(1, -1)).maximum(0.0)
        if power == 2.0:
            outside = outside * outside
        elif power not in (1.0, np.inf):
            outside = outside**power
        if total is None:
            total = outside
        else:
            total = total.maximum(outside) if power == np.inf else total + outside
    return x if total is None else total
