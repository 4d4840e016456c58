"""Prediction sets in a protocol of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxlet.function.messages import Prediction


def with_sets_as_tensor(prediction: Prediction, classes: Sequence[Any]) -> Prediction:
    """Sets as bool of shape (rows, classes), since no tensor holds lists of different lengths."""
    position = {label: number for number, label in enumerate(classes)}
    sets = prediction.outputs["set"]
    inside = np.zeros((len(sets), len(classes)), dtype=bool)
    for row, labels in enumerate(sets):
        inside[row, [position[label] for label in labels]] = True
    return prediction._replace(outputs={**prediction.outputs, "set": inside})
