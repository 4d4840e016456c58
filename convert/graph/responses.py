"""The answers of estimators inside others, as numbers, and answers in forms of several families.

Source: `sklearn/utils/_response.py`, `_get_response_values`: with two classes, only the positive
class's column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sklearn
from sklearn.base import is_classifier

from onnxlet.convert.graph.converter import (
    DROPPED,
    Converter,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
)
from onnxlet.convert.older.changes import FITTED_BY

# scikit-learn's version, whose answers have changed with some of them.
RELEASE = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def fitted_by(fitted: Any) -> tuple[int, ...]:
    """The version of the scikit-learn that answers for an estimator: mostly the installed one."""
    version: tuple[int, ...] = vars(fitted).get(FITTED_BY, RELEASE)
    return version


def has(graph: Graph, fitted: Any, table: Table, method: str) -> bool:
    """Whether an estimator has a method, and the method has a conversion."""
    if not hasattr(fitted, method):
        return False
    outputs = graph.convert(fitted, table)
    return method in outputs or (method == "predict" and "class_index" in outputs)


def all_have(graph: Graph, parts: Iterable[tuple[Any, Table]], method: str) -> bool:
    """Whether each of several estimators, with its table, has a method that can be converted."""
    return all(has(graph, fitted, table, method) for fitted, table in parts)


def predicted(graph: Graph, fitted: Any, table: Table) -> Tensor:
    """The output of `predict`, in the graph's precision; Unsupported where its labels are text."""
    answer = graph.call(fitted, table, "predict")
    if answer.dtype == "string":
        raise Unsupported(f"the labels of {type(fitted).__name__} are text where numbers are due")
    return answer.cast(graph.precision)


def response(
    graph: Graph, fitted: Any, table: Table, methods: str | Sequence[str], positive: Any = None
) -> tuple[Tensor, str]:
    """The first of some methods that an estimator has, and which one it was.

    Args:
        graph: to write to.
        fitted: a classifier, or anything else that has `predict`.
        table: its input.
        methods: in the order of preference.
        positive: with two classes, the one to score; None for the second.

    Raises:
        Unsupported: it has none of them, or scikit-learn would raise.
    """
    wanted = [methods] if isinstance(methods, str) else list(methods)
    method = next((name for name in wanted if hasattr(fitted, name)), None)
    if method is None:
        raise Unsupported(f"{type(fitted).__name__} has none of {', '.join(wanted)}")
    if method == "predict":
        return predicted(graph, fitted, table), method
    score = graph.call(fitted, table, method)
    if not is_classifier(fitted) or len(fitted.classes_) > 2:
        return score, method
    classes = np.asarray(fitted.classes_)
    chosen = classes[-1] if positive is None else positive
    index = int(np.flatnonzero(classes == chosen)[0])
    if method == "decision_function":
        return (-score if chosen == classes[0] else score), method
    if score.width < 2:
        raise Unsupported(f"{type(fitted).__name__} has seen one class only")
    return score.take([index]), method


def every_row(graph: Graph, table: Table, values: Any) -> Tensor:
    """The same numbers for each row of a table, in the graph's precision.

    Unsupported is raised where the table has no column that is left in the graph.
    """
    given = [t.compact[1] if t.compact else t for t in table.tensors if t.dtype != DROPPED]
    if not given:
        raise Unsupported(
            "it answers without using any column, so that nothing gives the number of rows",
            "Fit it on an array, or on one column.",
        )
    one = graph.constant(np.reshape(values, (1, -1)), graph.precision)
    rows = graph.op("Shape", given[0], dtype="int64", start=0, end=1)
    shape = graph.op("Concat", rows, graph.constant([1], "int64"), axis=0)
    return graph.op("Expand", one, shape, width=one.width)


def even_if_none(shares: Tensor) -> Tensor:
    """Columns that are scaled to add up to 1; all equal where none has a share."""
    sums = shares.sum()
    none = sums.equals(0.0)
    return none.where(1.0 / shares.width, shares / none.where(1.0, sums))


def total(parts: Sequence[Tensor]) -> Tensor:
    """The sum, from the first to the last as Python and NumPy sum a list of arrays.

    Floating-point addition is not associative: any other order changes the last bits.
    """
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result


def one_hot(values: Tensor, count: int) -> Tensor:
    """Indicator columns, float64, for one column of the whole numbers 0, 1, …, count - 1."""
    classes = values.graph.constant(np.arange(count), "int64")
    return values.equals(classes).cast("float64")


def two_sided(probability: Tensor) -> Tensor:
    """Both classes' probabilities from the second's: `[1 - p, p]` in one node."""
    return replace(probability @ [[-1.0, 1.0]] + [[1.0, 0.0]], second=probability)


def two_classes(against: Tensor) -> dict[str, Tensor]:
    """The outputs of two classes, from the negative decision: 1 / (1 + exp(-d)) needs that."""
    return {
        "decision_function": -against,
        "class_index": (against < 0.0).cast("int64"),
        "predict_proba": two_sided(1.0 / (against.unary("Exp") + 1.0)),
    }


def class_index(score: Tensor) -> Tensor:
    """The class of a decision: by its sign if there are two classes, else the largest."""
    if score.width == 1:
        return (score > 0).cast("int64")
    return score.argmax()


def decided(score: Tensor) -> dict[str, Tensor]:
    """A decision, and the class that it is for."""
    return {"decision_function": score, "class_index": class_index(score)}


def side(inside: Tensor) -> Tensor:
    """What outlier detectors predict: 1 for rows inside, -1 for outliers."""
    return inside.where(inside.graph.constant([[1]], "int64"), -1)


def by_output(x: Tensor, counts: Sequence[int]) -> list[Tensor]:
    """Columns of all outputs side by side, taken apart by how many each output has."""
    ends = np.cumsum(counts).tolist()
    return [x.take(range(end - count, end)) for end, count in zip(ends, counts, strict=True)]


def sided(graph: Graph, score: Tensor) -> Outputs:
    """The outputs of an outlier detector, in the graph's precision: outliers are below 0."""
    inside = side(score >= 0.0)
    return {"decision_function": score.cast(graph.precision), "predict": inside}


def of_matrix(change: Callable[[Any, Tensor], Any]) -> Converter:
    """A converter of a transformer that computes with all columns as one matrix, in float64.

    What `change` makes of the fitted one and the matrix comes out in the graph's precision.
    """
    return lambda graph, fitted, table: {
        "transform": change(fitted, graph.matrix(table, "float64")).cast(graph.precision)
    }
