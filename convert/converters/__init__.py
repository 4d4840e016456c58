"""Converters of our own, where skl2onnx is wrong or has none.

Each family is a file. A converter is made for one precision of numbers, `float32` or `float64`,
and registered for one conversion alone, never globally.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from convert.converters import imputer, one_hot, trees

Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class Converters:
    """In the form of `skl2onnx.convert_sklearn`'s `custom_*` arguments, by estimator class."""

    conversion_functions: dict[type, Callable[..., None]]
    shape_calculators: dict[type, Callable[..., None]]


def converters(precision: Precision) -> Converters:
    """All of our converters, writing numbers in this precision."""
    families = [
        imputer.converter(precision),
        one_hot.converter(precision),
        *trees.converters(precision),
    ]
    return Converters(
        {estimator: convert for estimator, _, convert in families},
        {estimator: shape for estimator, shape, _ in families},
    )
