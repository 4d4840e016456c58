"""What comes without HTTP: a native request as an event or a record of a queue, or a schedule.

A schedule runs every model once before a request does, and so does a snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from onnxlet.function import json_text, request_log
from onnxlet.function.aws.lambda_events import check_size
from onnxlet.function.errors import MalformedRequest
from onnxlet.function.messages import Failure, Prediction, PredictRequest
from onnxlet.function.model_files import read_file
from onnxlet.function.models.model import Model
from onnxlet.function.protocols import native
from onnxlet.function.protocols.shared import forms
from onnxlet.function.serving.predict import predict
from onnxlet.function.serving.service import Service

Answer = TypeVar("Answer")

UNKNOWN_SECONDS = 24 * 3600.0  # where nobody says how long an invocation may take
# The id of requests that prove a deployment by golden rows: no client's may have a space.
GOLDEN = "golden rows"


def seconds_left(context: Any) -> float:
    """Until Lambda ends this invocation."""
    left = getattr(context, "get_remaining_time_in_millis", None)
    return left() / 1000 if left else UNKNOWN_SECONDS


def answer_logged(
    service: Service,
    log: request_log.Log,
    entry: dict[str, Any],
    decode: Callable[[], PredictRequest],
    encode: Callable[[Prediction, PredictRequest], Answer],
    refuse: Callable[[Failure], Answer],
) -> Answer:
    """Answer as `Service.answer` does, and write the request's line, as the app does for HTTP.

    `entry` has the line's `method` and `request_id`.
    """
    entry["status"] = 200

    def refused(failure: Failure) -> Answer:
        entry["status"] = failure.status
        return refuse(failure)

    start = time.perf_counter()
    answer = service.answer(decode, encode, refused, entry)
    entry["ms"] = round((time.perf_counter() - start) * 1e3, 3)
    log(entry)
    service.counts.count(entry)
    return answer


def invoke(service: Service, event: Any, context: Any, log: request_log.Log) -> Any:
    """Answer a direct invocation: IAM has let the caller in, so no key is asked for.

    The event is a list of rows, or an object with `instances`. Returns the native answer as an
    object, or the error in its native form; errors are never raised. A caller that proves the
    function says so in its own part of Lambda's context, so that its golden rows are not counted
    with what comes in.
    """
    custom = getattr(getattr(context, "client_context", None), "custom", None)
    request_id = GOLDEN
    if custom != {"request_id": GOLDEN}:
        request_id = request_log.request_id(getattr(context, "aws_request_id", ""))
    entry = {"method": "invoke", "request_id": request_id}
    return answer_logged(service, log, entry, lambda: _decode(event), _encode, _refuse)


def _decode(event: Any) -> PredictRequest:
    if isinstance(event, list) or (isinstance(event, dict) and "instances" in event):
        return native.from_object(event)
    members = sorted(map(str, event))[:8] if isinstance(event, dict) else type(event).__name__
    raise MalformedRequest(
        f"the event is neither an HTTP request nor a native one: got {members}",
        'Invoke with a list of rows, or with {"instances": [...]}.',
    )


def _encode(prediction: Prediction, request: PredictRequest) -> Any:
    # By way of the text: Lambda's client writes neither arrays nor NaN.
    written = json_text.dumps(forms.answer(prediction))
    form = json_text.loads(written)
    check_size(form, len(written))
    return form


def _refuse(failure: Failure) -> Any:
    return json_text.loads(json_text.dumps(native.problem(failure)))


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
            forms.answer(predict(model, native.from_object({"instances": [row]})))
    return service.repository.names


def _golden_row(model: Model) -> Any:
    if model.directory is None:
        return None
    golden = json_text.loads(read_file(model.directory, "golden.json"))
    return next(iter(golden["instances"]), None)
