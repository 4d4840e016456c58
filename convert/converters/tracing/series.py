"""The proxy for a Series: one column, with its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from pandas import Series

from onnxlet.convert.converters.text_functions.columns import text_values
from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.base import (
    REFUSALS,
    SERIES,
    NotTraceable,
    elementwise,
    is_everything,
    methods,
    refuse,
)
from onnxlet.convert.converters.tracing.column_kinds import dtype_of
from onnxlet.convert.converters.tracing.dt_accessor import DtAccessor, is_date, operated
from onnxlet.convert.converters.tracing.elements import map_elements
from onnxlet.convert.converters.tracing.pandas_base import PandasBase, check_pandas, is_elementwise
from onnxlet.convert.converters.tracing.str_accessor import StrAccessor
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import Graph, Table, Tensor, Unsupported, labelled


class TracedSeries(PandasBase):
    """One column as a Series."""

    __slots__ = ("_name",)
    _rank: ClassVar[int] = SERIES
    _flat = True
    ndim = 1
    _frame: ClassVar[Callable[[Graph, Table], Any]]  # TracedFrame, which imports this module

    def __init__(self, graph: Graph, tensor: Tensor, name: Any = None) -> None:
        self._graph = graph
        self._table = labelled(Table((tensor,)), (name,))
        self._name = name

    @property
    def _tensor(self) -> Tensor:
        return self._table.tensors[0]

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return Series

    def _like(self, table: Table) -> TracedSeries:
        return TracedSeries(self._graph, table.tensors[0], self._name)

    def _operate(self, function: Any, *operands: Any) -> Any:
        if any(map(is_date, operands)):
            return operated(function, operands)
        return super()._operate(function, *operands)

    def _row_wise(self, made: Tensor) -> Any:
        refuse("it reduces one column to a number")

    @property
    def name(self) -> Any:
        """The name of the column; None where it has none."""
        return self._name

    @name.setter
    def name(self, name: Any) -> None:
        self._name = name

    @property
    def shape(self) -> tuple[Any, ...]:
        """The rows, whose number is unknown."""
        return self.to_numpy().shape

    @property
    def dtype(self) -> Any:
        """NumPy's dtype; refused for text and dates, since it depends on pandas' version."""
        return dtype_of(self._tensor)

    def __getattr__(self, name: str) -> Any:
        return self._attribute(Series, name)

    @property
    def loc(self) -> TracedSeries:
        """Itself: only rows could be selected, and only all of them."""
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
        self._table = elementwise(_assigned, self, key, value)._table

    def fillna(self, value: Any = None, **options: Any) -> Any:
        """`fillna`, by a value or a column."""
        check_pandas("fillna", options)
        if not isinstance(value, Traced) and isinstance(value, dict | Series):
            refuse("it fills a column's gaps by row")
        return elementwise(column_values.filled, self, value)

    def astype(self, dtype: Any, **options: Any) -> Any:
        """The column in another dtype, as pandas' `astype`."""
        check_pandas("astype", options)
        if isinstance(dtype, dict):
            dtype = dtype[self._name]
        return self._mapped(lambda x: column_values.cast(x, dtype))

    def replace(self, to_replace: Any = None, value: Any = None, **options: Any) -> Any:
        """`replace`: values by other values."""
        check_pandas("replace", options)
        pairs = column_values.pairs_of(to_replace, value)
        return self._mapped(lambda x: column_values.replaced(x, pairs))

    def map(self, func: Any = None, na_action: Any = None, **options: Any) -> Any:
        """`map`, by a dictionary or a function of one element."""
        mapping = options.pop("arg", func)
        check_pandas("map", {"na_action": na_action, **options})
        if isinstance(mapping, Series):
            if not mapping.index.is_unique:
                refuse("it maps by a Series that has a key twice")
            mapping = mapping.to_dict()
        if isinstance(mapping, dict):
            return self._mapped(lambda x: column_values.mapped(x, mapping))
        return self.apply(mapping)

    def apply(self, func: Any, convert_dtype: Any = True, args: Any = (), **options: Any) -> Any:
        """`apply`: a function of one element at a time."""
        if self._tensor.dtype == "string" and (func is len or func in vars(str).values()):
            return getattr(StrAccessor(self), func.__name__)(*args, **options)
        plain = not args and not options
        function = func if plain else lambda one: func(one, *args, **options)
        if self._tensor.dtype == "string" and not is_elementwise(func) and func is not str:
            return self._like(Table((_text_values(self._graph, func, function, self._tensor),)))
        if is_elementwise(func):
            return function(self)
        return self._like(Table((map_elements(self._graph, function, self._tensor),)))

    transform = apply

    def to_frame(self, name: Any = None) -> Any:
        """As a DataFrame of one column."""
        given = self._name if name is None else name
        return TracedSeries._frame(
            self._graph, labelled(self._table, (0 if given is None else given,))
        )

    def rename(self, index: Any = None, **options: Any) -> TracedSeries:
        """`rename`: the same column under another name."""
        check_pandas("rename", options)
        return TracedSeries(self._graph, self._tensor, index)


methods(
    TracedSeries,
    {
        # By operators, which dates have, too.
        "between": lambda self, left, right, inclusive="both": (
            (self >= left if inclusive in ("both", "left") else self > left)
            & (self <= right if inclusive in ("both", "right") else self < right)
        ),
        # Requests have no index.
        "reset_index": lambda self, drop=False: (
            self if drop else refuse("it makes a column of the index")
        ),
        "squeeze": lambda self, axis=None: self,
        "ravel": lambda self, order="C": self.to_numpy(),
        # Vectorisers take text from an array as from a list.
        "tolist to_list": lambda self: self.to_numpy(),
        "combine_first": lambda self, other: self.fillna(other),
    },
)


def _text_values(graph: Graph, given: Any, function: Any, column: Tensor) -> Tensor:
    """What a function makes of each text: traced, or else followed as plain Python."""
    token = REFUSALS.set([])
    try:
        return map_elements(graph, function, column)
    except (NotTraceable, Exception) as error:
        refused = error
    finally:
        REFUSALS.reset(token)
    try:
        if given is function:
            return text_values(graph, function, column)
    except Unsupported as error:
        refuse(str(error), error.hint)
    if isinstance(refused, NotTraceable):
        refuse(refused.reason, refused.hint)
    raise refused


def _assigned(old: Tensor, mask: Any, value: Any) -> Tensor:
    if mask is True or (not isinstance(mask, Tensor) and np.ndim(mask) == 0):
        return column_values.spread(old, value) if not isinstance(value, Tensor) else value
    return arithmetic.choose(mask, value, old)


TracedSeries.str = property(StrAccessor)  # type: ignore[attr-defined]
TracedSeries.dt = property(DtAccessor)  # type: ignore[attr-defined]
