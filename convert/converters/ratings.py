"""Ratings: a ridge regression for each user, in the graph, and the items that score highest."""

from __future__ import annotations

import numpy as np

from onnxlet.convert.estimators.ratings import Ratings
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.solving import solved
from onnxlet.function.arrays import Array
from onnxlet.function.serving.nearest import MOST_NEAREST


def ratings(graph: Graph, fitted: Ratings, table: Table) -> Outputs:
    """The items that are not rated and score highest; -1 and NaN where there are no more."""
    x = graph.matrix(table, "float64")
    items = len(fitted.biases_)
    default = min(fitted.n_items, items)
    size = graph.counted(default, min(items, max(MOST_NEAREST, default)))
    gaps, base = x.isnan(), fitted.mean_ + fitted.biases_
    known = np.column_stack([np.ones(items), fitted.factors_])
    scores = _users(x, gaps, base, known, fitted.regularisation) @ known.T + base
    ordered, indices = gaps.where(-scores, np.inf).smallest(default, size)
    left = ordered < np.inf
    return {
        "recommend": left.where(indices, graph.constant([[-1]], "int64")),
        "scores": left.where(-ordered, np.nan).cast(graph.precision),
    }


def _users(x: Tensor, gaps: Tensor, base: Array, known: Array, regularisation: float) -> Tensor:
    """Each user's bias and factors, by what they rated above what all did.

    Args:
        x: ratings, (rows, items).
        gaps: where there is none.
        base: each item's rating by all.
        known: of each item 1, for the user's bias, and its factors.
        regularisation: of the regression.
    """
    graph, (items, unknowns) = x.graph, known.shape
    rated = (~gaps).cast("float64").reshape([-1, 1, items], items)
    weighed = graph.op(
        "Mul", graph.constant(known.T, "float64"), rated, width=items * unknowns, dimensions=3
    )
    squares = graph.op(
        "MatMul", weighed, graph.constant(known, "float64"), width=unknowns**2, dimensions=3
    )
    ridge = graph.constant(regularisation * np.eye(unknowns), "float64")
    matrices = graph.op("Add", squares, ridge, width=unknowns**2, dimensions=3)
    sides = gaps.where(0.0, x - base) @ known
    return solved(matrices, sides.reshape([-1, unknowns, 1], 1), unknowns)


CONVERTERS: dict[type, Converter] = {Ratings: ratings}
