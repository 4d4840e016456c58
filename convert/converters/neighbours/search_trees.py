"""Which of equally near points a tree of neighbours keeps.

Source: `sklearn/neighbors/_binary_tree.pxi.tp` (_query_single_depthfirst), `_kd_tree.pyx.tp` and
`_ball_tree.pyx.tp` (min_rdist), `sklearn/utils/_heap.pyx`: of two children the one that may be
closer is searched first; points are kept in a heap, whose root the next closer point replaces.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import KDTree

from onnxlet.convert.graph.converter import Tensor
from onnxlet.convert.graph.distances import Ranking, ranked
from onnxlet.convert.graph.loops import repeat
from onnxlet.function.arrays import Array


@dataclass(frozen=True)
class Leaves:
    """A tree's leaves, and the order in which a search visits them."""

    inner: list[int]  # numbers of the inner nodes; the children of i are 2 i + 1 and 2 i + 2
    points: Array  # for each point in the order of the leaves, which leaf holds it
    base: Array  # each leaf's turn where every right child goes first, shape (leaves,)
    # What is added for each inner node whose left child goes first, shape (inner nodes, leaves).
    change: Array


def order(tree: Any) -> Array:
    """The indices of the points, in the order of the leaves."""
    return np.asarray(tree.get_arrays()[1])


def turns(x: Tensor, tree: Any, metric: Any, options: Any, ranking: Ranking) -> Tensor:
    """When the search visits each point, shape (rows or 1, points), points in `order`."""
    leaves = _leaves(tree)
    within = np.arange(len(leaves.points)).reshape(1, -1)
    if not leaves.inner:
        return x.graph.constant(within, "float64")
    nearest = _bounds(x, tree, metric, options, ranking.power)
    left, right = (nearest.take([2 * i + side for i in leaves.inner]) for side in (1, 2))
    first = (left <= right).cast("float64")
    of_leaf = (first @ leaves.change + leaves.base) * float(len(leaves.points))
    return of_leaf.take(leaves.points.tolist()) + within


def kept(rank: Tensor, turn: Tensor, count: int, nobody: int) -> Tensor:
    """The indices of the points that a heap of so many keeps for one row, int64, in no order.

    The search visits each point at its turn; ranks and turns have the shape (1, points). `nobody`
    is the index that the heap holds where all distances overflow.
    """
    graph = rank.graph
    levels = int(np.log2(count))
    heap = np.full((1, 2 ** (levels + 1) - 1), -np.inf)  # padding: never the larger child
    heap[:, :count] = np.inf
    states = [
        graph.constant(heap, "float64"),
        graph.constant(np.full(heap.shape, nobody), "int64"),
        graph.constant([[-1.0]], "float64"),
    ]

    def step(values: Tensor, indices: Tensor, last: Tensor) -> tuple[list[Tensor], Tensor]:
        comes = ((rank < values.take([0])) & (turn > last)).where(turn, np.inf)
        index, now = comes.argmin(), comes.min()
        some = now < np.inf
        pushed = _pushed(values, indices, _at(rank, index), index, levels)
        return [some.where(pushed[0], values), some.where(pushed[1], indices), now], some

    return repeat(graph, rank.width, step, states)[1].take(range(count))


def _pushed(
    values: Tensor, indices: Tensor, value: Tensor, index: Tensor, levels: int
) -> tuple[Tensor, Tensor]:
    """The heap with its root replaced, sunk below its larger children."""
    here = index * 0
    for _ in range(levels):
        left, right = here * 2 + 1, here * 2 + 2
        larger = (_at(values, left) >= _at(values, right)).where(left, right)
        sinks = value < _at(values, larger)
        values = _put(values, here, sinks.where(_at(values, larger), value))
        indices = _put(indices, here, sinks.where(_at(indices, larger), index))
        here = sinks.where(larger, here)
    return _put(values, here, value), _put(indices, here, index)


def _at(x: Tensor, index: Tensor) -> Tensor:
    return x.graph.op("GatherElements", x, index, width=1, axis=1)


def _put(x: Tensor, index: Tensor, value: Tensor) -> Tensor:
    return x.graph.op("ScatterElements", x, index, value, axis=1)


def _leaves(tree: Any) -> Leaves:
    nodes = tree.get_arrays()[2]
    inner: list[int] = []
    found: list[tuple[int, list[tuple[int, bool]]]] = []

    def visit(node: int, way: list[tuple[int, bool]]) -> None:
        if nodes[node]["is_leaf"]:
            found.append((node, way))
            return
        inner.append(node)
        visit(2 * node + 1, [*way, (node, True)])
        visit(2 * node + 2, [*way, (node, False)])

    visit(0, [])
    sizes = [int(nodes[leaf]["idx_end"] - nodes[leaf]["idx_start"]) for leaf, _ in found]
    height = max(len(way) for _, way in found)
    base, change = np.zeros(len(found)), np.zeros((len(inner), len(found)))
    at = {node: index for index, node in enumerate(inner)}
    for index, (_, way) in enumerate(found):
        for depth, (node, is_left) in enumerate(way):
            step = 2.0 ** (height - depth)
            base[index] += step if is_left else 0.0
            change[at[node], index] = -step if is_left else step
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
    for index in range(low.shape[1]):
        column = x.take([index])
        under = (-(column - low[:, index].reshape(1, -1))).maximum(0.0)
        outside = under + (column - high[:, index].reshape(1, -1)).maximum(0.0)
        if power == 2.0:
            outside = outside * outside
        elif power not in (1.0, np.inf):
            outside = outside**power
        if total is None:
            total = outside
        else:
            total = total.maximum(outside) if power == np.inf else total + outside
    return x if total is None else total
