"""FunctionTransformer: functions of NumPy, SciPy and pandas, and of the user's own.

Source: `sklearn/preprocessing/_function_transformer.py`. Upstream: skl2onnx converts the
identity alone (sklearn-onnx #609). `tracing` follows a function.
"""

from __future__ import annotations

from typing import Any

from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._set_output import _get_output_config

from onnxlet.convert.converters.tracing.columns_base import columns_of
from onnxlet.convert.converters.tracing.trace import Form, followed, name_of
from onnxlet.convert.graph.graph import (
    DROPPED,
    Answers,
    Converter,
    Graph,
    Table,
    Tensor,
    Unsupported,
    labelled,
)


def transformer(graph: Graph, fitted: Any, table: Table) -> Answers:
    """What the function makes of the columns, in the form that scikit-learn gives them."""
    if fitted.func is None and not fitted.validate:
        return {"transform": table}
    form = _form(fitted, table)
    given = _named(graph, fitted, table) if form == "frame" else table
    if fitted.func is None:
        return {"transform": labelled(table, ())}
    made = followed(graph, fitted.func, fitted.kw_args or {}, given, form)
    return {"transform": _with_names_out(fitted, made)}


def _form(fitted: Any, table: Table) -> Form:
    """Names are seen in fit whatever the function does; of one dimension there is no width."""
    if table.flat or not hasattr(fitted, "n_features_in_"):
        return "series" if table.flat and table.labels else "vector"
    return "frame" if hasattr(fitted, "feature_names_in_") and not fitted.validate else "array"


def _named(graph: Graph, fitted: Any, table: Table) -> Table:
    """With the DataFrame's names, and columns that the model does without in their place."""
    names = fitted.feature_names_in_.tolist()
    if not table.labels:
        return labelled(table, names) if len(names) == table.width else table
    if any(t.dtype == DROPPED for t in table.tensors) and set(names) == set(table.labels):
        by_name = {label: one for one in columns_of(graph, table) for label in one.labels}
        return Table(tuple(by_name[name] for name in names))
    return table


def _with_names_out(fitted: Any, made: Table) -> Table:
    """A DataFrame has the names that it is said to have."""
    wrapped = _get_output_config("transform", fitted)["dense"] != "default"
    if fitted.feature_names_out is None or not (wrapped or made.labels) or made.flat:
        return made
    names = fitted.get_feature_names_out().tolist()
    return labelled(made, names) if len(names) == made.width else made


def applied(graph: Graph, function: Any, kw_args: Any, x: Tensor) -> Tensor:
    """A function's values of an array, numbers in the graph's precision.

    Raises:
        Unsupported: it is none that can be followed.
    """
    if function is None:
        return x
    made = followed(graph, function, kw_args or {}, Table((x,)), "array")
    if made.width != x.width:
        raise Unsupported(f"the function {name_of(function)} makes other columns than it is given")
    return graph.matrix(made)


CONVERTERS: dict[type, Converter] = {FunctionTransformer: transformer}
