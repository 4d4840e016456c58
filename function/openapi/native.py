"""The native protocol's part of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxlet.function.models.example import example_instance
from onnxlet.function.openapi import drift, explain, wishes
from onnxlet.function.openapi.forms import (
    POSITIVE,
    TEXT,
    Endpoint,
    Operation,
    Part,
    Schema,
    answered,
    body,
    closed,
    content,
    information,
    is_long,
    listed,
    one_of,
    parameter,
    record,
    ref,
    versions,
)
from onnxlet.function.openapi.schemas import PROBLEM_PLACES

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

ON_ERROR: Schema = parameter(
    "on_error",
    "null: rows that can't be answered are null, and the others are not lost; "
    "refuse: they are 422, with all their problems.",
    {"enum": ["null", "refuse"], "default": "refuse"},
)
PROBLEM: Schema = record(
    {"type": TEXT, "title": TEXT, "status": {"type": "integer"}, "detail": TEXT},
    {"hint": TEXT, "errors": PROBLEM_PLACES, "error_count": POSITIVE},
)


def _predict(endpoint: Endpoint) -> Operation:
    meant, models = endpoint.meant, endpoint.possible
    choices = [_request(model, endpoint) for model in models]
    bare = [ref(f"{meant.name}.rows")] if meant else []
    contents = content(one_of(*choices, *bare), endpoint.example)
    if meant is not None:
        contents |= csv(meant) | images(meant)
    answers = one_of(*(ref(f"{model.name}.answer") for model in models))
    return Operation(
        f"Predict by {models[0].name}" if len(models) == 1 else "Predict by any model",
        answered("One entry per row in every member.", answers),
        body(contents),
        [ON_ERROR, *wishes.parameters(models)],
        (400, *(() if endpoint.model else (404,)), 409, 413, 415, 422),
    )


def _request(model: Model, endpoint: Endpoint) -> Schema:
    named, may_name = endpoint.naming(model)
    rows = {"instances": ref(f"{model.name}.rows")}
    return closed(rows | named, may_name | wishes.member(model))


def images(model: Model) -> Schema:
    """The bodies of a model of one image: the image itself, or a form with files."""
    required = [column for column in model.signature.columns if column.required]
    if len(required) != 1 or not required[0].image:
        return {}
    image: Schema = {"type": "string", "format": "binary", "description": "one row"}
    files = {"type": "array", "items": {"type": "string", "format": "binary"}, "minItems": 1}
    form = record({"file": {**files, "description": "one row each, whatever the field is called"}})
    kinds = ("png", "jpeg", "webp", "gif", "bmp", "tiff")
    return {f"image/{kind}": {"schema": image} for kind in kinds} | content(
        form, None, "multipart/form-data"
    )


def csv(model: Model) -> Schema:
    """A body of rows below a header."""
    row = example_instance(model)
    schema = {**listed(ref(f"{model.name}.row"), 1), "description": "rows below a header"}
    if is_long(row):
        return content(schema, None, "text/csv")
    lines = [",".join(map(_field, row)), ",".join(map(_field, row.values()))]
    return content(schema, "\n".join(lines) + "\n", "text/csv")


def _field(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    text = str(value)
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if any(mark in text for mark in ',"\r\n') or text == "" else text


def _model(endpoint: Endpoint) -> Operation:
    answer = answered("The model.", ref("model"))
    return Operation("Describe a model", answer, None, [versions(endpoint)], [404])


def _report(endpoint: Endpoint) -> Operation | None:
    if endpoint.model is None or not endpoint.model.has_report:
        return None
    page = answered("A page of HTML, without script.", TEXT, "text/html")
    return Operation("How good the model is", page, None, [versions(endpoint)], (404,))


IGNORED = "columns that its table had at build: rows by column name may have them"
TASKS = (
    "regression", "classification", "clustering", "outlier", "transformation", "neighbours",
    "recommendation", "function", "summary",
)  # fmt: skip
MODEL: Schema = record(
    {
        "name": TEXT,
        "version": POSITIVE,
        "versions": listed(POSITIVE, 1),
        "task": {"enum": list(TASKS)},
        "signature": record(
            {"inputs": listed({"type": "object"}), "outputs": listed({"type": "object"})},
            {"ignored": {**listed(TEXT), "description": IGNORED}},
        ),
        "parity": {
            "type": ["object", "null"],
            "description": "how it was proven: its reference, the rows, and what was found",
        },
    },
    {
        "aliases": {
            "type": "object",
            "additionalProperties": POSITIVE,
            "description": "versions by name; `stable` is served where none is named",
        },
        "pin": {"type": "string", "description": "the version, or alias, that is served instead"},
        "target": {**TEXT, "description": "the column that it predicts; it is ignored"},
        "classes": {"type": "array"},
        "metrics": {"type": ["object", "null"]},
        "coverage": {
            "type": "number",
            "description": "the highest that a request may ask intervals or sets for",
        },
        "report": {"type": "string", "description": "where its report is, from the root"},
        "typical": {
            "type": "object",
            "description": "by column: median and quantiles, or frequent values",
        },
    },
)

OPERATIONS: Mapping[str, Any] = {
    "POST /predict": _predict,
    "POST /models/<name>/predict": _predict,
    "POST /models/<name>/versions/<version>/predict": _predict,
    "POST /explain": explain.operation,
    "POST /models/<name>/explain": explain.operation,
    "POST /models/<name>/versions/<version>/explain": explain.operation,
    "GET /models": information(
        "List the models",
        "All models.",
        record(
            {
                "models": listed(ref("model")),
                "limits": record({"rows": POSITIVE, "body_bytes": POSITIVE}),
            }
        ),
    ),
    "GET /models/<name>": _model,
    "GET /models/<name>/report": _report,
    "GET /models/<name>/drift": drift.operation,
}
PART = Part(
    "native",
    "JSON or CSV in, one entry per row out; errors by RFC 9457, every problem located.",
    OPERATIONS,
    ref("problem"),
    "application/problem+json",
    {"problem": PROBLEM, "model": MODEL, "drift": drift.DRIFT, "binned": drift.BINNED},
)
