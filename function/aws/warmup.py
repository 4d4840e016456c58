"""Runs every model once before a request does: on a schedule, and before a snapshot."""

from __future__ import annotations

from typing import Any

from onnxlet.function import json_text
from onnxlet.function.model_files import read_file
from onnxlet.function.models.model import Model
from onnxlet.function.protocols import common
from onnxlet.function.protocols.native import protocol as native
from onnxlet.function.serving.predict import predict
from onnxlet.function.serving.service import Service


def is_scheduled(event: Any) -> bool:
    """Whether an event comes from an EventBridge rule or scheduler."""
    return isinstance(event, dict) and event.get("source") in ("aws.events", "aws.scheduler")


def warm_up(service: Service) -> list[str]:
    """Answer a golden row by the served version of each model, and return the models' names.

    Raises OnnxletError where one does not answer.
    """
    for model in service.repository.models:
        row = _golden_row(model)
        if row is None:  # a model without golden rows: at least its session is there
            model.open()
        else:
            common.answer(predict(model, native.from_object({"instances": [row]})))
    return service.repository.names


def _golden_row(model: Model) -> Any:
    if model.directory is None:
        return None
    golden = json_text.loads(read_file(model.directory, "golden.json"))
    return next(iter(golden["instances"]), None)
