"""Functions of the user's own that only choose columns and fill gaps.

`FunctionTransformer(lambda df: df["text"].fillna(""))` and its kin stand before most vectorisers.
Such a function is called once, with a stand-in that has the few methods below, as pandas and NumPy
have them, and raises at everything else that is asked of it, its type and its truth too. What
the function returns is then what it does to every table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from convert.converters.graph import Graph, Table, Tensor
from function.signature import MISSING_TEXT

EVERY_ROW = slice(None)


class _Other(BaseException):
    """The function does something else; no `except Exception` of its own hides that."""


def chosen(
    graph: Graph, function: Callable[..., Any], options: Mapping[str, Any], table: Table
) -> Table | None:
    """The columns that a function returns of a table; None if it may do anything else."""
    try:
        made = function(_Columns(graph, table), **options)
    except (_Other, Exception):
        return None
    return _state(made)[1] if type(made) is _Columns else None


def _state(columns: Any) -> tuple[Graph, Table]:
    state: tuple[Graph, Table] = object.__getattribute__(columns, "_state")
    return state


def _refuse(*asked: Any, **options: Any) -> NoReturn:
    raise _Other


class _Columns:
    """Stands in for a DataFrame, a Series or an array."""

    def __init__(self, graph: Graph, table: Table) -> None:
        object.__setattr__(self, "_state", (graph, table))

    def __getattribute__(self, name: str) -> Any:
        graph, table = _state(self)
        if name in METHODS:
            return lambda *values, **options: METHODS[name](graph, table, *values, **options)
        if name == "values":
            return self
        if name in INDEXERS:
            return INDEXERS[name](graph, table)
        if name in table.labels and not hasattr(pd.DataFrame, name):
            return _named(graph, table, name)
        raise _Other

    def __getitem__(self, key: Any) -> _Columns:
        graph, table = _state(self)
        if isinstance(key, tuple):
            return _Places(graph, table)[key]
        return _named(graph, table, key)

    def __array_function__(self, function: Any, types: Any, given: Any, options: Any) -> Any:
        if function in (np.ravel, np.squeeze) and len(given) == 1 and not options:
            return _flat(*_state(self))
        if function is np.reshape and set(options) <= {"shape", "newshape"}:
            return _reshape(*_state(self), *given[1:], *options.values())
        raise _Other

    __array__ = __array_ufunc__ = __bool__ = __eq__ = __ne__ = _refuse
    __format__ = __hash__ = __iter__ = __len__ = _refuse
    __reduce_ex__ = __repr__ = __setattr__ = __str__ = _refuse


class _Places:
    """`iloc`, and what an array has in brackets."""

    def __init__(self, graph: Graph, table: Table) -> None:
        self._given = graph, table

    def __getitem__(self, key: Any) -> _Columns:
        graph, table = self._given
        rows, places = key if isinstance(key, tuple) and len(key) == 2 else _refuse()
        every = range(table.width)
        if isinstance(places, slice):
            places = list(every[places])
        places = places if isinstance(places, list) else [places]
        if rows != EVERY_ROW or not all(type(place) is int for place in places):
            raise _Other
        return _Columns(graph, graph.select(table, [every[place] for place in places]))


class _Names(_Places):
    """`loc`."""

    def __getitem__(self, key: Any) -> _Columns:
        rows, names = key if isinstance(key, tuple) and len(key) == 2 else _refuse()
        return _named(*self._given, names) if rows == EVERY_ROW else _refuse()


INDEXERS = {"iloc": _Places, "loc": _Names}


def _named(graph: Graph, table: Table, names: Any) -> _Columns:
    names = names if isinstance(names, list) else [names]
    if not names or not all(isinstance(n, str) and table.labels.count(n) == 1 for n in names):
        raise _Other
    return _Columns(graph, graph.select(table, [table.labels.index(name) for name in names]))


def _same(graph: Graph, table: Table) -> _Columns:
    return _Columns(graph, table)


def _flat(graph: Graph, table: Table) -> _Columns:
    return _Columns(graph, table) if table.width == 1 else _refuse()


def _reshape(graph: Graph, table: Table, *shape: Any) -> _Columns:
    return _flat(graph, table) if shape in ((-1,), (-1, 1), ((-1,),), ((-1, 1),)) else _refuse()


def _fill(graph: Graph, table: Table, value: Any) -> _Columns:
    """As pandas fills missing values, NaN and None alike: text with text, numbers with one."""
    kind = str if {tensor.dtype for tensor in table.tensors} == {"string"} else float
    if type(value) not in ((str,) if kind is str else (int, float)):
        raise _Other
    return _Columns(graph, Table(tuple(_filled(c, value) for c in graph.columns(table))))


def _filled(column: Tensor, value: Any) -> Tensor:
    if column.dtype != "string":
        number = column.cast(column.graph.precision)
        return replace(number.isnan().where(value, number), labels=column.labels)
    made = column.equals(MISSING_TEXT).where(value, column)
    pairs = (*column.replaced, (MISSING_TEXT, value))
    return replace(made, column=column.column, labels=column.labels, replaced=pairs)


def _as_text(graph: Graph, table: Table, kind: Any) -> _Columns:
    """Text is text already, if nothing is missing."""
    filled = (any(found == MISSING_TEXT for found, _ in t.replaced) for t in table.tensors)
    return _Columns(graph, table) if kind in (str, "str", object) and all(filled) else _refuse()


METHODS: Mapping[str, Callable[..., _Columns]] = {
    **dict.fromkeys(("copy", "to_numpy", "tolist", "to_list"), _same),
    **dict.fromkeys(("ravel", "flatten", "squeeze"), _flat),
    "reshape": _reshape,
    "fillna": _fill,
    "astype": _as_text,
}
