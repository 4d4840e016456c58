"""SimpleImputer, for numbers in either precision and for text, with missing-value indicators.

x where it is not missing, else the column's statistic: `sklearn/impute/_base.py`. Upstream:
the Imputer operator has no float64 kernel in ONNX Runtime, skl2onnx has no text (sklearn-onnx
#980, #681) and ignores `add_indicator`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer

from convert.converters.graph import Nodes, as_one_matrix, held_type, tensor_type
from function.signature import MISSING_TEXT


def converter(precision: str) -> tuple[type, Callable[..., None], Callable[..., None]]:
    """The estimator, its shape calculator and its converter."""

    def shape(operator: Any) -> None:
        fitted = operator.raw_operator
        indicated = len(_indicated(fitted))
        kept = len(_kept(fitted))
        if held_type(operator.inputs[0]) == "string":
            operator.outputs[0].type = type(operator.inputs[0].type)([None, kept])
        else:
            operator.outputs[0].type = tensor_type(precision, kept + indicated)

    def convert(scope: Any, operator: Any, container: Any) -> None:
        fitted = operator.raw_operator
        nodes = Nodes(scope, container)
        matrix, dtype = as_one_matrix(nodes, operator, precision)
        output = operator.outputs[0].full_name
        missing = _missing(nodes, fitted, matrix, dtype)
        kept = _kept(fitted)
        statistics = [fitted.statistics_[place] for place in kept]
        everything = len(kept) == len(fitted.statistics_)
        places = nodes.constant(kept, "int64")
        value = matrix if everything else nodes.add("Gather", [matrix, places], axis=1)
        at = missing if everything else nodes.add("Gather", [missing, places], axis=1)
        if dtype == "string" and not all(isinstance(value, str) for value in statistics):
            raise NotImplementedError("SimpleImputer that fills text with something else")
        filling = nodes.constant([statistics], dtype)
        indicated = _indicated(fitted)
        filled = nodes.add("Where", [at, filling, value], None if indicated else output)
        if indicated:
            if dtype == "string":
                raise NotImplementedError("SimpleImputer(add_indicator=True) on text")
            of = nodes.add("Gather", [missing, nodes.constant(indicated, "int64")], axis=1)
            nodes.add("Concat", [filled, nodes.cast(of, dtype)], output, axis=1)

    return SimpleImputer, shape, convert


def _missing(nodes: Nodes, fitted: Any, matrix: str, dtype: str) -> str:
    """Where the matrix holds the imputer's missing value, as bool."""
    value = fitted.missing_values
    absent = value is None or (isinstance(value, float) and np.isnan(value))
    if dtype == "string":
        text = MISSING_TEXT if absent else str(value)
        return nodes.add("Equal", [matrix, nodes.constant([[text]], "string")])
    if absent:
        return nodes.add("IsNaN", [matrix])
    return nodes.add("Equal", [matrix, nodes.constant([[value]], dtype)])


def _kept(fitted: Any) -> list[int]:
    """Columns that had a value in training; the others are left out, as scikit-learn does."""
    if fitted.keep_empty_features:
        return list(range(len(fitted.statistics_)))
    lacking = [isinstance(s, float) and np.isnan(s) for s in fitted.statistics_.tolist()]
    return [place for place, lacks in enumerate(lacking) if not lacks]


def _indicated(fitted: Any) -> list[int]:
    indicator = fitted.indicator_ if fitted.add_indicator else None
    return [] if indicator is None else [int(place) for place in indicator.features_]
