"""The Open Inference Protocol, version 2 (KServe, Triton, MLServer)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from onnxlet.folders import VERSION
from onnxlet.function import json_text
from onnxlet.function.errors import MalformedRequest
from onnxlet.function.inputs import json_body
from onnxlet.function.inputs.columns import Column, Input, Output
from onnxlet.function.inputs.tensors import RAW
from onnxlet.function.messages import (
    Failure,
    Prediction,
    PredictRequest,
    Reply,
    Request,
    Route,
    Tensor,
    fixed,
    json_reply,
    names_of_models,
    of_model,
)
from onnxlet.function.numpy_later import np
from onnxlet.function.protocols.shared import request_options
from onnxlet.function.protocols.shared.forms import message
from onnxlet.function.protocols.v2.inputs import read_inputs
from onnxlet.function.protocols.v2.outputs import AnswerOptions, read_answer_options, reply_of
from onnxlet.function.protocols.v2.tensors import BY_TYPE, HEADER, Tail, brief

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model
    from onnxlet.function.serving.service import Service

OWN = "(?s)/v2(/.*)?"
PREDICT: Sequence[str] = (
    "/v2/models/<name>/infer",
    "/v2/models/<name>/versions/<version>/infer",
)
OPTIONS: Sequence[str] = request_options.QUERY  # of which on_error is refused with a reason
MODEL_HEADER = ""
LONG_LISTS = frozenset({("inputs",), ("inputs", json_text.ENTRY, "data")})
SHOWN_FAULTS = 20
STATUS = {409: 400, 422: 400}  # clients of this protocol know only one status for a wrong request


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
    length = _header_length(request.header(HEADER), request.body)
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


def _header_length(text: str, body: bytes) -> int:
    """How many bytes of the body are JSON: all of them where the header is not there."""
    if not text:
        return len(body)
    length = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
    if length is None or length > len(body):
        raise MalformedRequest(
            f"{HEADER}: expected a whole number up to {len(body)}, the body's bytes "
            f"(not compressed), got '{text[:40]}'"
        )
    return length


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
    if decoded.coverage is not None:
        prediction = _with_regions_as_tensors(prediction)
    return reply_of(prediction, decoded.options)


def _with_regions_as_tensors(prediction: Prediction) -> Prediction:
    """Sets as bool of shape (rows, classes), since no tensor holds lists of different lengths.

    Where an interval is withheld its ends are NaN; a set is then empty.
    """
    classes, outputs = prediction.model.classes, prediction.outputs
    if classes is None:
        if outputs["interval"].dtype != object:
            return prediction
        shape = (*outputs["prediction"].shape, 2)
        ends = [
            np.full(shape[1:], np.nan) if each is None else each for each in outputs["interval"]
        ]
        return prediction._replace(outputs={**outputs, "interval": np.reshape(ends, shape)})
    position = {label: number for number, label in enumerate(classes)}
    sets = outputs["set"]
    inside = np.zeros((len(sets), len(classes)), dtype=bool)
    for row, labels in enumerate(sets):
        inside[row, [position[label] for label in labels or ()]] = True
    return prediction._replace(outputs={**outputs, "set": inside})


def refuse(failure: Failure) -> Reply:
    """Write an error; clients show only its text, so everything is in there."""
    text = message(failure, "more problems", ". {}")
    return json_reply({"error": text}, STATUS.get(failure.status, failure.status))


SERVER = {
    "name": "onnxlet",
    "version": VERSION,
    "extensions": [
        "binary_tensor_data",
        "classification",
        "model_repository",
        "parameters",
        "statistics",
    ],
}
NO_LOADING = (
    "models are not loaded and unloaded by request: put a version into the models directory, "
    "or take it out"
)


def _ready(service: Service, request: Request) -> Reply:
    seconds = service.repository.seconds_still()
    late = f"a look at the models' folder is not done after {seconds:.0f} s" if seconds else None
    # Models are loaded before the app exists.
    return json_reply(json_text.without_none({"ready": True, "reload": late}))


def metadata(service: Service, model: Model) -> dict[str, Any]:
    """What goes into a model and what comes out, and the classes of its probabilities."""
    signature = model.signature
    columns = {column.name: column for column in signature.columns}
    form: dict[str, Any] = {
        "name": model.name,
        "versions": [str(version) for version in service.repository.versions(model.name)],
        "platform": "onnxruntime_onnx",
        "inputs": [_tensor(e, e.type, columns.get(e.name)) for e in signature.inputs],
        "outputs": [_tensor(e, model.output_types[e.name], e) for e in signature.outputs],
    }
    parameters = {
        "classes": model.classes,
        "aliases": service.repository.aliases(model.name) or None,
        "optional_inputs": [e.name for e in signature.inputs if not e.required] or None,
    }
    form["parameters"] = json_text.without_none(parameters) or None
    return json_text.without_none(form)


def _tensor(each: Input | Output, kind: str, of: Column | Output | None) -> dict[str, Any]:
    """A tensor, with what is said of the column or output that it is."""
    said = json_text.without_none({"unit": of.unit, "description": of.description}) if of else {}
    tensor = {"name": each.name, "datatype": BY_TYPE[kind], "shape": each.shape}
    return tensor | ({"parameters": said} if said else {})


def _index(service: Service, request: Request) -> Reply:
    repository = service.repository
    return json_reply(
        [
            {"name": name, "version": str(version), "state": "READY", "reason": ""}
            for name in repository.names
            for version in repository.versions(name)
        ]
    )


def _not_loaded(service: Service, request: Request, name: str) -> Reply:
    raise MalformedRequest(NO_LOADING)


def _all_statistics(service: Service, request: Request) -> Reply:
    models = service.repository.models
    return json_reply({"model_stats": [_statistics(service, each) for each in models]})


def _statistics(service: Service, model: Model) -> dict[str, Any]:
    """Triton's form; nothing waits in a queue here, and nothing is batched with others."""
    count = service.counts.of(model.name, model.version)
    stages = count.stages_ns
    parts = {"queue": 0, **stages}
    return {
        "name": model.name,
        "version": str(model.version),
        "last_inference": count.last_ms,
        "inference_count": count.rows,
        "execution_count": count.answered,
        "inference_stats": {
            "success": {"count": count.answered, "ns": sum(stages.values())},
            "fail": {"count": count.refused, "ns": round(count.refused_ms * 1e6)},
            **{part: {"count": count.answered, "ns": ns} for part, ns in parts.items()},
        },
        "batch_stats": [],
    }


# What is known of a model, by the end of the path.
DESCRIBED: Mapping[str, Callable[[Service, Model], dict[str, Any]]] = {
    "": metadata,
    "/ready": lambda service, model: {"name": model.name, "ready": True},
    "/stats": lambda service, model: {"model_stats": [_statistics(service, model)]},
}
ROUTES: Sequence[Route] = (
    Route("GET", "/v2", fixed(SERVER)),
    Route("GET", "/v2/health/live", fixed({"live": True}), open=True, urgent=True),
    Route("GET", "/v2/health/ready", _ready, open=True, urgent=True),
    Route("GET", "/v2/models", names_of_models),
    Route("GET", "/v2/models/stats", _all_statistics),
    *(
        Route("GET", f"/v2/models/<name>{version}{rest}", of_model(describe))
        for rest, describe in DESCRIBED.items()
        for version in ("", "/versions/<version>")
    ),
    Route("POST", "/v2/repository/index", _index),
    Route("POST", "/v2/repository/models/<name>/load", _not_loaded),
    Route("POST", "/v2/repository/models/<name>/unload", _not_loaded),
)
