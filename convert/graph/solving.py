"""Systems of linear equations, one for each row: ONNX has no operator that solves them."""

from __future__ import annotations

import numpy as np

from onnxlet.convert.graph.loops import repeat
from onnxlet.convert.graph.tensor import Tensor


def solved(matrices: Tensor, sides: Tensor, unknowns: int) -> Tensor:
    """The solutions, of shape (rows, unknowns).

    Gauss-Jordan elimination without a choice of pivots, which symmetric positive definite matrices
    don't need (N. Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 14.4).
    Each step eliminates the first unknown, and moves its equation to the end.

    Args:
        matrices: of shape (rows, unknowns, unknowns), symmetric and positive definite.
        sides: right-hand sides, of shape (rows, unknowns, 1).
        unknowns: how many.
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


END = int(np.iinfo(np.int64).max)
