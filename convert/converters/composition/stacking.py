"""Stacking: the outputs of estimators are the columns of a final one.

Source: `sklearn/ensemble/_stacking.py`. The final estimator knows the classes as 0, 1, …, and gets
only the second class's probability if there are two. Upstream: skl2onnx takes only one matrix of
inputs (sklearn-onnx #1199), and its models of two classes don't load where probabilities are
stacked beside decisions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import StackingClassifier, StackingRegressor

from onnxlet.convert.graph.converter import (
    DROPPED,
    Converter,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
)
from onnxlet.convert.graph.responses import has, predicted


def stacked(graph: Graph, fitted: Any, table: Table) -> Table:
    """The outputs of all estimators side by side, then the columns themselves if passed through."""
    made = [
        column
        for part, method in zip(fitted.estimators_, fitted.stack_method_, strict=True)
        for column in _columns(graph, fitted, part, table, method)
    ]
    given = table.tensors if fitted.passthrough else ()
    return Table((graph.concat(made), *(_number_or_text(graph, tensor) for tensor in given)))


def _number_or_text(graph: Graph, tensor: Tensor) -> Tensor:
    """The column as `np.hstack` converts it: numbers become one dtype, text stays text."""
    plain = replace(tensor, labels=())
    return plain if plain.dtype in ("string", DROPPED) else plain.cast(graph.precision)


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


def regressor(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The final estimator's prediction."""
    columns = stacked(graph, fitted, table)
    return {
        "transform": columns,
        "predict": graph.call(fitted.final_estimator_, columns, "predict"),
    }


def classifier(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The final estimator's outputs; its classes are indices of the true ones."""
    final, columns = fitted.final_estimator_, stacked(graph, fitted, table)
    outputs: dict[str, Tensor | Table] = {"transform": columns}
    predicted_codes = graph.call(final, columns, "predict")
    if predicted_codes.dtype == "string":
        raise Unsupported("its final estimator was fitted on labels of its own")
    outputs["class_index"] = predicted_codes.cast("int64")
    if has(graph, final, columns, "predict_proba"):
        outputs["predict_proba"] = _shares(graph, fitted, columns)
    if has(graph, final, columns, "decision_function"):
        outputs["decision_function"] = graph.call(final, columns, "decision_function")
    return outputs


def _shares(graph: Graph, fitted: Any, columns: Table) -> Tensor:
    """Probabilities; with several outputs only each one's first class, as scikit-learn returns."""
    shares = graph.call(fitted.final_estimator_, columns, "predict_proba")
    if not isinstance(fitted.classes_, list):
        return shares
    widths = _widths(fitted.final_estimator_, shares)
    return shares.take(np.cumsum([0, *widths[:-1]]).tolist()) if widths else shares


CONVERTERS: dict[type, Converter] = {
    StackingClassifier: classifier,
    StackingRegressor: regressor,
}
