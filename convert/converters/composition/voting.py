"""Votes of several classifiers, and means of several regressors.

Source: `sklearn/ensemble/_voting.py`. Sub-estimators know the classes as 0, 1, …: `le_` encodes
them.

Upstream: skl2onnx refuses the default `flatten_transform` (sklearn-onnx #867, #961, #1071) and
takes only one matrix of inputs (#1016).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier, VotingRegressor

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import one_hot, predicted, total


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """By labels, or by probabilities."""
    return hard(graph, fitted, table) if fitted.voting == "hard" else soft(graph, fitted, table)


def hard(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class with the most votes, the first of equals: `np.argmax(np.bincount(…))`.

    Counted in float64, because weights like 0.1 tie differently in float32.
    """
    weights = _weights(fitted)
    if min(weights) < 0:
        raise Unsupported("votes have negative weights", "Use weights of 0 and more.")
    ballots = [_ballot(graph, part, table, len(fitted.classes_)) for part in fitted.estimators_]
    votes = total(
        [one_hot(b, len(fitted.classes_)) * w for b, w in zip(ballots, weights, strict=True)]
    )
    return {"class_index": votes.argmax(), "transform": graph.concat(ballots)}


def _ballot(graph: Graph, part: Any, table: Table, count: int) -> Tensor:
    """The code of the class that a sub-estimator predicts, int64."""
    codes = set(np.asarray(part.classes_).tolist())
    if not codes <= set(range(count)):
        raise Unsupported(
            f"{type(part).__name__} was fitted on other labels than 0 to {count - 1}",
            "Fit the VotingClassifier with estimators that are not frozen.",
        )
    return graph.call(part, table, "predict").cast("int64")


def soft(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the probabilities; `transform` returns them side by side."""
    shares = [graph.call(part, table, "predict_proba") for part in fitted.estimators_]
    if {share.width for share in shares} != {len(fitted.classes_)}:
        raise Unsupported("its estimators do not know the same number of classes")
    mean = average(shares, fitted._weights_not_none)
    outputs: dict[str, Tensor] = {"predict_proba": mean, "class_index": mean.argmax()}
    if fitted.flatten_transform:  # else it has three dimensions
        outputs["transform"] = graph.concat(shares)
    return outputs


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the predictions; `transform` returns them side by side."""
    parts = [predicted(graph, part, table) for part in fitted.estimators_]
    return {"predict": average(parts, fitted._weights_not_none), "transform": graph.concat(parts)}


def average(parts: Sequence[Tensor], weights: Sequence[float] | None) -> Tensor:
    """`np.average` over a list of arrays, with its order of operations."""
    if weights is None:
        return total(parts) / float(len(parts))
    weighted = [part * weight for part, weight in zip(parts, weights, strict=True)]
    return total(weighted) / float(np.sum(weights, dtype=np.float64))


def _weights(fitted: Any) -> list[float]:
    weights = fitted._weights_not_none
    return [1.0] * len(fitted.estimators_) if weights is None else [float(w) for w in weights]


CONVERTERS: Converters = {VotingClassifier: exact(classifier), VotingRegressor: exact(regressor)}
