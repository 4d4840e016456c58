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

from convert.converters.distances import doubles
from convert.converters.graph import Answers, Converter, Graph, Table, Tensor, Unsupported
from convert.converters.kernels import pairwise
from convert.converters.loops import repeat
from function.signature import Array

MIN_PROBABILITY = 1e-7


def classifier(graph: Graph, fitted: Any, table: Table) -> Answers:
    """SVC and NuSVC: pairs of classes vote."""
    against, count = _against(graph, fitted, table), len(fitted.classes_)
    score = against
    if count > 2:
        of_first = fitted.decision_function_shape != "ovr"
        seconds = (against > 0.0).cast("float64")
        score = -against if of_first else one_versus_rest(seconds, against, count)
    answers = {
        "places": score.argmax() if fitted.break_ties and count > 2 else _voted(against, count),
        "decision_function": score.cast(graph.precision),
    }
    if len(fitted._probA):
        shares = coupled(-against, fitted._probA, fitted._probB, count)
        answers["predict_proba"] = shares.cast(graph.precision)
    return answers


def _voted(against: Tensor, count: int) -> Tensor:
    """The class with the most pairs; one that is undecided, or NaN, is for its second class."""
    if count == 2:
        return (~(against < 0.0)).cast("int64")
    return votes((~(against < 0.0)).cast("float64"), count).argmax()


def regressor(graph: Graph, fitted: Any, table: Table) -> Answers:
    """SVR and NuSVR."""
    return {"predict": _single(graph, fitted, table).cast(graph.precision)}


def one_class(graph: Graph, fitted: Any, table: Table) -> Answers:
    """OneClassSVM: inside where the decision is positive."""
    score = _single(graph, fitted, table)
    side = (score > 0.0).where(graph.constant([[1]], "int64"), -1)
    return {"predict": side, "decision_function": score.cast(graph.precision)}


def _single(graph: Graph, fitted: Any, table: Table) -> Tensor:
    return _kernel(graph, fitted, table) @ _dense(fitted._dual_coef_).T + _dense(fitted._intercept_)


def _against(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The decision of each pair of classes, positive for the second."""
    weights = _dense(fitted._dual_coef_)
    ends = np.cumsum(fitted._n_support)
    of = [slice(end - n, end) for end, n in zip(ends, fitted._n_support, strict=True)]
    pairs = list(combinations(range(len(fitted.classes_)), 2))
    made = np.zeros((weights.shape[1], len(pairs)))
    for place, (first, second) in enumerate(pairs):
        made[of[first], place] = weights[second - 1, of[first]]
        made[of[second], place] = weights[first, of[second]]
    return _kernel(graph, fitted, table) @ -made - _dense(fitted._intercept_)


def _kernel(graph: Graph, fitted: Any, table: Table) -> Tensor:
    if fitted.kernel not in ("linear", "poly", "rbf", "sigmoid"):
        raise Unsupported(
            f"the kernel {fitted.kernel!s:.40} has no conversion",
            "Use linear, poly, rbf or sigmoid.",
        )
    options = {"gamma": fitted._gamma, "degree": fitted.degree, "coef0": fitted.coef0}
    vectors = _dense(fitted.support_vectors_)
    return pairwise(doubles(graph, table), vectors, fitted.kernel, options)


def _dense(array: Any) -> Array:
    return np.asarray(array.toarray() if hasattr(array, "toarray") else array, dtype=np.float64)


def votes(second: Tensor, count: int) -> Tensor:
    """For each class, how many pairs are for it, if `second` is 1 where its second class wins."""
    return second @ _sides(count) + np.arange(count - 1.0, -1.0, -1.0)


def _sides(count: int) -> Array:
    """For each pair of classes and each class, -1 where it is the first of them, 1 the second."""
    pairs = list(combinations(range(count), 2))
    sides = np.zeros((len(pairs), count))
    for place, (i, j) in enumerate(pairs):
        sides[place, i], sides[place, j] = -1.0, 1.0
    return sides


def one_versus_rest(second: Tensor, confidence: Tensor, count: int) -> Tensor:
    """`_ovr_decision_function`: votes, and confidences within a third of one.

    Args:
        second: of each pair of classes, 1 where it is for the second, float64.
        confidence: of that.
        count: of classes.
    """
    total = confidence @ _sides(count)
    return votes(second, count) + total / ((total.unary("Abs") + 1.0) * 3.0)


def coupled(pairs: Tensor, slopes: Array, offsets: Array, count: int) -> Tensor:
    """Platt's probability of each pair, made into one of each class.

    Wu, Lin and Weng (2004), "Probability estimates for multi-class classification by pairwise
    coupling", their second method; a row rests once it is within libsvm's tolerance.
    """
    graph = pairs.graph
    first = 1.0 / ((pairs * slopes + offsets).unary("Exp") + 1.0)
    first = first.maximum(MIN_PROBABILITY).minimum(1.0 - MIN_PROBABILITY)
    q = _couplings(first, count)
    diagonal = graph.concat([row.take([t]) for t, row in enumerate(q)])
    start = pairs.take([0]) * 0.0 + np.full((1, count), 1.0 / count)

    def step(p: Tensor, waiting: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        towards = graph.concat([(row * p).sum() for row in q])
        total = (p * towards).sum()
        waiting = waiting & ((towards - total).unary("Abs").max() >= 0.005 / count)
        return [waiting.where(_swept(p, towards, total, q, diagonal), p), waiting], waiting

    everyone = pairs.take([0]).isnan() | graph.constant(True, "bool")
    return repeat(graph, max(100, count), step, [start, everyone])[0]


def _couplings(first: Tensor, count: int) -> list[Tensor]:
    """The rows of Q, each of shape (rows, classes)."""
    against = {}
    for place, (i, j) in enumerate(combinations(range(count), 2)):
        against[i, j] = first.take([place])
        against[j, i] = 1.0 - against[i, j]
    rows = []
    for t in range(count):
        others = [j for j in range(count) if j != t]
        whole = first.graph.concat([against[j, t] for j in others])
        entries = {j: -(against[j, t] * against[t, j]) for j in others}
        entries[t] = (whole * whole).sum()
        rows.append(first.graph.concat([entries[j] for j in range(count)]))
    return rows


def _swept(p: Tensor, towards: Tensor, total: Tensor, q: list[Tensor], diagonal: Tensor) -> Tensor:
    """One pass over the classes."""
    for t, row in enumerate(q):
        own, here = diagonal.take([t]), towards.take([t])
        change = (total - here) / own
        p = p + change * np.eye(len(q))[[t]]
        total = (total + change * (change * own + here * 2.0)) / (change + 1.0) / (change + 1.0)
        towards = (towards + change * row) / (change + 1.0)
        p = p / (change + 1.0)
    return p


CONVERTERS: dict[type, Converter] = {
    svm.SVC: classifier,
    svm.NuSVC: classifier,
    svm.SVR: regressor,
    svm.NuSVR: regressor,
    svm.OneClassSVM: one_class,
}
