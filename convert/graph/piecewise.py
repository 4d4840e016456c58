"""Piecewise polynomials of one column, for all columns at once.

One TreeEnsemble finds the piece of each value, by a balanced tree for each column with float64
comparisons: `np.searchsorted(edges, x, side="right")`. It is far faster than comparing with every
edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto
from onnx.helper import make_tensor

from onnxlet.convert.graph.converter import Graph, Tensor
from onnxlet.function.arrays import Array

LESS = 1  # BRANCH_LT of TreeEnsemble


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
