"""Version 1's part of the document: TensorFlow Serving's and KServe's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from onnxlet.function.models.example import example_instance
from onnxlet.function.openapi import wishes
from onnxlet.function.openapi.forms import (
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
    listed,
    one_of,
    or_null,
    parameter,
    record,
    ref,
)
from onnxlet.function.openapi.native import ON_ERROR
from onnxlet.function.openapi.schemas import UNANSWERED, column_schema, output_schema

if TYPE_CHECKING:
    from onnxlet.function.models.model import Model

BESIDE: Mapping[str, Schema] = {
    "classes": {"type": "array", "description": "in the order of the probabilities"},
    **UNANSWERED,
}
SIGNATURE: Mapping[str, Schema] = {"signature_name": {"enum": ["serving_default", "", None]}}


def outputs_parameter(models: Sequence[Model]) -> Schema:
    """The query parameter `outputs`, with the names that these models' outputs have."""
    names = {output.name: None for model in models for output in model.signature.outputs}
    about = "all, or names of outputs with commas between; only the prediction if not."
    return parameter("outputs", about, {"enum": ["all", *names]})


def by_row(model: Model) -> Schema:
    """Instances: objects, lists, or bare values where there is one column."""
    columns = model.signature.columns
    bare = [column_schema(columns[0])] if len(columns) == 1 else []
    return listed(one_of(ref(f"{model.name}.row"), ref(f"{model.name}.values"), *bare), 1)


def by_column(model: Model) -> Schema:
    """Columns by name, as lists of one length; or the matrix that has them all."""
    cells = {c.name: (listed(column_schema(c), 1), c.required) for c in model.signature.columns}
    required = {name: cell for name, (cell, needed) in cells.items() if needed}
    optional = {name: cell for name, (cell, needed) in cells.items() if not needed}
    whole = model.signature.whole
    matrix = [closed({whole: listed(ref(f"{model.name}.values"), 1)})] if whole else []
    return one_of(closed(required, optional), *matrix)


def entries(model: Model) -> dict[str, Schema]:
    """What each output has for a row."""
    outputs = {output.name: output_schema(output, model) for output in model.signature.outputs}
    return {name: or_null(entry) for name, entry in (outputs | wishes.region(model)).items()}


def in_rows(model: Model) -> Schema:
    """Predictions: an output's entries, or objects of several outputs."""
    each = entries(model)
    several = {"type": ["object", "null"], "properties": each, "additionalProperties": False}
    return listed(one_of(*each.values(), *([several] if len(each) > 1 else [])))


def _predict(endpoint: Endpoint) -> Operation:
    model = endpoint.shown
    beside = {**SIGNATURE, **wishes.member(model)}
    requests = one_of(
        closed({"instances": by_row(model)}, beside),
        closed({"inputs": one_of(by_row(model), by_column(model))}, beside),
    )
    columns = {name: listed(entry) for name, entry in entries(model).items()}
    outputs = one_of(*columns.values(), {**record({}, columns), "additionalProperties": False})
    answers = one_of(
        closed({"predictions": in_rows(model)}, BESIDE), closed({"outputs": outputs}, BESIDE)
    )
    return Operation(
        f"Predict by {model.name}",
        answered("The prediction of each row; for columns they are called outputs.", answers),
        body(content(requests, {"instances": [example_instance(model)]})),
        [ON_ERROR, outputs_parameter([model]), *wishes.parameters([model])],
        (400, 413, 415),
        'A text may be {"b64": ...}, base64 of its UTF-8.',
    )


STATUS = record({"error_code": {"const": "OK"}, "error_message": {"const": ""}})
STATE = record({"version": TEXT, "state": {"const": "AVAILABLE"}, "status": STATUS})
READY = record({"model_version_status": listed(STATE, 1), "name": TEXT, "ready": {"const": True}})
SPEC = {"type": "object"}
METADATA = record({"model_spec": SPEC, "metadata": record({"signature_def": SPEC})})
_status = information("Is a model ready?", "TensorFlow Serving's and KServe's.", READY)
_metadata = information("Describe a model", "TensorFlow Serving's form.", METADATA)
MODEL = "/v1/models/<name>"
VERSION = f"{MODEL}/versions/<version>"
PART = Part(
    "V1",
    "As TensorFlow Serving and KServe speak it: rows or columns in, predictions out.",
    {
        "GET /v1/models": information(
            "Name the models", "KServe's form.", record({"models": listed(TEXT, 1)})
        ),
        **{
            f"{method} {path}{rest}": operation
            for path in (MODEL, VERSION)
            for method, rest, operation in (
                ("POST", ":predict", _predict),
                ("GET", "", _status),
                ("GET", "/metadata", _metadata),
            )
        },
    },
    record({"error": TEXT}),
)
