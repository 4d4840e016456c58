"""What a DataFrame's methods do without a look at values: drop, rename, filter, insert, …."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pandas import Index

from onnxlet.convert.converters.tracing import pandas_methods
from onnxlet.convert.converters.tracing.columns import Columns, only
from onnxlet.convert.converters.tracing.columns_base import columns_of, select
from onnxlet.convert.converters.tracing.refusal import check_options, refuse
from onnxlet.convert.graph.graph import labelled


class Structure(Columns):
    """The columns of a DataFrame, as their names tell them."""

    __slots__ = ()

    @property
    def _labels(self) -> tuple[Any, ...]:
        return self._table.labels

    def _by_name(self, key: Any) -> Any:
        """One column, or several."""
        raise NotImplementedError

    def __setitem__(self, key: Any, value: Any) -> None:
        raise NotImplementedError

    def _become(self, made: Any, inplace: bool) -> Any:
        """A method's result, or with `inplace` what the frame is from now on."""
        if not inplace:
            return made
        object.__setattr__(self, "_table", made._table)
        return None

    def _chosen_places(self, places: Sequence[int]) -> Any:
        return self._named(select(self._graph, self._table, places))

    def _named(self, table: Any) -> Any:
        """A DataFrame of a table with names."""
        return type(self)(self._graph, table)  # type: ignore[call-arg]

    def drop(
        self, labels: Any = None, *, axis: Any = 0, columns: Any = None, inplace: bool = False,
        errors: str = "raise", **options: Any,
    ) -> Any:  # fmt: skip
        """Without some columns."""
        only("drop", options)
        if columns is None and axis not in (1, "columns"):
            refuse("it drops rows")
        said = columns if columns is not None else labels
        gone = list(said) if isinstance(said, list | tuple | set | Index | np.ndarray) else [said]
        lacking = [label for label in gone if label not in self._labels]
        if lacking and errors == "raise":
            raise KeyError(f"{lacking} not found in axis")
        kept = [place for place, label in enumerate(self._labels) if label not in gone]
        return self._become(self._chosen_places(kept), inplace)

    def rename(
        self, mapper: Any = None, *, axis: Any = 0, columns: Any = None, inplace: bool = False,
        **options: Any,
    ) -> Any:  # fmt: skip
        """Under other names."""
        only("rename", options)
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
        """Under other names, in order."""
        only("set_axis", options)
        return self._renamed(list(labels)) if axis in (1, "columns") else refuse("it names rows")

    def add_prefix(self, prefix: str) -> Any:
        """Names with something before."""
        return self._renamed([f"{prefix}{label}" for label in self._labels])

    def add_suffix(self, suffix: str) -> Any:
        """Names with something behind."""
        return self._renamed([f"{label}{suffix}" for label in self._labels])

    def filter(
        self, items: Any = None, like: Any = None, regex: Any = None, axis: Any = None
    ) -> Any:
        """Some columns, by their names."""
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
        """Some columns, all of which are there."""
        only("reindex", options)
        made = self._by_name(list(columns))
        return made

    def select_dtypes(self, include: Any = None, exclude: Any = None) -> Any:
        """The columns of numbers, or all others."""
        said = [include, exclude]
        listed = [
            one if isinstance(one, list | tuple) else [one] for one in said if one is not None
        ]
        if len(listed) != 1 or listed[0] not in (["number"], [np.number]):
            refuse(
                "select_dtypes by other than numbers is another in each version of pandas",
                "Use select_dtypes('number'), or the names of the columns.",
            )
        places = [
            place
            for place, tensor in enumerate(columns_of(self._graph, self._table))
            if pandas_methods.is_number(tensor) is (include is not None)
        ]
        return self._chosen_places(places)

    def reset_index(self, drop: bool = False, inplace: bool = False) -> Any:
        """The index is lost, or refused as a column."""
        return (
            self._become(self.copy(), inplace) if drop else refuse("it makes a column of the index")
        )

    def squeeze(self, axis: Any = None) -> Any:
        """One column is a Series then."""
        return self._by_name(self._labels[0]) if self._table.width == 1 else self.copy()

    def __delitem__(self, label: Any) -> None:
        self.drop(columns=[label], inplace=True)

    def pop(self, item: Any) -> Any:
        """A column, which is gone then."""
        column: Any = self._by_name(item)
        self.drop(columns=[item], inplace=True)
        return column

    def insert(self, loc: int, column: Any, value: Any, **options: Any) -> None:
        """A column at a place."""
        check_options("insert", options)
        self[column] = value
        order = [label for label in self._labels if label != column]
        order.insert(loc, column)
        self._become(self._by_name(order), True)
