"""MLflow's scoring server, and SageMaker's containers: one route for predictions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from onnxlet.function import json_text
from onnxlet.function.errors import MalformedRequest, NotAcceptable, UnsupportedMedia
from onnxlet.function.messages import (
    JSON,
    Failure,
    Prediction,
    PredictRequest,
    Reply,
    Request,
    Route,
    answer_reply,
    fixed,
    json_reply,
)
from onnxlet.function.protocols.invocations import frames
from onnxlet.function.protocols.shared import forms, request_options

if TYPE_CHECKING:
    from onnxlet.function.serving.service import Service

OWN = "/(invocations|ping|health|version|execution-parameters)"
PREDICT: Sequence[str] = ("/invocations",)
LONG_LISTS = frozenset(
    {
        ("instances",),
        ("inputs",),
        ("inputs", json_text.ANY),
        ("dataframe_records",),
        ("dataframe_split", "data"),
    }
)  # where rows are, or columns
LONG_OBJECTS = frozenset({("inputs",)})
PARAMS = ("outputs", "on_error", *request_options.NAMES)
HINT = f"Send an object with one of {', '.join(frames.READ)}."
WRAP = 'Send it as {"dataframe_split": {"columns": [names], "data": [rows]}}.'
CSV = "text/csv"
WRITTEN = {JSON: JSON, "application/*": JSON, "*/*": JSON, CSV: CSV, "text/*": CSV}
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
ECHOED = re.compile(r"[\x20-\x7e]{1,1024}")  # SageMaker's limit; no line breaks in a header
TARGET = "X-Amzn-SageMaker-Target-Model"
OPTIONS: Sequence[str] = (*request_options.QUERY, "outputs")
MODEL_HEADER = "HTTP_" + TARGET.upper().replace("-", "_")
WHICH = "Say by Content-Type: text/csv; header=present, or header=absent."


class AnswerOptions(NamedTuple):
    """What the request says about the form of its answer."""

    outputs: tuple[str, ...] = forms.PREDICTION  # that are asked for
    media_type: str = JSON  # of the answer
    headers: Mapping[str, str] = {}  # to answer with
    # The fields of the first line, which was read as a row since all are numbers.
    first: Sequence[str] = ()


def decode(request: Request) -> PredictRequest:
    """Read a request for predictions: JSON in MLflow's four forms, CSV, or images.

    Raises UnsupportedMedia for neither JSON nor CSV, or not in UTF-8; NotAcceptable where neither
    JSON nor CSV will do for an answer; MalformedRequest for what is not as the media type says, or
    not of one of these forms; InvalidRows for columns that are none, differ in length, or are named
    twice.
    """
    media_type = _accepted(request.header("Accept"))
    if request.media_type.startswith(forms.IMAGES):
        from onnxlet.function.protocols.shared import image_bodies  # few models take images

        options, nulls = _options(request.query)
        decoded = image_bodies.decode(request)._replace(nulls=nulls, options=options)
        return _with_headers(decoded, request, media_type)
    readable = request.media_type or JSON
    allowed = {JSON: {"charset"}, CSV: {"charset", "header", "decimal"}}.get(readable)
    if allowed is None or not allowed.issuperset(request.parameters):
        parts = [request.media_type, *(f"{k}={v}" for k, v in request.parameters.items())]
        raise UnsupportedMedia(
            f"media type '{'; '.join(parts)[:100]}' is not read here",
            f"Send Content-Type: {JSON}, or {CSV} with header=present or header=absent.",
        )
    forms.check_charset(request)
    decoded = _from_csv(request) if readable == CSV else _from_json(request)
    return _with_headers(decoded, request, media_type)


def _with_headers(decoded: PredictRequest, request: Request, media_type: str) -> PredictRequest:
    """The request with what its headers say."""
    if decoded.nulls and media_type == CSV:
        raise MalformedRequest(
            "'on_error': CSV has no field for the problems of the rows", f"Accept {JSON}."
        )
    attributes = request.header(ATTRIBUTES)
    headers = {ATTRIBUTES: attributes} if ECHOED.fullmatch(attributes) else {}
    options = decoded.options._replace(media_type=media_type, headers=headers)
    decoded = decoded._replace(model=request.header(TARGET) or decoded.model, options=options)
    decoded = request_options.with_texts(decoded, request.query)
    if "=" not in attributes:
        return decoded
    return request_options.with_texts(decoded, request_options.in_attributes(attributes))


def _accepted(accept: str) -> str:
    """The media type to answer in: the client's first choice of those that are written here."""
    if accept in ("", JSON, "*/*"):
        return JSON
    choices = []
    for entry in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
        weight = float(quality) if re.fullmatch(r"[01](\.\d{0,3})?", quality, re.ASCII) else 0.0
        if media_type in WRITTEN and weight > 0:
            choices.append((weight, WRITTEN[media_type]))
    if not choices:
        raise NotAcceptable(
            f"'Accept': there is no answer in {accept[:100]!r}", f"Accept {JSON} or {CSV}."
        )
    return max(choices, key=lambda choice: choice[0])[1]


def _options(requested: Mapping[str, Any]) -> tuple[AnswerOptions, bool]:
    outputs, on_error = requested.get("outputs"), requested.get("on_error", "refuse")
    named = forms.PREDICTION if outputs is None else forms.requested_outputs(outputs)
    # `null` itself means the same as the word.
    nulls = request_options.wants_nulls({"on_error": "null" if on_error is None else on_error})
    return AnswerOptions(named), nulls


def _from_json(request: Request) -> PredictRequest:
    body = forms.read_object(request.body, HINT, LONG_LISTS, LONG_OBJECTS)
    hint = WRAP if body.keys() >= {"columns", "data"} else HINT
    kind = forms.only_one(body, tuple(frames.READ), ("params",), hint)
    params = {} if body.get("params") is None else body["params"]
    if not isinstance(params, dict) or not params.keys() <= {*PARAMS}:
        got = sorted(params)[:8] if isinstance(params, dict) else forms.kind(params)
        raise MalformedRequest(
            f"'params': expected none but {', '.join(PARAMS)}, got {got}",
            "A model takes no parameters here.",
        )
    options, nulls = _options({**request.query, **params})
    value = body[kind]
    if forms.is_list(value):
        request.check_rows(len(value))
    if kind == "inputs":
        decoded = frames.inputs(value, request.check_rows)
    else:
        decoded = frames.READ[kind](value)
    return decoded._replace(nulls=nulls, options=options, **request_options.in_members(params))


def _from_csv(request: Request) -> PredictRequest:
    """Rows below a header, as MLflow sends them, or only rows, as SageMaker does.

    A first line of only numbers is a row. It might be a header all the same: where it counts
    the columns, as pandas does for a bare array, the request has to say which it is.
    """
    from onnxlet.function.csv import lines as csv_lines  # 5 ms that a cold start need not pay
    from onnxlet.function.csv import text as csv_text

    options, nulls = _options(request.query)
    numbers = csv_text.numbers_of(request)
    lines = csv_lines.lines(request.body, request.check_rows)
    first = csv_lines.first_of(lines)
    header = request.parameters.get("header", "").lower()
    if header not in ("", "present", "absent"):
        raise UnsupportedMedia(f"header={header[:40]}: expected present or absent", WHICH)
    filled = [field for field in first if field]
    bare = bool(filled) and all(map(csv_text.is_number, filled))
    if not header and bare:
        if first == list(map(str, range(len(first)))):
            raise MalformedRequest("the first line may be a row or a header", WHICH)
        options = options._replace(first=first)
    if header == "absent" or (bare and not header):
        return PredictRequest(lines, text=True, numbers=numbers, nulls=nulls, options=options)
    return csv_text.below_header(lines)._replace(numbers=numbers, nulls=nulls, options=options)


def encode(prediction: Prediction, decoded: PredictRequest) -> Reply:
    """The answer: only predictions, unless other outputs are asked for.

    Raises MalformedRequest where an output is asked for that the model has not, or the first line
    of the CSV names one of its columns and is all numbers, or an output that others follow in CSV
    has more numbers in some rows than in others.
    """
    options: AnswerOptions = decoded.options
    if options.first and not prediction.model.signature.names.isdisjoint(options.first):
        raise MalformedRequest("the first line may be a row or a header", WHICH)
    outputs = forms.chosen(prediction, options.outputs)
    if options.media_type == CSV:
        from onnxlet.function.csv import text as csv_text  # nobody else writes it

        texts = forms.as_texts(prediction)
        fields = {name: texts.get(name, values) for name, values in outputs.items()}
        _check_sizes(fields)
        return Reply(
            csv_text.written(fields.values()), f"{CSV}; charset=utf-8", headers=options.headers
        )
    form = {"predictions": forms.in_rows(outputs, prediction)}
    return answer_reply(prediction, form | forms.beside(outputs, prediction), options.headers)


def _check_sizes(fields: Mapping[str, Any]) -> None:
    """Refuse lines in which nobody could say where the next output begins."""
    for name in list(fields)[:-1]:
        lists = [v for v in fields[name] if hasattr(v, "__len__") and not isinstance(v, str)]
        if len(set(map(len, lists))) > 1:
            raise MalformedRequest(
                f"'{name}' differs in size from row to row, and other outputs follow it in CSV",
                f"Accept {JSON}, or ask for one output only.",
            )


ERROR_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def refuse(failure: Failure) -> Reply:
    """An error in MLflow's form; what contradicts the signature is 400 here."""
    status = 400 if failure.status in (409, 422) else failure.status
    code = ERROR_CODES.get(status, "BAD_REQUEST")
    return json_reply({"error_code": code, "message": forms.message(failure)}, status)


READY = fixed({"ready": True})  # models are loaded before the app exists
MLFLOW = b"3.18.0"  # whose scoring protocol this is, the same since 2.0


CONCURRENT = 4  # as many as `edge serve` answers at once
MEGABYTES_IN_FLIGHT = 100  # SageMaker takes no more: concurrent transforms times their payload


def _execution_parameters(service: Service, request: Request) -> Reply:
    """How much SageMaker's batch transform should send at once."""
    megabytes = max(1, service.settings.max_body_bytes // 2**20)
    return json_reply(
        {
            "MaxConcurrentTransforms": max(1, min(CONCURRENT, MEGABYTES_IN_FLIGHT // megabytes)),
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": megabytes,
        }
    )


ROUTES: Sequence[Route] = (
    Route("GET", "/ping", READY, open=True, urgent=True),
    Route("GET", "/health", READY, open=True, urgent=True),
    Route("GET", "/version", lambda service, request: Reply(MLFLOW, "text/plain")),
    Route("GET", "/execution-parameters", _execution_parameters),
)
