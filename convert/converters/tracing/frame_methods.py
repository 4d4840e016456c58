"""A DataFrame's methods that depend only on columns' names: drop, rename, filter, insert, …."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pandas import Index, Series

from onnxlet.convert.converters.tracing import column_kinds, column_values
from onnxlet.convert.converters.tracing.base import (
    check_options,
    elementwise,
    is_everything,
    methods,
    positions_of,
    refuse,
    select,
)
from onnxlet.convert.converters.tracing.elements import map_elements
from onnxlet.convert.converters.tracing.pandas_base import (
    INSTEAD,
    NO_ROWS,
    PandasBase,
    check_pandas,
)
from onnxlet.convert.converters.tracing.series import TracedSeries
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import Table, labelled


class FrameMethods(PandasBase):
    """A DataFrame's methods, but for selecting and assigning columns."""

    __slots__ = ()

    @property
    def _labels(self) -> tuple[Any, ...]:
        return self._table.labels

    def _become(self, made: Any, inplace: bool) -> Any:
        """Return a method's result or, with `inplace`, become it and return None."""
        if not inplace:
            return made
        object.__setattr__(self, "_table", made._table)
        return None

    def _at_positions(self, positions: Sequence[int]) -> Any:
        return self._named(select(self._graph, self._table, positions))

    def _named(self, table: Any) -> Any:
        """A DataFrame of a table with names."""
        return type(self)(self._graph, table)  # type: ignore[call-arg]

    def drop(
        self, labels: Any = None, *, axis: Any = 0, columns: Any = None, inplace: bool = False,
        errors: str = "raise", **options: Any,
    ) -> Any:  # fmt: skip
        """All columns but the named ones."""
        check_pandas("drop", options)
        if columns is None and axis not in (1, "columns"):
            refuse("it drops rows")
        given = columns if columns is not None else labels
        many = isinstance(given, list | tuple | set | Index | np.ndarray)
        gone = list(given) if many else [given]
        lacking = [label for label in gone if label not in self._labels]
        if lacking and errors == "raise":
            raise KeyError(f"{lacking} not found in axis")
        kept = [position for position, label in enumerate(self._labels) if label not in gone]
        return self._become(self._at_positions(kept), inplace)

    def rename(
        self, mapper: Any = None, *, axis: Any = 0, columns: Any = None, inplace: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """The same columns, some of them renamed."""
        check_pandas("rename", options)
        if columns is None and axis not in (1, "columns"):
            refuse("it renames rows")
        by = columns if columns is not None else mapper
        names = [by(one) if callable(by) else dict(by).get(one, one) for one in self._labels]
        return self._become(self._renamed(names), inplace)

    def _renamed(self, names: Sequence[Any]) -> Any:
        if len(names) != len(self._labels):
            raise ValueError("Length mismatch")
        return self._named(labelled(self._table, list(names)))

    def set_axis(self, labels: Any, *, axis: Any = 0, **options: Any) -> Any:
        """`set_axis` of columns: other names, in order."""
        check_pandas("set_axis", options)
        return self._renamed(list(labels)) if axis in (1, "columns") else refuse("it names rows")

    def filter(
        self, items: Any = None, like: Any = None, regex: Any = None, axis: Any = None
    ) -> Any:
        """The columns whose names match."""
        if axis not in (None, 1, "columns"):
            refuse("it takes rows by their index")
        wanted: Callable[[Any], bool] = (
            (lambda label: str(like) in str(label))
            if like is not None
            else (lambda label: re.search(regex, str(label)) is not None)
        )
        if items is not None:
            return self._by_name([label for label in items if label in self._labels])
        return self._by_name([label for label in self._labels if wanted(label)])

    def reindex(self, *, columns: Any, **options: Any) -> Any:
        """`reindex` of columns, all of which have to exist."""
        check_pandas("reindex", options)
        return self._by_name(list(columns))

    def select_dtypes(self, include: Any = None, exclude: Any = None) -> Any:
        """`select_dtypes("number")`, or all others."""
        given = [one for one in (include, exclude) if one is not None]
        listed = [one if isinstance(one, list | tuple) else [one] for one in given]
        if len(listed) != 1 or listed[0] not in (["number"], [np.number]):
            refuse(
                "select_dtypes by other than numbers is another in each version of pandas",
                "Use select_dtypes('number'), or the names of the columns.",
            )
        positions = [
            position
            for position, tensor in enumerate(self._graph.columns(self._table))
            if column_kinds.is_number(tensor) is (include is not None)
        ]
        return self._at_positions(positions)

    def pop(self, item: Any) -> Any:
        """Remove a column, and return it."""
        column: Any = self._by_name(item)
        self.drop(columns=[item], inplace=True)
        return column

    def insert(self, loc: int, column: Any, value: Any, **options: Any) -> None:
        """Insert a column at a position."""
        check_options("insert", options)
        self[column] = value
        order = [label for label in self._labels if label != column]
        order.insert(loc, column)
        self._become(self._by_name(order), True)

    def fillna(self, value: Any = None, inplace: bool = False, **options: Any) -> Any:
        """`fillna`, by one value or one for each column."""
        check_pandas("fillna", options)
        if isinstance(value, Series):
            value = value.to_dict()
        if isinstance(value, dict):
            return self._become(self._each(value, lambda s, one: s.fillna(one)), inplace)
        return self._become(elementwise(column_values.filled, self, value), inplace)

    def astype(self, dtype: Any, **options: Any) -> Any:
        """`astype`, to one dtype or one for each column."""
        check_pandas("astype", options)
        if isinstance(dtype, Series):
            dtype = dtype.to_dict()
        if isinstance(dtype, dict):
            return self._each(dtype, lambda series, one: series.astype(one))
        return self._mapped(lambda x: column_values.cast(x, dtype))

    def replace(
        self, to_replace: Any = None, value: Any = None, inplace: bool = False, **options: Any
    ) -> Any:
        """`replace`, by pairs for every column or for each column."""
        check_pandas("replace", options)
        if isinstance(to_replace, dict) and any(isinstance(v, dict) for v in to_replace.values()):
            made = self._each(to_replace, lambda series, one: series.replace(one))
            return self._become(made, inplace)
        if isinstance(to_replace, dict) and value is not None:
            refuse("replace with a dictionary and a value has no conversion")
        pairs = column_values.pairs_of(to_replace, value)
        made = self._mapped(lambda x: column_values.replaced(x, pairs))
        return self._become(made, inplace)

    def _each(self, by: dict[Any, Any], change: Callable[[Any, Any], Any]) -> Any:
        """Change some columns, each by its own argument."""
        made = self.copy()
        for label, one in by.items():
            if label in self._labels:
                made[label] = change(made[label], one)
        return made

    def map(self, func: Any, na_action: Any = None, **options: Any) -> Any:
        """`map`: a function of every element."""
        check_pandas("map", {"na_action": na_action, **options})
        parts = [map_elements(self._graph, func, t) for t in self._graph.columns(self._table)]
        return self._like(Table(tuple(parts)))

    applymap = map  # noqa: A003  pandas has it so


methods(
    FrameMethods,
    {
        "add_prefix": lambda self, prefix: self._renamed(
            [f"{prefix}{one}" for one in self._labels]
        ),
        "add_suffix": lambda self, suffix: self._renamed(
            [f"{one}{suffix}" for one in self._labels]
        ),
        # Requests have no index.
        "reset_index": lambda self, drop=False, inplace=False: (
            self._become(self.copy(), inplace) if drop else refuse("it makes a column of the index")
        ),
        "squeeze": lambda self, axis=None: (
            self._by_name(self._labels[0]) if self._table.width == 1 else self.copy()
        ),
        "__delitem__": lambda self, label: self.drop(columns=[label], inplace=True),
    },
)


class ILocIndexer:
    """`iloc`: columns by position."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __getitem__(self, key: Any) -> Any:
        rows, columns = _pair(key)
        if not is_everything(rows):
            refuse(NO_ROWS, INSTEAD)
        return self._columns(columns)

    def __setitem__(self, key: Any, value: Any) -> None:
        rows, columns = _pair(key)
        if not isinstance(rows, Traced) and not is_everything(rows):
            refuse("it writes to some rows and not others", INSTEAD)
        self._frame._set_where(rows, self._positions(columns), value)

    def _positions(self, key: Any) -> list[int]:
        return positions_of(key, len(self._frame._labels))

    def _columns(self, key: Any) -> Any:
        chosen = self._frame._at_positions(self._positions(key))
        return chosen[chosen._labels[0]] if isinstance(key, int | np.integer) else chosen


class LocIndexer(ILocIndexer):
    """`loc`: columns by name."""

    def _columns(self, key: Any) -> Any:
        return self._frame._by_name(key)

    def _positions(self, key: Any) -> list[int]:
        if not isinstance(key, list | slice | np.ndarray | Index) and key not in self._frame:
            self._frame[key] = None  # a new column, missing where nothing is assigned
        chosen = self._frame._by_name(key)
        names = [chosen._name] if type(chosen) is TracedSeries else chosen._labels
        return [self._frame._position(name) for name in names]


def _pair(key: Any) -> tuple[Any, Any]:
    if isinstance(key, tuple) and len(key) == 2:
        return key
    return key, slice(None)
