"""The Open Inference Protocol's part of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from function.openapi.forms import Operation, Part, Place, Schema, answered, record

ERROR: Schema = record({"error": {"type": "string"}})


def _live(place: Place) -> Operation:
    answer = answered("It answers.", record({"live": {"type": "boolean"}}))
    return Operation("Is the server alive?", answer)


def _ready(place: Place) -> Operation:
    answer = answered("Its models are loaded.", record({"ready": {"type": "boolean"}}))
    return Operation("Is the server ready?", answer)


OPERATIONS: Mapping[str, Any] = {
    "GET /v2/health/live": _live,
    "GET /v2/health/ready": _ready,
}
PART = Part(
    "Open Inference Protocol v2",
    "As KServe, Triton and MLServer speak it: tensors by name, in JSON or binary.",
    OPERATIONS,
    ERROR,
)
