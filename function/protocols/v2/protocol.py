"""The Open Inference Protocol, version 2 (KServe, Triton, MLServer)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from onnxlet.function import json_text
from onnxlet.function.errors import MalformedRequest
from onnxlet.function.inputs import json_body
from onnxlet.function.inputs.tensors import RAW
from onnxlet.function.messages import (
    Failure,
    Prediction,
    PredictRequest,
    Reply,
    Request,
    Route,
    Tensor,
    json_reply,
)
from onnxlet.function.protocols import request_options
from onnxlet.function.protocols.common import unicode
from onnxlet.function.protocols.v2 import about
from onnxlet.function.protocols.v2.binary import HEADER, Tail, header_length
from onnxlet.function.protocols.v2.inputs import read_inputs
from onnxlet.function.protocols.v2.outputs import AnswerOptions, read_answer_options, reply_of
from onnxlet.function.protocols.v2.tensors import brief

PREDICT: Sequence[str] = (
    "/v2/models/<name>/infer",
    "/v2/models/<name>/versions/<version>/infer",
)
MODEL_HEADER = ""
ROUTES: Sequence[Route] = about.ROUTES
LONG_LISTS = frozenset({("inputs",), ("inputs", json_text.ENTRY, "data")})
SHOWN_FAULTS = 20
STATUS = {409: 400, 422: 400}  # clients of this protocol know only one status for a wrong request


def owns(path: str) -> bool:
    """Whether the path is below /v2."""
    return path == "/v2" or path.startswith("/v2/")


def meant(body: Mapping[str, Any]) -> str:
    """Where to send a body whose `inputs` are objects."""
    inputs = body.get("inputs")
    entries = isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], dict)
    return "/v2/models/NAME/infer" if entries else ""


def decode(request: Request) -> PredictRequest:
    """Read an inference request: JSON, JSON with tensors' bytes behind it, or only bytes.

    Raises MalformedRequest with everything that is wrong with its form.
    """
    if not request.body:
        raise MalformedRequest("the body is empty: expected an object with 'inputs'")
    if request.query.get("on_error", "refuse") != "refuse":
        raise MalformedRequest(
            "'on_error' is not spoken in version 2: a wrong row loses the request. "
            "The native protocol has it, at /models/NAME/predict."
        )
    length = header_length(request.header(HEADER), request.body)
    if not length:
        content = np.frombuffer(request.body, np.uint8)
        options = AnswerOptions(binary=True)
        decoded = PredictRequest(tensors={"": Tensor(content, RAW)}, options=options)
        return request_options.with_texts(decoded, request.query)
    whole = length == len(request.body)
    form = json_body.read(request.body if whole else request.body[:length], LONG_LISTS)
    if not isinstance(form, dict):
        raise MalformedRequest(f"expected an object with 'inputs', got {brief(form)}")
    decoded = _decoded(form, Tail(request.body, length), request.check_rows)
    return request_options.with_texts(decoded, request.query)


def _decoded(
    form: Mapping[str, Any], tail: Tail, check_rows: Callable[[int], None]
) -> PredictRequest:
    faults: list[str] = []
    tensors = read_inputs(form.get("inputs"), tail, faults, check_rows)
    options = read_answer_options(form, faults)
    if faults:
        more = len(faults) - SHOWN_FAULTS
        rest = [f"and {more} more faults"] if more > 0 else []
        raise MalformedRequest("; ".join([*faults[:SHOWN_FAULTS], *rest]))
    asked = request_options.in_members(form.get("parameters") or {})
    return PredictRequest(tensors=tensors, options=options, **asked)


def encode(prediction: Prediction, decoded: PredictRequest) -> Reply:
    """Write an inference response.

    Raises MalformedRequest where it asks for an output that the model has not.
    """
    if decoded.coverage is not None and prediction.model.classes is not None:
        prediction = _with_sets_as_tensor(prediction, prediction.model.classes)
    return reply_of(prediction, decoded.options)


def _with_sets_as_tensor(prediction: Prediction, classes: Sequence[Any]) -> Prediction:
    """Sets as bool of shape (rows, classes), since no tensor holds lists of different lengths."""
    position = {label: number for number, label in enumerate(classes)}
    sets = prediction.outputs["set"]
    inside = np.zeros((len(sets), len(classes)), dtype=bool)
    for row, labels in enumerate(sets):
        inside[row, [position[label] for label in labels]] = True
    return prediction._replace(outputs={**prediction.outputs, "set": inside})


def refuse(failure: Failure) -> Reply:
    """Write an error; clients show only its text, so everything is in there."""
    text = failure.detail
    if failure.problems:
        text = "; ".join(map(str, failure.problems))
        if failure.error_count > len(failure.problems):
            text += f"; and {failure.error_count - len(failure.problems)} more problems"
    if failure.hint:
        text = f"{text}. {failure.hint}"
    return json_reply({"error": unicode(text)}, STATUS.get(failure.status, failure.status))
