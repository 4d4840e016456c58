"""Tracing: a Python function, called once with a proxy, writes itself to the graph.

This module is the contract of the package: nothing outside imports any other module of it. The
proxy claims to be the DataFrame, Series or array that scikit-learn would pass; what is computed
with it becomes nodes. Whatever depends on values or on the number of rows while the function runs
is refused, so that a graph never holds what was true of one row only.

FunctionTransformer (`sklearn/preprocessing/_function_transformer.py`) is converted by it. Upstream:
skl2onnx converts only the identity (sklearn-onnx #609). So are the methods of an estimator whose
class has no converter: one of the user's own, above all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from traceback import walk_tb
from types import MethodType
from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._set_output import _get_output_config

from onnxlet.convert.converters.registration import ANSWERS, Converters, Registration
from onnxlet.convert.converters.text_functions.columns import translated_rows
from onnxlet.convert.converters.text_functions.translation import without_partial
from onnxlet.convert.converters.tracing.array import TracedArray
from onnxlet.convert.converters.tracing.base import REFUSALS, NotTraceable
from onnxlet.convert.converters.tracing.conditions import with_checks
from onnxlet.convert.converters.tracing.exact_operations import is_exact, noted
from onnxlet.convert.converters.tracing.fitted_values import IN_FIT, KEPT, Inner, answered
from onnxlet.convert.converters.tracing.frame import TracedFrame
from onnxlet.convert.converters.tracing.modules import traced_modules, traced_version
from onnxlet.convert.converters.tracing.own_estimators import Followed, own_method, stand_in
from onnxlet.convert.converters.tracing.reach import (
    changed,
    changing,
    namespaces,
    reached,
    state_of,
)
from onnxlet.convert.converters.tracing.series import TracedSeries
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.errors import shortened
from onnxlet.convert.graph.converter import (
    DROPPED,
    Graph,
    Outputs,
    Table,
    Tensor,
    Unsupported,
    labelled,
)
from onnxlet.convert.sources.users_code import lines_of, where
from onnxlet.folders import documented

Form = Literal["frame", "array", "series", "vector"]

HINT = (
    "A function can be traced if it makes every row from that row only, by NumPy's and pandas' "
    "arithmetic; otherwise register a converter "
    + documented("(docs/how-to/converters.md, Functions of your own).", "by @onnxlet.converts.")
)
ASKED_HINT = (
    "Estimators inside a function are not followed: make it a step of the pipeline, such as "
    "RandomTreesEmbedding for a forest's leaves or SelectFromModel for its columns; or have it, "
    "fitted, as an attribute of a class of your own."
)


def trace(
    graph: Graph, function: Any, options: Mapping[str, Any], table: Table, form: Form
) -> Table:
    """Write a function's computation to the graph: it is called once, with a proxy for the columns.

    `form` is the one in which scikit-learn would pass them. The columns that it returns have the
    names of a DataFrame or Series, or none; they are `flat` if it returns a Series or an array of
    one dimension. Unsupported: it does something that has no conversion, or it raises.
    """
    name, functions = name_of(function), reached(function)
    owner = getattr(function, "__self__", None)
    if found := changing(functions):
        asked, by = found
        raise Unsupported(
            f"{name} asks for {asked}, so that its values would change{lines_of(by)}",
            "Let the column come with the request, or hold a constant.",
        )
    before = state_of(functions, owner)
    refusals: list[NotTraceable] = []
    token = REFUSALS.set(refusals)
    traced = traced_version(function)
    try:
        with traced_modules(namespaces(functions)):
            made = with_checks(graph, lambda: traced(_stand_in(graph, table, form), **options))
    except NotTraceable as error:
        refusals[:0] = _of_an_estimator(error)
    except Exception as error:
        ours = isinstance(error, Unsupported)
        said = f"{'' if ours else f'{type(error).__name__}: '}{shortened(error)}{where(error)}"
        hint = error.hint if isinstance(error, Unsupported) else HINT
        refusals += [*_of_an_estimator(error), NotTraceable(said, hint)]
    finally:
        REFUSALS.reset(token)
    if not refusals and (kept := changed(before, state_of(functions, owner))):
        changes = f"it changes {kept[0]}, {KEPT}{lines_of(without_partial(function))}"
        refusals = [NotTraceable(changes, IN_FIT)]
    if refusals:
        first = refusals[0]
        reason = f"{first.reason}{where(first)}"
        raise Unsupported(f"{name} can't be traced: {reason}", first.hint or HINT)
    return _returned(name, made)


def _of_an_estimator(error: BaseException) -> list[NotTraceable]:
    """The first method of an estimator that led to an error, as the reason, if there is one."""
    for frame, _ in walk_tb(error.__traceback__):
        asked = frame.f_locals.get("self")
        ours = isinstance(asked, Followed) or type(asked) is Inner
        inside = frame.f_code.co_name != "wrapped"  # scikit-learn's, around the method itself
        if isinstance(asked, BaseEstimator) and inside and not ours:
            name = f"{type(asked).__name__}.{frame.f_code.co_name}"
            said = f"it asks an estimator, {name}{where(error)}"
            return [NotTraceable(said, ASKED_HINT)]
    return []


def name_of(function: Any) -> str:
    """What a function is, and its name, without functools.partial around it."""
    function = without_partial(function)
    if isinstance(function, MethodType):
        kind = type(function.__self__).__name__
        return f"{kind} has no converter, and its {function.__name__}"
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    return f"the function {str(name or repr(function))[:60]}"


def _stand_in(graph: Graph, table: Table, form: Form) -> Traced:
    typed = _typed(graph, table)
    if form == "frame":
        return TracedFrame(graph, typed)
    if form == "series":
        return TracedSeries(graph, typed.tensors[0], typed.labels[0] if typed.labels else None)
    return TracedArray(graph, typed, form == "vector")


def _typed(graph: Graph, table: Table) -> Table:
    """The columns in the signature's types: bool and int64, which the graph's inputs lack."""
    tensors: list[Tensor] = []
    for tensor in table.tensors:
        kinds = {kind for kind in tensor.types if kind in ("bool", "int64")}
        if not kinds or tensor.dtype in ("bool", "int64", "string", DROPPED):
            tensors.append(tensor)
        elif len(set(tensor.types)) == 1:
            tensors.append(_cast(tensor, kinds.pop()))
        else:
            parts = graph.columns(Table((tensor,)))
            tensors += [
                _cast(part, kind) if kind in kinds else part
                for part, kind in zip(parts, tensor.types, strict=True)
            ]
    return Table(tuple(tensors))


def _cast(tensor: Tensor, kind: str) -> Tensor:
    return replace(tensor.cast(kind), labels=tensor.labels)


def _returned(name: str, made: Any) -> Table:
    if not isinstance(made, TracedFrame | TracedSeries | TracedArray):
        kind = type(made).__name__
        what = {"NoneType": "None", "Transposed": "a transposed array"}.get(kind, f"a {kind}")
        raise Unsupported(f"{name} returns {what}, which none of its columns went into", HINT)
    if not made._table.tensors:
        raise Unsupported(f"{name} returns no column", "Have it keep one at least.")
    return answered(made)


def transformer(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """The function of the columns, in the form in which scikit-learn passes them."""
    if fitted.func is None and not fitted.validate:
        return {"transform": table}
    form = _form(fitted, table)
    given = _named(fitted, table) if form == "frame" else table
    if fitted.func is None:
        return {"transform": labelled(table, ())}
    with noted(graph, fitted):
        made = _made(graph, fitted.func, fitted.kw_args or {}, given, form)
    return {"transform": _with_names_out(fitted, made)}


def _made(
    graph: Graph, function: Any, options: Any, given: Table, form: Form, real: Any = None
) -> Table:
    """What a function makes of the columns: by tracing, or text by text.

    `real` is a method as its own estimator has it.
    """
    try:
        return trace(graph, function, options, given, form)
    except Unsupported:
        made = translated_rows(graph, real or function, options, given, form)
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


def _named(fitted: Any, table: Table) -> Table:
    """The table with the DataFrame's names, where the step before it has lost them."""
    names = fitted.feature_names_in_.tolist()
    return labelled(table, names) if not table.labels and len(names) == table.width else table


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
        raise Unsupported(f"{name_of(function)} makes other columns than it is given")
    return graph.matrix(made)


class FollowedMethods(Mapping[str, Table]):
    """The outputs of an estimator whose methods are followed, each once it is asked for."""

    def __init__(self, graph: Graph, fitted: Any, table: Table) -> None:
        self._graph, self._fitted, self._table = graph, fitted, table
        self._path = graph.path
        self._names = [name for name in ANSWERS if hasattr(fitted, name)]
        self._made: dict[str, Table] = {}

    def __getitem__(self, method: str) -> Table:
        if method not in self._names:
            raise KeyError(method)
        if method not in self._made:
            try:
                self._made[method] = _followed(self._graph, self._fitted, method, self._table)
            except Unsupported as error:
                raise self._graph.located(error, self._path) from error
        return self._made[method]

    def __contains__(self, method: object) -> bool:
        return method in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def estimator(graph: Graph, fitted: Any, table: Table) -> Outputs:
    """An estimator of a class that has no converter: its own methods, as functions of columns."""
    return FollowedMethods(graph, fitted, table)


def _followed(graph: Graph, fitted: Any, method: str, table: Table) -> Table:
    named: Form = "series" if table.labels else "vector"
    form: Form = named if table.flat else "frame" if table.labels else "array"
    followed = own_method(stand_in(graph, fitted), method)
    with noted(graph, fitted):
        made = _made(graph, followed, {}, table, form, own_method(fitted, method))
    return replace(made, frame=bool(made.labels))


CONVERTERS: Converters = {
    object: Registration(estimator, exact=is_exact),  # of any class that `is_followed`
    # Without a function it passes its columns through.
    FunctionTransformer: Registration(
        transformer,
        exact=lambda fitted: fitted.func is None or is_exact(fitted),
        inverse=inverse,
    ),
}
