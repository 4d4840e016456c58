"""Estimators whose answers are the columns of a final one.

Source: `sklearn/ensemble/_stacking.py`. The final estimator knows the classes as 0, 1, …, and is
given a second class alone where there are two. Upstream: skl2onnx takes one matrix of
inputs alone (sklearn-onnx #1199), and its models of two classes don't load where probabilities
are stacked beside decisions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.ensemble import StackingClassifier, StackingRegressor

from onnxlet.convert.graph.graph import (
    DROPPED,
    Answers,
    Converter,
    Graph,
    Table,
    Tensor,
    Unsupported,
)
from onnxlet.convert.graph.responses import has, predicted


def stacked(graph: Graph, fitted: Any, table: Table) -> Table:
    """Every estimator's answers side by side, and the columns themselves if asked for."""
    made = [
        column
        for part, method in zip(fitted.estimators_, fitted.stack_method_, strict=True)
        for column in _columns(graph, fitted, part, table, method)
    ]
    given = table.tensors if fitted.passthrough else ()
    return Table((graph.concat(made), *(_number_or_text(graph, tensor) for tensor in given)))


def _number_or_text(graph: Graph, tensor: Tensor) -> Tensor:
    """As `np.hstack` makes of it: all numbers of one type, beside text as they are."""
    plain = replace(tensor, labels=())
    return plain if plain.dtype in ("string", DROPPED) else plain.cast(graph.precision)


def _columns(graph: Graph, fitted: Any, part: Any, table: Table, method: str) -> list[Tensor]:
    """What one estimator contributes: `_concatenate_predictions`."""
    if method == "predict":
        return [predicted(graph, part, table)]
    answer = graph.ask(part, table, method)
    widths = _outputs(part, answer) if method == "predict_proba" else []
    if widths:
        starts = np.cumsum([0, *widths[:-1]]).tolist()
        kept = [p for s, w in zip(starts, widths, strict=True) for p in range(s + 1, s + w)]
        return [answer.take(kept)] if kept else []
    if method == "predict_proba" and len(fitted.classes_) == 2:
        return [answer.take(range(1, answer.width))]
    return [answer]


def _outputs(part: Any, answer: Tensor) -> list[int]:
    """The classes of each output where scikit-learn answers a list of arrays, else nothing."""
    if not isinstance(part.classes_, list):
        return []
    widths = [len(classes) for classes in part.classes_]
    return widths if answer.width == sum(widths) and sum(widths) != len(widths) else []


def regressor(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The final estimator's prediction."""
    columns = stacked(graph, fitted, table)
    return {
        "transform": columns,
        "predict": graph.ask(fitted.final_estimator_, columns, "predict"),
    }


def classifier(graph: Graph, fitted: Any, table: Table) -> Answers:
    """The final estimator's answers, its classes being places of the true ones."""
    final, columns = fitted.final_estimator_, stacked(graph, fitted, table)
    answers: dict[str, Tensor | Table] = {"transform": columns}
    predicted_codes = graph.ask(final, columns, "predict")
    if predicted_codes.dtype == "string":
        raise Unsupported("its final estimator was fitted on labels of its own")
    answers["places"] = predicted_codes.cast("int64")
    if has(graph, final, columns, "predict_proba"):
        answers["predict_proba"] = _shares(graph, fitted, columns)
    if has(graph, final, columns, "decision_function"):
        answers["decision_function"] = graph.ask(final, columns, "decision_function")
    return answers


def _shares(graph: Graph, fitted: Any, columns: Table) -> Tensor:
    """Of several outputs, the first class of each: scikit-learn takes column 0."""
    shares = graph.ask(fitted.final_estimator_, columns, "predict_proba")
    if not isinstance(fitted.classes_, list):
        return shares
    widths = _outputs(fitted.final_estimator_, shares)
    return shares.take(np.cumsum([0, *widths[:-1]]).tolist()) if widths else shares


CONVERTERS: dict[type, Converter] = {
    StackingClassifier: classifier,
    StackingRegressor: regressor,
}
