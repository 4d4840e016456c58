"""Ratings: a ridge regression for each user, in the graph, and the items that score highest."""

from __future__ import annotations

import numpy as np

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.estimators.ratings import Ratings
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor
from onnxlet.convert.graph.loops import repeat
from onnxlet.function.arrays import Array
from onnxlet.function.serving.options import MOST_NEAREST

END = int(np.iinfo(np.int64).max)


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

    Ratings `x` have the shape (rows, items), with gaps; `base` is each item's rating by all;
    `known` has of each item 1, for the user's bias, and its factors.
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
    return _solved(matrices, sides.reshape([-1, unknowns, 1], 1), unknowns)


def _solved(matrices: Tensor, sides: Tensor, unknowns: int) -> Tensor:
    """The solutions of a system of linear equations for each row, of shape (rows, unknowns).

    Gauss-Jordan elimination without a choice of pivots, which symmetric positive definite matrices
    don't need (N. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 14.4).
    Each step eliminates the first unknown, and moves its equation to the end. Matrices have the
    shape (rows, unknowns, unknowns), right-hand sides (rows, unknowns, 1).
    """
    graph = matrices.graph

    def part(x: Tensor, axis: int, start: int, end: int) -> Tensor:
        bounds = (graph.constant([number], "int64") for number in (start, end, axis))
        return graph.op("Slice", x, *bounds, dimensions=3)

    def step(system: Tensor) -> tuple[list[Tensor], Tensor]:
        first, others = part(system, 1, 0, 1), part(system, 1, 1, END)
        divided = graph.op("Div", first, part(first, 2, 0, 1), dimensions=3)
        taken = graph.op("Mul", part(others, 2, 0, 1), divided, dimensions=3)
        left = graph.op("Sub", others, taken, dimensions=3)
        turned = graph.op("Concat", left, divided, dimensions=3, axis=1)
        return [part(turned, 2, 1, END)], graph.constant([[True]], "bool")

    system = graph.op("Concat", matrices, sides, dimensions=3, axis=2)
    [last] = repeat(graph, unknowns, step, [system])
    return part(last, 2, -1, END).reshape([-1, unknowns], unknowns)


CONVERTERS: Converters = {Ratings: ratings}
