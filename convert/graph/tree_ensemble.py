"""The TreeEnsemble operator of ai.onnx.ml 5: sums of leaves, and which leaf each tree ends in.

A row goes left where the node's condition holds, or where the value is missing and `missing_left`
is true. The operator has one weight for each leaf. Leaves of several numbers are therefore looked
up in a table by the leaf's number: repeating each tree for every target takes that many times as
long.

Upstream: ONNX Runtime 1.28 (fixed by 1.32) reads the weight of a tree that is one leaf at the index
of its root among the nodes (`tree_ensemble_attribute.h`); such a tree gets two leaves here.

Piecewise polynomials of one column are evaluated for all columns at once. One TreeEnsemble finds
the piece of each value, by a balanced tree for each column with float64 comparisons:
`np.searchsorted(edges, x, side="right")`. It is far faster than comparing with every edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from onnx import TensorProto, numpy_helper
from onnx.helper import make_tensor

from onnxlet.convert.graph.converter import Graph, Tensor
from onnxlet.function.arrays import Array

LEQ, LESS, MEMBER = 0, 1, 6  # BRANCH_LEQ, BRANCH_LT, BRANCH_MEMBER
NOTHING = -1  # equals no code of a category: stands in an empty set
CELLS = 2**10  # numbers of one row that one Gather looks up: more trees are split into groups
FEW_TARGETS = 8  # targets; up to here a matrix product sums faster than ReduceSum
MOST_IN_FLOAT32 = 2**24  # whole numbers from 0 that float32 holds exactly


@dataclass(frozen=True)
class Tree:
    """One tree, as arrays with an entry for each node; node 0 is the root."""

    left: Array  # the child where the condition holds, -1 at a leaf; shape (nodes,)
    right: Array  # the other child
    feature: Array  # the index of the column that is compared; ignored at a leaf
    threshold: Array  # a float64, or a float32 where the condition compares float32
    missing_left: Array  # whether a missing value goes left
    value: Array  # of a leaf, float64, shape (nodes, targets); ignored elsewhere
    mode: Any = LEQ  # LEQ, LESS or MEMBER, for each node or for all
    target: int = 0  # the index of the sum that a single value is added to
    # The sets of MEMBER nodes, in the order of these nodes, each ended by a NaN; no set is empty.
    members: Sequence[float] = ()


def members(bitsets: Iterable[Array]) -> list[float]:
    """The numbers whose bits are set in words of 32 bits, for `Tree.members`: each set by itself.

    ONNX Runtime needs one that is not empty, where only missing values go left.
    """
    made: list[float] = []
    for words in bitsets:
        known = np.flatnonzero((words.astype(np.int64)[:, None] >> np.arange(32)) & 1).tolist()
        made += [*(known or [NOTHING]), np.nan]
    return made


def constant(value: float, target: int = 0) -> Tree:
    """A tree of one leaf, which adds the same to every row."""
    none, zero = np.array([-1]), np.zeros(1, dtype=int)
    return Tree(none, none, zero, np.zeros(1), zero, np.array([[value]]), target=target)


def sums(graph: Graph, x: Tensor, trees: Sequence[Tree], targets: int = 1) -> Tensor:
    """The sum of the trees, whose leaves have one number, of shape (rows, targets).

    Args:
        graph: to write to.
        x: float64 or float32, which is also the dtype of comparisons and sums.
        trees: at least one.
        targets: how many sums there are; each tree adds to one.
    """
    flat = _flat(trees)
    owners = np.array([one.target for one in trees])[flat.tree_of_leaf]
    return _node(graph, x, trees, flat, flat.value[:, 0], owners, targets)


def totals(graph: Graph, x: Tensor, trees: Sequence[Tree]) -> Tensor:
    """The sum of the trees, whose leaves have several numbers: float64, (rows, targets).

    The leaves of fully grown trees have one number that is not 0 each, and need no table.
    """
    targets = trees[0].value.shape[1]
    if all((np.count_nonzero(one.value[one.left < 0], axis=1) <= 1).all() for one in trees):
        flat = _flat(trees)
        owners = np.abs(flat.value).argmax(axis=1)
        weights = flat.value[np.arange(len(owners)), owners]
        return _node(graph, x.cast("float64"), trees, flat, weights, owners, targets)
    step = max(1, CELLS // targets)
    starts = range(0, len(trees), step)
    parts = [_summed(_looked_up(graph, x, trees[s : s + step]), targets) for s in starts]
    return reduce(Tensor.__add__, parts)


def _summed(made: Tensor, targets: int) -> Tensor:
    """The sum over the trees, from shape (rows, trees, targets) to (rows, targets)."""
    count = made.width
    if count == 1:
        return made.reshape([0, -1], targets)
    if targets <= FEW_TARGETS:
        return made.reshape([0, -1], count * targets) @ np.tile(np.eye(targets), (count, 1))
    axes = made.graph.constant([1], "int64")
    return made.graph.op("ReduceSum", made, axes, width=targets, dimensions=2, keepdims=0)


def values(graph: Graph, x: Tensor, trees: Sequence[Tree]) -> Tensor:
    """The value of each tree separately, one number a leaf: float64, of shape (rows, trees)."""
    flat = [replace(one, value=one.value.reshape(-1)) for one in trees]
    return _looked_up(graph, x, flat)


def leaves(graph: Graph, x: Tensor, trees: Sequence[Tree]) -> tuple[Tensor, Array]:
    """The number of the leaf that a row reaches in each tree: int32, of shape (rows, trees).

    They are counted through all trees; behind them comes the value of each leaf, of shape (leaves,
    …).
    """
    flat = _flat(trees)
    wide = len(flat.value) > MOST_IN_FLOAT32
    numbers = np.arange(len(flat.value), dtype=np.float64)
    given = x.cast("float64") if wide else x
    made = _node(graph, given, trees, flat, numbers, flat.tree_of_leaf, len(trees))
    return made.cast("int32"), flat.value


def rounded_down(threshold: Array) -> Array:
    """The largest float32 at or below a float64: as bounds of a float32, both are equal."""
    with np.errstate(over="ignore"):
        near = np.asarray(threshold, dtype=np.float64).astype(np.float32)
    above = near > threshold
    near[above] = np.nextafter(near[above], np.float32(-np.inf))
    return near


def unrounded(threshold: Array) -> Array:
    """The largest float64 that rounds to a float32 at or below this.

    Comparing a float64 with it is the same as rounding to float32, then comparing with the
    threshold. Ties round to even: where the float32 below the bound is odd, the midpoint itself
    rounds up, and the bound lies just below it.
    """
    below = rounded_down(threshold)
    with np.errstate(over="ignore", under="ignore"):
        above = np.nextafter(below, np.float32(np.inf))
    ends = np.clip(np.array([below, above], dtype=np.float64), -(2.0**128), 2.0**128)
    middle = ends.sum(axis=0) / 2.0
    to_even = below.view(np.uint32) % 2 == 0
    bound = np.where(to_even, middle, np.nextafter(middle, -np.inf))
    return np.where(np.isposinf(below), np.inf, bound)


def _looked_up(graph: Graph, x: Tensor, trees: Sequence[Tree]) -> Tensor:
    numbers, table = leaves(graph, x, trees)
    known = graph.constant(table, "float64")
    return graph.op("Gather", known, numbers, dtype="float64", width=len(trees), axis=0)


@dataclass(frozen=True)
class _Flat:
    """All trees concatenated: inner nodes and leaves are separate, as the operator has them."""

    nodes: dict[str, Array]  # attributes of the operator
    roots: Array  # of each tree, among the nodes
    value: Array  # of each leaf
    tree_of_leaf: Array  # the index of its tree


def _flat(trees: Sequence[Tree]) -> _Flat:
    parts, roots, nodes, ends = [], [], 0, 0
    counts = []
    for one in trees:
        part = _part(one, nodes, ends)
        roots.append(nodes)
        counts.append(len(part["value"]))
        nodes, ends = nodes + len(part["nodes_featureids"]), ends + counts[-1]
        parts.append(part)
    merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    value = merged.pop("value")
    return _Flat(merged, np.array(roots), value, np.repeat(np.arange(len(trees)), counts))


def _part(one: Tree, first_node: int, first_leaf: int) -> dict[str, Array]:
    """A tree's part of each attribute."""
    if one.left[0] < 0:
        first, second, zero = np.array([[1, -1, -1], [2, -1, -1], [0, 0, 0]])
        one = Tree(first, second, zero, zero * 0.0, zero, one.value[[0, 0, 0]])
    leaf = one.left < 0
    inner, tips = np.flatnonzero(~leaf), np.flatnonzero(leaf)
    index = np.where(leaf, first_leaf + np.cumsum(leaf), first_node + np.cumsum(~leaf)) - 1
    left, right = one.left[inner], one.right[inner]
    return {
        "nodes_featureids": one.feature[inner].astype(np.int64),
        "nodes_splits": one.threshold[inner],
        "nodes_modes": np.broadcast_to(np.asarray(one.mode, dtype=np.uint8), leaf.shape)[inner],
        "nodes_truenodeids": index[left],
        "nodes_falsenodeids": index[right],
        "nodes_trueleafs": leaf[left].astype(np.int64),
        "nodes_falseleafs": leaf[right].astype(np.int64),
        "nodes_missing_value_tracks_true": one.missing_left[inner].astype(np.int64),
        "value": one.value[tips],
    }


def _node(
    graph: Graph,
    x: Tensor,
    trees: Sequence[Tree],
    flat: _Flat,
    weights: Array,
    owners: Array,
    targets: int,
) -> Tensor:
    """The operator; `weights` and `owners` (the target of each) are of shape (leaves,)."""
    attributes: dict[str, Any] = dict(flat.nodes)
    splits, modes = attributes.pop("nodes_splits"), attributes.pop("nodes_modes")
    if x.dtype == "float32" and splits.dtype != np.float32:
        splits = rounded_down(splits)
    members = np.concatenate([np.asarray(one.members, dtype=x.dtype) for one in trees])
    tensors = {
        "nodes_modes": modes,
        "nodes_splits": splits.astype(x.dtype),
        "leaf_weights": weights.astype(x.dtype),
        **({"membership_values": members} if len(members) else {}),
    }
    return graph.op(
        "TreeEnsemble",
        x,
        width=targets,
        tree_roots=flat.roots,
        leaf_targetids=owners,
        n_targets=targets,
        aggregate_function=1,
        post_transform=0,
        **attributes,
        **{name: numpy_helper.from_array(array, name) for name, array in tensors.items()},
    )


@dataclass(frozen=True)
class Pieces:
    """A function of one column, or several functions with the same edges.

    Piece i holds where edges[i - 1] <= x < edges[i]; the first and last are unbounded.
    """

    edges: Array  # ascending and distinct, float64, of shape (pieces - 1,)
    origins: Array  # subtracted from x first, of shape (pieces,)
    coefficients: Array  # of the powers in ascending order, of shape (powers, pieces, functions)


def evaluated(graph: Graph, x: Tensor, pieces: Sequence[Pieces]) -> Tensor:
    """The functions of each column side by side, of shape (rows, columns * functions)."""
    columns, functions = len(pieces), pieces[0].coefficients.shape[2]
    starts = np.cumsum([0] + [len(piece.origins) for piece in pieces])[:-1]
    index = (intervals(graph, x, [piece.edges for piece in pieces]) + starts).cast("int64")
    origins = np.concatenate([piece.origins for piece in pieces])
    powers = np.concatenate([piece.coefficients for piece in pieces], axis=1)
    step = x - _gathered(graph, origins, index, x.dtype)
    if functions > 1:
        step = step.reshape([0, columns, 1], 1)
    else:
        powers = powers[:, :, 0]
    made = _gathered(graph, powers[-1], index, x.dtype)
    for power in powers[-2::-1]:
        made = made * step + _gathered(graph, power, index, x.dtype)
    if functions > 1:
        made = made.reshape([0, columns * functions], columns * functions)
    return made


def _gathered(graph: Graph, values: Array, index: Tensor, dtype: str) -> Tensor:
    width = index.width if values.ndim == 1 else values.shape[1]
    constant = graph.constant(values, dtype)
    return graph.op("Gather", constant, index, dtype=dtype, width=width, axis=0)


def intervals(graph: Graph, x: Tensor, edges: Sequence[Array]) -> Tensor:
    """How many of each column's edges are at or below its value: float64, of x's shape."""
    nodes: list[tuple[int, float, int, int, int, int]] = []
    leaves: list[tuple[int, float]] = []
    roots = []
    for column, ascending in enumerate(edges):
        if len(ascending):
            roots.append(len(nodes))
            _grow(np.asarray(ascending, dtype=np.float64), column, 0, nodes, leaves)
    wide = x.cast("float64")
    if not roots:
        return wide.isnan().cast("float64") * 0.0
    features, splits, yes, yes_leaf, no, no_leaf = (list(part) for part in zip(*nodes, strict=True))
    targets, weights = (list(part) for part in zip(*leaves, strict=True))
    return graph.op(
        "TreeEnsemble",
        wide,
        width=len(edges),
        tree_roots=roots,
        nodes_featureids=features,
        nodes_splits=_tensor("splits", TensorProto.DOUBLE, splits),
        nodes_modes=_tensor("modes", TensorProto.UINT8, [LESS] * len(nodes)),
        nodes_truenodeids=yes,
        nodes_trueleafs=yes_leaf,
        nodes_falsenodeids=no,
        nodes_falseleafs=no_leaf,
        leaf_targetids=targets,
        leaf_weights=_tensor("weights", TensorProto.DOUBLE, weights),
        n_targets=len(edges),
        aggregate_function=1,
        post_transform=0,
    )


def _grow(
    edges: Array,
    column: int,
    below: int,
    nodes: list[tuple[int, float, int, int, int, int]],
    leaves: list[tuple[int, float]],
) -> tuple[int, int]:
    """A subtree over edges, `below` others being smaller: its index, and 1 if it is a leaf."""
    if not len(edges):
        leaves.append((column, float(below)))
        return len(leaves) - 1, 1
    middle = len(edges) // 2
    index = len(nodes)
    nodes.append((column, float(edges[middle]), 0, 0, 0, 0))
    left = _grow(edges[:middle], column, below, nodes, leaves)
    right = _grow(edges[middle + 1 :], column, below + middle + 1, nodes, leaves)
    nodes[index] = (column, float(edges[middle]), *left, *right)
    return index, 0


def _tensor(name: str, kind: int, values: Sequence[Any]) -> Any:
    return make_tensor(name, kind, [len(values)], values)
