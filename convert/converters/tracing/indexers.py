"""`iloc` and `loc` of a DataFrame: columns only, and writing where a condition is true."""

from __future__ import annotations

from typing import Any

import numpy as np
from pandas import Index

from onnxlet.convert.converters.tracing.columns_base import is_everything, positions_of
from onnxlet.convert.converters.tracing.pandas_base import INSTEAD, NO_ROWS
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.series import TracedSeries
from onnxlet.convert.converters.tracing.traced import Traced


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
