"""`iloc` and `loc` of a DataFrame."""

from __future__ import annotations

from typing import Any

import numpy as np
from pandas import Index

from onnxlet.convert.converters.tracing.columns import INSTEAD, NO_ROWS
from onnxlet.convert.converters.tracing.columns_base import is_everything, places_of
from onnxlet.convert.converters.tracing.refusal import refuse
from onnxlet.convert.converters.tracing.series import TracedSeries
from onnxlet.convert.converters.tracing.traced import Traced


class Placed:
    """`iloc`."""

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
        self._frame._set_where(rows, self._places(columns), value)

    def _places(self, key: Any) -> list[int]:
        return places_of(key, len(self._frame._labels))

    def _columns(self, key: Any) -> Any:
        chosen = self._frame._chosen_places(self._places(key))
        return chosen[chosen._labels[0]] if isinstance(key, int | np.integer) else chosen


class Located(Placed):
    """`loc`."""

    def _columns(self, key: Any) -> Any:
        return self._frame._by_name(key)

    def _places(self, key: Any) -> list[int]:
        if not isinstance(key, list | slice | np.ndarray | Index) and key not in self._frame:
            self._frame[key] = None  # missing, where nothing else is written
        chosen = self._frame._by_name(key)
        names = [chosen._name] if type(chosen) is TracedSeries else chosen._labels
        return [self._frame._place(name) for name in names]


def _pair(key: Any) -> tuple[Any, Any]:
    if isinstance(key, tuple) and len(key) == 2:
        return key
    return key, slice(None)
