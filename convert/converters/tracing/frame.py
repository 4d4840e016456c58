"""The proxy for a DataFrame: columns by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pandas import DataFrame, Index

from onnxlet.convert.converters.tracing import arithmetic, column_values
from onnxlet.convert.converters.tracing.base import (
    FRAME,
    RowCount,
    elementwise,
    is_everything,
    methods,
    positions_of,
    refuse,
    select,
)
from onnxlet.convert.converters.tracing.elements import map_rows
from onnxlet.convert.converters.tracing.frame_methods import FrameMethods, ILocIndexer, LocIndexer
from onnxlet.convert.converters.tracing.pandas_base import (
    INSTEAD,
    NO_ROWS,
    PandasBase,
    check_pandas,
    is_elementwise,
)
from onnxlet.convert.converters.tracing.series import TracedSeries
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import DROPPED, Graph, Table, Tensor, labelled


class TracedFrame(FrameMethods):
    """Columns as a DataFrame."""

    __slots__ = ()
    _rank: ClassVar[int] = FRAME
    ndim = 2

    def __init__(self, graph: Graph, table: Table) -> None:
        object.__setattr__(self, "_graph", graph)
        object.__setattr__(self, "_table", table)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return DataFrame

    def _like(self, table: Table) -> TracedFrame:
        named = len(self._labels) == table.width
        return TracedFrame(
            self._graph, labelled(table, self._labels if named else range(table.width))
        )

    def _row_wise(self, made: Tensor) -> TracedSeries:
        return TracedSeries(self._graph, made)

    def _position(self, label: Any) -> int:
        if self._labels.count(label) > 1:
            refuse(f"there are several columns '{label}'")
        label = self._called(label)
        if label not in self._labels:
            raise KeyError(label)
        return self._labels.index(label)

    def _called(self, label: Any) -> Any:
        """A column's name, which a converter before may have made a text of a number."""
        text = str(label) if isinstance(label, int | np.integer) else label
        return text if text in self._labels and label not in self._labels else label

    def _by_name(self, key: Any) -> Any:
        """One column, or several."""
        if callable(key):
            key = key(self)
        if isinstance(key, list | np.ndarray | Index):
            labels = list(key)
            if labels and all(isinstance(one, bool | np.bool_) for one in labels):
                return self._at_positions(positions_of(labels, len(self._labels)))
            return self._at_positions([self._position(label) for label in labels])
        if isinstance(key, slice):
            return self._at_positions(self._between(key))
        tensor = select(self._graph, self._table, [self._position(key)]).tensors[0]
        return TracedSeries(self._graph, tensor, key)

    def _between(self, key: slice) -> list[int]:
        """The positions from one label to another, inclusive."""
        if key.step is not None:
            refuse("it takes every second column by name, or fewer")
        start = None if key.start is None else self._position(key.start)
        stop = None if key.stop is None else self._position(key.stop) + 1
        return list(range(len(self._labels)))[start:stop]

    # names and shape

    @property
    def columns(self) -> Any:
        """The columns' names, as pandas' Index."""
        return pd.Index(list(self._labels))

    @property
    def shape(self) -> tuple[Any, ...]:
        """The rows, whose number is unknown, and the columns."""
        return (RowCount(self._some()), self._table.width)

    @property
    def loc(self) -> LocIndexer:
        """`frame.loc[:, names]`: columns by name."""
        return LocIndexer(self)

    @property
    def iloc(self) -> ILocIndexer:
        """`frame.iloc[:, positions]`: columns by position."""
        return ILocIndexer(self)

    def __getattr__(self, name: str) -> Any:
        if name in self._labels and not hasattr(DataFrame, name):
            return self._by_name(name)
        return self._attribute(DataFrame, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "columns":
            self._become(self.set_axis(value, axis=1), True)
        elif name in self._labels:
            self[name] = value
        elif name == "index":
            refuse("it sets the index")
        else:
            refuse(f"it sets the attribute .{name}, which makes no column", "Use df['…'] = ….")

    def __iter__(self) -> Iterator[Any]:
        return iter(self._labels)

    def __contains__(self, label: Any) -> bool:
        return label in self._labels

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, Traced):
            return self.where(key) if not key._flat else refuse(NO_ROWS, INSTEAD)
        if isinstance(key, slice):
            return self.copy() if is_everything(key) else refuse(NO_ROWS, INSTEAD)
        return self._by_name(key)

    # assignment

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, Traced):
            if key._flat:
                refuse(NO_ROWS, INSTEAD)
            self._become(self.mask(key, value), True)
        elif isinstance(key, list | np.ndarray | Index):
            self._set_several(list(key), value)
        else:
            self._set(key, self._column(value))

    def _set_several(self, labels: list[Any], value: Any) -> None:
        if isinstance(value, Traced) and not value._flat:
            parts = self._graph.columns(value._table)
            if len(parts) != len(labels):
                raise ValueError("Columns must be same length as key")
        else:
            parts = [self._column(value)] * len(labels)
        for label, tensor in zip(labels, parts, strict=True):
            self._set(label, tensor)

    def _column(self, value: Any) -> Tensor:
        """A value as a column of as many rows."""
        if isinstance(value, Traced):
            if value._table.width != 1:
                refuse("it sets one column to several")
            return value._table.tensors[0]
        if np.ndim(value) and np.size(value) > 1:
            refuse("it sets a column to an array that has an entry for each of some rows")
        return column_values.spread(self._some(), np.ravel(np.asarray(value))[0])

    def _some(self) -> Tensor:
        """Any column that the graph has: it gives the number of rows."""
        for tensor in self._table.tensors:
            if tensor.dtype != DROPPED:
                return tensor
        return refuse(
            "it makes a column of a constant, and no other column has rows",
            "Set a column of X's before.",
        )

    def _set(self, label: Any, tensor: Tensor) -> None:
        label = self._called(label)
        tensors, labels = self._graph.columns(self._table), list(self._labels)
        if label in labels:
            tensors[self._position(label)] = tensor
        else:
            tensors.append(tensor)
            labels.append(label)
        self._become(TracedFrame(self._graph, labelled(Table(tuple(tensors)), labels)), True)

    def _set_where(self, mask: Any, positions: Sequence[int], value: Any) -> None:
        """`frame.loc[mask, columns] = value`, columns by position; the mask may be `:`."""
        if isinstance(value, Traced) and not value._flat:
            given = self._graph.columns(value._table)
        else:
            one = value._table.tensors[0] if isinstance(value, Traced) else value
            given = [one] * len(positions)
        for position, one in zip(positions, given, strict=True):
            label = self._labels[position]
            if is_everything(mask):
                made = self._column(one) if not isinstance(one, Tensor) else one
            else:
                old = self._at_positions([position])._table.tensors[0]
                made = elementwise(
                    arithmetic.choose, mask, one, TracedSeries(self._graph, old)
                )._table.tensors[0]
            self._set(label, made)

    def assign(self, **columns: Any) -> Any:
        """`assign`: with more columns."""
        made = self.copy()
        for label, value in columns.items():
            made[label] = (
                value(made) if callable(value) and not isinstance(value, Traced) else value
            )
        return made

    def join(self, other: Any, on: Any = None, how: str = "left", **options: Any) -> TracedFrame:
        """`join`: with the columns of another DataFrame of the same rows, or of a table of fit."""
        if not isinstance(other, Traced):
            return self._looked_up(other, on, how, options)
        check_pandas("join", options)
        return beside(self._graph, [self, other])

    def merge(
        self, right: Any, how: str = "inner", on: Any = None, left_on: Any = None,
        right_on: Any = None, right_index: bool = False, **options: Any,
    ) -> TracedFrame:  # fmt: skip
        """`merge` with a table of fit, which has each key once."""
        key, of_right = (left_on, right_on) if on is None else (on, on)
        if isinstance(right, Traced) or len(np.ravel(key)) > 1:
            refuse("merge is followed with a table of fit, by one column", "Use .map(dictionary).")
        if not right_index:
            of_right = np.ravel(of_right)[0]
            right = right.set_index(of_right, drop=of_right == np.ravel(key)[0])
        return self._looked_up(right, key, how, options)

    def _looked_up(self, table: Any, key: Any, how: str, options: Any) -> TracedFrame:
        """With the columns of a table of constants, by its index."""
        check_pandas("merge", {**options, "how": None if how == "left" else how}, how=(None,))
        if key is None:
            refuse("it joins a table of fit by the rows' index", "Name a column: on='COLUMN'.")
        (label,), labels = np.ravel(key), set(self._labels)
        table = table.to_frame() if isinstance(table, pd.Series) else table
        if not isinstance(table, DataFrame) or not table.index.is_unique or labels & {*table}:
            refuse(
                "it joins a table that has a key twice, or a column of the same name",
                "Have one row for each key in it, and rename its columns.",
            )
        made: TracedFrame = self.copy()
        keys = self._by_name(label)
        for name in table:
            made[name] = keys.map(table[name])
        return made

    def apply(self, func: Any, axis: Any = 0, args: Any = (), **options: Any) -> Any:
        """`apply`: a function of every column, or of every row."""
        own: dict[str, Any] = {k: options.pop(k) for k in ("result_type", "raw") if k in options}
        check_pandas("apply", own)
        if axis in (1, "columns"):
            row = map_rows(self._graph, lambda one: func(one, *args, **options), self._table)
            return TracedSeries(self._graph, row)
        if is_elementwise(func):
            return func(self, *args, **options)
        made = [(label, func(self._by_name(label), *args, **options)) for label in self._labels]
        if not all(isinstance(one, Traced) and one._flat for _, one in made):
            refuse("it applies a function that makes no column of a column")
        series = [TracedSeries(self._graph, one._table.tensors[0], label) for label, one in made]
        return beside(self._graph, series)


methods(
    TracedFrame,
    {
        "keys": lambda self: self.columns,
        "items": lambda self: iter([(label, self._by_name(label)) for label in self._labels]),
        "get": lambda self, key, default=None: (
            self._by_name(key) if isinstance(key, list) or key in self._labels else default
        ),
        "transform": lambda self, func, axis=0, **options: self.apply(func, axis, **options),
    },
)
TracedSeries._frame = TracedFrame


def beside(graph: Graph, parts: Sequence[Any]) -> TracedFrame:
    """The columns of DataFrames and Series side by side: `pd.concat(axis=1)`."""
    tensors: list[Tensor] = []
    labels: list[Any] = []
    for part in parts:
        if not isinstance(part, PandasBase):
            refuse("it puts what is no column beside columns", "Of arrays use np.column_stack.")
        tensors += part._table.tensors
        unnamed = type(part) is TracedSeries and part._name is None
        labels += [sum(isinstance(one, int) for one in labels)] if unnamed else part._table.labels
    return TracedFrame(graph, labelled(Table(tuple(tensors)), labels))


def frame_of(data: Any, columns: Any = None, like: Any = None) -> Any:
    """`pd.DataFrame(data, columns=…)`, of as many rows as `like`, whose index is given."""
    if data is None and like is not None and columns is None:
        return TracedFrame(like._graph, labelled(Table(()), ()))
    if isinstance(data, dict):
        return _ordered(_of_columns(data, like), columns)
    if not isinstance(data, Traced):
        refuse("it makes a DataFrame of something else than columns")
    if isinstance(data, PandasBase):
        return _ordered(TracedFrame(data._graph, data._table), columns)
    names = list(range(data._table.width)) if columns is None else list(columns)
    if len(names) != data._table.width:
        raise ValueError("columns passed do not fit the data")
    return TracedFrame(data._graph, labelled(data._table, names))


def _of_columns(data: dict[Any, Any], like: Any) -> TracedFrame:
    parts = [one for one in data.values() if isinstance(one, Traced)]
    if not (parts or like is not None) or not all(one._table.width == 1 for one in parts):
        refuse("it makes a DataFrame of something else than columns")
    if parts:
        made = TracedFrame(parts[0]._graph, labelled(parts[0]._table, (None,)))
    else:
        made = TracedFrame(like._graph, like._table)
    tensors = [made._column(one) for one in data.values()]
    return TracedFrame(made._graph, labelled(Table(tuple(tensors)), list(data)))


def _ordered(frame: TracedFrame, columns: Any) -> Any:
    return frame if columns is None else frame._by_name(list(columns))
