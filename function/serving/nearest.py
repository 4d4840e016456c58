"""How many nearest a request gets: `k`, where the model answers neighbours or recommendations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from onnxlet.function.arrays import Array
from onnxlet.function.errors import NoNeighbours
from onnxlet.function.messages import Prediction
from onnxlet.function.models.model import Model

MOST_NEAREST = 100  # that a request may ask for, where the estimator's own number is not larger


def at_least(model: Model, k: int) -> Model:
    """The model as it answers this many nearest, or its own number where that is more.

    The first of more nearest are the nearest of fewer: what is counted of the answers is always of
    the model's own number. Raises NoNeighbours where it answers none, or not so many.
    """
    known = model.k
    if known is None:
        task = model.manifest["task"]
        raise NoNeighbours(
            f"'k': model '{model.name}' answers no list of items: its task is {task}",
            "Leave out k.",
        )
    if k > known["most"]:
        raise NoNeighbours(
            f"'k': model '{model.name}' answers at most {known['most']}, got {k}",
            f"Ask for 1 to {known['most']}.",
        )
    return model if k <= known["default"] else model.at_k(k)


def first(prediction: Prediction, model: Model, k: int) -> Prediction:
    """The prediction of `at_least(model, k)` with the k nearest only, by the model that was named.

    It has as many as were asked for.
    """
    assert model.k is not None  # noqa: S101 - `at_least` has seen to it
    given = prediction.outputs if prediction.answered is None else prediction.answered
    return prediction._replace(
        model=model,
        outputs=_cut(prediction.outputs, k),
        answered=_cut(given, model.k["default"]),
    )


def _cut(outputs: Mapping[str, Any], count: int) -> dict[str, Array]:
    return {name: _first(array, count) for name, array in outputs.items()}


def _first(array: Array, count: int) -> Array:
    if array.ndim > 1:
        return array[:, :count]
    entries = np.full(len(array), None, dtype=object)  # some rows were not answered
    for row, entry in enumerate(array):
        entries[row] = None if entry is None else entry[:count]
    return entries
