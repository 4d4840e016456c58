"""The native protocol's part of the document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxlet.function.models.example import example_instance
from onnxlet.function.openapi import drift, explain, wishes
from onnxlet.function.openapi.forms import (
    Endpoint,
    Operation,
    Part,
    Schema,
    answered,
    body,
    closed,
    content,
    is_long,
    listed,
    one_of,
    record,
    ref,
)
from onnxlet.function.openapi.schemas import PROBLEM_PLACES

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

ON_ERROR: Schema = {
    "name": "on_error",
    "in": "query",
    "description": (
        "null: rows that can't be answered are null, and the others are not lost; "
        "refuse: they are 422, with all their problems."
    ),
    "schema": {"enum": ["null", "refuse"], "default": "refuse"},
}
PROBLEM: Schema = record(
    {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    {
        "hint": {"type": "string"},
        "errors": PROBLEM_PLACES,
        "error_count": {"type": "integer", "minimum": 1},
    },
)


def _predict(endpoint: Endpoint) -> Operation:
    meant = endpoint.meant
    models = [meant] if endpoint.model is not None and meant else endpoint.models
    choices = [_request(model, optional=model is meant, endpoint=endpoint) for model in models]
    contents = content(one_of(*choices, *([ref(f"{meant.name}.rows")] if meant else [])))
    example_of = meant or endpoint.models[0]
    example: dict[str, Any] = {"instances": [example_instance(example_of)]}
    if meant is None:
        example["model"] = example_of.name
    if not is_long(example):
        contents["application/json"]["example"] = example
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


def _request(model: Model, optional: bool, endpoint: Endpoint) -> Schema:
    """An object with instances; `optional`: the model need not be named."""
    rows = {"instances": ref(f"{model.name}.rows")}
    if endpoint.model is not None:
        name: Schema = {"type": ["string", "null"], "description": "the path's goes before it"}
        return closed(rows, {"model": name} | wishes.member(model))
    if optional:
        return closed(rows, {"model": {"enum": [model.name, None]}} | wishes.member(model))
    return closed({**rows, "model": {"const": model.name}}, wishes.member(model))


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


def _models(endpoint: Endpoint) -> Operation:
    whole: Schema = {"type": "integer", "minimum": 1}
    limits = record({"rows": whole, "body_bytes": whole})
    members = {"models": listed(ref("model")), "limits": limits}
    return Operation("List the models", answered("All models.", record(members)))


def _model(endpoint: Endpoint) -> Operation:
    model = endpoint.model or endpoint.models[0]
    repository = endpoint.service.repository
    versions = {
        "name": "version",
        "in": "query",
        "description": "the one that is served where it is not named",
        "schema": {"enum": [*repository.versions(model.name), *repository.aliases(model.name)]},
    }
    return Operation(
        "Describe a model", answered("The model.", ref("model")), None, [versions], [404]
    )


def _report(endpoint: Endpoint) -> Operation | None:
    if endpoint.model is None or not endpoint.model.has_report:
        return None
    described = _model(endpoint)
    page = answered("A page of HTML, without script.", {"type": "string"}, "text/html")
    return Operation(
        "How good the model is",
        page,
        None,
        described.parameters,
        (404,),
    )


def _drift(endpoint: Endpoint) -> Operation | None:
    return drift.operation(endpoint, list(_model(endpoint).parameters))


IGNORED = "columns that its table had at build: rows by column name may have them"
MODEL: Schema = record(
    {
        "name": {"type": "string"},
        "version": {"type": "integer", "minimum": 1},
        "versions": listed({"type": "integer", "minimum": 1}, 1),
        "task": {
            "enum": [
                "regression",
                "classification",
                "clustering",
                "outlier",
                "transformation",
                "neighbours",
                "recommendation",
                "function",
                "summary",
            ]
        },
        "signature": record(
            {"inputs": listed({"type": "object"}), "outputs": listed({"type": "object"})},
            {"ignored": {**listed({"type": "string"}), "description": IGNORED}},
        ),
        "parity": {
            "type": ["object", "null"],
            "description": "how it was proven: its reference, the rows, and what was found",
        },
    },
    {
        "aliases": {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 1},
            "description": "versions by name; `stable` is served where none is named",
        },
        "pin": {"type": "string", "description": "the version, or alias, that is served instead"},
        "target": {"type": "string", "description": "the column that it predicts; it is ignored"},
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
    "GET /models": _models,
    "GET /models/<name>": _model,
    "GET /models/<name>/report": _report,
    "GET /models/<name>/drift": _drift,
}
PART = Part(
    "native",
    "JSON or CSV in, one entry per row out; errors by RFC 9457, every problem located.",
    OPERATIONS,
    ref("problem"),
    "application/problem+json",
    {"problem": PROBLEM, "model": MODEL, "drift": drift.DRIFT, "binned": drift.BINNED},
)
