"""Our versions of pandas' functions: pd.isna, pd.concat, pd.cut, pd.DataFrame, ….

Source of `pd.cut`: `pandas/core/reshape/tile.py` (`_bins_to_cuts`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxlet.convert.converters.tracing import arithmetic
from onnxlet.convert.converters.tracing.array_shapes import as_array
from onnxlet.convert.converters.tracing.casts import read_number
from onnxlet.convert.converters.tracing.columns_base import elementwise
from onnxlet.convert.converters.tracing.frame import beside, frame_of
from onnxlet.convert.converters.tracing.pandas_base import PandasBase
from onnxlet.convert.converters.tracing.refusal import check_options, refuse
from onnxlet.convert.converters.tracing.searching import searched
from onnxlet.convert.converters.tracing.series import TracedSeries
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.converter import Tensor
from onnxlet.function.arrays import MISSING_TEXT

CONCAT_OPTIONS = {
    "join": ("outer", "inner"), "ignore_index": (False,), "copy": (True, False), "sort": (False,),
}  # fmt: skip
UNSEEN = "pd.cut by the values it is given depends on which rows come together in a request"


def isna(obj: Any) -> Any:
    """`pd.isna`."""
    return elementwise(arithmetic.missing, obj)


def notna(obj: Any) -> Any:
    """`pd.notna`."""
    return elementwise(lambda x: ~arithmetic.missing(x), obj)


def concat(objs: Any, *, axis: Any = 0, **options: Any) -> Any:
    """`pd.concat(…, axis=1)`: columns side by side."""
    check_options("concat", options, **CONCAT_OPTIONS)
    if axis not in (1, "columns"):
        refuse("it puts rows below each other", "pd.concat needs axis=1 for columns.")
    parts = list(objs.values()) if isinstance(objs, dict) else list(objs)
    graph = next(part._graph for part in parts if isinstance(part, Traced))
    return beside(graph, parts)


def frame(data: Any = None, index: Any = None, columns: Any = None, **options: Any) -> Any:
    """`pd.DataFrame`."""
    check_options("DataFrame", options, copy=(None, True, False), dtype=(None,))
    return frame_of(data, columns)


def series(
    data: Any = None, index: Any = None, dtype: Any = None, name: Any = None, **_: Any
) -> Any:
    """`pd.Series`."""
    if not isinstance(data, Traced) or not data._flat:
        refuse("it makes a Series of something else than a column")
    called = data._name if name is None and type(data) is TracedSeries else name
    made = TracedSeries(data._graph, data._table.tensors[0], called)
    return made if dtype is None else made.astype(dtype)


def to_numeric(arg: Any, **options: Any) -> Any:
    """`pd.to_numeric`: numbers stay the same, texts are read."""
    check_options("to_numeric", options, errors=("raise", "coerce"), downcast=(None,))
    coerce = options.get("errors") == "coerce"
    return elementwise(
        lambda x: (
            read_number(x, "parse_float", coerce, of_pandas=True) if x.dtype == "string" else x
        ),
        arg,
    )


def cut(
    x: Any, bins: Any, right: bool = True, labels: Any = None, include_lowest: bool = False,
    **options: Any,
) -> Any:  # fmt: skip
    """`pd.cut`: the number or label of the bin of a value; missing outside."""
    check_options("cut", options, ordered=(True, False), precision=(3,), duplicates=("raise",))
    if isinstance(bins, int | np.integer | Traced):
        refuse(UNSEEN, "Give pd.cut the edges of the bins.")
    if labels is None:
        refuse("pd.cut makes intervals", "Give it labels, or labels=False for numbers.")
    edges = np.asarray(bins, dtype=np.float64)
    entries = range(len(edges) - 1) if labels is False else list(labels)
    lowest = edges[0] if include_lowest else None
    column = x if isinstance(x, PandasBase) else as_array(x)
    return elementwise(lambda t: _bins(t, edges, right, lowest, list(entries)), column)


def _bins(x: Tensor, edges: Any, right: bool, lowest: Any, entries: list[Any]) -> Tensor:
    (number,) = arithmetic.floats(x)
    found = searched(number, edges, "left" if right else "right")
    if lowest is not None:
        found = number.equals(float(lowest)).where(1, found)
    texts = any(isinstance(entry, str) for entry in entries)
    nothing, kind = (MISSING_TEXT, "string") if texts else (np.nan, number.dtype)
    table = x.graph.constant([nothing, *entries, nothing], kind)
    return x.graph.op("Gather", table, found, dtype=kind, width=x.width, axis=0)
