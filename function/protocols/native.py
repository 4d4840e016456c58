"""The native protocol: rows in JSON or CSV, answers by output name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from onnxlet.function.arrays import Array
from onnxlet.function.errors import LISTED_PROBLEMS, MalformedRequest, Problem, UnsupportedMedia
from onnxlet.function.inputs import json_body
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

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model
    from onnxlet.function.serving.service import Service

PREDICT: Sequence[str] = (
    "/predict",
    "/models/<name>/predict",
    "/models/<name>/versions/<version>/predict",
)
MODEL_HEADER = ""
WISHES = ("coverage", "k")
IN_QUERY = frozenset(WISHES)
MEMBERS = ("instances", "model", *WISHES)
IMAGES = ("image/", "multipart/form-data", "application/x-image")  # how their media types begin
LONG_LISTS = frozenset({(), ("instances",)})  # where rows are
# Of the manifest; the rest may be somebody's data, or private names inside the graph.
DESCRIBED = ("task", "target", "signature", "classes", "parity", "metrics")
JSON_HINT = 'Send {"instances": [...]}, each one an object by column name or a list of values.'


def owns(path: str) -> bool:
    """True: every path that no other protocol has is the native one's."""
    return True


def decode(request: Request) -> PredictRequest:
    """Read a request for predictions: JSON, CSV with a header, or images.

    Raises:
        UnsupportedMedia: none of these, or not in UTF-8.
        MalformedRequest: not what the media type says, or not the form of a native request.
        InvalidRows: a CSV header names a column twice.
    """
    if request.media_type.startswith(IMAGES):
        from onnxlet.function.protocols import image_bodies  # few models take images

        decoded = image_bodies.decode(request)._replace(nulls=wants_nulls(request.query))
        return with_wishes(decoded, request.query)
    check_text(request)
    nulls = wants_nulls(request.query)
    if request.media_type in ("application/json", ""):
        decoded = from_object(json_body.read(request.body, LONG_LISTS), nulls)
        return with_wishes(decoded, request.query)
    if request.media_type == "text/csv":
        from onnxlet.function.csv import text as csv_text  # 5 ms that a cold start need not pay

        names, rows, faults = csv_text.read(request.body, request.check_rows)
        decoded = PredictRequest(rows, names, text=True, faults=faults, nulls=nulls)
        return with_wishes(decoded, request.query)
    raise UnsupportedMedia(
        f"media type '{request.media_type}' is not read here",
        "Send Content-Type: application/json, or text/csv with a header; to a model of one image "
        "also image/png, image/jpeg and the like.",
    )


def check_text(request: Request) -> None:
    """Refuse an empty body, and one in another charset than UTF-8.

    Raises:
        UnsupportedMedia, MalformedRequest: it is.
    """
    check_charset(request)
    if not request.body:
        raise MalformedRequest("the body is empty", JSON_HINT)


def check_charset(request: Request) -> None:
    """Refuse a body in another charset than UTF-8.

    Raises:
        UnsupportedMedia: it is.
    """
    charset = request.parameters.get("charset", "utf-8").lower() if request.parameters else "utf-8"
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia(f"charset '{charset[:40]}' is not read here", "Send UTF-8.")


def wants_nulls(query: Mapping[str, str]) -> bool:
    """Whether the request asks for null where a row can't be answered."""
    wish = query.get("on_error", "refuse")
    if wish not in ("refuse", "null"):
        raise MalformedRequest(f"'on_error': expected null or refuse, got '{wish!s:.40}'")
    return wish == "null"


def with_wishes(decoded: PredictRequest, given: Mapping[str, str]) -> PredictRequest:
    """The request with the coverage and the k that its query or a header names, where it does.

    Raises:
        MalformedRequest: one is not what it should be, or the body has another.
    """
    if not given or IN_QUERY.isdisjoint(given):
        return decoded
    from onnxlet.function.protocols import wishes  # most requests have none

    return wishes.agreed(decoded, given)


def wishes_in(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members `coverage` and `k`, where there are some.

    Raises:
        MalformedRequest: one is not what it should be.
    """
    if IN_QUERY.isdisjoint(members):
        return {}
    from onnxlet.function.protocols import wishes

    return wishes.in_members(members)


def from_object(body: Any, nulls: bool = False, members: Sequence[str] = MEMBERS) -> PredictRequest:
    """Read a decoded JSON body: `{"instances": [...]}` or the bare list of rows.

    Args:
        body: as JSON has it.
        nulls: a row that can't be answered is answered by null.
        members: that an object may have, to name them where it has others.

    Raises:
        MalformedRequest: any other form.
    """
    if is_list(body):
        return PredictRequest(body, nulls=nulls)
    model = body.get("model") if isinstance(body, dict) else None
    try:
        rows = _instances(body, members)
        return PredictRequest(rows, model=model, nulls=nulls, **wishes_in(body))
    except MalformedRequest as error:
        error.model = model if isinstance(model, str) else None
        raise


def _instances(body: Any, members: Sequence[str]) -> Any:
    if not isinstance(body, dict) or "instances" not in body:
        got = f"an object with {sorted(body)[:8]}" if isinstance(body, dict) else kind(body)
        raise MalformedRequest(f"expected an object with 'instances', got {got}", _hint(body))
    unknown = [name for name in body if name not in members] if len(body) > 1 else []
    if unknown:
        raise MalformedRequest(
            f"unknown members {unknown[:8]} beside 'instances'",
            f"The members of a request are {', '.join(members)}.",
        )
    rows, model = body["instances"], body.get("model")
    if not is_list(rows):
        detail = f"'instances': expected a list of rows, got {kind(rows)}"
        raise MalformedRequest(detail, _hint(rows))
    if model is not None and not isinstance(model, str):
        raise MalformedRequest(f"'model': expected a name, got {kind(model)}")
    return rows


def _hint(body: Any) -> str:
    from onnxlet.function.protocols import mistaken  # no right request needs it

    return mistaken.instead(body, JSON_HINT)


def is_list(value: Any) -> bool:
    """Whether a value is a list, or one that `large_json` reads later."""
    return isinstance(value, list) or hasattr(value, "parts")


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if is_list(value):
        return "a list"
    names = {dict: "an object", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def encode(prediction: Prediction, decoded: PredictRequest) -> Reply:
    """The native answer, in JSON."""
    return answer_reply(prediction, answer(prediction))


def answer(prediction: Prediction) -> dict[str, Any]:
    """The native answer: one entry per row in each output, NumPy arrays to be written as lists.

    With several outputs `classes` has a list for each, and so has each row of `probabilities`.
    """
    model, outputs = prediction.model, prediction.outputs
    form: dict[str, Any] = {"model": model.name, "version": model.version}
    form["prediction"] = outputs["prediction"]
    if model.classes is not None:
        form["classes"] = model.classes
    form |= outputs
    if "probabilities" in outputs and model.classes and isinstance(model.classes[0], list):
        form["probabilities"] = _by_output(outputs["probabilities"], model.classes)
    return form | unanswered(prediction)


def unanswered(prediction: Prediction) -> dict[str, Any]:
    """Why some rows were not answered, as members beside the answer; none where all were."""
    problems = prediction.problems
    if not problems:
        return {}
    return {"errors": located(problems[:LISTED_PROBLEMS]), "error_count": prediction.problem_count}


def _by_output(probabilities: Array, classes: Sequence[Sequence[Any]]) -> list[list[Array] | None]:
    """Split the probabilities of several outputs: `probabilities[row][output][class]`."""
    ends = list(accumulate(map(len, classes)))
    spans = list(zip([0, *ends], ends, strict=False))
    return [
        None if row is None else [row[start:end] for start, end in spans] for row in probabilities
    ]


def _models(service: Service, request: Request) -> Reply:
    models, settings = service.repository.models, service.settings
    limits = {"rows": settings.max_rows, "body_bytes": settings.max_body_bytes}
    return json_reply({"models": [_described(service, each) for each in models], "limits": limits})


def _model(service: Service, request: Request, name: str) -> Reply:
    model = service.repository.choose(name, request.query.get("version"))
    return json_reply(_described(service, model))


def _described(service: Service, model: Model) -> dict[str, Any]:
    # No prediction needs these.
    from onnxlet.function.models.coverage import highest, table_of
    from onnxlet.function.models.example import described_signature, typical_values

    about = {"name": model.name, "version": model.version}
    repository = service.repository
    about |= {"versions": repository.versions(model.name)}
    if aliases := repository.aliases(model.name):
        about["aliases"] = aliases
    if model.name in repository.pins:
        about["pin"] = repository.pins[model.name]
    if model.has_report:  # below the server's own address, wherever that is
        about["report"] = f"models/{model.name}/report?version={model.version}"
    if table := table_of(model.manifest):
        about["coverage"] = highest(table)
    about["typical"] = typical_values(model)
    about |= {key: model.manifest[key] for key in DESCRIBED if key in model.manifest}
    return about | {"signature": described_signature(model)}


ROUTES: Sequence[Route] = (
    Route("GET", "/models", _models),
    Route("GET", "/models/<name>", _model),
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
    503: "Service Unavailable",
}


def refuse(failure: Failure) -> Reply:
    """An error as `application/problem+json`."""
    return json_reply(problem(failure), failure.status, "application/problem+json")


def problem(failure: Failure) -> dict[str, Any]:
    """An error in the form of RFC 9457, with its located problems where it has some."""
    form: dict[str, Any] = {"type": "about:blank", "title": TITLES.get(failure.status, "Error")}
    form |= {"status": failure.status, "detail": unicode(failure.detail)}
    if failure.hint:
        form["hint"] = unicode(failure.hint)
    if failure.problems:
        form["errors"] = located(failure.problems)
        form["error_count"] = failure.error_count
    return form


def located(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems with their rows and columns, as members of an answer."""
    return [
        {
            "row": each.row,
            "column": None if each.column is None else unicode(each.column),
            "detail": unicode(each.detail),
        }
        for each in problems
    ]


def unicode(text: str) -> str:
    """Escape the lone surrogates that a client's text may have, which UTF-8 can't encode."""
    return text.encode("utf-8", "backslashreplace").decode()
