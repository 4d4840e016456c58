"""FunctionTransformer: functions of NumPy, SciPy and pandas, and of the user's own.

Source: `sklearn/preprocessing/_function_transformer.py`. Upstream: skl2onnx converts
only the identity (sklearn-onnx #609). `tracing` writes what the function computes.
"""

from __future__ import annotations

from typing import Any

from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._set_output import _get_output_config

from onnxlet.convert.converters.following.rows import followed_rows
from onnxlet.convert.converters.registration import Converters, Registration
from onnxlet.convert.converters.tracing.trace import Form, name_of, trace
from onnxlet.convert.graph.converter import (
    DROPPED,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    labelled,
)


def transformer(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The function of the columns, in the form in which scikit-learn passes them."""
    if fitted.func is None and not fitted.validate:
        return {"transform": table}
    form = _form(fitted, table)
    given = _named(graph, fitted, table) if form == "frame" else table
    if fitted.func is None:
        return {"transform": labelled(table, ())}
    made = _made(graph, fitted.func, fitted.kw_args or {}, given, form)
    return {"transform": _with_names_out(fitted, made)}


def _made(graph: Graph, function: Any, options: Any, given: Table, form: Form) -> Table:
    """What a function makes of the columns: by tracing, or text by text."""
    try:
        return trace(graph, function, options, given, form)
    except Unsupported:
        made = followed_rows(graph, function, options, given, form)
        if made is None:
            raise
        return made


def _form(fitted: Any, table: Table) -> Form:
    """The form in which scikit-learn passes the columns to the function.

    Fitted on a frame it has `feature_names_in_`; fitted on one dimension, no `n_features_in_`.
    """
    if table.flat or not hasattr(fitted, "n_features_in_"):
        return "series" if table.flat and table.labels else "vector"
    return "frame" if hasattr(fitted, "feature_names_in_") and not fitted.validate else "array"


def _named(graph: Graph, fitted: Any, table: Table) -> Table:
    """The table with the DataFrame's names, dropped columns at their original positions."""
    names = fitted.feature_names_in_.tolist()
    if not table.labels:
        return labelled(table, names) if len(names) == table.width else table
    if any(t.dtype == DROPPED for t in table.tensors) and set(names) == set(table.labels):
        by_name = {label: one for one in graph.columns(table) for label in one.labels}
        return Table(tuple(by_name[name] for name in names))
    return table


def _with_names_out(fitted: Any, made: Table) -> Table:
    """The columns under the names of `feature_names_out`, if the result is a DataFrame."""
    wrapped = _get_output_config("transform", fitted)["dense"] != "default"
    if fitted.feature_names_out is None or not (wrapped or made.labels) or made.flat:
        return made
    names = fitted.get_feature_names_out().tolist()
    return labelled(made, names) if len(names) == made.width else made


def inverse(graph: Graph, fitted: Any, x: Tensor) -> Tensor:
    """The values of `inverse_func`, which must be traced and leave the number of columns."""
    function = fitted.inverse_func
    if function is None:
        return x
    made = trace(graph, function, fitted.inv_kw_args or {}, Table((x,)), "array")
    if made.width != x.width:
        raise Unsupported(f"the function {name_of(function)} makes other columns than it is given")
    return graph.matrix(made)


CONVERTERS: Converters = {
    # Without a function it passes its columns through.
    FunctionTransformer: Registration(
        transformer, exact=lambda fitted: fitted.func is None, inverse=inverse
    )
}
