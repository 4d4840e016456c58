"""Means, votes and stacks of estimators that were fitted side by side.

Sources: `sklearn/ensemble/_bagging.py`, `_voting.py`, `_stacking.py`. Sub-estimators know the
classes as 0, 1, …; those of bagging were each fitted on some of the rows and columns, and may have
seen only some of the classes. A stack's final estimator gets only the second class's probability
if there are two. Upstream: skl2onnx takes only one matrix of inputs (sklearn-onnx #1016, #1199),
refuses VotingClassifier's default `flatten_transform` (#867, #961, #1071), and its stacks of two
classes don't load where probabilities are stacked beside decisions. Its bagged trees and linear
models without probabilities do not load in float64, and in float32 other sums are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.converters.trees.forests import all_trees, as_tree, tree_ensemble
from onnxlet.convert.estimators.trend_and_rest import TrendAndRest
from onnxlet.convert.graph.converter import DROPPED, Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import all_have, every_row, has, one_hot, predicted, total


def voted(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """By labels, or by probabilities."""
    return hard(graph, fitted, table) if fitted.voting == "hard" else soft(graph, fitted, table)


def hard(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class with the most votes, the first of equals: `np.argmax(np.bincount(…))`.

    Counted in float64, because weights like 0.1 tie differently in float32.
    """
    weights = fitted._weights_not_none or [1.0] * len(fitted.estimators_)
    if min(weights) < 0:
        raise Unsupported("votes have negative weights", "Use weights of 0 and more.")
    ballots = [_ballot(graph, part, table, len(fitted.classes_)) for part in fitted.estimators_]
    votes = total(
        [one_hot(b, len(fitted.classes_)) * float(w) for b, w in zip(ballots, weights, strict=True)]
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


def averaged(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the predictions; `transform` returns them side by side."""
    parts = [predicted(graph, part, table) for part in fitted.estimators_]
    return {"predict": average(parts, fitted._weights_not_none), "transform": graph.concat(parts)}


def average(parts: Sequence[Tensor], weights: Sequence[float] | None) -> Tensor:
    """`np.average` over a list of arrays, with its order of operations."""
    if weights is None:
        return total(parts) / float(len(parts))
    weighted = [part * weight for part, weight in zip(parts, weights, strict=True)]
    return total(weighted) / float(np.sum(weights, dtype=np.float64))


def stacked(graph: Graph, fitted: Any, table: Table) -> Table:
    """The outputs of all estimators side by side, then the columns themselves if passed through."""
    made = [
        column
        for part, method in zip(fitted.estimators_, fitted.stack_method_, strict=True)
        for column in _columns(graph, fitted, part, table, method)
    ]
    answers = graph.concat(made)
    # As `np.hstack` converts them: numbers become one dtype, text stays text.
    given = [replace(one, labels=()) for one in table.tensors if fitted.passthrough]
    kept = [t if t.dtype in ("string", DROPPED) else t.cast(graph.precision) for t in given]
    return Table((answers, *kept))


def _columns(graph: Graph, fitted: Any, part: Any, table: Table, method: str) -> list[Tensor]:
    """The columns of one estimator: `_concatenate_predictions`."""
    if method == "predict":
        return [predicted(graph, part, table)]
    answer = graph.call(part, table, method)
    widths = _widths(part, answer) if method == "predict_proba" else []
    if widths:
        starts = np.cumsum([0, *widths[:-1]]).tolist()
        kept = [p for s, w in zip(starts, widths, strict=True) for p in range(s + 1, s + w)]
        return [answer.take(kept)] if kept else []
    if method == "predict_proba" and len(fitted.classes_) == 2:
        return [answer.take(range(1, answer.width))]
    return [answer]


def _widths(part: Any, answer: Tensor) -> list[int]:
    """How many classes each output has if scikit-learn returns a list of arrays, else nothing."""
    if not isinstance(part.classes_, list):
        return []
    widths = [len(classes) for classes in part.classes_]
    return widths if answer.width == sum(widths) and sum(widths) != len(widths) else []


def stacked_regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The final estimator's prediction."""
    columns = stacked(graph, fitted, table)
    return {
        "transform": columns,
        "predict": graph.call(fitted.final_estimator_, columns, "predict"),
    }


def stacked_classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The final estimator's outputs; its classes are indices of the true ones."""
    final, columns = fitted.final_estimator_, stacked(graph, fitted, table)
    outputs: dict[str, Tensor | Table] = {"transform": columns}
    predicted_codes = graph.call(final, columns, "predict")
    if predicted_codes.dtype == "string":
        raise Unsupported("its final estimator was fitted on labels of its own")
    outputs["class_index"] = predicted_codes.cast("int64")
    if has(graph, final, columns, "predict_proba"):
        outputs["predict_proba"] = _final_shares(graph, fitted, columns)
    if has(graph, final, columns, "decision_function"):
        outputs["decision_function"] = graph.call(final, columns, "decision_function")
    return outputs


def _final_shares(graph: Graph, fitted: Any, columns: Table) -> Tensor:
    """Probabilities; with several outputs only each one's first class, as scikit-learn returns."""
    shares = graph.call(fitted.final_estimator_, columns, "predict_proba")
    if not isinstance(fitted.classes_, list):
        return shares
    widths = _widths(fitted.final_estimator_, shares)
    return shares.take(np.cumsum([0, *widths[:-1]]).tolist()) if widths else shares


Part = tuple[Any, Table]


def bagged_classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the probabilities, or of the votes of estimators that have none."""
    count = len(fitted.classes_)
    parts: list[Part] = []
    if all_trees(fitted.estimators_) and all(
        len(part.classes_) == count for part in fitted.estimators_
    ):
        summed = _forest(graph, fitted, table)
    else:
        parts = _parts(graph, fitted, table)
        summed = total([_shares(graph, *part, count) for part in parts])
    mean = summed / float(fitted.n_estimators)
    outputs = {"predict_proba": mean, "class_index": mean.argmax()}
    if parts and all_have(graph, parts, "decision_function"):
        scores = [graph.call(*part, "decision_function") for part in parts]
        if len({score.width for score in scores}) == 1:
            outputs["decision_function"] = total(scores) / float(fitted.n_estimators)
    return outputs


def bagged_regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The mean of the predictions."""
    if all_trees(fitted.estimators_):
        summed = _forest(graph, fitted, table)
    else:
        summed = total([predicted(graph, *part) for part in _parts(graph, fitted, table)])
    return {"predict": summed / float(fitted.n_estimators)}


def _parts(graph: Graph, fitted: Any, table: Table) -> list[Part]:
    """Every sub-estimator with its columns."""
    chosen: Sequence[Any] = fitted.estimators_features_
    pairs = zip(fitted.estimators_, chosen, strict=True)
    return [(part, graph.select(table, indices)) for part, indices in pairs]


def _shares(graph: Graph, part: Any, given: Table, count: int) -> Tensor:
    """One sub-estimator's probabilities or vote, zero for classes that it has not seen."""
    if not hasattr(part, "predict_proba"):
        code = graph.call(part, given, "predict").cast("int64")
        return one_hot(code, count).cast(graph.precision)
    shares = graph.call(part, given, "predict_proba")
    codes = np.asarray(part.classes_).tolist()
    if len(codes) == count:
        return shares
    wide = graph.concat([shares, every_row(graph, Table((shares,)), 0.0)])
    return wide.take([codes.index(c) if c in codes else len(codes) for c in range(count)])


def _forest(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The sum of trees, in one node."""
    pairs = zip(fitted.estimators_, fitted.estimators_features_, strict=True)
    parts = [as_tree(part, indices) for part, indices in pairs]
    return tree_ensemble(graph, table, parts).cast(graph.precision)


def trend_and_rest(graph: Graph, fitted: TrendAndRest, table: Table) -> Outputs:
    """The sum of both predictions."""
    parts = [predicted(graph, part, table) for part in (fitted.trend_, fitted.rest_)]
    return {"predict": total(parts)}


CONVERTERS: Converters = {
    TrendAndRest: exact(trend_and_rest),
    VotingClassifier: exact(voted),
    VotingRegressor: exact(averaged),
    StackingClassifier: stacked_classifier,
    StackingRegressor: stacked_regressor,
    BaggingClassifier: exact(bagged_classifier),
    BaggingRegressor: exact(bagged_regressor),
}
