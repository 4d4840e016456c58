"""scikit-learn's checks of what a method is given, which leave columns as they are.

Source: `sklearn/utils/validation.py`. Where a number that only the model makes would be refused,
its row is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import utils
from sklearn.utils import validation

from onnxlet.convert.converters.tracing.arithmetic import graph_of
from onnxlet.convert.converters.tracing.array_shapes import as_array
from onnxlet.convert.converters.tracing.base import RowCount, refuse
from onnxlet.convert.converters.tracing.traced import Traced
from onnxlet.convert.graph.validation import KINDS, is_made

CHECKED = {True: ("missing", "infinite"), "allow-nan": ("infinite",), False: ()}


def check_array(
    array: Any,
    *_: Any,
    dtype: Any = "numeric",
    ensure_2d: bool = True,
    ensure_all_finite: Any = True,
    force_all_finite: Any = None,
    **__: Any,
) -> Any:
    """`check_array`: the columns as an array, numbers if these are asked for."""
    made = as_array(array)
    if not isinstance(made, Traced):
        refuse("it checks a list of columns", "Check an array.")
    if made._flat and ensure_2d:
        raise ValueError("Expected 2D array, got 1D array instead")
    kinds = list(dtype) if isinstance(dtype, list | tuple) else [dtype]
    if kinds == ["numeric"]:
        made = made.astype(np.float64) if made.dtype == object else made
    elif kinds != [None] and made.dtype not in kinds:
        made = made.astype(kinds[0])
    wanted = ensure_all_finite if force_all_finite is None else force_all_finite
    for tensor in made._table.tensors:
        if tensor.dtype in ("float32", "float64") and is_made(tensor):
            for kind in CHECKED[wanted]:
                graph_of(tensor).refuse_rows(KINDS[kind][1](tensor))
    return made


def validate_data(
    _estimator: Any, X: Any, y: Any = None, *, skip_check_array: bool = False, **options: Any
) -> Any:
    """`validate_data`: the same of an estimator's own columns."""
    reset, _ = options.pop("reset", True), options.pop("cast_to_ndarray", True)
    count = getattr(_estimator, "n_features_in_", X._table.width)
    if not reset and count != X._table.width:
        raise ValueError(f"X has {X._table.width} features, but is expecting {count} features")
    return X if skip_check_array else check_array(X, **options)


def assert_all_finite(X: Any, **_: Any) -> None:
    """`assert_all_finite`: it only looks."""
    check_array(X, dtype=None, ensure_2d=False)


def column_or_1d(y: Any, **_: Any) -> Any:
    """`column_or_1d`: one column, flat."""
    return as_array(y).ravel()


FUNCTIONS: dict[str, Any] = {
    "check_array": check_array,
    "as_float_array": lambda X, **_: check_array(X, dtype=np.float64, ensure_all_finite=False),
    "assert_all_finite": assert_all_finite,
    "column_or_1d": column_or_1d,
    "validate_data": validate_data,
    "_check_feature_names": lambda *_, **__: None,
    "_check_n_features": lambda *_, **__: None,
    "_num_samples": lambda x: RowCount(x._table.tensors[0]),
}
VALIDATION = {
    (module, name): function
    for name, function in FUNCTIONS.items()
    for module in (utils, validation)
    if hasattr(module, name)
}
