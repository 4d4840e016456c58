"""How a request asks for a coverage, in its query, its body or a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from onnxlet.function.errors import MalformedRequest, quoted
from onnxlet.function.messages import Prediction, PredictRequest

NUMBER = re.compile(r"(\d{1,400}\.?\d{0,400}|\.\d{1,400})([eE]-?\d{1,4})?", re.ASCII)
ATTRIBUTE = re.compile(r"(?:^|[,;\s])coverage=([^,;\s]*)")


def read(value: Any) -> float | None:
    """A coverage as JSON has it; null asks for none.

    Raises:
        MalformedRequest: it is no number between 0 and 1.
    """
    if value is None:
        return None
    if not isinstance(value, int | float) or not 0 < value < 1:  # true is 1
        raise MalformedRequest(
            f"'coverage': expected a number between 0 and 1, such as 0.9, got {quoted(value)}"
        )
    return float(value)


def agreed(decoded: PredictRequest, text: str) -> PredictRequest:
    """The request with the coverage that its query or a header names, too.

    Args:
        decoded: with the coverage that its body has, or None.
        text: of the query or the header.

    Raises:
        MalformedRequest: it is no number between 0 and 1, or the body has another.
    """
    try:
        coverage = read(float(text) if NUMBER.fullmatch(text) else text)
        if decoded.coverage not in (None, coverage):
            raise MalformedRequest(
                f"'coverage': the request says {decoded.coverage} and {coverage}", "Say it once."
            )
    except MalformedRequest as error:
        error.model = decoded.model
        raise
    return decoded._replace(coverage=coverage)


def in_attributes(attributes: str) -> str | None:
    """The text of `coverage=0.9` in SageMaker's custom attributes; None where it is not there."""
    found = ATTRIBUTE.search(attributes)
    return None if found is None else found[1]


def with_sets_as_tensor(prediction: Prediction, classes: Sequence[Any]) -> Prediction:
    """Sets as bool of shape (rows, classes), since no tensor holds lists of different lengths."""
    position = {label: number for number, label in enumerate(classes)}
    sets = prediction.outputs["set"]
    inside = np.zeros((len(sets), len(classes)), dtype=bool)
    for row, labels in enumerate(sets):
        inside[row, [position[label] for label in labels]] = True
    return prediction._replace(outputs={**prediction.outputs, "set": inside})
