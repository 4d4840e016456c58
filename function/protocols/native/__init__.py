"""The native protocol: rows in JSON or CSV, answers by output name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from onnxlet.function.errors import PANDAS_ROWS, MalformedRequest, UnsupportedMedia
from onnxlet.function.inputs import json_body
from onnxlet.function.json_text import without_none
from onnxlet.function.messages import (
    Failure,
    Prediction,
    PredictRequest,
    Reply,
    Request,
    Route,
    answer_reply,
    json_reply,
)
from onnxlet.function.protocols.shared import forms, request_options

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model
    from onnxlet.function.serving.service import Service

OWN = "(?s).*"  # every path that no other protocol has
PREDICT: Sequence[str] = (
    "/predict",
    "/models/<name>/predict",
    "/models/<name>/versions/<version>/predict",
)
OPTIONS: Sequence[str] = request_options.QUERY
MODEL_HEADER = ""
MEMBERS = ("instances", "model", *request_options.NAMES)
LONG_LISTS = frozenset({(), ("instances",)})  # where rows are
# Of the manifest; the rest may be somebody's data, or private names inside the graph.
DESCRIBED = (
    "task", "target", "output_names", "signature", "classes", "threshold", "parity", "metrics",
)  # fmt: skip
JSON_HINT = 'Send {"instances": [...]}, each one an object by column name or a list of values.'


def decode(request: Request) -> PredictRequest:
    """Read a request for predictions: JSON, CSV with a header, or images.

    Raises UnsupportedMedia for none of these, or not in UTF-8; MalformedRequest for what is not as
    the media type says, or not the form of a native request; InvalidRows where a CSV header names a
    column twice.
    """
    if request.media_type.startswith(forms.IMAGES):
        from onnxlet.function.protocols.shared import image_bodies  # few models take images

        decoded = image_bodies.decode(request)._replace(
            nulls=request_options.wants_nulls(request.query)
        )
    else:
        check_text(request)
        decoded = _from_text(request, request_options.wants_nulls(request.query))
    return request_options.with_texts(decoded, request.query)


def _from_text(request: Request, nulls: bool) -> PredictRequest:
    if request.media_type in ("application/json", ""):
        return from_object(json_body.read(request.body, LONG_LISTS), nulls)
    if request.media_type == "text/csv":
        from onnxlet.function.csv import text as csv_text  # 5 ms that a cold start need not pay

        return csv_text.read(request.body, request.check_rows)._replace(
            nulls=nulls, numbers=csv_text.numbers_of(request)
        )
    raise UnsupportedMedia(
        f"media type '{request.media_type}' is not read here",
        "Send Content-Type: application/json, or text/csv with a header; to a model of one image "
        "also image/png, image/jpeg and the like.",
    )


def check_text(request: Request) -> None:
    """Raise MalformedRequest for an empty body, UnsupportedMedia for another charset than UTF-8."""
    forms.check_charset(request)
    if not request.body:
        raise MalformedRequest("the body is empty", JSON_HINT)


def from_object(body: Any, nulls: bool = False, members: Sequence[str] = MEMBERS) -> PredictRequest:
    """Read a decoded JSON body: `{"instances": [...]}` or the bare list of rows.

    With `nulls`, a row that can't be answered is answered by null. An object may have these
    members, which are named where it has others. Raises MalformedRequest for any other form.
    """
    if forms.is_list(body):
        return PredictRequest(body, nulls=nulls)
    model = body.get("model") if isinstance(body, dict) else None
    try:
        rows = _instances(body, members)
        return PredictRequest(rows, model=model, nulls=nulls, **request_options.in_members(body))
    except MalformedRequest as error:
        error.model = model if isinstance(model, str) else None
        raise


def _instances(body: Any, members: Sequence[str]) -> Any:
    if not isinstance(body, dict) or "instances" not in body:
        got = f"an object with {sorted(body)[:8]}" if isinstance(body, dict) else forms.kind(body)
        raise MalformedRequest(f"expected an object with 'instances', got {got}", _hint(body))
    unknown = [name for name in body if name not in members] if len(body) > 1 else []
    if unknown:
        raise MalformedRequest(
            f"unknown members {unknown[:8]} beside 'instances'",
            f"The members of a request are {', '.join(members)}.",
        )
    rows, model = body["instances"], body.get("model")
    if not forms.is_list(rows):
        detail = f"'instances': expected a list of rows, got {forms.kind(rows)}"
        raise MalformedRequest(detail, _hint(rows))
    if model is not None and not isinstance(model, str):
        raise MalformedRequest(f"'model': expected a name, got {forms.kind(model)}")
    return rows


# What clients send instead, and what to do about it.
RECORDS = f"This looks like a table by column, as pandas writes it: send {PANDAS_ROWS}."
ONE_ROW = 'One row is a list of one: {"instances": [{...}]}.'
TWICE = (
    "It is JSON inside a JSON string, encoded twice: send the text itself as the body (requests: "
    "data=..., not json=...)."
)
FRAMES = f"Send that form to /invocations. {JSON_HINT}"
TENSORS = f"Send that form to /v2/models/NAME/infer. {JSON_HINT}"


def _is_of_tensors(body: dict[str, Any]) -> bool:
    inputs = body.get("inputs")
    return isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], dict)


def _is_by_column(body: dict[str, Any]) -> bool:
    cells = list(body.values())
    lists = len(cells) > 1 and all(isinstance(value, list) for value in cells)
    return bool(body) and (lists or all(isinstance(value, dict) for value in cells))


FORMS: tuple[tuple[Callable[[dict[str, Any]], bool], str], ...] = (
    (lambda b: bool(b.keys() & {"dataframe_split", "dataframe_records"}), FRAMES),
    (_is_of_tensors, TENSORS),
    (lambda b: b.keys() >= {"columns", "data"} or b.keys() >= {"schema", "data"}, RECORDS),
    (_is_by_column, RECORDS),
    (lambda b: bool(b) and not any(isinstance(v, dict | list) for v in b.values()), ONE_ROW),
)


def _hint(body: Any) -> str:
    """What to send instead of a body of decoded JSON, or of the value of its `instances`."""
    if isinstance(body, str) and body.lstrip()[:1] in ("{", "["):
        return TWICE
    if isinstance(body, dict):
        return next((hint for fits, hint in FORMS if fits(body)), JSON_HINT)
    return JSON_HINT


def encode(prediction: Prediction, decoded: PredictRequest) -> Reply:
    """The native answer, in JSON."""
    return answer_reply(prediction, forms.answer(prediction))


def _models(service: Service, request: Request) -> Reply:
    models, settings = service.repository.models, service.settings
    limits = {"rows": settings.max_rows, "body_bytes": settings.max_body_bytes}
    return json_reply({"models": [_described(service, each) for each in models], "limits": limits})


def _model(service: Service, request: Request, name: str) -> Reply:
    model = service.repository.choose(name, request.query.get("version"))
    return json_reply(_described(service, model))


def _described(service: Service, model: Model) -> dict[str, Any]:
    # No prediction needs these.
    from onnxlet.function.models.example import (
        described_signature,
        highest,
        table_of,
        typical_values,
    )

    repository, table = service.repository, table_of(model.manifest)
    report = f"models/{model.name}/report?version={model.version}"
    about = {
        "name": model.name,
        "version": model.version,
        "versions": repository.versions(model.name),
        "aliases": repository.aliases(model.name) or None,
        "pin": repository.pins.get(model.name),
        # Below the server's own address, wherever that is.
        "report": report if model.has_report else None,
        "coverage": table and highest(table),
        "unusual": (model.manifest.get("unusual") or {}).get("held_out"),
        "typical": typical_values(model),
    }
    kept = {key: model.manifest[key] for key in DESCRIBED if key in model.manifest}
    return {**without_none(about), **kept, "signature": described_signature(model)}


ROUTES: Sequence[Route] = (
    Route("GET", "/models", _models),
    Route("GET", "/models/<name>", _model, options=("version",)),
)

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


def refuse(failure: Failure) -> Reply:
    """An error as `application/problem+json`."""
    return json_reply(problem(failure), failure.status, "application/problem+json")


def problem(failure: Failure) -> dict[str, Any]:
    """An error in the form of RFC 9457, with its located problems where it has some."""
    return without_none(
        {
            "type": "about:blank",
            "title": TITLES.get(failure.status, "Error"),
            "status": failure.status,
            "detail": forms.unicode(failure.detail),
            "hint": forms.unicode(failure.hint) or None,
            "errors": forms.located(failure.problems) or None,
            "error_count": failure.error_count if failure.problems else None,
        }
    )
