"""PairArithmetic: the operators that it chose, and its bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.estimators.pair_arithmetic import OPERATORS, PairArithmetic
from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor
from onnxlet.function.arrays import LARGEST_FLOAT32


def pair_arithmetic(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """One node for all pairs of an operator, put back into their order."""
    x = graph.matrix(table, "float64")
    made: list[Tensor] = []
    order: list[int] = []
    for sign, operator in OPERATORS.items():
        at = [index for index, pair in enumerate(fitted.pairs_) if pair[1] == sign]
        if at:
            left, right = (x.take([fitted.pairs_[index][side] for index in at]) for side in (0, 2))
            made.append(operator(left, right))
            order += at
    ordered = graph.concat(made).take(np.argsort(order).tolist())
    bounded = ordered.maximum(-LARGEST_FLOAT32).minimum(LARGEST_FLOAT32)
    return {"transform": ordered.isnan().where(np.nan, bounded).cast(graph.precision)}


CONVERTERS: dict[type, Converter] = {PairArithmetic: pair_arithmetic}
