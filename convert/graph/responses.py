"""What estimators inside other estimators are asked for, as numbers.

Source: `sklearn/utils/_response.py`, `_get_response_values`: of two classes one column, that of
the positive one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import sklearn
from sklearn.base import is_classifier

from onnxlet.convert.graph.graph import DROPPED, Graph, Table, Tensor, Unsupported

# Of scikit-learn, where its answers have changed since 1.6.
RELEASE = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def has(graph: Graph, fitted: Any, table: Table, method: str) -> bool:
    """Whether scikit-learn has a method, and it has a conversion."""
    if not hasattr(fitted, method):
        return False
    answers = graph.answers(fitted, table)
    return method in answers or (method == "predict" and "places" in answers)


def all_have(graph: Graph, parts: Iterable[tuple[Any, Table]], method: str) -> bool:
    """Whether every one of several estimators has it, each with its table."""
    return all(has(graph, fitted, table, method) for fitted, table in parts)


def predicted(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """Of `predict`, in the graph's precision.

    Raises:
        Unsupported: its labels are text.
    """
    answer = graph.ask(fitted, table, "predict")
    if answer.dtype == "string":
        raise Unsupported(f"the labels of {type(fitted).__name__} are text where numbers are due")
    return answer.cast(graph.precision)


def response(
    graph: Graph,
    fitted: Any,
    table: Table,
    methods: str | Sequence[str],
    positive: Any = None,
) -> tuple[Tensor, str]:
    """The first of some methods that an estimator has, and which one it was.

    Args:
        graph: to write to.
        fitted: a classifier, or anything else that has `predict`.
        table: that it is given.
        methods: in the order of preference.
        positive: of two classes the one that is scored; None for the second.

    Raises:
        Unsupported: it has none of them, or scikit-learn would raise.
    """
    wanted = [methods] if isinstance(methods, str) else list(methods)
    method = next((name for name in wanted if hasattr(fitted, name)), None)
    if method is None:
        raise Unsupported(f"{type(fitted).__name__} has none of {', '.join(wanted)}")
    if method == "predict":
        return predicted(graph, fitted, table), method
    score = graph.ask(fitted, table, method)
    if not is_classifier(fitted) or len(fitted.classes_) > 2:
        return score, method
    classes = np.asarray(fitted.classes_)
    chosen = classes[-1] if positive is None else positive
    place = int(np.flatnonzero(classes == chosen)[0])
    if method == "decision_function":
        return (-score if chosen == classes[0] else score), method
    if score.width < 2:
        raise Unsupported(f"{type(fitted).__name__} has seen one class only")
    return score.take([place]), method


def every_row(graph: Graph, table: Table, values: Any) -> Tensor:
    """The same numbers for each row of a table, in the graph's precision.

    Raises:
        Unsupported: the table has no column that is left in the graph.
    """
    given = [t.compact[1] if t.compact else t for t in table.tensors if t.dtype != DROPPED]
    if not given:
        raise Unsupported(
            "it answers without looking at any column, and nothing else tells the rows",
            "Fit it on an array, or on one column.",
        )
    one = graph.constant(np.reshape(values, (1, -1)), graph.precision)
    rows = graph.op("Shape", given[0], dtype="int64", start=0, end=1)
    shape = graph.op("Concat", rows, graph.constant([1], "int64"), axis=0)
    return graph.op("Expand", one, shape, width=one.width)


def total(parts: Sequence[Tensor]) -> Tensor:
    """One after another, as Python's and NumPy's sums over a list of arrays are made."""
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result


def one_hot(values: Tensor, count: int) -> Tensor:
    """Of whole numbers 0, 1, …, in one column, as float64."""
    classes = values.graph.constant(np.arange(count), "int64")
    return values.equals(classes).cast("float64")
