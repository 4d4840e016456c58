"""The native protocol's part of the document."""

from __future__ import annotations

from onnxlet.function.models.model import Model
from onnxlet.function.openapi import forms, schemas
from onnxlet.function.openapi.forms import DocumentPart, Endpoint, Operation, Schema
from onnxlet.function.protocols.native import PREDICT

PROBLEM: Schema = forms.record(
    {"hint": forms.TEXT, "errors": schemas.PROBLEM_PLACES, "error_count": forms.POSITIVE},
    type=forms.TEXT,
    title=forms.TEXT,
    status={"type": "integer"},
    detail=forms.TEXT,
)


def _predict(endpoint: Endpoint) -> Operation:
    meant, models = endpoint.default, endpoint.possible
    choices = [_request(model, endpoint) for model in models]
    bare = [forms.ref(f"{meant.name}.rows")] if meant else []
    contents = forms.content(forms.one_of(*choices, *bare), endpoint.example)
    if meant is not None:
        contents |= schemas.csv(meant) | schemas.images(meant)
    answers = forms.one_of(*(forms.ref(f"{model.name}.answer") for model in models))
    return Operation(
        f"Predict by {models[0].name}" if len(models) == 1 else "Predict by any model",
        forms.answered("One entry per row in every member.", answers),
        forms.body(contents),
        [forms.ON_ERROR, *forms.option_parameters(models)],
        (400, *(() if endpoint.model else (404,)), 409, 413, 415, 422),
    )


def _request(model: Model, endpoint: Endpoint) -> Schema:
    named, may_name = endpoint.naming(model)
    rows = {"instances": forms.ref(f"{model.name}.rows")}
    return forms.closed(may_name | forms.option_members(model), **(rows | named))


def _model(endpoint: Endpoint) -> Operation:
    answer = forms.answered("The model.", forms.ref("model"))
    return Operation("Describe a model", answer, None, [forms.versions(endpoint)], [400, 404])


IGNORED = "columns that its table had at build: rows by column name may have them"
TASKS = (
    "regression", "classification", "clustering", "outlier", "transformation", "neighbours",
    "recommendation", "function", "summary",
)  # fmt: skip
MODEL: Schema = forms.record(
    {
        "aliases": {
            "type": "object",
            "additionalProperties": forms.POSITIVE,
            "description": "versions by name; `stable` is served where none is named",
        },
        "pin": {"type": "string", "description": "the version, or alias, that is served instead"},
        "target": {**forms.TEXT, "description": "the column that it predicts; it is ignored"},
        "output_names": {**forms.listed(forms.TEXT, 2), "description": "of several, in order"},
        "classes": {"type": "array"},
        "threshold": {
            "type": "object",
            "description": "from which probability a label is",
        },
        "metrics": {"type": ["object", "null"]},
        "coverage": {
            "type": "number",
            "description": "the highest that a request may ask intervals or sets for",
        },
        "unusual": {
            "type": "object",
            "description": "rows unlike the training rows are marked; so many held-out ones were",
        },
        "report": {"type": "string", "description": "where its report is, from the root"},
        "typical": {
            "type": "object",
            "description": "by column: median and quantiles, or frequent values",
        },
    },
    name=forms.TEXT,
    version=forms.POSITIVE,
    versions=forms.listed(forms.POSITIVE, 1),
    task={"enum": list(TASKS)},
    signature=forms.record(
        {"ignored": {**forms.listed(forms.TEXT), "description": IGNORED}},
        inputs=forms.listed({"type": "object"}),
        outputs=forms.listed({"type": "object"}),
    ),
    parity={
        "type": ["object", "null"],
        "description": "how it was proven: its reference, the rows, and what was found",
    },
)
MODELS: Schema = forms.record(
    models=forms.listed(forms.ref("model")),
    limits=forms.record(rows=forms.POSITIVE, body_bytes=forms.POSITIVE),
)
PART = DocumentPart(
    "native",
    "JSON or CSV in, one entry per row out; errors by RFC 9457, every problem located.",
    {
        **{f"POST {rule}": _predict for rule in PREDICT},
        "GET /models": forms.information("List the models", "All models.", MODELS),
        "GET /models/<name>": _model,
    },
    forms.ref("problem"),
    "application/problem+json",
    {"problem": PROBLEM, "model": MODEL},
)
