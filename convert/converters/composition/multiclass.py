"""Several classes by estimators of two, and several outputs by an estimator each, or a chain.

Source: `sklearn/multiclass.py`, `sklearn/multioutput.py`. Upstream: skl2onnx takes only one matrix
of inputs (sklearn-onnx #977), not in float64 where the estimators inside are trees, has no text
labels for OneVsOneClassifier, no OutputCodeClassifier and no chains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn import multiclass
from sklearn.base import is_classifier, is_regressor
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.distances import expanded
from onnxlet.convert.graph.responses import (
    all_have,
    every_row,
    fitted_by,
    predicted,
    response,
    total,
    two_sided,
)


def score_of(graph: Graph, part: Any, table: Table) -> Tensor:
    """`_predict_binary`: one estimator's score of its second class, one column."""
    if is_regressor(part):
        score = predicted(graph, part, table)
    elif hasattr(part, "decision_function"):
        score = graph.call(part, table, "decision_function")
    else:
        score = graph.call(part, table, "predict_proba").take([1])
    if score.width != 1:
        raise Unsupported(f"{type(part).__name__} scores more than two classes")
    return score


def _threshold(part: Any) -> float:
    """`_threshold_for_binary_predict`: above it, the second class."""
    return 0.0 if hasattr(part, "decision_function") and is_classifier(part) else 0.5


def one_versus_rest(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class with the highest score; with several labels, each above the threshold."""
    parts = fitted.estimators_
    score = graph.concat([score_of(graph, part, table) for part in parts])
    above = (score > _threshold(parts[0])).cast("int64")
    outputs: dict[str, Tensor] = {}
    if fitted.multilabel_:
        outputs["predict"] = above
    elif len(fitted.classes_) == 1:
        outputs["class_index"] = every_row(graph, table, 0.0).cast("int64")
    elif len(parts) == 1:
        outputs["class_index"] = above
    elif fitted_by(fitted) >= (1, 8):
        outputs["class_index"] = score.argmax()
    else:  # the last of equals
        last = score.take(range(score.width)[::-1]).argmax()
        outputs["class_index"] = (score.width - 1) - last
    both = [(part, table) for part in parts]
    if all_have(graph, both, "predict_proba"):
        outputs["predict_proba"] = _shares(graph, fitted, table)
    if all_have(graph, both, "decision_function"):
        scores = [graph.call(part, table, "decision_function") for part in parts]
        outputs["decision_function"] = graph.concat(scores)
    return outputs


def _shares(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Probabilities of the second classes, normalised unless there are several labels.

    Before scikit-learn 1.7, NaN where no class has any.
    """
    parts = fitted.estimators_
    share = graph.concat([graph.call(part, table, "predict_proba").take([1]) for part in parts])
    if len(parts) == 1:
        share = two_sided(share)
    if fitted.multilabel_:
        return share
    sums = share.sum()
    return share / (sums.equals(0.0).where(1.0, sums) if fitted_by(fitted) >= (1, 7) else sums)


def one_versus_one(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Votes, and confidences scaled below half a vote: `_ovr_decision_function`."""
    pairs = fitted.pairwise_indices_ or [None] * len(fitted.estimators_)
    given = [table if indices is None else graph.select(table, indices) for indices in pairs]
    parts = list(zip(fitted.estimators_, given, strict=True))
    voted = [predicted(graph, *part) for part in parts]
    score = [score_of(graph, *part) for part in parts]
    count = len(fitted.classes_)
    duels = [(i, j) for i in range(count) for j in range(i + 1, count)]
    votes, confidences = [], []
    for index in range(count):
        mine = [k for k, pair in enumerate(duels) if index in pair]
        won = [voted[k].equals(float(duels[k].index(index))) for k in mine]
        votes.append(total([vote.cast(graph.precision) for vote in won]))
        signed = [score[k] if duels[k][1] == index else -score[k] for k in mine]
        confidences.append(total(signed))
    summed = graph.concat(confidences)
    decision = graph.concat(votes) + summed / (3.0 * (summed.unary("Abs") + 1.0))
    if count > 2:
        return {"decision_function": decision, "class_index": decision.argmax()}
    second = decision.take([1])
    above = (second > _threshold(fitted.estimators_[0])).cast("int64")
    return {"decision_function": second, "class_index": above}


def output_code(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The class with the nearest code, the first of equals."""
    scores = graph.concat([score_of(graph, part, table) for part in fitted.estimators_])
    return {"class_index": expanded(scores, fitted.code_book_).argmin()}


def constant(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """`_ConstantPredictor`: the estimator of a class that all training rows have, or none."""
    value = float(fitted.y_[0])
    same = every_row(graph, table, value)
    share = every_row(graph, table, [1.0 - value, value])
    return {"predict": same, "decision_function": same, "predict_proba": share}


def classifiers(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Class indices and probabilities of all outputs side by side."""
    parts = fitted.estimators_
    outputs = {
        "class_index": graph.concat([graph.call(part, table, "class_index") for part in parts])
    }
    if all_have(graph, [(part, table) for part in parts], "predict_proba"):
        shares = [graph.call(part, table, "predict_proba") for part in parts]
        outputs["predict_proba"] = graph.concat(shares)
    return outputs


def regressors(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The predictions side by side."""
    return {"predict": graph.concat([predicted(graph, p, table) for p in fitted.estimators_])}


def chain(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """Each estimator gets the columns, followed by the outputs of those before it.

    Labels are numbers in the order of y's columns, whereas `classes_` has the chain's order.
    """
    given = _given(graph, fitted, table)
    outputs = {"predict": _outputs(graph, fitted, given, "predict")}
    for method in ("predict_proba", "decision_function"):
        if all_have(graph, given, method) and all(len(p.classes_) == 2 for p, _ in given):
            outputs[method] = _outputs(graph, fitted, given, method)
    return outputs


def _given(graph: Graph, fitted: Any, table: Table) -> list[tuple[Any, Table]]:
    """Every estimator with its columns."""
    links: list[tuple[Any, Table]] = []
    columns = graph.matrix(table)
    for part in fitted.estimators_:
        links.append((part, Table((columns,))))
        fed = _one_column(graph, links[-1], getattr(fitted, "chain_method_", "predict"))
        columns = graph.concat([columns, fed])
    return links


def _one_column(graph: Graph, link: tuple[Any, Table], method: str) -> Tensor:
    answer, _ = response(graph, *link, method)
    if answer.width != 1:
        raise Unsupported(f"a chain has one number for each output, {method} more of them")
    return answer


def _outputs(graph: Graph, fitted: Any, links: Sequence[tuple[Any, Table]], method: str) -> Tensor:
    """In the order of y's columns."""
    made = [_one_column(graph, link, method) for link in links]
    return graph.concat([made[index] for index in np.argsort(fitted.order_).tolist()])


CONVERTERS: Converters = {
    multiclass.OneVsRestClassifier: exact(one_versus_rest),
    multiclass.OneVsOneClassifier: one_versus_one,
    multiclass.OutputCodeClassifier: output_code,
    multiclass._ConstantPredictor: constant,
    MultiOutputClassifier: exact(classifiers),
    MultiOutputRegressor: exact(regressors),
    ClassifierChain: chain,
    RegressorChain: chain,
}
