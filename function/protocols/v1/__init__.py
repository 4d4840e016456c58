"""Version 1: TensorFlow Serving's REST API, and KServe's of the same form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function import json_text
from onnxlet.function.errors import MalformedRequest, quoted
from onnxlet.function.messages import (
    Failure,
    Prediction,
    PredictRequest,
    Reply,
    Request,
    Route,
    answer_reply,
    json_reply,
    names_of_models,
    of_model,
)
from onnxlet.function.protocols.shared import forms, request_options

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model
    from onnxlet.function.serving.service import Service

OWN = "(?s)/v1(/.*)?"
PREDICT: Sequence[str] = (
    "/v1/models/<name>:predict",
    "/v1/models/<name>/versions/<version>:predict",
)
OPTIONS: Sequence[str] = (*request_options.QUERY, "outputs")
MODEL_HEADER = ""
# Where a large body may have lists of rows or cells, and an object of columns.
LONG_LISTS = frozenset({("instances",), ("inputs",), ("inputs", json_text.ANY)})
LONG_OBJECTS = frozenset({("inputs",)})
KINDS = ("instances", "inputs")
SIGNATURE_NAMES = ("serving_default", "", None)
NATIVE = "Send the rows to /models/N/predict."
HINT = 'Send {"instances": [...]}, a row each, or {"inputs": {...}}, a list for each column.'


class AnswerOptions(NamedTuple):
    """What the request says about the form of its answer."""

    columnar: bool = False  # the request had columns, and so has the answer
    outputs: tuple[str, ...] = forms.PREDICTION  # that are asked for
    base64: bool = False  # objects with the single member `b64` were read as text


def decode(request: Request) -> PredictRequest:
    """Read a request for predictions, in row or column form.

    As in TensorFlow Serving the body is JSON whatever its media type: `curl -d` calls it a form.
    Raises UnsupportedMedia where it is not in UTF-8; MalformedRequest for no JSON, or not of this
    form; InvalidRows for columns that are none, or differ in length.
    """
    forms.check_charset(request)
    query = request.query
    body = forms.read_object(request.body, HINT, LONG_LISTS, LONG_OBJECTS)
    kind = forms.only_one(body, KINDS, ("signature_name", *request_options.NAMES), HINT)
    signature = body.get("signature_name")
    if signature not in SIGNATURE_NAMES:
        raise MalformedRequest(
            f"'signature_name': expected serving_default, got {quoted(signature, 100)}",
            "A model has one signature here; ask for other outputs by ?outputs=all.",
        )
    value = body[kind]
    if kind == "inputs" and (isinstance(value, dict) or hasattr(value, "objects")):
        decoded = forms.by_column(value, request.check_rows)
    else:
        decoded = forms.by_row(value, kind, HINT)
    # Looking for the bytes is far faster than looking at each value.
    base64 = b'"b64"' in request.body
    if base64:
        decoded = forms.with_text(decoded)
    outputs = forms.requested_outputs(query["outputs"]) if "outputs" in query else forms.PREDICTION
    nulls = request_options.wants_nulls(query)
    options = AnswerOptions(kind == "inputs", outputs, base64)
    decoded = decoded._replace(nulls=nulls, options=options, **request_options.in_members(body))
    return request_options.with_texts(decoded, query)


def encode(prediction: Prediction, decoded: PredictRequest) -> Reply:
    """The answer, in the form that the request had.

    Raises MalformedRequest where an output is asked for that the model has not.
    """
    options: AnswerOptions = decoded.options
    if options.base64 and "b64" in prediction.model.signature.names:
        raise MalformedRequest("'b64' is a column of this model, and means base64 here", NATIVE)
    outputs = forms.chosen(prediction, options.outputs)
    beside = forms.beside(outputs, prediction)
    if options.columnar:
        single = len(outputs) == 1
        columns = next(iter(outputs.values())) if single else outputs
        return answer_reply(prediction, {"outputs": columns} | beside)
    return answer_reply(prediction, {"predictions": forms.in_rows(outputs, prediction)} | beside)


def refuse(failure: Failure) -> Reply:
    """An error; what contradicts the signature is 400 here."""
    status = 400 if failure.status in (409, 422) else failure.status
    if status in (404, 405) and not failure.hint:  # no such route, as :classify and :explain
        failure = failure._replace(hint="Predict by POST to /v1/models/N:predict.")
    return json_reply({"error": forms.message(failure)}, status)


def _status(service: Service, request: Request, name: str, version: str | None = None) -> Reply:
    """TensorFlow Serving's status of each version, and KServe's word on readiness."""
    model = service.repository.choose(name, version)
    versions = [model.version] if version else reversed(service.repository.versions(name))
    statuses = [
        {
            "version": str(number),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        for number in versions
    ]
    return json_reply({"model_version_status": statuses, "name": name, "ready": True})


# Of a manifest's types; what clients see of all others is text.
DTYPES = {"float64": "DT_DOUBLE", "float32": "DT_FLOAT", "int64": "DT_INT64", "bool": "DT_BOOL"}


def _metadata(service: Service, model: Model) -> dict[str, Any]:
    """TensorFlow Serving's description of a model's signature."""
    spec = {"name": model.name, "signature_name": "", "version": str(model.version)}
    signature = {
        "inputs": _tensors(model, "inputs"),
        "outputs": _tensors(model, "outputs"),
        "method_name": "tensorflow/serving/predict",
    }
    defined = {"signature_def": {"serving_default": signature}}
    return {"model_spec": spec, "metadata": {"signature_def": defined}}


def _tensors(model: Model, side: str) -> dict[str, Any]:
    return {
        tensor["name"]: {
            "name": tensor["name"],
            "dtype": DTYPES.get(tensor["type"], "DT_STRING"),
            "tensor_shape": {
                "dim": [{"size": str(size), "name": ""} for size in tensor["shape"]],
                "unknown_rank": False,
            },
        }
        for tensor in model.manifest["signature"][side]
    }


MODEL = "/v1/models/<name>"
VERSION = f"{MODEL}/versions/<version>"
ROUTES: Sequence[Route] = (
    Route("GET", "/v1/models", names_of_models),
    *(Route("GET", rule, _status) for rule in (MODEL, VERSION)),
    *(Route("GET", f"{rule}/metadata", of_model(_metadata)) for rule in (MODEL, VERSION)),
)
