"""Support vector machines: weighted kernels with the support vectors.

Source: `sklearn/svm/src/libsvm/svm.cpp` (predict_values, multiclass_probability),
`sklearn/svm/_base.py`, `sklearn/utils/multiclass.py` (_ovr_decision_function). Upstream: ONNX's
SVM operators compute in float32, skl2onnx flips the sign of binary decisions (sklearn-onnx #990)
and has neither `break_ties` nor the iteration that couples pairs of classes into probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from sklearn import svm

from onnxlet.convert.converters.registration import Converters
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import dense
from onnxlet.convert.graph.kernels import pairwise
from onnxlet.convert.graph.loops import repeat
from onnxlet.convert.graph.responses import side, two_sided
from onnxlet.function.arrays import Array

MIN_PROBABILITY = 1e-7
TOLERANCE = 0.005  # of the products with Q, divided by the classes


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SVC and NuSVC: pairs of classes vote."""
    against, count = _against(graph, fitted, table), len(fitted.classes_)
    score = against
    if count > 2:
        of_first = fitted.decision_function_shape != "ovr"
        seconds = (against > 0.0).cast("float64")
        score = -against if of_first else one_versus_rest(seconds, against, count)
    if fitted.break_ties and count > 2:
        index = score.argmax()
    else:  # the class that wins most pairs; at 0 or NaN, a pair's second class wins
        second = ~(against < 0.0)
        index = (
            second.cast("int64") if count == 2 else votes(second.cast("float64"), count).argmax()
        )
    outputs = {"class_index": index, "decision_function": score.cast(graph.precision)}
    if len(fitted._probA):
        shares = coupled(-against, fitted._probA, fitted._probB, count)
        outputs["predict_proba"] = shares.cast(graph.precision)
    return outputs


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """SVR and NuSVR."""
    return {"predict": _single(graph, fitted, table).cast(graph.precision)}


def one_class(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """OneClassSVM: 1 where the decision is positive, else -1."""
    score = _single(graph, fitted, table)
    return {"predict": side(score > 0.0), "decision_function": score.cast(graph.precision)}


def _single(graph: Graph, fitted: Any, table: Table) -> Tensor:
    return _kernel(graph, fitted, table) @ dense(fitted._dual_coef_).T + dense(fitted._intercept_)


def _against(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The decision of each pair of classes, positive for the second."""
    weights = dense(fitted._dual_coef_)
    ends = np.cumsum(fitted._n_support)
    of = [slice(end - n, end) for end, n in zip(ends, fitted._n_support, strict=True)]
    pairs = list(combinations(range(len(fitted.classes_)), 2))
    made = np.zeros((weights.shape[1], len(pairs)))
    for index, (first, second) in enumerate(pairs):
        made[of[first], index] = weights[second - 1, of[first]]
        made[of[second], index] = weights[first, of[second]]
    return _kernel(graph, fitted, table) @ -made - dense(fitted._intercept_)


def _kernel(graph: Graph, fitted: Any, table: Table) -> Tensor:
    if fitted.kernel not in ("linear", "poly", "rbf", "sigmoid"):
        name = getattr(fitted.kernel, "__name__", fitted.kernel)
        raise Unsupported(
            f"the kernel {name!s:.40} has no conversion", "Use linear, poly, rbf or sigmoid."
        )
    options = {"gamma": fitted._gamma, "degree": fitted.degree, "coef0": fitted.coef0}
    x = graph.matrix(table, "float64")
    return pairwise(x, fitted.support_vectors_, fitted.kernel, options)


def votes(second: Tensor, count: int) -> Tensor:
    """The number of pairs that each class wins; `second` is 1 where the second class wins."""
    return second @ _sides(count) + np.arange(count - 1.0, -1.0, -1.0)


def _sides(count: int) -> Array:
    """For each pair of classes and each class, -1 where it is the first of them, 1 the second."""
    pairs = list(combinations(range(count), 2))
    sides = np.zeros((len(pairs), count))
    for index, (i, j) in enumerate(pairs):
        sides[index, i], sides[index, j] = -1.0, 1.0
    return sides


def one_versus_rest(second: Tensor, confidence: Tensor, count: int) -> Tensor:
    """`_ovr_decision_function`: votes, and confidences scaled to less than a third of a vote.

    For each pair of classes `second` is 1 where the second wins, float64, and the confidence is
    positive for the second.
    """
    total = confidence @ _sides(count)
    return votes(second, count) + total / ((total.unary("Abs") + 1.0) * 3.0)


def coupled(pairs: Tensor, slopes: Array, offsets: Array, count: int) -> Tensor:
    """The probabilities of the classes, from Platt's probabilities of the pairs.

    Wu, Lin and Weng (2004), "Probability estimates for multi-class classification by pairwise
    coupling", their second method; a row stops once it is within libsvm's tolerance.
    """
    first = 1.0 / ((pairs * slopes + offsets).unary("Exp") + 1.0)
    first = first.clip(MIN_PROBABILITY, 1.0 - MIN_PROBABILITY)
    if count == 2:
        return two_sided(_second_of_two(first))
    q = _couplings(first, count)
    whole = pairs.graph.concat(q).reshape([-1, count, count], count)
    own = [row.take([t]) for t, row in enumerate(q)]
    moves = [pairs.graph.concat([_repeated(first, np.eye(count)[[t]]), q[t]]) for t in range(count)]

    def step(p: Tensor, waiting: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        products = whole * p.reshape([-1, 1, count], count)
        axes = p.graph.constant([2], "int64")
        towards = p.graph.op("ReduceSum", products, axes, dimensions=2, keepdims=0)
        total = (p * towards).sum()
        waiting = waiting & ((towards - total).unary("Abs").max() >= TOLERANCE / count)
        return [waiting.where(_swept(p, towards, total, own, moves), p), waiting], waiting

    start = _repeated(first, np.full((1, count), 1.0 / count))
    everyone = pairs.take([0]).isnan() | pairs.graph.constant(True, "bool")
    return repeat(pairs.graph, max(100, count), step, [start, everyone])[0]


def _repeated(x: Tensor, row: Array) -> Tensor:
    """The same row of numbers for each row of x."""
    return x.take([0]) * 0.0 + row


def _second_of_two(first: Tensor) -> Tensor:
    """The probability of the second of two classes, after at most two sweeps.

    libsvm's tolerance is reached by then. Computed is the difference between the first class's
    Platt probability and its coupled one.
    """
    second, lack = 1.0 - first, first - 0.5

    def swept(lack: Tensor) -> Tensor:
        squared = lack * lack
        excess = second * squared / ((second + lack) * second + squared)
        squared = excess * excess
        return first * squared / ((first + excess) * first + squared)

    once = swept(lack)
    again = once * (first - once).maximum(second + once) >= TOLERANCE / 2
    sweeps = lack.unary("Abs") >= TOLERANCE
    return second + sweeps.where(again.where(swept(once), once), lack)


def _couplings(first: Tensor, count: int) -> list[Tensor]:
    """The rows of Q, each of shape (rows, classes)."""
    against = {}
    for index, (i, j) in enumerate(combinations(range(count), 2)):
        against[i, j] = first.take([index])
        against[j, i] = 1.0 - against[i, j]
    rows = []
    for t in range(count):
        others = [j for j in range(count) if j != t]
        whole = first.graph.concat([against[j, t] for j in others])
        entries = {j: -(against[j, t] * against[t, j]) for j in others}
        entries[t] = (whole * whole).sum()
        rows.append(first.graph.concat([entries[j] for j in range(count)]))
    return rows


def _swept(
    p: Tensor, towards: Tensor, total: Tensor, own: list[Tensor], moves: list[Tensor]
) -> Tensor:
    """One sweep over the classes, which updates p and Qp (side by side) and p'Qp."""
    count = len(own)
    both = p.graph.concat([p, towards])
    for t, (diagonal, move) in enumerate(zip(own, moves, strict=True)):
        here = both.take([count + t])
        change = (total - here) / diagonal
        grown = change + 1.0
        total = (total + change * (change * diagonal + here * 2.0)) / grown / grown
        both = (both + change * move) / grown
    return both.take(range(count))


CONVERTERS: Converters = {
    svm.SVC: classifier,
    svm.NuSVC: classifier,
    svm.SVR: regressor,
    svm.NuSVR: regressor,
    svm.OneClassSVM: one_class,
}
