"""The stand-in for a Series: one column, with its name."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pandas import Series

from onnxlet.convert.converters.tracing import arithmetic, casts, pandas_methods
from onnxlet.convert.converters.tracing.columns import Columns, is_function, only
from onnxlet.convert.converters.tracing.columns_base import elementwise, is_everything
from onnxlet.convert.converters.tracing.elements import of_elements
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.str_accessor import Texts
from onnxlet.convert.converters.tracing.traced import ARRAY_FUNCTIONS, Traced
from onnxlet.convert.graph.graph import Graph, Table, Tensor, labelled


class TracedSeries(Columns):
    """One column as a Series."""

    __slots__ = ("_name",)
    _rank: ClassVar[int] = 2

    def __init__(self, graph: Graph, tensor: Tensor, name: Any = None) -> None:
        self._graph = graph
        self._table = labelled(Table((tensor,)), (name,))
        self._name = name

    @property
    def _flat(self) -> bool:
        return True

    @property
    def _tensor(self) -> Tensor:
        return self._table.tensors[0]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return Series

    def _like(self, table: Table) -> TracedSeries:
        return TracedSeries(self._graph, table.tensors[0], self._name)

    def _row_wise(self, made: Tensor) -> Any:
        refuse("it reduces one column to a number")

    @property
    def name(self) -> Any:
        """Of the column."""
        return self._name

    @name.setter
    def name(self, name: Any) -> None:
        self._name = name

    @property
    def ndim(self) -> int:
        """1."""
        return 1

    @property
    def shape(self) -> tuple[Any, ...]:
        """The rows, which nobody knows."""
        return self.to_numpy().shape

    @property
    def dtype(self) -> Any:
        """NumPy's; of text it hangs on pandas' version."""
        if self._tensor.dtype == "string":
            refuse("it asks for the dtype of text, which is another in each version of pandas")
        return self.to_numpy().dtype

    def __getattr__(self, name: str) -> Any:
        return self._attribute(Series, name)

    @property
    def loc(self) -> TracedSeries:
        """Rows alone."""
        return self

    def __getitem__(self, key: Any) -> Any:
        if is_everything(key):
            return self._like(self._table)
        return refuse("it takes some rows and not others", "Use np.where(condition, a, b).")

    def __setitem__(self, key: Any, value: Any) -> None:
        if is_everything(key):
            key = True
        elif not isinstance(key, Traced):
            refuse("it writes to some rows and not others", "Use np.where(condition, a, b).")
        self._table = elementwise(_written, self, key, value)._table

    def fillna(self, value: Any = None, **options: Any) -> TracedSeries:
        """Without gaps."""
        only("fillna", options)
        if not isinstance(value, Traced) and isinstance(value, dict | Series):
            refuse("it fills a column's gaps by row")
        made: TracedSeries = elementwise(pandas_methods.filled, self, value)
        return made

    def astype(self, dtype: Any, **options: Any) -> TracedSeries:
        """In another dtype."""
        only("astype", options)
        if isinstance(dtype, dict):
            dtype = dtype[self._name]
        made: TracedSeries = self._mapped(lambda x: casts.cast(x, dtype))
        return made

    def replace(self, to_replace: Any = None, value: Any = None, **options: Any) -> TracedSeries:
        """Values by others."""
        only("replace", options)
        pairs = pandas_methods.pairs_of(to_replace, value)
        made: TracedSeries = self._mapped(lambda x: pandas_methods.replaced(x, pairs))
        return made

    def map(self, func: Any = None, na_action: Any = None, **options: Any) -> Any:
        """By a dictionary, or by a function of one element."""
        mapping = options.pop("arg", func)
        only("map", {"na_action": na_action, **options})
        if isinstance(mapping, Series):
            mapping = mapping.to_dict()
        if isinstance(mapping, dict):
            return self._mapped(lambda x: pandas_methods.mapped(x, mapping))
        return self.apply(mapping)

    def apply(self, func: Any, convert_dtype: Any = True, args: Any = (), **options: Any) -> Any:
        """A function of one element at a time."""
        function = _with_arguments(func, args, options) if args or options else func
        if is_function(func) or func in ARRAY_FUNCTIONS:
            return function(self)
        return self._like(Table((of_elements(self._graph, function, self._tensor),)))

    transform = apply

    def between(self, left: Any, right: Any, inclusive: Any = "both") -> TracedSeries:
        """Whether it lies between two values."""
        made: TracedSeries = elementwise(
            lambda x, low, high: pandas_methods.between(x, low, high, inclusive), self, left, right
        )
        return made

    def to_frame(self, name: Any = None) -> Any:
        """As a DataFrame of one column."""
        from onnxlet.convert.converters.tracing.frame import TracedFrame  # it makes Series

        given = self._name if name is None else name
        return TracedFrame(self._graph, labelled(self._table, (0 if given is None else given,)))

    def rename(self, index: Any = None, **options: Any) -> TracedSeries:
        """Under another name."""
        only("rename", options)
        return TracedSeries(self._graph, self._tensor, index)

    def reset_index(self, drop: bool = False) -> Any:
        """The index is lost, or refused as a column."""
        return self if drop else refuse("it makes a column of the index")

    def squeeze(self, axis: Any = None) -> TracedSeries:
        """It is one column already."""
        return self

    def ravel(self, order: Any = "C") -> Any:
        """As an array."""
        return self.to_numpy()

    def tolist(self) -> Any:
        """Texts are taken from a list as from an array."""
        return self.to_numpy()

    to_list = tolist

    def combine_first(self, other: Any) -> TracedSeries:
        """The other's values in its gaps."""
        return self.fillna(other)


def _with_arguments(function: Any, given: Any, options: Any) -> Any:
    return lambda element: function(element, *given, **options)


def _written(old: Tensor, mask: Any, value: Any) -> Tensor:
    if mask is True or (not isinstance(mask, Tensor) and np.ndim(mask) == 0):
        return pandas_methods.spread(old, value) if not isinstance(value, Tensor) else value
    return arithmetic.choose(mask, value, old)


TracedSeries.str = property(Texts)  # type: ignore[attr-defined]
