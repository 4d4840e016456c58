"""What scikit-learn raises for inside a model: a number that one step makes and the next refuses.

Source: `sklearn/utils/validation.py` (check_array). ONNX Runtime computes on with an infinity or
a missing value, so that the row would be answered. Which numbers an estimator refuses is found by
asking it; columns as they came are looked at by the function already.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from onnxlet.convert.graph.table import Table
from onnxlet.convert.graph.tensor import Tensor
from onnxlet.function.arrays import LARGEST_FLOAT32, Array

# Their parts are asked one by one; a function takes anything.
TAKEN_APART = (ColumnTransformer, FeatureUnion, FunctionTransformer, Pipeline)
BASES = (1.0, 0.5, 0.0, -1.0)  # a row of some of these is answered
REFUSED: Mapping[str, float] = {
    "missing": np.nan,
    "infinite": np.inf,
    "large": 1.1 * LARGEST_FLOAT32,
    "zero": 0.0,
    "negative": -1.0,
}
CHECKS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "missing": lambda x: x.isnan(),
    "infinite": lambda x: x.unary("Abs").equals(np.inf),
    "large": lambda x: x.unary("Abs") > LARGEST_FLOAT32,
    "zero": lambda x: x.equals(0.0),
    "negative": lambda x: x < 0.0,
}


def raising(fitted: Any, table: Table) -> list[Tensor]:
    """Where a row holds what the estimator raises for, bool tensors; none where it can't."""
    made = [tensor for tensor in table.tensors if _is_made(tensor)]
    if not made or isinstance(fitted, TAKEN_APART):
        return []
    kinds = refused_by(fitted, table.width)
    return [CHECKS[kind](tensor) for kind in kinds for tensor in made]


def either(flags: Sequence[Tensor]) -> Tensor:
    """Where any of them holds in a row, one bool column."""
    each = [flag.cast("int64").max() for flag in flags]
    return flags[0].graph.concat(each).max() > 0


def refused_by(fitted: Any, width: int) -> list[str]:
    """The kinds of numbers that an estimator raises for in each of its columns."""
    bases = (np.full((1, width), value) for value in BASES)
    base = next((row for row in bases if _answers(fitted, row)), None)
    if base is None:
        return []
    places = sorted({0, width // 2, width - 1})
    return [
        kind
        for kind, value in REFUSED.items()
        if not any(_answers(fitted, _changed(base, place, value)) for place in places)
    ]


def _is_made(tensor: Tensor) -> bool:
    base = tensor.origin[0] if tensor.origin else tensor
    return tensor.dtype in ("float32", "float64") and not base.name.startswith("input_")


def _changed(row: Array, place: int, value: float) -> Array:
    changed = row.copy()
    changed[0, place] = value
    return changed


def _answers(fitted: Any, row: Array) -> bool:
    ask = fitted.predict if hasattr(fitted, "predict") else fitted.transform
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            ask(row)
        except Exception:  # whatever it raises, it does not answer
            return False
    return True
