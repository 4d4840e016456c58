"""Answers in the forms that converters of several families have.

What becomes of the answers of estimators inside others is in `graph.responses`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from onnxlet.convert.graph.converter import Graph, Outputs, Tensor


def two_sided(probability: Tensor) -> Tensor:
    """Both classes' probabilities from the second's: `[1 - p, p]` in one node."""
    return replace(probability @ [[-1.0, 1.0]] + [[1.0, 0.0]], second=probability)


def two_classes(against: Tensor) -> dict[str, Tensor]:
    """The outputs of two classes, from the negative decision: 1 / (1 + exp(-d)) needs that."""
    return {
        "decision_function": -against,
        "class_index": (against < 0.0).cast("int64"),
        "predict_proba": two_sided(1.0 / (against.unary("Exp") + 1.0)),
    }


def class_index(score: Tensor) -> Tensor:
    """The class of a decision: by its sign if there are two classes, else the largest."""
    if score.width == 1:
        return (score > 0).cast("int64")
    return score.argmax()


def decided(score: Tensor) -> dict[str, Tensor]:
    """A decision, and the class that it is for."""
    return {"decision_function": score, "class_index": class_index(score)}


def side(inside: Tensor) -> Tensor:
    """What outlier detectors predict: 1 for rows inside, -1 for outliers."""
    return inside.where(inside.graph.constant([[1]], "int64"), -1)


def by_output(x: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """Columns of all outputs side by side, taken apart by how many each output has."""
    ends = np.cumsum(counts).tolist()
    return [x.take(range(end - count, end)) for end, count in zip(ends, counts, strict=True)]


def transformed(graph: Graph, made: Tensor) -> Outputs:
    """A transformer's outputs, in the graph's precision."""
    return {"transform": made.cast(graph.precision)}
