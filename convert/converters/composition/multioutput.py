"""An estimator for each output, independent of each other or in a chain.

Source: `sklearn/multioutput.py`. Upstream: skl2onnx has no chains, and takes only one matrix of
inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)

from onnxlet.convert.converters.registration import Converters, exact
from onnxlet.convert.graph.converter import Graph, Outputs, Table, Tensor, Unsupported
from onnxlet.convert.graph.responses import all_have, predicted, response


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
    MultiOutputClassifier: exact(classifiers),
    MultiOutputRegressor: exact(regressors),
    ClassifierChain: chain,
    RegressorChain: chain,
}
