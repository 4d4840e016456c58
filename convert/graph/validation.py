"""Numbers that one step makes and the next one refuses, so that scikit-learn raises.

Source: `sklearn/utils/validation.py` (check_array). ONNX Runtime goes on with an infinity or a
missing value, so that such a row would be answered. Which numbers an estimator refuses is found by
trying them on it. The function checks the columns of the request itself, so that they are not
checked here; numbers that its front end reads out of text are.
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

# Their parts are checked one by one; a function takes anything.
COMPOSITES = (ColumnTransformer, FeatureUnion, FunctionTransformer, Pipeline)
BASES = (1.0, 0.5, 0.0, -1.0)  # an estimator accepts a row of at least one of these
# Of each kind of numbers, one that is tried, and where a column has such.
KINDS: Mapping[str, tuple[float, Callable[[Tensor], Tensor]]] = {
    "missing": (np.nan, lambda x: x.isnan()),
    "infinite": (np.inf, lambda x: x.unary("Abs").equals(np.inf)),
    "large": (1.1 * LARGEST_FLOAT32, lambda x: x.unary("Abs") > LARGEST_FLOAT32),
    "zero": (0.0, lambda x: x.equals(0.0)),
    "negative": (-1.0, lambda x: x < 0.0),
}


def raising(fitted: Any, table: Table) -> list[Tensor]:
    """Bool tensors that mark the rows that the estimator raises for; none where it can't."""
    made = [t for t in table.tensors if t.dtype in ("float32", "float64") and is_made(t)]
    if not made or isinstance(fitted, COMPOSITES):
        return []
    kinds = refused_by(fitted, table.width)
    return [KINDS[kind][1](tensor) for kind in kinds for tensor in made]


def any_of(flags: Sequence[Tensor]) -> Tensor:
    """Whether any of them is true in a row, one bool column."""
    each = [flag.cast("int64").max() for flag in flags]
    return flags[0].graph.concat(each).max() > 0


def refused_by(fitted: Any, width: int) -> list[str]:
    """The kinds of numbers that an estimator raises for, whichever column has one.

    Tried in the first, the middle and the last column.
    """
    bases = (np.full((1, width), value) for value in BASES)
    base = next((row for row in bases if _answers(fitted, row)), None)
    if base is None:
        return []
    indices = sorted({0, width // 2, width - 1})
    return [
        kind
        for kind, (value, _) in KINDS.items()
        if not any(
            _answers(fitted, np.where(np.arange(width) == index, value, base)) for index in indices
        )
    ]


def is_made(tensor: Tensor) -> bool:
    """Whether a step has made it, and it is none of the request's columns."""
    name = (tensor.origin[0] if tensor.origin else tensor).name
    return name not in {entry["name"] for entry in tensor.graph.inputs if "steps" not in entry}


def _answers(fitted: Any, row: Array) -> bool:
    method = fitted.predict if hasattr(fitted, "predict") else fitted.transform
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            method(row)
        except Exception:  # of any kind: it does not answer
            return False
    return True
