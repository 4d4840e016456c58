"""What requests may ask for beside their rows, in the document: a coverage, and k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from onnxlet.function.openapi import coverage
from onnxlet.function.openapi.forms import Schema, or_null

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

ABOUT = "how many nearest each row is answered with"


def parameters(models: Sequence[Model]) -> list[Schema]:
    """The query parameters `coverage` and `k`, where some model has what they take."""
    counts = [model.k for model in models if model.k is not None]
    if not counts:
        return coverage.parameters(models)
    schema: Schema = {"type": "integer", "minimum": 1, "maximum": min(k["most"] for k in counts)}
    if len(counts) == 1:
        schema["default"] = counts[0]["default"]
    form = {"name": "k", "in": "query", "description": ABOUT, "schema": schema}
    return [*coverage.parameters(models), form]


def member(model: Model) -> dict[str, Schema]:
    """The members `coverage` and `k` of a body."""
    if model.k is None:
        return coverage.member(model)
    schema = {"type": "integer", "minimum": 1, "maximum": model.k["most"]}
    return coverage.member(model) | {"k": or_null({**schema, "description": ABOUT})}
