"""Rows as mixtures of parts that are not negative: NMF and LatentDirichletAllocation.

Source: `sklearn/decomposition/_nmf.py` with `_cdnmf_fast.pyx`, `_lda.py` with
`_online_lda_fast.pyx`. All iterate, here in a loop. LatentDirichletAllocation stops for each row
separately. scikit-learn's NMF stops for all rows together, unless `tol` is 0: here each row takes
the steps that it takes by itself, and is compared with that. Upstream: skl2onnx has none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import decomposition

from onnxlet.convert.graph.converter import Converter, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.loops import repeat
from onnxlet.convert.graph.responses import total

EULER = 0.577215664901532860606512090082402431
EPSILON = float(np.finfo(np.float32).eps)  # scikit-learn's, in place of a zero


def factorised(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """NMF by coordinate descent, up to `max_iter` steps or until little changes in a row."""
    if fitted.solver != "cd":
        raise Unsupported(
            "its first guess is the mean of all rows together, so that an answer depends on the "
            "rows beside",
            "Use solver='cd', or TruncatedSVD.",
        )
    if fitted.shuffle:
        raise Unsupported("it shuffles its components", "Set shuffle=False.")
    parts = np.asarray(fitted.components_, dtype=np.float64)
    l1, _, l2, _ = fitted._compute_regularization(parts)
    gram = parts @ parts.T + l2 * np.eye(len(parts))
    likeness = graph.matrix(table, "float64") @ parts.T - l1

    def step(w: Tensor, first: Tensor, going: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        before, slopes = w, []
        for t, row in enumerate(gram):
            old = w.take([t])
            slope = w @ row.reshape(-1, 1) - likeness.take([t])
            # Where a weight is zero, a slope that would make it negative is none.
            slopes.append(old.equals(0.0).where(slope.minimum(0.0), slope).unary("Abs"))
            if row[t] != 0:
                moved = (old - slope / float(row[t])).maximum(0.0)
                w = graph.concat([*(w.take([j]) for j in range(t)), moved,
                                  *(w.take([j]) for j in range(t + 1, len(gram)))])  # fmt: skip
        violation = total(slopes)
        first = (first < 0.0).where(violation, first)
        changed = (w - before).unary("Abs").sum() > 0.0  # else no further step changes it
        more = going & changed & (violation > first * float(fitted.tol))
        return [going.where(w, before), first, more], more

    start = likeness.take([0]) * 0.0
    states = [likeness * 0.0, start - 1.0, start.equals(0.0)]
    weights = repeat(graph, fitted.max_iter, step, states)[0]
    return {"transform": weights.cast(graph.precision)}


def by_batches(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """MiniBatchNMF by multiplicative updates, from the root of the row's mean."""
    if fitted._beta_loss != 2:
        raise Unsupported(
            f"its beta_loss is {fitted.beta_loss!r}", "Use beta_loss='frobenius', or NMF."
        )
    x, parts = graph.matrix(table, "float64"), np.asarray(fitted.components_, dtype=np.float64)
    l1, _, l2, _ = fitted._compute_regularization(parts)
    likeness, gram = x @ parts.T, parts @ parts.T + l2 * np.eye(len(parts))

    def step(w: Tensor, going: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        below = w @ gram + l1
        made = w * (likeness / below.equals(0.0).where(EPSILON, below))
        moved, norm = ((made - w).sum_of_squares(), made.sum_of_squares())
        more = going & ~((moved / norm).unary("Sqrt") <= float(max(fitted.tol, 0.0)))
        return [going.where(made, w), more], more

    mean = (x.sum() / float(x.width * len(parts))).unary("Sqrt")
    start = mean * np.ones((1, len(parts)))
    weights = repeat(graph, fitted._transform_max_iter, step, [start, mean.equals(mean)])[0]
    return {"transform": weights.cast(graph.precision)}


def allocated(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """LatentDirichletAllocation: each row's share of the topics."""
    counts = graph.matrix(table, "float64")
    words = np.asarray(fitted.exp_dirichlet_component_, dtype=np.float64)
    topics, least = len(words), float(np.finfo(np.float64).eps)
    ones = (counts.take([0]) * 0.0) + np.ones((1, topics))

    def step(topic: Tensor, expected: Tensor, waiting: Tensor) -> tuple[Sequence[Tensor], Tensor]:
        share = counts / (expected @ words + least)
        made = expected * (share @ words.T) + float(fitted.doc_topic_prior_)
        change = (topic - made).unary("Abs").sum() / float(topics)
        settled = ~(change < fitted.mean_change_tol)
        states = [waiting.where(made, topic), waiting.where(_expected(made), expected)]
        return [*states, waiting & settled], waiting & settled

    start = [ones, _expected(ones), counts.take([0]).equals(counts.take([0]))]
    made = repeat(graph, fitted.max_doc_update_iter, step, start)[0]
    return {"transform": (made / made.sum()).cast(graph.precision)}


def _expected(topic: Tensor) -> Tensor:
    """The exponential of the expected logarithms of the shares."""
    return (digamma(topic) - digamma(topic.sum())).unary("Exp")


def digamma(x: Tensor) -> Tensor:
    """For positive numbers: algorithm AS 103 (Bernardo, 1976), as scikit-learn computes it."""
    small = -(1.0 / x) - EULER
    result, shifted = x * 0.0, x
    for _ in range(6):
        low = shifted < 6.0
        result = low.where(result - 1.0 / shifted, result)
        shifted = low.where(shifted + 1.0, shifted)
    r = 1.0 / shifted
    result = result + shifted.unary("Log") - r * 0.5
    r = r * r
    result = result - r * (1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0)))
    return (x <= 1e-6).where(small, result)


CONVERTERS: dict[type, Converter] = {
    decomposition.LatentDirichletAllocation: allocated,
    decomposition.MiniBatchNMF: by_batches,
    decomposition.NMF: factorised,
}
