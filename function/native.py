"""The native dialect: a request body becomes a call, a prediction becomes an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from function import json_text
from function.errors import (
    InvalidRows,
    MalformedRequest,
    OnnxletError,
    RequestError,
    UnsupportedMedia,
)
from function.signature import Array

MEMBERS = ("instances", "model")
JSON_HINT = 'Send {"instances": [...]}, each one an object by column name or a list of values.'


class Call(NamedTuple):
    """A native request, decoded but not yet checked against a model.

    Attributes:
        rows: the instances as they came.
        model: the name that the body gives, or None.
        text: cells are text (from CSV), to be read by their column's type.
        faults: rows that are broken already, and why; None is none.
    """

    rows: Sequence[Any]
    model: str | None = None
    text: bool = False
    faults: Mapping[int, str] | None = None


def decode(body: bytes, media_type: str, parameters: Mapping[str, str]) -> Call:
    """Read a request body.

    Args:
        body: as it came, not compressed.
        media_type: without parameters, in lower case; empty counts as JSON.
        parameters: of the media type, such as `charset`.

    Raises:
        UnsupportedMedia: neither JSON nor CSV, or not in UTF-8.
        MalformedRequest: not what the media type says, or not the form of a native request.
        InvalidRows: a CSV header names a column twice.
    """
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMedia(f"charset '{charset}' is not read here", "Send UTF-8.")
    if media_type in ("application/json", ""):
        return from_object(json_text.loads(body))
    if media_type == "text/csv":
        from function import csv_text  # 5 ms that a cold start need not pay

        rows, faults = csv_text.read(body)
        return Call(rows, text=True, faults=faults)
    raise UnsupportedMedia(
        f"media type '{media_type}' is not read here",
        "Send Content-Type: application/json, or text/csv with a header.",
    )


def from_object(body: Any) -> Call:
    """Read a decoded JSON body: `{"instances": [...]}` or the bare list of rows.

    Raises:
        MalformedRequest: any other form.
    """
    if isinstance(body, list):
        return Call(body)
    if not isinstance(body, dict) or "instances" not in body:
        got = f"an object with {sorted(body)[:8]}" if isinstance(body, dict) else _kind(body)
        raise MalformedRequest(f"expected an object with 'instances', got {got}", JSON_HINT)
    unknown = [name for name in body if name not in MEMBERS]
    if unknown:
        raise MalformedRequest(
            f"unknown members {unknown[:8]} beside 'instances'",
            f"The members of a request are {', '.join(MEMBERS)}.",
        )
    rows, model = body["instances"], body.get("model")
    if not isinstance(rows, list):
        raise MalformedRequest(
            f"'instances': expected a list of rows, got {_kind(rows)}", JSON_HINT
        )
    if model is not None and not isinstance(model, str):
        raise MalformedRequest(f"'model': expected a name, got {_kind(model)}")
    return Call(rows, model)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), "a number")


def encode(
    name: str, version: int, classes: Sequence[Any] | None, outputs: Mapping[str, Array]
) -> dict[str, Any]:
    """The native answer: one entry per row in each output, NumPy arrays to be written as lists.

    Args:
        name: the model's.
        version: the model's.
        classes: in the order of the columns of `probabilities` or `score`, a list of them for
            each output where there are several; or None.
        outputs: `prediction` and what else the task has, rows first.
    """
    answer: dict[str, Any] = {"model": name, "version": version}
    answer["prediction"] = outputs["prediction"]
    if classes is not None:
        answer["classes"] = classes
        if "probabilities" in outputs and classes and isinstance(classes[0], list):
            parted = _by_output(outputs["probabilities"], classes)
            return {**answer, **outputs, "probabilities": parted}
    return {**answer, **outputs}


def _by_output(probabilities: Array, classes: Sequence[Sequence[Any]]) -> list[list[list[float]]]:
    """The outputs' probabilities one after another, as `probabilities[row][output][class]`."""
    ends = list(accumulate(map(len, classes)))
    spans = list(zip([0, *ends], ends, strict=False))
    return [[row[start:end] for start, end in spans] for row in probabilities.tolist()]


TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
}


def problem(status: int, detail: str, hint: str = "") -> dict[str, Any]:
    """An error in the form of RFC 9457, `application/problem+json`."""
    form: dict[str, Any] = {"type": "about:blank", "title": TITLES.get(status, "Error")}
    form |= {"status": status, "detail": _unicode(detail)}
    return {**form, "hint": _unicode(hint)} if hint else form


def _unicode(text: str) -> str:
    """Text that quotes a client may quote lone surrogates, which UTF-8 can't carry."""
    return text.encode("utf-8", "backslashreplace").decode()


def problem_of(error: OnnxletError) -> dict[str, Any]:
    """The same for an error of ours; with every located problem where it has them."""
    status = error.status if isinstance(error, RequestError) else 500
    form = problem(status, error.message, error.hint)
    if isinstance(error, InvalidRows):
        form["errors"] = [
            {
                "row": located.row,
                "column": None if located.column is None else _unicode(located.column),
                "detail": _unicode(located.detail),
            }
            for located in error.problems
        ]
        form["error_count"] = error.count
    return form
