"""Functions of one element, or of one row, at a time: `.apply(lambda v: …)`.

The function is called with a proxy. Where it decides by a value, it is called again and takes
the other branch; the condition then chooses, in the graph, between what the two calls return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from pandas import Series

from onnxlet.convert.converters.tracing import arithmetic, column_values, str_accessor
from onnxlet.convert.converters.tracing.base import ELEMENT, elementwise, refuse, select
from onnxlet.convert.converters.tracing.column_values import OF_DATES, spread
from onnxlet.convert.converters.tracing.dt_accessor import NUMBERS as DATE_NUMBERS
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import DATE, Graph, Table, Tensor
from onnxlet.function.inputs.text_steps import METHODS

MOST_EXECUTIONS = 128  # of one function: they double with each condition


class Element(Traced):
    """The proxy for any one element of a column."""

    __slots__ = ("_execution",)
    _rank: ClassVar[int] = ELEMENT
    _flat = True

    def __init__(self, graph: Graph, tensor: Tensor, execution: Execution) -> None:
        self._graph = graph
        self._table = Table((tensor,))
        self._execution = execution

    @property
    def _tensor(self) -> Tensor:
        return self._table.tensors[0]

    def _like(self, table: Table) -> Element:
        return Element(self._graph, table.tensors[0], self._execution)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        if self._tensor.dtype == "string":
            return float if self._execution.takes(arithmetic.missing(self._tensor)) else str
        return {"bool": bool, "int64": int}.get(self._tensor.dtype, float)

    def __bool__(self) -> bool:
        x = self._tensor
        true = ~x.equals("") if x.dtype == "string" else arithmetic.truth(x)
        return self._execution.takes(true)

    def __int__(self) -> int:
        if self._tensor.dtype != "bool":
            refuse("int() of an element has no conversion", "Use .astype(int) of the column.")
        return 1 if self else 0

    def __getattr__(self, name: str) -> Any:
        if name not in METHODS or self._tensor.dtype != "string":
            hint = f"Take it of the column: .dt.{name}." if name in DATE_NUMBERS else OF_DATES
            refuse(
                f"an element's .{name} has no conversion",
                hint if self._tensor.dtype == DATE else "",
            )

        def method(*given: Any) -> Element:
            step = {"step": "str_method", "name": name, "arguments": list(given)}
            return self._like(Table((str_accessor.stepped(self._tensor, step),)))

        return method

    def __round__(self, ndigits: int | None = None) -> Any:
        return elementwise(lambda x: _rounded(x, ndigits), self)

    def __floor__(self) -> Any:
        return np.floor(self)

    def __ceil__(self) -> Any:
        return np.ceil(self)

    def __trunc__(self) -> Any:
        return np.trunc(self)


def _rounded(x: Tensor, ndigits: int | None) -> Tensor:
    if ndigits:
        refuse("Python's round to some decimals is not NumPy's", "Use .round(decimals).")
    return column_values.as_whole(arithmetic.floats(x)[0].unary("Round"))


class Row:
    """The proxy for any one row."""

    def __init__(self, graph: Graph, table: Table, execution: Execution) -> None:
        self._graph, self._given, self._execution = graph, table, execution

    def __getitem__(self, key: Any) -> Element:
        labels = self._given.labels
        if isinstance(key, list | slice) or labels.count(key) != 1:
            refuse(f"a row's [{key!r:.40}] has no conversion")
        chosen = select(self._graph, self._given, [labels.index(key)])
        return Element(self._graph, chosen.tensors[0], self._execution)

    def get(self, key: Any, default: Any = None) -> Any:
        """An element, or the default if there is no such column."""
        return self[key] if key in self._given.labels else default

    def __getattr__(self, name: str) -> Any:
        if name in self._given.labels and not hasattr(Series, name):
            return self[name]
        return refuse(f"a row's .{name} has no conversion")

    def __iter__(self) -> Any:
        return iter([self[label] for label in self._given.labels])

    def __len__(self) -> int:
        return self._given.width


class Execution:
    """One execution of a function: the branch that it takes at each condition, and those met."""

    def __init__(self, decided: Sequence[bool]) -> None:
        self._decided = decided
        self.met: list[Tensor] = []

    def takes(self, condition: Tensor) -> bool:
        """Whether it takes the branch for true; beyond what is decided, it does."""
        position = len(self.met)
        if position > MOST_EXECUTIONS:
            refuse("it decides by values again and again")
        self.met.append(condition)
        return self._decided[position] if position < len(self._decided) else True


def map_elements(graph: Graph, function: Callable[[Any], Any], column: Tensor) -> Tensor:
    """The values of a function of one element, for a column."""
    if function is str:
        return column_values.as_text(column)
    return _values(lambda execution: function(Element(graph, column, execution)), column)


def map_several(function: Callable[..., Any], columns: Sequence[Any]) -> Tensor:
    """The values of a function of several elements, for several columns and constants."""
    like = next(column for column in columns if isinstance(column, Tensor))
    graph = arithmetic.graph_of(like)

    def run(execution: Execution) -> Any:
        given = [Element(graph, c, execution) if isinstance(c, Tensor) else c for c in columns]
        return function(*given)

    return _values(run, like)


def map_rows(graph: Graph, function: Callable[[Any], Any], table: Table) -> Tensor:
    """The values of a function of one row."""
    return _values(lambda execution: function(Row(graph, table, execution)), table.tensors[0])


def _values(run: Callable[[Execution], Any], like: Tensor) -> Tensor:
    made = _every_execution(run, [0])
    return made if isinstance(made, Tensor) else spread(like, made)


def _every_execution(
    run: Callable[[Execution], Any], count: list[int], decided: Sequence[bool] = ()
) -> Any:
    """The values of the execution with these decisions, and of all that branch off after them."""
    count[0] += 1
    if count[0] > MOST_EXECUTIONS:
        refuse(f"there are more than {MOST_EXECUTIONS} paths through the function")
    execution = Execution(decided)
    made = _returned(run(execution))
    for position in reversed(range(len(decided), len(execution.met))):
        sides = [*decided, *[True] * (position - len(decided)), False]
        made = arithmetic.choose(execution.met[position], made, _every_execution(run, count, sides))
    return made


def _returned(value: Any) -> Any:
    if type(value) is Element:
        return value._tensor
    if isinstance(value, Traced):
        refuse("a function of one element returns columns")
    if value is None or type(value) in (bool, int, float, str) or isinstance(value, np.generic):
        return value
    return refuse(f"a function of one element returns a {type(value).__name__}")
