"""A DataFrame's methods of values, in every column or by column: fillna, astype, replace, map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pandas import Series

from onnxlet.convert.converters.tracing import casts, pandas_methods
from onnxlet.convert.converters.tracing.columns_base import elementwise
from onnxlet.convert.converters.tracing.elements import map_elements
from onnxlet.convert.converters.tracing.pandas_base import check_pandas
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.structure import Structure
from onnxlet.convert.graph.converter import Table


class FrameValues(Structure):
    """A DataFrame's values."""

    __slots__ = ()

    def fillna(self, value: Any = None, inplace: bool = False, **options: Any) -> Any:
        """`fillna`, by one value or one for each column."""
        check_pandas("fillna", options)
        if isinstance(value, Series):
            value = value.to_dict()
        if isinstance(value, dict):
            return self._become(self._each(value, lambda s, one: s.fillna(one)), inplace)
        return self._become(elementwise(pandas_methods.filled, self, value), inplace)

    def astype(self, dtype: Any, **options: Any) -> Any:
        """`astype`, to one dtype or one for each column."""
        check_pandas("astype", options)
        if isinstance(dtype, Series):
            dtype = dtype.to_dict()
        if isinstance(dtype, dict):
            return self._each(dtype, lambda series, one: series.astype(one))
        return self._mapped(lambda x: casts.cast(x, dtype))

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
        pairs = pandas_methods.pairs_of(to_replace, value)
        made = self._mapped(lambda x: pandas_methods.replaced(x, pairs))
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
