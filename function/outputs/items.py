"""Neighbours and recommendations as clients know them: labels of the items instead of positions.

The labels lie in `items.json` beside the graph: there may be many, and no description needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.arrays import Array
from onnxlet.function.errors import MalformedRequest, ModelError
from onnxlet.function.model_files import AGAIN

if TYPE_CHECKING:
    from onnxlet.function.inputs.validation import Table
    from onnxlet.function.models.model import Model

FILE = "items.json"


def items(model: Model) -> Callable[[Array, Table], Array]:
    """A function from positions to labels, which reads these when they are first needed.

    Positions are int64 of any shape; -1, which stands for no item, becomes None. The function
    raises ModelError where the file is not of this graph.
    """

    @cache  # keeps the labels; two threads may read them twice, and find the same
    def known() -> Array:
        return _labels(model)

    def named(positions: Array, table: Table) -> Array:
        labels = known()
        if positions.size and positions.max() >= len(labels):
            there = f"{len(labels)} items, and the graph answers position {positions.max()}"
            raise ModelError(f"model {model.name}/{model.version}: {FILE} has {there}", AGAIN)
        found: Array = labels[positions]
        if (nothing := positions < 0).any():
            found = found.astype(object)
            found[nothing] = None
        return found

    return named


def _labels(model: Model) -> Array:
    """The labels by position: int64, or text in an object array.

    Raises:
        ModelError: the file is missing, was altered since the build, or has no labels in it.
    """
    try:
        labels = json_text.loads(model.content(FILE))["items"]
        if not isinstance(labels, list) or not labels:
            raise TypeError("expected a list of labels")
        if {*map(type, labels)} <= {int}:
            return np.array(labels, np.int64)
        if {*map(type, labels)} <= {str}:
            return np.array(labels, dtype=object)
        raise TypeError("labels of several types")
    except (MalformedRequest, KeyError, TypeError, OverflowError) as error:
        raise ModelError(
            f"model {model.name}/{model.version}: {FILE} has no items in it: {error}", AGAIN
        ) from error
