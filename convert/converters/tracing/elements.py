"""Functions of one element, or of one row, at a time: `.apply(lambda v: …)`.

The function is called with a stand-in. Where it decides by a value it is called again and goes
the other way, and what it returns each time is chosen among by the condition.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from pandas import Series

from onnxlet.convert.converters.tracing import arithmetic, casts
from onnxlet.convert.converters.tracing.columns_base import elementwise, select
from onnxlet.convert.converters.tracing.pandas_methods import spread
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.graph import Graph, Table, Tensor

MOST_WAYS = 128  # through a function


class Element(Traced):
    """One element of a column, whichever."""

    __slots__ = ("_way",)
    _rank: ClassVar[int] = 0

    def __init__(self, graph: Graph, tensor: Tensor, way: Way) -> None:
        self._graph = graph
        self._table = Table((tensor,))
        self._way = way

    @property
    def _tensor(self) -> Tensor:
        return self._table.tensors[0]

    @property
    def _flat(self) -> bool:
        return True

    def _like(self, table: Table) -> Element:
        return Element(self._graph, table.tensors[0], self._way)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        if self._tensor.dtype == "string":
            return float if self._way.goes(arithmetic.missing(self._tensor)) else str
        return {"bool": bool, "int64": int}.get(self._tensor.dtype, float)

    def __bool__(self) -> bool:
        if self._tensor.dtype == "string":
            text = self._tensor
            return self._way.goes(~text.equals(""))
        return self._way.goes(arithmetic.truth(self._tensor))

    def __int__(self) -> int:
        if self._tensor.dtype != "bool":
            refuse("int() of an element is not followed", "Use .astype(int) of the column.")
        return 1 if self else 0

    def __getattr__(self, name: str) -> Any:
        return refuse(f"an element's .{name} is not followed")

    def __round__(self, ndigits: int | None = None) -> Element:
        made: Element = elementwise(lambda x: _rounded(x, ndigits), self)
        return made

    def __floor__(self) -> Any:
        return np.floor(self)

    def __ceil__(self) -> Any:
        return np.ceil(self)

    def __trunc__(self) -> Any:
        return np.trunc(self)


def _rounded(x: Tensor, ndigits: int | None) -> Tensor:
    if ndigits:
        refuse("Python's round to some decimals is not NumPy's", "Use .round(decimals).")
    return casts.as_whole(arithmetic.floats(x)[0].unary("Round"))


class Row:
    """One row, whichever."""

    def __init__(self, graph: Graph, table: Table, way: Way) -> None:
        self._graph, self._given, self._way = graph, table, way

    def __getitem__(self, key: Any) -> Element:
        labels = self._given.labels
        if isinstance(key, list | slice) or labels.count(key) != 1:
            refuse(f"a row's [{key!r:.40}] is not followed")
        chosen = select(self._graph, self._given, [labels.index(key)])
        return Element(self._graph, chosen.tensors[0], self._way)

    def get(self, key: Any, default: Any = None) -> Any:
        """An element, or the default where there is no such column."""
        return self[key] if key in self._given.labels else default

    def __getattr__(self, name: str) -> Any:
        if name in self._given.labels and not hasattr(Series, name):
            return self[name]
        return refuse(f"a row's .{name} is not followed")

    def __iter__(self) -> Any:
        return iter([self[label] for label in self._given.labels])

    def __len__(self) -> int:
        return self._given.width


class Way:
    """One way through a function: which side of each condition it takes."""

    def __init__(self, decided: Sequence[bool]) -> None:
        self._decided = decided
        self.met: list[Tensor] = []

    def goes(self, condition: Tensor) -> bool:
        """Whether it takes the side where the condition holds."""
        place = len(self.met)
        if place > MOST_WAYS:
            refuse("it decides by values again and again")
        self.met.append(condition)
        return self._decided[place] if place < len(self._decided) else True


def of_elements(graph: Graph, function: Callable[[Any], Any], column: Tensor) -> Tensor:
    """What a function makes of every element of a column."""
    return _values(lambda way: function(Element(graph, column, way)), column)


def of_each(function: Callable[..., Any], columns: Sequence[Any]) -> Tensor:
    """What a function makes of an element of each of several columns; constants stay."""
    model = next(column for column in columns if isinstance(column, Tensor))
    graph = arithmetic.graph_of(model)

    def run(way: Way) -> Any:
        given = [Element(graph, c, way) if isinstance(c, Tensor) else c for c in columns]
        return function(*given)

    return _values(run, model)


def of_rows(graph: Graph, function: Callable[[Any], Any], table: Table) -> Tensor:
    """What a function makes of every row."""
    return _values(lambda way: function(Row(graph, table, way)), table.tensors[0])


def _values(run: Callable[[Way], Any], model: Tensor) -> Tensor:
    made = _every_way(run, [0])
    return made if isinstance(made, Tensor) else spread(model, made)


def _every_way(run: Callable[[Way], Any], count: list[int], decided: Sequence[bool] = ()) -> Any:
    """The values of the way that is decided on, and of all that branch off behind it."""
    count[0] += 1
    if count[0] > MOST_WAYS:
        refuse(f"there are more than {MOST_WAYS} ways through the function")
    way = Way(decided)
    made = _returned(run(way))
    for place in reversed(range(len(decided), len(way.met))):
        sides = [*decided, *[True] * (place - len(decided)), False]
        made = arithmetic.choose(way.met[place], made, _every_way(run, count, sides))
    return made


def _returned(value: Any) -> Any:
    if type(value) is Element:
        return value._tensor
    if isinstance(value, Traced):
        refuse("a function of one element returns columns")
    if value is None or type(value) in (bool, int, float, str) or isinstance(value, np.generic):
        return value
    return refuse(f"a function of one element returns a {type(value).__name__}")
