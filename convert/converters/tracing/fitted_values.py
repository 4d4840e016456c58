"""What a followed method finds in its estimator: look-ups by a column, and estimators inside.

A dictionary, a set or an array that is asked with an element or with a column answers in the graph,
an estimator inside by its own conversion. All of it is of the fit: nothing may be written to it.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from types import MethodType
from typing import Any, NoReturn

import numpy as np
from pandas import DataFrame, Series
from sklearn.preprocessing import LabelBinarizer, LabelEncoder, MultiLabelBinarizer

from onnxlet.convert.converters.registration import ANSWERS
from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.arithmetic import as_number
from onnxlet.convert.converters.tracing.array import TracedArray
from onnxlet.convert.converters.tracing.base import methods, refuse, refusing
from onnxlet.convert.converters.tracing.elements import Element
from onnxlet.convert.converters.tracing.frame import TracedFrame
from onnxlet.convert.converters.tracing.modules import is_traced
from onnxlet.convert.converters.tracing.traced import OPERATORS, Traced
from onnxlet.convert.graph.categories import is_missing
from onnxlet.convert.graph.converter import Graph, Table, Unsupported

KEPT = "which stays from one call to the next"
IN_FIT = "Compute it in fit, or keep it in a variable of the method."
WRITTEN = (f"it writes to an array of fit, {KEPT}", "Copy it before: self.weights_.copy().")
DRAWN = (np.random.Generator, np.random.RandomState, random.Random)


def known(graph: Graph, value: Any) -> Any:
    """An attribute of a fitted estimator as a method that is followed finds it."""
    if is_estimator(value):
        return Inner(graph, value)
    kind = type(value)
    if kind is dict:
        return KnownDict({key: known(graph, one) for key, one in value.items()})
    if kind in (set, frozenset):
        return KnownSet(value)
    if kind in (list, tuple):
        return kind(known(graph, one) for one in value)
    if kind is np.ndarray:
        made = value.copy()
        if value.dtype == object:
            made.ravel()[:] = [known(graph, one) for one in value.ravel()]
        made.flags.writeable = False
        return made.view(KnownArray)
    if kind is Series:
        return KnownSeries(value, copy=True)
    if kind is DataFrame:
        return value.copy()
    return Drawn() if isinstance(value, DRAWN) else value


def is_estimator(value: Any) -> bool:
    """Whether it is an estimator, and no class of such."""
    answers = any(hasattr(value, name) for name in ("transform", "predict"))
    return answers and hasattr(value, "fit") and not isinstance(value, type)


def _membership(kind: Any) -> Any:
    def contains(self: Any, value: Any) -> bool:
        if type(value) is not Element:
            return bool(kind.__contains__(self, value))
        return value._execution.takes(column_values.is_in(value._tensor, _keys(self)))

    return contains


def _keys(values: Any) -> list[Any]:
    """The keys of a dictionary or a set, as Python finds them: a missing one only by chance."""
    if any(is_missing(key) for key in values):
        refuse("it looks an element up where there is a missing key", "Leave that out in fit.")
    return list(values)


class KnownDict(dict[Any, Any]):
    """A dictionary that may be asked with an element."""

    __contains__ = _membership(dict)

    def __getitem__(self, key: Any) -> Any:
        if type(key) is not Element:
            return super().__getitem__(key)
        lacking = ~column_values.is_in(key._tensor, _keys(self))
        arithmetic.graph_of(key._tensor).refuse_rows(lacking)  # as of a KeyError
        return key._like(Table((column_values.mapped(key._tensor, self),)))

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key; the default where it has none."""
        if type(key) is not Element:
            return super().get(key, default)
        found = column_values.is_in(key._tensor, _keys(self))
        other = default._tensor if type(default) is Element else default
        made = column_values.mapped(key._tensor, self)
        return key._like(Table((arithmetic.choose(found, made, other),)))


class KnownSet(set[Any]):
    """A set that may be asked with an element."""

    __contains__ = _membership(set)


class KnownSeries(Series):
    """A Series that may be asked with an element, as a dictionary."""

    _constructor = Series

    def __getitem__(self, key: Any) -> Any:
        return self._by(key)[key] if type(key) is Element else super().__getitem__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a label; the default where it has none."""
        return self._by(key).get(key, default)

    def __contains__(self, key: Any) -> bool:  # type: ignore[misc]
        return key in self._by(key)

    def _by(self, key: Any) -> Any:
        if type(key) is not Element:
            return Series(self)
        if not self.index.is_unique:
            refuse("it looks an element up in a Series that has a key twice")
        return KnownDict(self.to_dict())


class KnownArray(np.ndarray[Any, Any]):
    """An array that may be indexed with whole numbers of the graph: `classes_[index]`."""

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        plain = np.asarray(array)
        return plain if plain.ndim else plain[()]

    def __getitem__(self, key: Any) -> Any:
        return _gathered(self, key) if is_traced(key) else super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        refuse(*WRITTEN)

    def take(self, indices: Any, *given: Any, **options: Any) -> Any:
        """Some entries, by position."""
        if is_traced(indices) and not given and options.get("axis") in (None, 0):
            return _gathered(self, indices)
        return super().take(indices, *given, **options)


methods(KnownArray, {f"__i{stem}__": refusing(*WRITTEN) for stem in OPERATORS})


def _gathered(array: Any, index: Any) -> Any:
    if not isinstance(index, Traced) or len(index._table.tensors) > 1 or array.ndim > 2:
        refuse("it takes entries of an array by something else than one column of positions")
    position, entries = index._table.tensors[0], np.asarray(array)
    if position.dtype != "int64" or (entries.ndim == 2 and position.width > 1):
        refuse("it takes entries of an array by other than whole numbers", "Use .astype(int).")
    graph, count = arithmetic.graph_of(position), len(entries)
    graph.refuse_rows((position < -count) | (position >= count))  # as of an IndexError
    inside = position.maximum(-count).minimum(count - 1)
    kind = arithmetic.tensor_of(graph, entries).dtype
    if entries.ndim == 1:
        made = replace(inside.look_up(entries, kind), width=position.width)
    else:
        rows, wide = inside.reshape([-1], 1), entries.shape[1]
        made = graph.op("Gather", graph.constant(entries, kind), rows, width=wide, dimensions=2)
    if type(index) is Element:
        return index._like(Table((made,)))
    return TracedArray(graph, Table((made,)), index._flat and entries.ndim == 1)


class Drawn:
    """A generator of random numbers."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse("it draws random numbers", "A request's answer must not depend on chance.")


OF_LABELS = "Have an OrdinalEncoder or a OneHotEncoder inside: they encode columns."


class Inner:
    """The proxy for a fitted estimator inside: of columns it is asked by its own conversion."""

    __slots__ = ("_fitted", "_graph")

    def __init__(self, graph: Graph, fitted: Any) -> None:
        object.__setattr__(self, "_graph", graph)
        object.__setattr__(self, "_fitted", fitted)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._fitted)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._fitted, name)
        if isinstance(found, MethodType):
            return partial(asked, self._graph, self._fitted, name)
        return known(self._graph, found)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        refuse(f"it writes to .{name} of {type(self._fitted).__name__}, {KEPT}", IN_FIT)

    def __getitem__(self, key: Any) -> Any:
        return known(self._graph, self._fitted[key])

    def __len__(self) -> int:
        return len(self._fitted)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return int, (id(self._fitted),)  # to see whether another one has come in its place


def asked(graph: Graph, fitted: Any, method: str, *given: Any, **options: Any) -> Any:
    """What an estimator answers; in the graph, where it is asked with columns."""
    if not any(map(is_traced, (*given, *options.values()))):
        return known(graph, getattr(fitted, method)(*given, **options))
    shown = f"{type(fitted).__name__}.{method}"
    columns = [*given, *options.values()]
    if len(columns) > 1 or not isinstance(columns[0], Traced) or method not in ANSWERS:
        refuse(
            f"it asks {shown}(…), which is not followed",
            f"Of an estimator inside these are: {', '.join(ANSWERS)}, each of columns.",
        )
    table = answered(columns[0])
    try:
        if method == "transform":
            made = graph.transform(fitted, table)
            return TracedFrame(graph, made) if made.labels else TracedArray(graph, made, made.flat)
        tensor = graph.call(fitted, table, method)
    except Unsupported as error:
        if isinstance(fitted, LabelEncoder | LabelBinarizer | MultiLabelBinarizer):
            refuse(f"it asks {shown}, which encodes targets, not rows", OF_LABELS)
        refuse(f"it asks {shown}: {error}", error.hint)
    flat = tensor.width == 1 and method != "predict_proba"
    return TracedArray(graph, Table((tensor,)), flat)


def answered(made: Traced) -> Table:
    """A proxy's columns, as other steps take them."""
    return Table(tuple(as_number(tensor) for tensor in made._table.tensors), flat=made._flat)
